import ArgumentParser
import Engine
import Foundation
import Kafka
import Logging

/// `cutbank bench start`: how long a daemon takes until it scores, and what it costs when nothing comes.
struct BenchStart: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "start",
    abstract: "Measure the start from a large state, and a daemon that has nothing to do.",
    discussion: """
      One task fills a forest of 50 trees of 256 and shingles of 8 for each of --models keys and ends with \
      a snapshot; then a second daemon starts from it. Ready is when the task takes records; in that are \
      the 3 s that the embedded broker takes to form a group. Beside it stands what is Cutbank's own: \
      reading the state and replaying the journal. Then a daemon in a process of its own, with a \
      forest, files and a webhook, is left alone.
      """)

  @Option(help: "How many keys have a model.") var models = 1_000
  @Option(help: "How many seconds the idle daemon is watched.") var seconds = 10.0
  @Option(help: "A real broker for the start, host:port; a topic is made there.")
  var brokers: String?
  @Flag(help: "Print one line of JSON.") var json = false

  func validate() throws {
    guard models > 0, seconds > 0 else {
      throw ValidationError("--models and --seconds must be positive")
    }
  }

  func run() async throws {
    let start = try await coldStart()
    let idle = try await IdleStage().watch(seconds: seconds)
    let percent = (idle.processors * 1_000).rounded() / 10
    try Output.write(
      json
        ? """
        {"models":\(models),"snapshot_bytes":\(start.bytes),"ready_ms":\(start.ready),\
        "state_ms":\(start.state),"idle_processor_percent":\(percent),\
        "idle_resident_bytes":\(idle.bytes)}

        """
        : "\(models) models, \(start.bytes >> 20) MiB of state: ready after \(start.ready) ms, of which the "
          + "state took \(start.state) ms; idle: \(percent) % of a processor, \(idle.bytes >> 20) MiB\n"
    )
  }

  private func coldStart() async throws -> (ready: Int, state: Int64, bytes: Int) {
    let stage = try SnapshotStage(state: .models, keys: models, brokers: brokers)
    let first = try stage.makeDaemon()
    async let filled = first.run()
    try await stage.fill(records: models * 300, first)
    first.stop()
    guard try await filled else { throw Failure(message: "the pipeline failed") }
    let begin = ContinuousClock.now
    let second = try stage.makeDaemon()
    async let result = second.run()
    var state: Int64?
    while state == nil {
      try await Task.sleep(for: .milliseconds(2))
      try BenchStage.check(second)
      let task = second.statuses.first?.tasks.values.first
      if task?.phase == "running" { state = task?.recovery }
    }
    let ready = begin.duration(to: .now) / .milliseconds(1)
    let bytes = try stage.largestSnapshot()
    second.stop()
    guard try await result else { throw Failure(message: "the pipeline failed") }
    try stage.close()
    return (Int(ready), state ?? 0, bytes)
  }
}

/// A broker, and a daemon to which nobody sends anything.
private struct IdleStage {
  private let stage: BenchStage

  init() throws { stage = try BenchStage(topics: ["idle": 4]) }

  /// The share of a processor that it takes, and its memory.
  func watch(seconds: Double) async throws -> (processors: Double, bytes: Int) {
    let pipeline = stage.folder + "/idle.yaml"
    try text.write(toFile: pipeline, atomically: true, encoding: .utf8)
    let daemon = try ChildDaemon(
      pipeline: pipeline, folder: stage.folder, brokers: stage.brokers)
    try await daemon.wait(for: "the group gives")
    try await Task.sleep(for: .seconds(2))
    let begin = ContinuousClock.now
    let before = try daemon.processorSeconds
    try await Task.sleep(for: .seconds(seconds))
    let used = try daemon.processorSeconds - before
    let elapsed = begin.duration(to: .now) / .seconds(1)
    let bytes = try daemon.residentBytes
    try await daemon.stop()
    try stage.close()
    return (used / elapsed, bytes)
  }

  private var text: String {
    """
    name: idle
    application: |
      CREATE OR REPLACE STREAM "OUT" ("v" DOUBLE, "score" DOUBLE);
      CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
        SELECT STREAM "v", ANOMALY_SCORE FROM TABLE(RANDOM_CUT_FOREST(
          CURSOR(SELECT STREAM "v" FROM "S"), 100, 256, 100000, 1));
      CREATE OR REPLACE STREAM "ALERTS" ("v" DOUBLE, "score" DOUBLE);
      CREATE OR REPLACE PUMP "Q" AS INSERT INTO "ALERTS"
        SELECT STREAM "v", "score" FROM "OUT" WHERE "score" > 2;
    kafka: {session.timeout.ms: 6000}
    inputs:
      - stream: S
        kafka: {topic: idle, start: earliest}
        format: json
        columns: [{name: v, type: DOUBLE}]
    outputs:
      - stream: OUT
        delivery: {to: file://\(stage.folder)/out, compression: gzip}
      - stream: ALERTS
        webhook: {url: "http://127.0.0.1:9/alerts", allow: [127.0.0.0/8]}
    """
  }
}
