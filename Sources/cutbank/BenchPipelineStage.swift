import Alerting
import CBareLoop
import Engine
import Foundation
import Kafka
import Logging
import Synchronization

/// A broker with an input and an output topic, a load, and whatever reads it.
final class PipelineStage: Sendable {
  private static let partitions = 12
  /// So many records may wait in the broker, which keeps 5 MB per partition.
  private static let window = 300_000

  private let stage: BenchStage
  private let input: String
  private let output: String
  /// Who is told alerts, if anybody is.
  private let webhook: String?
  /// Whether as much waits in the broker as the load lets wait.
  private let isFilled = Atomic<Bool>(false)

  init(brokers: String?, webhook: String? = nil) throws {
    self.webhook = webhook
    input = BenchStage.unique("bench-in")
    output = BenchStage.unique("bench-out")
    stage = try BenchStage(
      topics: [input: Self.partitions, output: Self.partitions], brokers: brokers)
  }

  func close() throws { try stage.close() }

  // MARK: Speeds

  /// Records per second of librdkafka alone.
  func bareSpeed(_ count: Int) async throws -> Double {
    let load = startLoad(count) { cutbank_bare_loop_consumed() }
    // A pipeline finds the same when it has joined its group.
    while !isFilled.load(ordering: .relaxed) { try await Task.sleep(for: .milliseconds(5)) }
    let seconds = await onThread { [self] in
      cutbank_bare_loop(
        stage.brokers, input, output, Int32(Self.partitions), count,
        // As many as the daemon has workers.
        Int32(ProcessInfo.processInfo.activeProcessorCount), Int32(stage.fetchWait))
    }
    try await load.value
    guard seconds > 0 else { throw Failure(message: "the bare loop failed") }
    return Double(count) / seconds
  }

  /// Records per second of a pipeline, from the first one taken to the last row in the topic.
  func speed(
    _ workload: PipelineWorkload, count: Int, guarantee: String
  ) async throws -> Double {
    let daemon = try makeDaemon(workload, guarantee: guarantee)
    let load = startLoad(count) { Self.polled(daemon) }
    async let result = daemon.run()
    var start: ContinuousClock.Instant?
    var isOver = false
    while !isOver {
      try await Task.sleep(for: .milliseconds(2))
      let polled = Self.polled(daemon)
      if polled > 0, start == nil { start = .now }
      try BenchStage.check(daemon)
      isOver = polled >= count ? try written() >= count : false
    }
    let elapsed = (start ?? .now).duration(to: .now)
    try await load.value
    daemon.stop()
    guard try await result else { throw Failure(message: "the pipeline failed") }
    return Double(count) / (elapsed / .seconds(1))
  }

  private static func polled(_ daemon: Daemon) -> Int {
    daemon.statuses.reduce(0) { sum, pipeline in
      sum + pipeline.tasks.values.reduce(0) { $0 + Int($1.counters.polled) }
    }
  }

  /// How many offsets of the output topic are used: rows, and marks of transactions.
  private func written() throws -> Int {
    let client = try Producer(
      ProducerConfiguration(brokers: stage.brokers), logger: stage.logger
    ).client
    return try (0..<Int32(Self.partitions)).reduce(0) { sum, partition in
      let marks = try client.watermarks(
        of: TopicPartition(topic: output, partition: partition), timeout: .seconds(10))
      return sum + Int(marks.high)
    }
  }

  // MARK: Alerts

