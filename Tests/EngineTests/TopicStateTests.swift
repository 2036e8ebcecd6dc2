import Columns
import Engine
import Foundation
import Kafka
import Logging
import Synchronization
import Testing
import Transport

/// Topics in memory, with the offsets that a broker would give.
final class MemoryTopics: StateTopics {
  private let storage = Mutex<[TopicPartition: (low: Int64, records: [[UInt8]])]>([:])

  func prepare(_ names: [String], partitions: Int) throws(KafkaError) {}

  func append(_ records: [[UInt8]], to partition: TopicPartition) throws(KafkaError) -> [Int64] {
    storage.withLock { storage in
      var log = storage[partition] ?? (0, [])
      let first = Int64(log.records.count)
      log.records += records
      storage[partition] = log
      return records.indices.map { first + Int64($0) }
    }
  }

  func read(
    _ partition: TopicPartition, from first: Int64, to end: Int64,
    _ body: (_ offset: Int64, _ record: [UInt8]) throws -> Bool
  ) throws {
    let log = storage.withLock { $0[partition] ?? (0, []) }
    guard first >= log.low else { throw KafkaError(.offsetOutOfRange, operation: "read") }
    for offset in first..<min(end, Int64(log.records.count)) {
      guard try body(offset, log.records[Int(offset)]) else { return }
    }
  }

  func watermarks(of partition: TopicPartition) throws(KafkaError) -> Watermarks {
    let log = storage.withLock { $0[partition] ?? (0, []) }
    return Watermarks(low: log.low, high: Int64(log.records.count))
  }

  func delete(before offset: Int64, of partition: TopicPartition) throws(KafkaError) {
    storage.withLock { $0[partition]?.low = offset }
  }

  /// Changes a bit of a record.
  func damage(_ partition: TopicPartition, at offset: Int64) {
    storage.withLock { $0[partition]?.records[Int(offset)][20] ^= 1 }
  }
}

@Suite struct TopicStateTests {
  static let state = TopicPartition(topic: "cutbank.p.state", partition: 3)
  static let journal = TopicPartition(topic: "cutbank.p.journal", partition: 3)

  private static func store(_ topics: MemoryTopics) -> TopicSnapshotStore {
    TopicSnapshotStore(pipeline: "p", task: 3, topics: topics)
  }

  private static func block(_ commit: Int64, epoch: Int64 = 1) -> JournalBlock {
    JournalBlock(epoch: epoch, commit: commit, steps: StateFileTests.steps)
  }

  private static func takeSnapshot(
    _ store: TopicSnapshotStore, unchanged: [Int: Int64] = [:]
  ) throws -> Int64 {
    let number = try store.beginSegment()
    try store.store(StateFileTests.models(number, unchanged: unchanged))
    return number
  }

  @Test func anotherMachineReadsWhatTheCommitNames() throws {
    let topics = MemoryTopics()
    let first = Self.store(topics)
    #expect(try first.isEmpty())
    let birth = try Self.takeSnapshot(first)
    let one = try first.append(Self.block(1))
    #expect(try !first.isEmpty())
    let middle = try Self.takeSnapshot(first)
    let two = try first.append(Self.block(2))
    // What is written beyond the commit never happened.
    _ = try first.append(Self.block(3))

    let second = Self.store(topics)
    #expect(try second.load(middle)?.number == middle)
    #expect(try second.blocks(from: birth, to: one.segment, end: one.end).map(\.commit) == [1])
    #expect(try second.blocks(from: birth, to: two.segment, end: two.end).map(\.commit) == [1, 2])
    #expect(try second.blocks(from: middle, to: middle, end: 0).isEmpty)
    #expect(try second.blocks(from: birth, to: middle, end: 0).map(\.commit) == [1])
    #expect(try second.blocks(from: middle, to: two.segment, end: two.end) == [Self.block(2)])

    // The owner before wakes up and goes on; its successor's chain passes over that.
    let three = try second.append(Self.block(3, epoch: 2))
    _ = try first.append(Self.block(4))
    let four = try second.append(Self.block(4, epoch: 2))
    _ = try Self.takeSnapshot(first)
    let third = Self.store(topics)
    let read = try third.blocks(from: middle, to: four.segment, end: four.end)
    #expect(read.map(\.commit) == [2, 3, 4] && read.map(\.epoch) == [1, 2, 2])
    #expect(three.end < four.end)
  }

