import ArgumentParser
import Engine
import Foundation
import Kafka
import Logging
import Synchronization

/// `cutbank bench snapshot`: how long a batch waits while a large state is copied.
struct BenchSnapshot: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "snapshot",
    abstract: "Measure how long a batch waits while a large state is copied and stored.",
    discussion: """
      One task holds --keys keys: with --state models each has a forest of 50 trees of 256 and shingles of \
      8, filled before anything is measured; with --state groups a count and an average in a tumbling \
      window; with --state rows all rows so far are in a sliding one; with distinct, sorted and ranks they \
      are held by DISTINCT, ORDER BY and GROUP_RANK, with items and counts in a tumbling list of items, \
      with waiting they wait for their event time, with objects they are in 500 open objects. Then records come at a steady rate, \
      whose keys are taken in turn, while snapshots are taken. The longest turn is that of a batch with \
      everything around it: reading, computing, copies of what it changes, the next part of the snapshot, \
      messages. The embedded broker in this process is used, and \
      a folder for temporary files.
      """)

  @Option(
    help:
      "What there is of each key: \(SnapshotState.allCases.map(\.rawValue).joined(separator: ", "))."
  )
  var state = SnapshotState.models
  @Option(help: "How many keys; 1,000 models make about 160 MB of state and 1.3 GB of memory.")
  var keys = 5_000
  @Option(help: "How many records of each key come first; one is enough but for models.")
  var fill = 300
  @Option(help: "Records per second while snapshots are measured.") var rate = 5_000
  @Option(help: "How many snapshots are measured.") var snapshots = 2
  @Flag(help: "Print one line of JSON.") var json = false

  func validate() throws {
    guard keys > 0, fill > 0, rate > 0, snapshots > 0 else {
      throw ValidationError("--keys, --fill, --rate and --snapshots must be positive")
    }
  }

  func run() async throws {
    let stage = try SnapshotStage(state: state, keys: keys)
    let daemon = try stage.makeDaemon()
    async let result = daemon.run()
    try await stage.fill(records: keys * fill, daemon)
    let load = stage.startLoad(perSecond: rate)
    // One may have begun before.
    let first = stage.status(daemon).stored + 2
    var last = first - 1
    var figures = SnapshotFigures()
    while last < first + snapshots - 1 {
      try await Task.sleep(for: .milliseconds(50))
      try BenchStage.check(daemon)
      let now = stage.status(daemon)
      guard now.stored > last else { continue }
      last = now.stored
      figures.add(now)
    }
    stage.isOver.store(true, ordering: .relaxed)
    try await load.value
    figures.bytes = try stage.largestSnapshot()
    daemon.stop()
    guard try await result else { throw Failure(message: "the pipeline failed") }
    try stage.close()
    try Output.write(figures.line(state, keys: keys, json: json) + "\n")
  }
}

/// The longest of what some snapshots had.
private struct SnapshotFigures {
  var bytes = 0
  private var count = 0
  private var milliseconds: Int64 = 0
  private var longestTurn: Int64 = 0
  private var longestOtherTurn: Int64 = 0

  mutating func add(_ status: SnapshotStatus) {
    count += 1
    milliseconds = max(milliseconds, status.milliseconds)
    longestTurn = max(longestTurn, status.longestTurn)
    longestOtherTurn = max(longestOtherTurn, status.longestOtherTurn)
  }

  func line(_ state: SnapshotState, keys: Int, json: Bool) -> String {
    guard json else {
      return "\(keys) \(state.rawValue): \(bytes >> 20) MiB in the largest of \(count) snapshots, "
        + "the slowest took \(milliseconds) ms; no batch waited longer than \(longestTurn) ms meanwhile, "
        + "\(longestOtherTurn) ms at other times"
    }
    return """
      {"state":"\(state.rawValue)","keys":\(keys),"snapshot_bytes":\(bytes),"snapshots":\(count),\
      "snapshot_ms":\(milliseconds),"longest_turn_ms":\(longestTurn),\
      "longest_other_turn_ms":\(longestOtherTurn)}
      """
  }
}