  /// The memory of this process before and after as many alerts wait as records that raise none were
  /// scored, in bytes, and how many seconds that took.
  func backlog(
    of count: Int
  ) async throws -> (before: Int, after: Int, peak: Int, seconds: Double) {
    let daemon = try makeDaemon(.single, guarantee: "at_least_once")
    async let result = daemon.run()
    let quiet = startLoad(count) { Self.polled(daemon) }
    while Self.polled(daemon) < count {
      try await Task.sleep(for: .milliseconds(20))
      try BenchStage.check(daemon)
    }
    try await quiet.value
    let outbox = try Outbox(path: stage.folder + "/data/outbox.sqlite")
    let before = ResidentMemory.bytes
    var peak = before
    let start = ContinuousClock.now
    let storm = startLoad(count, status: "storm") { Self.polled(daemon) - count }
    let expected = count + (count + Self.alertEvery - 1) / Self.alertEvery
    while try outbox.statistics(receiver: "bench/ALERTS").queued < expected {
      peak = max(peak, ResidentMemory.bytes)
      try await Task.sleep(for: .milliseconds(50))
      try BenchStage.check(daemon)
    }
    let seconds = start.duration(to: .now) / .seconds(1)
    try await storm.value
    let after = ResidentMemory.bytes
    daemon.stop()
    guard try await result else { throw Failure(message: "the pipeline failed") }
    return (before, after, max(peak, after), seconds)
  }

  /// One record of so many raises an alert.
  private static let alertEvery = 500

  /// The stream of alerts.
  private static let alerts = """
      CREATE OR REPLACE STREAM "ALERTS" ("k" VARCHAR(16), "v" DOUBLE, "t" VARCHAR(20));
      CREATE OR REPLACE PUMP "A" AS INSERT INTO "ALERTS"
        SELECT STREAM "k", "v", "t" FROM "S" WHERE MOD("n", \(alertEvery)) = 0 OR "status" = 'storm';
    """

  // MARK: Latencies

  /// Milliseconds from a record's timestamp to its row in a reader of the output topic.
  func latencies(
    _ workload: PipelineWorkload, rate: Double, seconds: Int, guarantee: String
  ) async throws -> (p50: Double, p99: Double) {
    let daemon = try makeDaemon(workload, guarantee: guarantee)
    async let result = daemon.run()
    let isOver = Atomic<Bool>(false)
    let reader = onThreadTask { [self] in try readLatencies { isOver.load(ordering: .relaxed) } }
    while daemon.statuses.first?.tasks.isEmpty ?? true {
      try await Task.sleep(for: .milliseconds(5))
      try BenchStage.check(daemon)
    }
    try await onThread { [self] in
      try producePaced(rate: rate, seconds: seconds + Int(Self.warmUp / 1_000))
    }
    try await Task.sleep(for: .seconds(1))
    isOver.store(true, ordering: .relaxed)
    let found = try await reader.value.sorted()
    daemon.stop()
    guard try await result, !found.isEmpty else { throw Failure(message: "the pipeline failed") }
    return (Double(found[found.count / 2]), Double(found[found.count * 99 / 100]))
  }

  /// Reads one partition of the output, which is a sample of all.
  private func readLatencies(until isOver: () -> Bool) throws -> [Int64] {
    let consumer = try Consumer(
      ConsumerConfiguration(
        brokers: stage.brokers, group: nil, properties: ["fetch.wait.max.ms": "\(stage.fetchWait)"]),
      logger: stage.logger)
    let queues = try consumer.assign([
      PartitionStart(TopicPartition(topic: output, partition: 0), at: .beginning)
    ])
    let wakeup = Wakeup()
    queues[0].attach(wakeup)
    var batch = RecordBatch(capacity: 1_024)
    var found: [Int64] = []
    var firstSent: Int64?
    while !isOver() {
      _ = consumer.poll(timeout: .zero)
      queues[0].poll(into: &batch)
      let now = Self.now
      for index in 0..<batch.count {
        guard let value = batch.copyOfValue(at: index), let sent = Self.sent(value) else {
          continue
        }
        let first = firstSent ?? sent
        firstSent = first
        if sent - first >= Self.warmUp { found.append(now - sent) }
      }
      if batch.count == 0 { wakeup.wait(timeout: .milliseconds(20)) }
    }
    try consumer.close()
    return found
  }

  /// How long records are sent before latencies count, milliseconds: meanwhile all forests are made, and
  /// what waits because of that is caught up with.
  private static let warmUp: Int64 = 3_000

