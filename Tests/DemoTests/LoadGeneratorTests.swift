import Columns
import Demo
import Foundation
import Testing

@Suite struct LoadGeneratorTests {
  private static let types: [(String, ColumnType)] = [
    ("flag", .boolean), ("tiny", .tinyint), ("small", .smallint), ("count", .integer),
    ("big", .bigint), ("price", .decimal(precision: 4, scale: 2)), ("share", .real),
    ("level", .double), ("site", .varchar(4)), ("code", .char(8)), ("raw", .varbinary(4)),
    ("day", .date), ("at", .time), ("moment", .timestamp),
  ]

  @Test(arguments: 0..<20 as Range<UInt64>) func recordsAreValidJSONThatFitsTheColumns(seed: UInt64)
    throws
  {
    let columns = try Self.types.map { try LoadColumn(name: $0.0, path: nil, type: $0.1) }
    var load = LoadGenerator(columns: columns, keys: 3, format: .json, seed: seed)
    for index in 0..<200 {
      let record = load.next(timestamp: 1_400_000_000_000 + Int64(index))
      let object = try #require(
        try JSONSerialization.jsonObject(with: Data(record.value.utf8)) as? [String: Any],
        "seed \(seed)")
      #expect(Set(object.keys) == Set(Self.types.map(\.0)), "seed \(seed)")
      #expect((object["tiny"] as? Int).map { (-128...127).contains($0) } == true)
      #expect((object["price"] as? Double).map { (0..<100).contains($0) } == true)
      #expect((object["site"] as? String).map { $0.count <= 4 } == true)
      #expect(record.key?.hasPrefix("key-") == true)
    }
  }

  @Test func aPathBecomesNestedObjects() throws {
    let columns = try [
      LoadColumn(name: "a", path: "$.reading.value", type: .boolean),
      LoadColumn(name: "b", path: "$.reading.at", type: .date),
      LoadColumn(name: "c", path: "$.key", type: .varchar(10)),
    ]
    var load = LoadGenerator(columns: columns, keyColumn: 2, keys: 1, format: .json, seed: 1)
    let record = load.next(timestamp: 0)
    #expect(
      ["true", "false"].map {
        "{\"reading\":{\"value\":\($0),\"at\":\"1970-01-01\"},\"key\":\"key-0\"}"
      }.contains(record.value))
  }

  @Test func csvHasTheColumnsInOrder() throws {
    let columns = try [
      LoadColumn(name: "a", path: nil, type: .timestamp),
      LoadColumn(name: "b", path: nil, type: .boolean),
    ]
    var load = LoadGenerator(columns: columns, format: .csv(delimiter: ";"), seed: 1)
    let record = load.next(timestamp: 1_500)
    #expect(record.key == nil)
    #expect(record.value.hasPrefix("1970-01-01 00:00:01.500;"))
  }

  @Test func theSameSeedGivesTheSameRecords() throws {
    let column = try LoadColumn(name: "a", path: nil, type: .double)
    func records(_ seed: UInt64) -> [String] {
      var load = LoadGenerator(columns: [column], keys: 5, format: .json, seed: seed)
      return (0..<50).map { load.next(timestamp: $0).value }
    }
    #expect(records(4) == records(4))
    #expect(records(4) != records(5))
  }

  @Test(arguments: ["$.a[0:]", "$", "a", "$..a"]) func aPathThatIsNoObjectMemberIsRefused(
    path: String
  ) {
    let error = #expect(throws: LoadError.self) {
      try LoadColumn(name: "x", path: path, type: .double)
    }
    #expect(error?.description.contains("'\(path)'") == true)
  }
}