  @Test func partsOfTwoOwnersAreToldApart() throws {
    let topics = MemoryTopics()
    let (one, two) = (Self.store(topics), Self.store(topics))
    let numbers = (try one.beginSegment(), try two.beginSegment())
    #expect(numbers.0 != numbers.1)
    let writers = (
      one.makeWriter(StateFileTests.snapshot(numbers.0)),
      two.makeWriter(StateFileTests.snapshot(numbers.1))
    )
    for slice in 1...4 {
      var part = StateWriter()
      part.section("operator/1", slice: slice) {
        $0.write(Array(repeating: UInt8(slice), count: 300_000))
      }
      try writers.0.add(part.slices)
      try writers.1.add(part.slices)
    }
    #expect(throws: StateError.self) { try one.load(numbers.0) }
    try writers.0.finish()
    #expect(try two.load(numbers.0)?.slices.count == 6)
    #expect(throws: StateError.self) { try one.load(numbers.1) }
    try writers.1.finish()
    #expect(try one.load(numbers.1)?.slices.count == 6)
    #expect(try one.load(numbers.1 + 100) == nil)
  }

  @Test func aLongBlockIsCutIntoRecords() throws {
    let topics = MemoryTopics()
    let store = Self.store(topics)
    let birth = try Self.takeSnapshot(store)
    let steps = (0..<60_000).map {
      NumberedStep(rowNumber: Int64($0), step: .take(partition: 1, count: 1, nextOffset: Int64($0)))
    }
    let long = JournalBlock(epoch: 1, commit: 1, steps: steps)
    _ = try store.append(long)
    let end = try store.append(Self.block(2))
    #expect(try topics.watermarks(of: Self.journal).high > 3)
    let read = try Self.store(topics).blocks(from: birth, to: end.segment, end: end.end)
    #expect(read == [long, Self.block(2)])
  }

  @Test func whatNoRecoveryNeedsIsDeleted() throws {
    let topics = MemoryTopics()
    let store = Self.store(topics)
    let first = try Self.takeSnapshot(store)
    _ = try store.append(Self.block(1))
    let second = try Self.takeSnapshot(store, unchanged: [2: first])
    _ = try store.append(Self.block(2))
    let third = try Self.takeSnapshot(store)
    let end = try store.append(Self.block(3))
    // The last two snapshots, what they refer to, and the journal between are kept.
    try store.discard(before: second)
    #expect(try topics.watermarks(of: Self.state).low == first)
    #expect(try topics.watermarks(of: Self.journal).low == 1)
    let other = Self.store(topics)
    #expect(try other.load(second) != nil)
    #expect(try other.blocks(from: second, to: end.segment, end: end.end).map(\.commit) == [2, 3])
    try store.discard(before: third)
    #expect(try topics.watermarks(of: Self.state).low == third)
    #expect(try other.load(second) == nil)
    #expect(try !other.isEmpty())
  }

