import ArgumentParser
import Foundation

/// `cutbank bench receiver`: what a receiver of alerts that is down costs the pipeline.
struct BenchReceiver: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "receiver",
    abstract: "Measure what a receiver of alerts that is down costs in latency and memory.",
    discussion: """
      Records are scored as in bench pipeline single, at a steady rate, and one of 500 raises an \
      alert. The time from a record's timestamp to its row in the output topic is measured without \
      alerts and with a receiver that refuses every connection, in turn. Then so many records are \
      scored that raise none, and as many that raise an alert each: the memory that the process \
      holds more after these is what the alerts that wait cost. An embedded broker in this process \
      is used.
      """)

  @Option(help: "Records per second while latencies are measured.") var rate = 10_000
  @Option(help: "How many seconds each of them is measured.") var seconds = 10
  @Option(help: "How many rounds; the median counts.") var rounds = 3
  @Option(help: "How many alerts wait in the end: 72,000 are an hour of 20 a second.")
  var alerts = 360_000
  @Flag(help: "Print one line of JSON.") var json = false

  /// Nobody listens on the port of the discard protocol.
  private static let down = "http://127.0.0.1:9/alerts"

  func validate() throws {
    guard rate > 0, seconds > 0, rounds > 0, alerts > 0 else {
      throw ValidationError("--rate, --seconds, --rounds and --alerts must be positive")
    }
  }

  func run() async throws {
    var without: [(p50: Double, p99: Double)] = []
    var down: [(p50: Double, p99: Double)] = []
    for _ in 0..<rounds {
      without.append(try await latencies(webhook: nil))
      down.append(try await latencies(webhook: Self.down))
    }
    let stage = try PipelineStage(brokers: nil, webhook: Self.down)
    let memory = try await stage.backlog(of: alerts)
    try stage.close()
    func median(_ values: [Double]) -> Int { Int(BenchPipeline.median(values) ?? 0) }
    let figures = [
      ("p50_ms", median(without.map(\.p50))), ("p99_ms", median(without.map(\.p99))),
      ("down_p50_ms", median(down.map(\.p50))), ("down_p99_ms", median(down.map(\.p99))),
      ("alerts", alerts), ("memory_before_mb", memory.before >> 20),
      ("memory_more_mb", (memory.after - memory.before) >> 20),
      ("memory_peak_more_mb", (memory.peak - memory.before) >> 20),
      ("alerts_per_second", Int(Double(alerts) / memory.seconds)),
    ]
    try Output.write(
      json
        ? "{" + figures.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}\n"
        : figures.map { "\($0.0): \($0.1)\n" }.joined())
  }

  private func latencies(webhook: String?) async throws -> (p50: Double, p99: Double) {
    let stage = try PipelineStage(brokers: nil, webhook: webhook)
    let found = try await stage.latencies(
      .single, rate: Double(rate), seconds: seconds, guarantee: "at_least_once")
    try stage.close()
    return found
  }
}
