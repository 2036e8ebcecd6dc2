import ArgumentParser
import Demo
import Foundation

/// The whole thing on one machine: broker, producer, pipeline, objects, webhooks.
struct DemoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "Run an example pipeline on the embedded broker and show what it finds.",
    discussion: """
      Starts the embedded Kafka broker in this process, produces seven months of half-hourly \
      passengers to a topic, runs pipelines/city-taxi.yaml on it as on a real cluster, receives its \
      alerts, and ends with the anomalies found beside the known events. The series is simulated \
      unless --data names a file. 'cutbank demo hotspots' does the same with pickups in a town and \
      pipelines/hotspots.yaml, and shows where they crowd. The exit code is 1 when a known event is missed or a row is missing.
      """)

  enum Scenario: String, ExpressibleByArgument, CaseIterable {
    case cityTaxi = "city-taxi"
    case hotspots
  }

  @Argument(help: "The example: city-taxi or hotspots.")
  var scenario = Scenario.cityTaxi

  @Option(help: "A CSV file 'timestamp,value' in place of the simulated series.")
  var data: String?

  @Option(help: "Seeds the simulated series and the forest.")
  var seed: UInt64 = 1

  @Option(help: "The folder for the delivered objects.")
  var output = "out"

  @Flag(
    help:
      "Run pipelines/taxi-models.yaml: train k-means and DeepAR on what was delivered, exchange them."
  )
  var retrain = false

  @Flag(help: "Keep broker and pipeline running at the end, until SIGINT or SIGTERM.")
  var serve = false

  func validate() throws {
    guard scenario == .cityTaxi || data == nil else {
      throw ValidationError("--data belongs to the example city-taxi")
    }
    guard !retrain || (scenario == .cityTaxi && !serve) else {
      throw ValidationError("--retrain belongs to the example city-taxi, without --serve")
    }
  }

  func run() async throws {
    if scenario == .hotspots {
      return try await HotspotsDemo(seed: seed, output: output, serve: serve).run()
    }
    let terminal = Terminal.current(environment: ProcessInfo.processInfo.environment)
    let rides = try series()
    try Output.write(
      "series: \(rides.count.grouped) half hours, "
        + (data.map { "from \($0)" } ?? "simulated with seed \(seed)") + "\n")
    if retrain { return try await RetrainDemo(rides: rides, seed: seed, output: output).run() }
    let folder = try DemoFolder(output: output, name: "city-taxi")
    defer { folder.removeState() }
    let stage = try await DemoStage(.cityTaxi(rides), seed: seed, folder: folder)
    let run = try await stage.run(showing: ProgressDisplay(terminal: terminal))
    let rows = try folder.deliveredRows()
    let summary = DemoSummary(
      rides: rides, delivered: rows.rides, alerts: run.alerts, refusedPosts: run.refusedPosts)
    try show(summary, rows: rows, run: run, folder: folder, terminal: terminal)
    guard summary.problems.isEmpty else {
      throw Failure(message: summary.problems.joined(separator: "; "))
    }
    if serve { try await stage.serve() }
  }

  private func series() throws -> [Ride] {
    guard let data else { return CityTaxi.rides(seed: seed) }
    do {
      return try Ride.parse(csv: String(contentsOfFile: data, encoding: .utf8))
    } catch let error as RideFileError {
      throw Failure(message: "\(data): \(error)")
    } catch {
      throw Failure(
        message: "\(data) cannot be read: \(error.localizedDescription)",
        hint: "name a CSV file with lines 'yyyy-MM-dd HH:mm:ss,passengers'")
    }
  }

  private func show(
    _ summary: DemoSummary, rows: DemoFolder.Rows, run: DemoStage.Result, folder: DemoFolder,
    terminal: Terminal
  ) throws {
    let style = SeriesChart.Style(width: terminal.width, unicode: terminal.unicode)
    var lines = [""] + summary.lines(style: style) + [""]
    lines += [
      "\(summary.delivered.count.grouped) rows delivered in \(rows.objects) objects under "
        + "\(folder.objects)/YYYY/MM/dd/HH/",
      "\(summary.alerts.count.grouped) alerts received by webhook, every signature verified",
      "\(run.progress.rate.grouped) records/s after the first \(run.progress.untimed.grouped)",
    ]
    try Output.write(lines.joined(separator: "\n") + "\n")
  }
}