  @Test func aDamagedRecordIsNoticed() throws {
    let topics = MemoryTopics()
    let store = Self.store(topics)
    let number = try Self.takeSnapshot(store)
    let end = try store.append(Self.block(1))
    topics.damage(Self.journal, at: 0)
    #expect(throws: StateError.self) {
      try Self.store(topics).blocks(from: number, to: end.segment, end: end.end)
    }
    // Whoever wants the beginning only is not kept by the rest.
    let long = try store.beginSegment()
    let writer = store.makeWriter(StateFileTests.snapshot(long))
    var part = StateWriter()
    part.section("operator/9", slice: 1) { $0.write([UInt8](repeating: 1, count: 2 << 20)) }
    try writer.add(part.slices)
    try writer.finish()
    topics.damage(Self.state, at: long + 3)
    #expect(throws: StateError.self) { try store.load(long) }
    #expect(try store.peek(long) { !$0.slices.isEmpty }?.number == long)
    topics.damage(Self.state, at: number + 1)
    #expect(throws: StateError.self) { try Self.store(topics).load(number) }
  }

  @Test(arguments: [
    ("webhook: {url: 'https://alerts.example.com'}", "alerts")
  ])
  func whatTopicsHaveNoPlaceForIsRefused(output: String, reason: String) throws {
    let text = """
      name: p
      application: |
        CREATE STREAM "OUT" ("n" BIGINT);
        CREATE PUMP "P" AS INSERT INTO "OUT" SELECT STREAM "n" FROM "S";
      state: {store: topics}
      inputs:
        - stream: S
          kafka: {topic: t}
          format: json
          columns: [{name: n, type: BIGINT}]
      outputs:
        - stream: OUT
          \(output)
      """
    let (configuration, _) = try PipelineConfiguration.read(
      file: "p.yaml", text: text, environment: [:], daemon: KafkaSettings(brokers: "b:1"),
      readFile: { _ in "" })
    #expect(configuration.stateStore == .topics)
    do {
      _ = try PipelinePlan.make(configuration, dataDirectory: "/tmp")
      Issue.record("it was accepted")
    } catch let refused as ConfigurationRefused {
      #expect("\(refused)".contains(reason))
    }
  }
}

/// Topics of state on brokers that let everybody wait until they are opened.
private struct WaitingBroker: Broker, StateTopics {
  private let kafka = KafkaBroker()
  private let topics = MemoryTopics()
  private let gate = Gate()
  let arrivals: AsyncStream<Void>
  private let arrived: AsyncStream<Void>.Continuation

  init() { (arrivals, arrived) = AsyncStream.makeStream(of: Void.self) }

  func open() { gate.open() }

  func makeMember(_ plan: PipelinePlan, logger: Logger) throws(KafkaError) -> any GroupMember {
    try kafka.makeMember(plan, logger: logger)
  }
  func makeProducer(
    _ plan: PipelinePlan, transactionalID: String?, logger: Logger
  ) throws(KafkaError) -> any TopicProducer {
    try kafka.makeProducer(plan, transactionalID: transactionalID, logger: logger)
  }
  func makeStateTopics(_ plan: PipelinePlan, logger: Logger) -> any StateTopics { self }

  func prepare(_ names: [String], partitions: Int) {}
  func append(_ records: [[UInt8]], to partition: TopicPartition) throws(KafkaError) -> [Int64] {
    try topics.append(records, to: partition)
  }
  func read(
    _ partition: TopicPartition, from first: Int64, to end: Int64,
    _ body: (_ offset: Int64, _ record: [UInt8]) throws -> Bool
  ) throws { try topics.read(partition, from: first, to: end, body) }
  func watermarks(of partition: TopicPartition) throws(KafkaError) -> Watermarks {
    arrived.yield()
    gate.pass()
    return try topics.watermarks(of: partition)
  }
  func delete(before offset: Int64, of partition: TopicPartition) throws(KafkaError) {
    try topics.delete(before: offset, of: partition)
  }
}

/// State in topics that is not to be had at once.
@Suite(.timeLimit(.minutes(5))) struct WaitingStateTests {
  /// A task whose state does not come waits alone: other tasks of its worker go on, a stop does not wait
  /// for it, and if its state comes it begins.
  @Test(arguments: [false, true]) func stateThatDoesNotComeHoldsUpNobody(comes: Bool) async throws {
    // One pipeline has a task on each worker, hence on that of the other one.
    let count = ProcessInfo.processInfo.activeProcessorCount
    let (bench, other) = (try PipelineBench(partitions: count), try PipelineBench())
    let broker = WaitingBroker()
    var waiting = try other.plan(records: 100, extra: "state: {store: topics}").configuration
    waiting.name = "waiting"
    let log = LastLines()
    var settings = DaemonConfiguration()
    settings.dataDirectory = bench.folder + "/data"
    let daemon = Daemon(
      plans: [
        try bench.plan(), try PipelinePlan.make(waiting, dataDirectory: settings.dataDirectory).0,
      ], configuration: settings, logger: Logger(label: "t") { _ in log }, time: SystemTime(),
      disk: LocalDisk(), broker: broker, seed: 1)
    async let isFine = daemon.run()
    for await _ in broker.arrivals { break }
    try other.produceNumbers(0..<10)
    for partition in 0..<count { try bench.produceNumbers(0..<10, partition: Int32(partition)) }
    await PipelineBench.wait(for: daemon) {
      let steady = daemon.statuses.first { $0.name == bench.topic }?.tasks.values
      return steady?.count { $0.counters.polled == 10 } == count
    }
    #expect(daemon.statuses.first { $0.name == "waiting" }?.tasks.isEmpty == true)
    if comes {
      broker.open()
      await PipelineBench.wait(for: daemon) {
        daemon.statuses.first { $0.name == "waiting" }?.tasks[0]?.counters.polled == 10
      }
    }
    daemon.stop()
    #expect(try await isFine, "\(log.lines.joined(separator: "\n"))")
    broker.open()
    try bench.remove()
    try other.remove()
  }
}

