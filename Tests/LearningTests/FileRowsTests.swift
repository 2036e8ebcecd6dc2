import Foundation
import Learning
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
    let json = Array(
      "{\"features\":[1.5, -2]}\n{\"data\":{\"features\":{\"values\":[3,0.25]}}}".utf8)
    #expect(try rows("x.jsonl", json).values == [1.5, -2, 3, 0.25])
    #expect(try rows("x.pbr", Self.record + Self.record).values == [1.5, -2, 1.5, -2])
    let labelled = try rows("x.csv", Array("1,5,6\n0,7,8".utf8), labelCount: 1)
    #expect(labelled.labels == [1, 0] && labelled.values == [5, 6, 7, 8])
  }

  @Test func errorsNameFileAndLine() throws {
    let cases: [(String, [UInt8], String)] = [
      ("x.csv", Array("1,2\n3,x\n".utf8), "x.csv:2: column 2 is not a number: 'x'"),
      ("x.csv", Array("1,2\n3\n".utf8), "x.csv:2: the row has 1 values, the first row has 2"),
      ("x.csv", Array("1,2\nnan,3\n".utf8), "x.csv:2: column 1"),
      ("x.csv", Array("1,1e30\n".utf8), "x.csv:1: value 2 is 1e+30"),
      ("x.csv", [], "it has no rows"),
      ("x.jsonl", Array("{\"features\":[1,]}".utf8), "x.jsonl:1:16: a number as feature 2"),
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
