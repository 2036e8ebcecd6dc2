import ArgumentParser
import Demo
import Foundation

struct GenerateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Make data: the simulated city-taxi series, or load.",
    subcommands: [GenerateCityTaxi.self, GenerateLoad.self])
}

/// The series of the demo as a file.
struct GenerateCityTaxi: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "city-taxi",
    abstract: "Write the simulated series: 10,320 half hours of passengers with five events.",
    discussion: "Simulated: made from a profile, noise and a seed, with no value of a real city.")

  enum Format: String, ExpressibleByArgument, CaseIterable {
    case csv, jsonl
  }

  @Option(help: "The same seed gives the same series on every machine.")
  var seed: UInt64 = 1

  @Option(help: "csv (timestamp,value) or jsonl.")
  var format: Format = .csv

  @Option(help: "The file to write; standard output without it.")
  var output: String?

  func run() throws {
    let rides = CityTaxi.rides(seed: seed)
    let lines =
      switch format {
      case .csv: ["timestamp,value"] + rides.map(\.csv)
      case .jsonl: rides.map(\.json)
      }
    let text = lines.joined(separator: "\n") + "\n"
    guard let output else { return try Output.write(text) }
    do {
      try Data(text.utf8).write(to: URL(fileURLWithPath: output), options: .atomic)
    } catch {
      throw Failure(
        message: "\(output) cannot be written: \(error.localizedDescription)",
        hint: "name a file in a folder that exists and may be written to")
    }
  }
}