/// Topics of state on the embedded broker.
@Suite struct KafkaStateTopicsTests {
  /// While brokers are away reading ends with an error after which it is tried again.
  @Test(.timeLimit(.minutes(1))) func readingEndsWhileBrokersAreAway() throws {
    let bench = try PipelineBench()
    let topics = try KafkaStateTopics(
      bench.plan(), patience: .milliseconds(500), logger: PipelineBench.logger)
    let partition = TopicPartition(topic: bench.topic, partition: 0)
    #expect(try topics.append([[1], [2]], to: partition) == [0, 1])
    bench.broker?.close()
    let error = #expect(throws: KafkaError.self) {
      try topics.read(partition, from: 0, to: 2) { _, _ in true }
    }
    let problem = try #require(error)
    #expect(problem.isPassing, "\(problem)")
    try bench.remove()
  }

  /// What brokers have lost never comes: reading ends, and the chain tells what is missing.
  @Test(.timeLimit(.minutes(1))) func readingEndsWhereNothingIsLeft() throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let topics = try KafkaBroker().makeStateTopics(bench.plan(), logger: PipelineBench.logger)
    let partition = TopicPartition(topic: bench.topic, partition: 0)
    #expect(try topics.append([[1], [2]], to: partition) == [0, 1])
    for (end, count) in [(1, 1), (2, 2), (10, 2)] as [(Int64, Int)] {
      var read: [[UInt8]] = []
      try topics.read(partition, from: 0, to: end) { _, record in
        read.append(record)
        return true
      }
      #expect(read.count == count)
    }
  }
}

/// State in topics, on a broker.
@Suite(
  .enabled(
    if: RealBroker.bootstrap != nil,
    "set CUTBANK_TEST_BROKERS=host:port to test state in topics on a real broker"))
struct RealTopicStateTests {
  /// Two daemons with data directories of their own, one after the other, as two machines would be.
  @Test(.timeLimit(.minutes(2))) func anotherMachineGoesOn() async throws {
    let bench = try PipelineBench(realBroker: try #require(RealBroker.bootstrap))
    let plan = try bench.plan(
      PipelineBench.counting, stream: "COUNTED", records: 1_000,
      extra: "state: {store: topics}\nsnapshot: {records: 100, interval: 1s}")
    for round in 0..<4 {
      try bench.produceNumbers((round * 500)..<(round * 500 + 500))
      #expect(
        try await bench.run(
          bench.daemon(plan, data: "machine-\(round)"), until: Int64(round + 1) * 500))
      let left = try FileManager.default.contentsOfDirectory(
        atPath: "\(bench.folder)/machine-\(round)/\(bench.topic)/task-0")
      #expect(left.isEmpty, "\(left)")
    }
    let rows = try bench.lines("out")
    #expect(
      rows.sorted { Self.number($0) < Self.number($1) }
        == (0..<2_000).map {
          "{\"n\":\($0),\"seen\":\($0 + 1)}"
        })
    try bench.remove()
  }

  private static func number(_ row: String) -> Int {
    Int(row.dropFirst(5).prefix { $0.isNumber }) ?? -1
  }
}
