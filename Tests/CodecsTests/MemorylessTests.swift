import Codecs
import Columns
import Foundation
import Testing

/// A decoder that has seen other records answers as a fresh one does, whatever the mapping.
@Suite struct MemorylessTests {
  static let records =
    ProcessInfo.processInfo.environment["CUTBANK_SOAK"] == nil ? 12_000 : 1_000_000

  private static func format(_ mapping: Int) throws -> RecordFormat {
    switch mapping {
    case 0:
      .json(
        rowPath: .root,
        paths: try ["$.d", "$.b", "$.x[0:].y", "$.o.n", "$"].map { try JSONPath($0) })
    case 1:
      .json(
        rowPath: try JSONPath("$.x[0:]"),
        paths: try ["$.d", "$.b", "$.y", "$.y.z", "$.s"].map { try JSONPath($0) })
    case 2:
      .json(
        rowPath: try JSONPath("$.o"),
        paths: try ["$.n", "$.b", "$.m", "$.m.n", "$.s"].map { try JSONPath($0) })
    default: .csv(CSVFormat(columnDelimiter: mapping == 3 ? "," : ":{", rowDelimiter: "}"))
    }
  }

  private static let schema = Schema([
    ColumnDefinition(name: "A", type: .varchar(30)), ColumnDefinition(name: "B", type: .boolean),
    ColumnDefinition(name: "C", type: .varchar(7)), ColumnDefinition(name: "D", type: .varchar(5)),
    ColumnDefinition(name: "E", type: .char(20)),
  ])

  @Test(arguments: 0..<5) func sameAsFresh(_ mapping: Int) throws {
    var random = SplitMix64(seed: 4_711 + UInt64(mapping))
    let format = try Self.format(mapping)
    var old = try Harness(Self.schema, format)
    var accepted = 0
    for number in 0..<Self.records {
      let record = Mutations.record(&random)
      var fresh = try Harness(Self.schema, format)
      let expected = fresh.rows(of: record)
      let rows = old.rows(of: record)
      accepted += rows.first?.hasPrefix("{") == true ? 1 : 0
      guard rows == expected else {
        Issue.record(
          "mapping \(mapping), record \(number), \(String(decoding: record, as: UTF8.self)): \(rows)"
        )
        return
      }
    }
    #expect(accepted > Self.records / 200)
  }
}
