import Foundation
import Learning
import RandomCutForest
import Testing

@Suite struct FileRowsTests {
  private func file(_ name: String, _ bytes: [UInt8]) throws -> String {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let url = folder.appendingPathComponent(name)
    try Data(bytes).write(to: url)
    return url.path
  }

  private func rows(_ name: String, _ bytes: [UInt8], labelCount: Int = 0) throws -> RowBlock {
    let source = try FileRows([try file(name, bytes)], labelCount: labelCount)
    var block = RowBlock()
    try source.read(into: &block, limit: 100)
    let first = block
    try source.rewind()
    try source.read(into: &block, limit: 100)
    #expect(block.values == first.values)
    return block
  }

  /// The frame of the SageMaker Python SDK for the features 1.5 and -2.
  private static let record: [UInt8] = [
    0x0A, 0x23, 0xD7, 0xCE, 24, 0, 0, 0, 0x0A, 22, 0x0A, 6, 0x76, 0x61, 0x6C, 0x75, 0x65, 0x73,
    0x12, 12, 0x12, 10, 0x0A, 8, 0, 0, 0xC0, 0x3F, 0, 0, 0, 0xC0,
  ]

  @Test func formatsGiveTheSameRows() throws {
    let csv = Array("a,b\n1.5,-2\r\n\n 3e0 , .25\n".utf8)
    #expect(try rows("x.csv", csv).values == [1.5, -2, 3, 0.25])
    let marked = [0xEF, 0xBB, 0xBF] + Array("1.5,-2\r\n3,0.25".utf8)
    #expect(try rows("x.csv", marked).values == [1.5, -2, 3, 0.25])
    let json = Array(
      "{\"features\":[1.5, -2]}\n{\"data\":{\"features\":{\"values\":[3,0.25]}}}".utf8)
    #expect(try rows("x.jsonl", json).values == [1.5, -2, 3, 0.25])
    #expect(try rows("x.pbr", Self.record + Self.record).values == [1.5, -2, 1.5, -2])
    let labelled = try rows("x.csv", Array("1,5,6\n0,7,8".utf8), labelCount: 1)
    #expect(labelled.labels == [1, 0] && labelled.values == [5, 6, 7, 8])
  }

  /// A record whose tensor has values, keys and shape as the SDK writes them.
  private static func sparseRecord(_ tensor: [UInt8], label: [UInt8] = []) -> [UInt8] {
    let value: [UInt8] = [0x12, UInt8(tensor.count)] + tensor
    let entry: [UInt8] = [0x0A, 6] + Array("values".utf8) + [0x12, UInt8(value.count)] + value
    let record: [UInt8] = [0x0A, UInt8(entry.count)] + entry + label
    let padding = [UInt8](repeating: 0, count: (4 - record.count % 4) % 4)
    return [0x0A, 0x23, 0xD7, 0xCE, UInt8(record.count), 0, 0, 0] + record + padding
  }

  /// The values 1.5 and -2 at the positions 3 and 1 of five.
  private static let sparse: [UInt8] = [
    0x0A, 8, 0, 0, 0xC0, 0x3F, 0, 0, 0, 0xC0, 0x12, 2, 3, 1, 0x1A, 1, 5,
  ]

