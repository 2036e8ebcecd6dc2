import Foundation
import RimSupport
import Testing

/// A folder in which commands of models are run, with what they print kept apart.
struct Workshop {
  /// How a command ended.
  struct Outcome {
    let code: Int32
    let output: String
    let errors: String

    /// The lines of the standard output.
    var lines: [String] { output.split(separator: "\n").map(String.init) }

    /// The lines of the standard output as JSON objects.
    func objects() throws -> [[String: Any]] {
      try lines.map { try Workshop.object(Data($0.utf8)) }
    }
  }

  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  static func object(_ data: Data) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
  }

  /// Runs cutbank in the folder; the words of the command stand in one text.
  func run(_ command: String) async throws -> Outcome {
    let program = try Program(
      "/bin/sh", ["-c", "exec '\(Program.cutbank)' \(command) >stdout 2>stderr"],
      folder: folder.path)
    let code = await program.exitCode()
    return Outcome(
      code: code, output: String(decoding: try folder.contents("stdout"), as: UTF8.self),
      errors: String(decoding: try folder.contents("stderr"), as: UTF8.self))
  }

  func write(_ name: String, _ text: String) throws { try write(name, Array(text.utf8)) }

  func write(_ name: String, _ bytes: [UInt8]) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: folder.path + "/" + name))
  }

  func manifest(_ name: String) throws -> [String: Any] {
    try Self.object(Data(try folder.contents(name + "/manifest.json")))
  }
}

/// Rows of numbers that every format holds exactly, and their bytes in each of them.
struct TrainingRows {
  static let width = 3
  let values: [[Float]]

  /// Rows around four corners, in an order that is not theirs.
  init(count: Int) {
    var state: UInt64 = 7
    func random() -> Float {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Float(state >> 40 & 255) / 256
    }
    values = (0..<count).map { _ in
      let corner = Int(random() * 4)
      return [
        Float(corner & 1) * 16 + random(), Float(corner >> 1) * 16 + random(), random() - 0.5,
      ]
    }
  }

  func csv(header: Bool = false, label: ((Int) -> Int)? = nil) -> String {
    (header ? "height,width,depth\n" : "")
      + values.enumerated().map { index, row in
        ((label.map { ["\($0(index))"] } ?? []) + row.map { "\($0)" }).joined(separator: ",") + "\n"
      }.joined()
  }

  var jsonLines: String {
    values.enumerated().map { index, row in
      let list = row.map { "\($0)" }.joined(separator: ",")
      switch index % 3 {
      case 0: return "{\"features\":[\(list)]}\n"
      case 1: return "{\"data\":{\"features\":{\"values\":[\(list)]}}}\n"
      default:
        return "{\"data\":{\"features\":{\"keys\":[0,1,2],\"shape\":[3],\"values\":[\(list)]}}}\n"
      }
    }.joined()
  }

  var recordIO: [UInt8] {
    values.flatMap { row -> [UInt8] in
      let numbers = row.flatMap { bytes($0.bitPattern) }
      let tensor = [0x0A, UInt8(numbers.count)] + numbers
      let value = [0x12, UInt8(tensor.count)] + tensor
      let entry = [0x0A, 6] + Array("values".utf8) + [0x12, UInt8(value.count)] + value
      let record = [0x0A, UInt8(entry.count)] + entry
      return bytes(0xCED7_230A) + bytes(UInt32(record.count)) + record
        + [UInt8](repeating: 0, count: (4 - record.count % 4) % 4)
    }
  }

  var floats: [UInt8] { values.flatMap { $0.flatMap { bytes($0.bitPattern) } } }

  var shape: String { "{\"n\":\(values.count),\"d\":\(Self.width)}" }

  private func bytes(_ word: UInt32) -> [UInt8] { (0..<4).map { UInt8(word >> (8 * $0) & 255) } }

  /// Writes `rows.csv`, `headed.csv`, `rows.jsonl`, `rows.pbr` and `rows.f32`.
  func write(to workshop: Workshop) throws {
    try workshop.write("rows.csv", csv())
    try workshop.write("headed.csv", csv(header: true))
    try workshop.write("rows.jsonl", jsonLines)
    try workshop.write("rows.pbr", recordIO)
    try workshop.write("rows.f32", floats)
    try workshop.write("rows.json", shape)
  }

  static let files = ["rows.csv", "headed.csv", "rows.jsonl", "rows.pbr", "rows.f32"]
}