/// A broker with one topic, a task with a model per key, and records for it.
final class SnapshotStage: Sendable {
  /// So many records may wait in the broker, which keeps 5 MB per partition.
  private static let window = 50_000

  private let stage: BenchStage
  private let topic = BenchStage.unique("bench")
  private let state: SnapshotState
  private let keys: Int
  let isOver = Atomic<Bool>(false)

  init(state: SnapshotState, keys: Int, brokers: String? = nil) throws {
    self.state = state
    self.keys = keys
    stage = try BenchStage(topics: [topic: 1], brokers: brokers)
  }

  func close() throws { try stage.close() }

  func makeDaemon() throws -> Daemon {
    let program = state.program.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
    let text = """
      name: bench
      application: |
      \(program)
      sql: {extensions: true}
      snapshot: {interval: 5s, records: 100000000}
      inputs:
        - stream: S
          kafka: {topic: \(topic), start: earliest}
          format: json
          columns: [{name: k, type: BIGINT}, {name: v, type: DOUBLE}, {name: t, type: TIMESTAMP}]
      \(state.inputSettings)
      outputs:
        - stream: OUT
          delivery: {to: file://\(stage.folder)/out\(state.deliverySettings)}
      """
    return try stage.makeDaemon(text)
  }

  func status(_ daemon: Daemon) -> SnapshotStatus {
    daemon.statuses.first?.tasks.values.first?.snapshots ?? SnapshotStatus()
  }

  /// The bytes of the largest file of a snapshot.
  func largestSnapshot() throws -> Int {
    let task = stage.folder + "/data/bench/task-0"
    let names = try FileManager.default.contentsOfDirectory(atPath: task)
    return try names.filter { $0.hasPrefix("snapshot-") }.reduce(0) { largest, name in
      let size = try FileManager.default.attributesOfItem(atPath: task + "/" + name)[.size]
      return max(largest, (size as? Int) ?? 0)
    }
  }

  /// Sends records as fast as they are taken until every forest is full.
  func fill(records: Int, _ daemon: Daemon) async throws {
    let producer = try stage.makeProducer(linger: 2)
    let target = try producer.topic(topic)
    for number in 0..<records {
      if number % 1_000 == 0 {
        while number - polled(daemon) > Self.window {
          try await Task.sleep(for: .milliseconds(1))
          try BenchStage.check(daemon)
        }
      }
      try send(number, producer, target)
    }
    try producer.flush(timeout: .seconds(60))
    while polled(daemon) < records {
      try await Task.sleep(for: .milliseconds(5))
      try BenchStage.check(daemon)
    }
  }

  /// Sends records at a steady rate until `isOver`.
  func startLoad(perSecond rate: Int) -> Task<Void, any Error> {
    onThreadTask { [self] in
      let producer = try stage.makeProducer(linger: 2)
      let target = try producer.topic(topic)
      let start = ContinuousClock.now
      var sent = 0
      while !isOver.load(ordering: .relaxed) {
        let due = Int(start.duration(to: .now) / .seconds(1) * Double(rate))
        while sent < due {
          try send(sent, producer, target)
          sent += 1
        }
        Thread.sleep(forTimeInterval: 0.002)
      }
      try producer.flush(timeout: .seconds(30))
    }
  }

  private func send(_ number: Int, _ producer: Producer, _ topic: ProducerTopic) throws {
    // Only rows that wait for their event time have one.
    let time = state == .waiting ? ",\"t\":\"\(Self.eventTime)\"" : ""
    let value = "{\"k\":\(number % keys),\"v\":\(number * 7 % 613).\(number % 7)\(time)}"
    try producer.produce(
      to: topic, partition: 0, key: nil, value: Array(value.utf8), timeout: .seconds(30))
  }

  /// A time that the watermark does not reach while the benchmark runs.
  private static let eventTime = "2024-05-01 12:00:00"

  private func polled(_ daemon: Daemon) -> Int {
    Int(daemon.statuses.first?.tasks.values.first?.counters.polled ?? 0)
  }
}
