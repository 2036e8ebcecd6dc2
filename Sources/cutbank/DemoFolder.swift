import Delivery
import Demo
import Foundation

/// Where a demo delivers to, and the state that it throws away at the end.
struct DemoFolder {
  /// The folder of the delivered objects.
  let objects: String
  /// Snapshots, journal and outbox; the embedded broker loses its offsets at the end, so the state
  /// must not outlive it.
  let state: String

  /// What was found in the objects.
  struct Rows {
    var rides: [ScoredRide] = []
    var objects = 0
  }

  /// Tells an earlier demo's folder from one with somebody's data.
  private static let mark = ".cutbank-demo"
  private static let objectLimit = 1 << 30

  /// Makes an empty folder for the objects, removing those of an earlier demo.
  init(output: String, name: String) throws {
    let files = FileManager.default
    objects = output + "/\(name)"
    state = files.temporaryDirectory.path + "/cutbank-demo-\(UUID().uuidString)"
    do {
      if files.fileExists(atPath: objects) {
        guard files.fileExists(atPath: objects + "/" + Self.mark) else {
          throw Failure(
            message: "\(objects) exists and was not made by a demo",
            hint: "name another folder with --output")
        }
        try files.removeItem(atPath: objects)
      }
      try files.createDirectory(atPath: objects, withIntermediateDirectories: true)
      try Data().write(to: URL(fileURLWithPath: objects + "/" + Self.mark))
      try files.createDirectory(atPath: state, withIntermediateDirectories: true)
    } catch let error as CocoaError {
      throw Failure(
        message: "\(output) cannot be used: \(error.localizedDescription)",
        hint: "name a folder that can be written to with --output")
    }
  }

  /// The folder as a delivery destination.
  var url: String { "file://" + (objects.hasPrefix("/") ? objects : "./" + objects) }

  /// Removes the state; what cannot be removed stays in the folder for temporary files.
  func removeState() {
    do {
      try FileManager.default.removeItem(atPath: state)
    } catch {
      Output.note("note: \(state) stays behind: \(error.localizedDescription)")
    }
  }

  private var paths: [String] {
    let all = FileManager.default.enumerator(atPath: objects)?.compactMap { $0 as? String } ?? []
    return all.sorted()
  }

  /// The lines of all delivered objects that are not compressed, or of those below a folder.
  func deliveredLines(below prefix: String = "") throws -> [Data] {
    try paths.filter { $0.hasSuffix(".jsonl") && $0.hasPrefix(prefix) }.flatMap { path in
      try Data(contentsOf: URL(fileURLWithPath: objects + "/" + path)).split(separator: 10)
    }
  }

  /// Reads all delivered objects of rides back.
  func deliveredRows() throws -> Rows {
    var rows = Rows()
    for path in paths where path.hasSuffix(".gz") {
      let bytes = try Data(contentsOf: URL(fileURLWithPath: objects + "/" + path))
      guard let lines = Compression.gzip.decompress(Array(bytes), limit: Self.objectLimit) else {
        throw Failure(message: "\(objects)/\(path) is no gzip file")
      }
      rows.objects += 1
      for line in lines.split(separator: UInt8(ascii: "\n")) {
        rows.rides.append(try Self.ride(Data(line), path: path))
      }
    }
    return rows
  }

  private struct Row: Decodable {
    let time: String
    let passengers: Double
    let score: Double

    enum CodingKeys: String, CodingKey {
      case time = "pickup_time"
      case passengers
      case score = "ANOMALY_SCORE"
    }
  }

  private static func ride(_ line: Data, path: String) throws -> ScoredRide {
    let row = try JSONDecoder().decode(Row.self, from: line)
    guard let time = RideTime.milliseconds(of: row.time) else {
      throw Failure(message: "\(path): '\(row.time)' is no time")
    }
    return ScoredRide(pickupTime: time, passengers: row.passengers, score: row.score)
  }
}