  @Test func sparseRowsAreFilledWithZeros() throws {
    let expected: [Float] = [0, -2, 0, 1.5, 0]
    #expect(try rows("x.pbr", Self.sparseRecord(Self.sparse)).values == expected)
    let lines = """
      {"data":{"features":{"keys":[3,1],"shape":[5],"values":[1.5,-2]}}}
      {"data" : {"features" : {"values" : [1.5,-2], "shape" : [1,5], "keys" : [3,1]}}}
      {"data":{"features":{"values":[],"keys":[],"shape":[5]}}}
      {"data":{"features":{"values":[0,-2,0,1.5,0],"shape":[5]}}}
      {"features":[0,-2,0,1.5,0]}
      """
    #expect(
      try rows("x.jsonl", Array(lines.utf8)).values
        == expected + expected + [0, 0, 0, 0, 0] + expected + expected)
  }

  @Test func labelsOfRecordsAreReadWhereTheyAreAskedFor() throws {
    // The label 1 as the SDK writes it.
    let label: [UInt8] =
      [0x12, 18, 0x0A, 6] + Array("values".utf8) + [0x12, 8, 0x12, 6, 0x0A, 4, 0, 0, 0x80, 0x3F]
    let record = Self.sparseRecord(Self.sparse, label: label)
    let with = try rows("x.pbr", record, labelCount: 1)
    #expect(with.labels == [1] && with.values == [0, -2, 0, 1.5, 0])
    #expect(try rows("x.pbr", record).values == with.values)
    #expect(throws: DataError.self) {
      try rows("x.pbr", Self.sparseRecord(Self.sparse), labelCount: 1)
    }
    #expect(throws: DataError.self) {
      try rows("x.jsonl", Array("{\"features\":[1,2]}".utf8), labelCount: 1)
    }
  }

  /// Whatever stands in a file, reading ends in rows or in an error with a place.
  @Test(arguments: ["x.csv", "x.jsonl", "x.pbr"]) func damagedFilesAreRefusedOrRead(
    name: String
  ) throws {
    let whole: [String: [UInt8]] = [
      "x.csv": Array("1.5,-2\n3e0,.25\n".utf8),
      "x.jsonl": Array(
        "{\"data\":{\"features\":{\"keys\":[3,1],\"shape\":[5],\"values\":[1.5,-2]}}}\n".utf8),
      "x.pbr": Self.sparseRecord(Self.sparse) + Self.record,
    ]
    var random = SplitMix64(seed: 11)
    let path = try file(name, [])
    for _ in 0..<2_000 {
      var bytes = try #require(whole[name])
      for _ in 0...random.next(upperBound: UInt64(3)) {
        let place = Int(random.next(upperBound: UInt64(bytes.count)))
        switch random.next(upperBound: UInt64(3)) {
        case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
        case 1: bytes.remove(at: place)
        default: bytes.insert(bytes[bytes.count - 1 - place], at: place)
        }
      }
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      do {
        let source = try FileRows([path], labelCount: 0)
        var block = RowBlock()
        try source.read(into: &block, limit: 10)
        #expect(block.values.count == block.count * source.featureCount)
      } catch {
        #expect(error.place?.contains(name) == true, "\(error)")
      }
    }
  }

  @Test func errorsNameFileAndLine() throws {
    let cases: [(String, [UInt8], String)] = [
      ("x.csv", Array("1,2\n3,x\n".utf8), "x.csv:2: column 2 is not a number: 'x'"),
      ("x.csv", Array("1,2\n3\n".utf8), "x.csv:2: the row has 1 values, the first row has 2"),
      ("x.csv", Array("1,2\nnan,3\n".utf8), "x.csv:2: column 1"),
      ("x.csv", Array("1,1e30\n".utf8), "x.csv:1: value 2 is 1e+30"),
      ("x.csv", [], "it has no rows"),
      ("x.jsonl", Array("{\"features\":[1,]}".utf8), "x.jsonl:1:16: a number as feature 2"),
      (
        "x.jsonl",
        Array("{\"data\":{\"features\":{\"keys\":[5],\"values\":[1],\"shape\":[5]}}}".utf8),
        "x.jsonl:1: the key 5 stands twice or is no position"
      ),
      (
        "x.jsonl",
        Array("{\"data\":{\"features\":{\"keys\":[1,1],\"values\":[1,2],\"shape\":[5]}}}".utf8),
        "the key 1 stands twice"
      ),
      (
        "x.jsonl", Array("{\"data\":{\"features\":{\"keys\":[1],\"values\":[1]}}}".utf8),
        "the shape is []"
      ),
      (
        "x.jsonl",
        Array(
          "{\"data\":{\"features\":{\"keys\":[1],\"values\":[1],\"shape\":[99999999999]}}}".utf8),
        "the shape is [99999999999]"
      ),
      ("x.jsonl", Array("{\"values\":[1]}".utf8), "x.jsonl:1:2: the member \"features\""),
      (
        "x.jsonl", Array("{\"data\":{\"features\":{\"size\":[1]}}}".utf8),
        "x.jsonl:1:22: the member"
      ),
      ("x.pbr", Array(Self.record.dropLast(3)), "x.pbr: record 1: the file ends"),
      ("x.txt", [49], "its extension tells no format"),
    ]
    for (name, bytes, message) in cases {
      var text = ""
      do { _ = try rows(name, bytes) } catch { text = "\(error)" }
      #expect(text.contains(message), "\(text)")
    }
  }
}
