import Demo
import Foundation

/// `cutbank demo hotspots`: pickups in a town, and where they crowd.
struct HotspotsDemo {
  let seed: UInt64
  let output: String
  let serve: Bool

  private struct Row: Decodable {
    let trip: String
    let result: String

    enum CodingKeys: String, CodingKey {
      case trip
      case result = "HOTSPOTS_RESULT"
    }
  }

  private struct Result: Decodable {
    struct Spot: Decodable {
      let density: Double
      let minValues: [Double]
      let maxValues: [Double]

      func contains(_ crowd: Crowd) -> Bool {
        minValues.count == 2 && maxValues.count == 2
          && (minValues[0]...maxValues[0]).contains(crowd.east)
          && (minValues[1]...maxValues[1]).contains(crowd.north)
      }
    }
    let hotspots: [Spot]
  }

  func run() async throws {
    let pickups = TownPickups.pickups(seed: seed)
    try Output.write(
      "pickups: \(pickups.count.grouped), simulated with seed \(seed), "
        + "\(TownPickups.crowds.count) crowds among them\n")
    let folder = try DemoFolder(output: output, name: "hotspots")
    defer { folder.removeState() }
    let stage = try await DemoStage(.pickups(pickups), seed: seed, folder: folder)
    let terminal = Terminal.current(environment: ProcessInfo.processInfo.environment)
    _ = try await stage.run(showing: ProgressDisplay(terminal: terminal))
    let rows = try folder.deliveredLines().map { try JSONDecoder().decode(Row.self, from: $0) }
    let problems = try show(rows, pickups: pickups.count, folder: folder, terminal: terminal)
    guard problems.isEmpty else { throw Failure(message: problems.joined(separator: "; ")) }
    if serve { try await stage.serve() }
  }

  /// Prints what each full window shows; returns what is not as it must be.
  private func show(
    _ rows: [Row], pickups: Int, folder: DemoFolder, terminal: Terminal
  ) throws -> [String] {
    var problems: [String] = []
    if rows.count != pickups { problems.append("\(rows.count) of \(pickups) rows were delivered") }
    var table = TextTable([
      ("trips", .right), ("hot spot, km east and north", .left), ("per km²", .right),
      ("crowd", .left),
    ])
    for trip in stride(from: TownPickups.window - 1, to: pickups, by: TownPickups.window) {
      guard let row = rows.first(where: { $0.trip == "trip-\(trip)" }) else { continue }
      let found = try JSONDecoder().decode(Result.self, from: Data(row.result.utf8)).hotspots
      let known = TownPickups.crowds(at: trip)
      for crowd in known where !found.contains(where: { $0.contains(crowd) }) {
        problems.append("the crowd at the \(crowd.name) is missed at trip \(trip)")
      }
      if found.count > known.count { problems.append("a hot spot without a crowd at trip \(trip)") }
      let trips = "\(trip + 1 - TownPickups.window)–\(trip)"
      if found.isEmpty { table.add([trips, "none", "", ""]) }
      for spot in found {
        let place = (0..<2).map { axis in
          String(format: "%.2f to %.2f", spot.minValues[axis], spot.maxValues[axis])
        }
        table.add([
          trips, place.joined(separator: ", "), String(format: "%.0f", spot.density),
          known.first(where: spot.contains)?.name ?? "?",
        ])
      }
    }
    let lines =
      [""] + table.lines(unicode: terminal.unicode) + [
        "", "\(rows.count.grouped) rows delivered under \(folder.objects)/YYYY/MM/dd/HH/",
      ]
    try Output.write(lines.joined(separator: "\n") + "\n")
    return problems
  }
}
