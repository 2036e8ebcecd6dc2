import Demo
import Engine
import Foundation

/// Rows before and after each exchange of models, as they were delivered.
struct RetrainReport {
  let folder: DemoFolder
  /// How many records the demo has.
  let total: Int

  /// A delivered row of either stream.
  private struct Row: Decodable {
    let time: String
    let passengers: Double
    let distance: Double?
    let expected: Double?
    let tail: Double?
    let version: String?

    enum CodingKeys: String, CodingKey {
      case time = "pickup_time"
      case passengers, distance, expected
      case tail = "tail_probability"
      case version = "MODEL_VERSION"
    }

    var result: String {
      if let distance { return "distance \(Int(distance))" }
      if let expected, let tail {
        return "expected \(Int(expected)), tail probability "
          + String(format: "%.3f", tail)
      }
      return "-"
    }
  }

  private static let streams = ["day-shape": "scored", "rides-forecast": "forecast"]

  /// Prints the rows; returns what is not as it must be.
  func show(_ activations: [EndpointActivation]) throws -> [String] {
    var problems: [String] = []
    var rows: [String: [Row]] = [:]
    for (endpoint, stream) in Self.streams.sorted(by: { $0.key < $1.key }) {
      let found = try folder.deliveredLines(below: stream).map {
        try JSONDecoder().decode(Row.self, from: $0)
      }.sorted { $0.time < $1.time }
      rows[endpoint] = found
      if found.count != total {
        problems.append("\(found.count) of \(total) rows of \(stream) were delivered")
      }
    }
    var table = TextTable([
      ("endpoint", .left), ("record", .right), ("pickup time", .left), ("passengers", .right),
      ("result", .left), ("MODEL_VERSION", .left),
    ])
    var last: [String: String] = [:]
    for activation in activations {
      guard let found = rows[activation.endpoint], let variant = activation.variants.first,
        let version = variant.split(separator: " ").last.map(String.init),
        last.updateValue(version, forKey: activation.endpoint) != version
      else { continue }
      let place = Int(activation.rowNumber)
      for index in max(0, place - 2)..<min(found.count, place + 2) {
        let row = found[index]
        table.add([
          activation.endpoint, index.grouped, row.time, "\(Int(row.passengers))", row.result,
          row.version ?? "-",
        ])
        if (row.version == version) != (index >= place) {
          problems.append(
            "record \(index) of \(activation.endpoint) has \(row.version ?? "no version"), "
              + "\(version) serves from \(place) on")
        }
      }
    }
    try Output.write(
      (["", "Rows before and after each swap:", ""] + table.lines(unicode: true) + [
        "", "\(total.grouped) records, each scored once, under \(folder.objects)/",
      ]).joined(separator: "\n") + "\n")
    return problems
  }
}
