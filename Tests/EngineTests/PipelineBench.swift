import Engine
import Foundation
import Kafka
import Logging
import RimSupport
import Synchronization
import Testing
import Transport

/// A broker, a topic, a pipeline on them, and the folders it writes.
final class PipelineBench: Sendable {
  /// Nil when the bench works on a real broker.
  let broker: EmbeddedBroker?
  let bootstrap: String
  let folder: String
  let topic: String
  private let producer: Producer

  static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
  /// What each daemon said last, told when it stands still.
  private static let logs = Mutex<[ObjectIdentifier: LastLines]>([:])

  init(partitions: Int = 1) throws {
    topic = "numbers"
    let broker = try EmbeddedBroker(topics: ["numbers": partitions], logger: Self.logger)
    self.broker = broker
    bootstrap = broker.bootstrap
    producer = try Producer(ProducerConfiguration(brokers: bootstrap), logger: Self.logger)
    folder = FileManager.default.temporaryDirectory.path + "/cutbank-bench-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  /// A bench with topics of its own on a real broker.
  init(realBroker: String, partitions: Int = 1, settings: [String: String] = [:]) throws {
    broker = nil
    bootstrap = realBroker
    topic = "numbers-\(UUID().uuidString)"
    producer = try Producer(ProducerConfiguration(brokers: bootstrap), logger: Self.logger)
    folder = FileManager.default.temporaryDirectory.path + "/cutbank-bench-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    // Records that are stamped in 2020 would go with the broker's next look at what is too old.
    let kept = ["retention.ms": "-1"]
    for name in [topic, topic + "-out"] {
      try producer.client.createTopic(
        name, partitions: partitions,
        configuration: name == topic ? kept.merging(settings) { $1 } : kept, timeout: .seconds(20))
    }
  }

  func remove() throws {
    broker?.close()
    try FileManager.default.removeItem(atPath: folder)
  }

  /// Appends records, stamped a second apart from `start` on.
  func produce(_ values: [[UInt8]?], start: Int64 = 1_600_000_000_000, partition: Int32 = 0) throws
  {
    let topic = try producer.topic(topic)
    for (index, value) in values.enumerated() {
      try producer.produce(
        to: topic, partition: partition, key: nil, value: value,
        timestamp: start + Int64(index) * 1_000, timeout: .seconds(10))
    }
    try producer.flush(timeout: .seconds(20))
  }

  /// Commits an offset of the first partition with metadata, as a member of a group does.
  func commit(_ metadata: String, of group: String, offset: Int64 = 0) throws {
    let consumer = try Consumer(
      ConsumerConfiguration(brokers: bootstrap, group: group), logger: Self.logger)
    let lead = TopicPartition(topic: topic, partition: 0)
    try consumer.commit([PartitionOffset(lead, offset: offset, metadata: metadata)], tag: 1)
    var answer: CommitResult?
    while answer == nil {
      if case .committed(let result) = consumer.poll(timeout: .milliseconds(100)) {
        answer = result
      }
    }
    try consumer.close()
    if let error = answer?.error { throw error }
  }

  /// What a group has committed of the first partition.
  func committed(by group: String) throws -> PartitionOffset? {
    let consumer = try Consumer(
      ConsumerConfiguration(brokers: bootstrap, group: group), logger: Self.logger)
    let lead = TopicPartition(topic: topic, partition: 0)
    let found = try consumer.committed([lead], timeout: .seconds(20))[lead]
    try consumer.close()
    return found
  }

  /// Appends numbers, each stamped by itself.
  func produceNumbers(
    _ numbers: some Sequence<Int>, partition: Int32 = 0, hasKeys: Bool = false
  ) throws {
    let topic = try producer.topic(topic)
    for number in numbers {
      try producer.produce(
        to: topic, partition: partition, key: hasKeys ? Array("\(number)".utf8) : nil,
        value: Array("{\"n\":\(number)}".utf8),
        timestamp: 1_600_000_000_000 + Int64(number) * 1_000, timeout: .seconds(10))
    }
    try producer.flush(timeout: .seconds(20))
  }

  /// Appends numbers as `produceNumbers` does, in a transaction.
  func produceInTransaction(_ numbers: some Sequence<Int>) throws {
    var configuration = ProducerConfiguration(brokers: bootstrap)
    configuration.transactionalID = topic
    let producer = try Producer(configuration, logger: Self.logger)
    try producer.initTransactions(timeout: .seconds(20))
    try producer.beginTransaction()
    let topic = try producer.topic(topic)
    for number in numbers {
      try producer.produce(
        to: topic, partition: 0, key: nil, value: Array("{\"n\":\(number)}".utf8),
        timestamp: 1_600_000_000_000 + Int64(number) * 1_000)
    }
    try producer.commitTransaction(timeout: .seconds(20))
  }

  /// Produces numbers, ten at a time as they are taken, until `holds` does or the daemon has failed.
  ///
  /// - Returns: The next number.
  func produceNumbers(
    from start: Int, to daemon: Daemon, until holds: () -> Bool
  ) async throws -> Int {
    var next = start
    while !holds(), daemon.statuses.first?.hasFailed != true {
      try #require(next < 200_000, "the daemon stands at \(daemon.statuses)")
      try produceNumbers(next..<next + 10)
      next += 10
      let goal = Int64(next)
      await Self.wait(for: daemon) { Self.isDone(daemon, goal) }
    }
    return next
  }

  /// The embedded broker rebalances only after a session time-out.
  static let quickGroup = ["session.timeout.ms": "4000", "heartbeat.interval.ms": "300"]

  /// The shortest session that a broker with the usual settings accepts.
  static let realGroup = ["session.timeout.ms": "6000", "heartbeat.interval.ms": "500"]

  static let evens = """
    CREATE OR REPLACE STREAM "EVENS" ("n" BIGINT, "twice" BIGINT);
    CREATE OR REPLACE PUMP "EVENS_PUMP" AS INSERT INTO "EVENS"
      SELECT STREAM "n", "n" * 2 FROM "NUMBERS" WHERE MOD("n", 2) = 0;
    """

  static let counting = """
    CREATE OR REPLACE STREAM "COUNTED" ("n" BIGINT, "seen" BIGINT);
    CREATE OR REPLACE PUMP "COUNT_PUMP" AS INSERT INTO "COUNTED"
      SELECT STREAM "n", COUNT(*) OVER W FROM "NUMBERS"
      WINDOW W AS (ROWS 1000000 PRECEDING);
    """

  /// A plan over the bench's topic; with `toTopic` the stream goes to the topic `…-out`, with
  /// `output` wherever that says, and further outputs as `also` says.
  func plan(
    _ sql: String = evens, stream: String = "EVENS", records: Int = 100, toTopic: Bool = false,
    start: String = "earliest", output: String? = nil, also: String = "", extra: String = ""
  ) throws -> PipelinePlan {
    let delivery =
      "delivery: {to: file://\(folder)/out, buffer: {interval: 900s, records: \(records)}}"
    let chosen = output ?? (toTopic ? "kafka: {topic: \(topic)-out, id: true}" : delivery)
    let indented = sql.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
    let text = """
      name: \(topic)
      application: |
      \(indented)
      inputs:
        - stream: NUMBERS
          kafka: {topic: \(topic), start: \(start)}
          format: json
          columns: [{name: n, type: BIGINT, path: $.n}]
      outputs:
        - stream: \(stream)
          \(chosen.split(separator: "\n").joined(separator: " "))
      \(also)
        - stream: error_stream
          delivery: {to: file://\(folder)/errors, buffer: {interval: 900s}}
      dead_letter: {to: file://\(folder)/dead, buffer: {interval: 900s}}
      \(extra)
      """
    let (configuration, _) = try PipelineConfiguration.read(
      file: "numbers.yaml", text: text, environment: [:],
      daemon: KafkaSettings(
        brokers: bootstrap, properties: broker == nil ? Self.realGroup : Self.quickGroup),
      readFile: { _ in "" })
    return try PipelinePlan.make(configuration, dataDirectory: folder + "/data").0
  }

  func daemon(
    _ plan: PipelinePlan, disk: any Disk = LocalDisk(), broker: any Broker = KafkaBroker(),
    data: String = "data", time: any TimeSource = SystemTime()
  ) -> Daemon {
    var configuration = DaemonConfiguration()
    configuration.dataDirectory = folder + "/" + data
    configuration.shutdownTimeout = 20_000
    let log = LastLines()
    let daemon = Daemon(
      plans: [plan], configuration: configuration, logger: Logger(label: folder) { _ in log },
      time: time, disk: disk, broker: broker, seed: UInt64(data.utf8.count))
    Self.logs.withLock { $0[ObjectIdentifier(daemon)] = log }
    return daemon
  }

  /// Runs a daemon until it has taken `records` records, then stops it.
  ///
  /// - Returns: Whether no pipeline failed.
  @discardableResult
  func run(
    _ daemon: Daemon, until records: Int64, then look: () -> Void = {}
  ) async throws -> Bool {
    async let result = daemon.run()
    await Self.wait(for: daemon) { Self.isDone(daemon, records) }
    look()
    daemon.stop()
    return try await result
  }

  /// Waits until `holds` does; records an issue with what the daemon does when four minutes have passed.
  ///
  /// The embedded broker lets a member that died hold up a group, on a loaded machine for long.
  static func wait(for daemon: Daemon, until holds: @escaping @Sendable () -> Bool) async {
    let waiting = Task { await daemon.wait(until: holds) }
    let alarm = Task {
      try await Task.sleep(for: .seconds(240))
      waiting.cancel()
    }
    await waiting.value
    alarm.cancel()
    guard !holds() else { return }
    let log = logs.withLock { $0[ObjectIdentifier(daemon)]?.lines ?? [] }
    Issue.record("the daemon stands at \(daemon.statuses)\n\(log.joined(separator: "\n"))")
  }

  /// Waits for the n-th of the things that a daemon tells of.
  static func nth<Value: Sendable>(
    _ count: Int, of daemon: Daemon, _ list: @escaping @Sendable (Daemon) -> [Value]
  ) async throws -> Value {
    await wait(for: daemon) { list(daemon).count >= count }
    return try #require(list(daemon).dropFirst(count - 1).first)
  }

  /// Whether a daemon has taken so many records, or failed.
  static func isDone(_ daemon: Daemon, _ records: Int64) -> Bool {
    guard let status = daemon.statuses.first else { return false }
    if status.hasFailed { return true }
    return status.tasks.values.reduce(0) { $0 + $1.counters.polled } >= records
  }

  /// Checks the balances of a daemon that has ended, as `cutbank state inspect` prints them.
  @discardableResult
  func expectBalance() throws -> Balance {
    let state = folder + "/data/" + topic
    var sum = Balance()
    for task in try FileManager.default.contentsOfDirectory(atPath: state).sorted()
    where task.hasPrefix("task-") {
      let lines = try StateInspection(folder: state + "/" + task).lines
      let balance = Balance(inspection: lines)
      #expect(balance.problems.isEmpty, "\(task): \(balance.problems)\n\(lines)")
      sum.add(balance)
    }
    FaultTable.tell("balance: \(topic): \(sum)", test: Test.current.map { "\($0.id)" })
    return sum
  }

  /// The lines of all objects below a folder, put together in the order of their row numbers.
  ///
  /// Objects of one life and output are named by time and id; their lines tell the order.
  func lines(_ name: String) throws -> [String] {
    let root = folder + "/" + name
    var lines: [String] = []
    let found = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
    for path in found.sorted() where path.hasSuffix(".jsonl") {
      let text = try String(contentsOfFile: root + "/" + path, encoding: .utf8)
      #expect(text.hasSuffix("\n"))
      lines += text.split(separator: "\n").map(String.init)
    }
    return lines
  }
}