  /// The first number of a row.
  private static func sent(_ value: [UInt8]) -> Int64? {
    func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }
    let digits = value.drop { !isDigit($0) }.prefix(while: isDigit)
    return Int64(String(decoding: digits, as: UTF8.self))
  }

  private func producePaced(rate: Double, seconds: Int) throws {
    let producer = try stage.makeProducer(linger: 1)
    let topic = try producer.topic(input)
    let clock = ContinuousClock()
    let start = clock.now
    var records = PipelineRecords()
    var sent = 0
    while true {
      let elapsed = start.duration(to: clock.now) / .seconds(1)
      guard elapsed < Double(seconds) else { break }
      records.stamp(Self.now)
      while Double(sent) < elapsed * rate {
        try records.produce(sent, producer, topic, partitions: Self.partitions)
        sent += 1
      }
      Thread.sleep(forTimeInterval: 0.002)
    }
    try producer.flush(timeout: .seconds(30))
  }

  private static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1_000) }

  /// Produces with lz4, no faster than `consumed` follows.
  private func startLoad(
    _ count: Int, status: String = "running", consumed: @escaping @Sendable () -> Int
  ) -> Task<Void, any Error> {
    onThreadTask { [self] in
      let producer = try stage.makeProducer(linger: 20)
      let topic = try producer.topic(input)
      var records = PipelineRecords(status: status)
      records.stamp(Self.now)
      for number in 0..<count {
        if number % 1_000 == 0 {
          while number - consumed() > Self.window { Thread.sleep(forTimeInterval: 0.001) }
        }
        try records.produce(number, producer, topic, partitions: Self.partitions)
        if number == min(count, Self.window) - 1 { isFilled.store(true, ordering: .relaxed) }
      }
      try producer.flush(timeout: .seconds(60))
    }
  }

  private func makeDaemon(_ workload: PipelineWorkload, guarantee: String) throws -> Daemon {
    let program = workload.program.split(separator: "\n").map { "  \($0)" }
      .joined(separator: "\n")
    let text = """
      name: bench
      application: |
      \(program)
      \(webhook == nil ? "" : Self.alerts)
      sql: {extensions: true}
      guarantee: \(guarantee)
      inputs:
        - stream: S
          kafka: {topic: \(input), start: earliest}
          format: json
          \(workload == .single ? "" : "key: k")
          columns:
            - {name: t, type: VARCHAR(20)}
            - {name: k, type: VARCHAR(16)}
            - {name: v, type: DOUBLE}
            - {name: site, type: VARCHAR(16)}
            - {name: status, type: VARCHAR(16)}
            - {name: note, type: VARCHAR(64)}
            - {name: n, type: BIGINT}
      outputs:
        - stream: OUT
          kafka: {topic: \(output)}
      \(webhook.map { "  - {stream: ALERTS, webhook: {url: '\($0)', allow: [127.0.0.0/8], entity: [k]}}" } ?? "")
      """
    return try stage.makeDaemon(text)
  }
}

/// The records of a load: 150 bytes of JSON, whose time can be set.
private struct PipelineRecords {
  private static let keys = 100
  private static let timeField = 5..<18
  private var values: [[UInt8]]
  private let names: [[UInt8]]

  init(status: String = "running") {
    names = (0..<Self.keys).map { Array("key-\(100 + $0)".utf8) }
    values = (0..<1_000).map { number in
      let key = number % Self.keys
      return Array(
        """
        {"t":1000000000000,"k":"key-\(100 + key)","v":\(100 + number % 613).\(number % 7),\
        "site":"site-\(10 + key % 20)","status":"\(status)","note":"nothing to report here, nor there",\
        "n":\(1_000_000_000 + number)}
        """.utf8)
    }
  }

  /// Sets the time of all records, milliseconds since 1970.
  mutating func stamp(_ time: Int64) {
    let digits = Array(String(time).utf8)
    for index in values.indices { values[index].replaceSubrange(Self.timeField, with: digits) }
  }

  func produce(
    _ number: Int, _ producer: Producer, _ topic: ProducerTopic, partitions: Int
  ) throws {
    let key = number % Self.keys
    try producer.produce(
      to: topic, partition: Int32(key % partitions), key: names[key],
      value: values[number % values.count], timeout: .seconds(30))
  }
}
