import Engine
import Foundation
import Kafka
import Logging
import Synchronization
import Testing
import Transport

/// Tasks whose end must not wait for what answers no more.
@Suite(.timeLimit(.minutes(3))) struct EndOfTimeTests {
  private static func settings(_ bench: PipelineBench, timeout: Int64) -> DaemonConfiguration {
    var settings = DaemonConfiguration()
    settings.dataDirectory = bench.folder + "/data"
    settings.shutdownTimeout = timeout
    return settings
  }

  private static func daemon(
    _ bench: PipelineBench, _ plan: PipelinePlan, timeout: Int64, disk: any Disk = LocalDisk(),
    broker: any Broker = KafkaBroker()
  ) -> Daemon {
    Daemon(
      plans: [plan], configuration: settings(bench, timeout: timeout),
      logger: PipelineBench.logger, time: SystemTime(), disk: disk, broker: broker, seed: 1)
  }

  /// The same pipeline, for which a reload takes it for another.
  private static func changed(_ plan: PipelinePlan, _ bench: PipelineBench) throws -> PipelinePlan {
    var configuration = plan.configuration
    configuration.sourceText += "\n"
    return try PipelinePlan.make(configuration, dataDirectory: bench.folder + "/data").0
  }

  /// A disk that hangs has nobody behind it who could be waited for.
  @Test func aShutdownDoesNotWaitForADiskThatHangs() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let isHanging = Mutex(false)
    let gate = Gate()
    defer { gate.open() }
    let disk = FailingDisk { path in
      guard path.contains("/journal-"), isHanging.withLock({ $0 }) else { return }
      gate.pass()
      throw DiskError(operation: "write", path: path, code: 5, text: "it has hung")
    }
    let daemon = Self.daemon(bench, try bench.plan(), timeout: 500, disk: disk)
    let running = Task { try await daemon.run() }
    try bench.produceNumbers(0..<10)
    await PipelineBench.wait(for: daemon) { PipelineBench.isDone(daemon, 10) }
    isHanging.withLock { $0 = true }
    try bench.produceNumbers(10..<20)
    await PipelineBench.wait(for: daemon) { PipelineBench.isDone(daemon, 20) }
    daemon.stop()
    let isFine = try await withTaskCancellationHandler {
      try await running.value
    } onCancel: {
      gate.open()
    }
    #expect(isFine, "\(daemon.statuses)")
  }

  /// State that brokers do not take now may arrive when another owner has gone on: its chain passes over that.
  @Test func aReloadDoesNotWaitForTopicsThatTakeNoState() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let isAway = Mutex(false)
    let gate = Gate()
    defer { gate.open() }
    var topics = AlteredTopics()
    topics.whenAppended = { () throws(KafkaError) in
      if isAway.withLock({ $0 }) { gate.pass() }
    }
    var broker = AlteredBroker()
    broker.stateTopics = topics
    let plan = try bench.plan(
      PipelineBench.counting, stream: "COUNTED", extra: "state: {store: topics}")
    let daemon = Self.daemon(bench, plan, timeout: 500, broker: broker)
    async let result = daemon.run()
    try bench.produceNumbers(0..<10)
    await PipelineBench.wait(for: daemon) { PipelineBench.isDone(daemon, 10) }
    isAway.withLock { $0 = true }
    try bench.produceNumbers(10..<20)
    await PipelineBench.wait(for: daemon) { PipelineBench.isDone(daemon, 20) }
    try await withTaskCancellationHandler {
      try await daemon.reload([Self.changed(plan, bench)], Self.settings(bench, timeout: 500))
    } onCancel: {
      gate.open()
    }
    isAway.withLock { $0 = false }
    gate.open()
    try bench.produceNumbers(20..<30)
    await PipelineBench.wait(for: daemon) { PipelineBench.isDone(daemon, 30) }
    daemon.stop()
    #expect(try await result, "\(daemon.statuses)")
  }

  /// A task that repeats what was committed, and is not given the records, stops at no barrier.
  @Test func aReloadDoesNotWaitForAReplayThatCannotGoOn() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<100)
    let plan = try bench.plan(records: 10)
    // Who has no time leaves no snapshot behind what it has taken.
    let first = Self.daemon(bench, plan, timeout: 0)
    async let ended = first.run()
    await PipelineBench.wait(for: first) {
      first.statuses.first?.tasks[0]?.outputs.first.map { $0.delivered > 0 } ?? false
    }
    first.stop()
    #expect(try await ended)

    var broker = AlteredBroker()
    broker.queue = { MuteQueue(topicPartition: $0.topicPartition) }
    let daemon = Self.daemon(bench, plan, timeout: 500, broker: broker)
    async let result = daemon.run()
    await PipelineBench.wait(for: daemon) {
      daemon.statuses.first?.tasks[0]?.phase == "replaying"
    }
    try await withTaskCancellationHandler {
      try await daemon.reload([Self.changed(plan, bench)], Self.settings(bench, timeout: 500))
    } onCancel: {
      daemon.stop()
    }
    daemon.stop()
    #expect(try await result, "\(daemon.statuses)")
  }

  /// Who cannot read its state because brokers are away begins when they are back.
  @Test func stateIsReadWhenTheBrokersAreBack() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let plan = try bench.plan(
      PipelineBench.counting, stream: "COUNTED", extra: "state: {store: topics}")
    let attempts = Mutex(0)
    var topics = AlteredTopics()
    topics.whenRead = { () throws(KafkaError) in
      let isFirst = attempts.withLock { attempts in
        attempts += 1
        return attempts == 1
      }
      if isFirst { throw KafkaError(.transport, "injected", operation: "read state") }
    }
    var broker = AlteredBroker()
    broker.stateTopics = topics
    for round in 0..<2 {
      try bench.produceNumbers(round * 10..<round * 10 + 10)
      let daemon = bench.daemon(plan, broker: broker)
      #expect(
        try await bench.run(daemon, until: Int64(round) * 10 + 10), "\(daemon.statuses)")
    }
    #expect(attempts.withLock { $0 } > 1)
    #expect(try bench.lines("out") == (0..<20).map { "{\"n\":\($0),\"seen\":\($0 + 1)}" })
  }
}

/// A queue that brings nothing.
private struct MuteQueue: RecordQueue {
  let topicPartition: TopicPartition

  func append(to batch: inout RecordBatch) -> Bool { true }
  func attach(_ wakeup: Wakeup) {}
}

/// Topics in memory of which each call meets something first.
private struct AlteredTopics: StateTopics {
  var whenAppended: @Sendable () throws(KafkaError) -> Void = { () throws(KafkaError) in }
  var whenRead: @Sendable () throws(KafkaError) -> Void = { () throws(KafkaError) in }
  private let topics = MemoryTopics()

  func prepare(_ names: [String], partitions: Int) throws(KafkaError) {
    try topics.prepare(names, partitions: partitions)
  }
  func append(_ records: [[UInt8]], to partition: TopicPartition) throws(KafkaError) -> [Int64] {
    try whenAppended()
    return try topics.append(records, to: partition)
  }
  func read(
    _ partition: TopicPartition, from first: Int64, to end: Int64,
    _ body: (_ offset: Int64, _ record: [UInt8]) throws -> Bool
  ) throws {
    try whenRead()
    try topics.read(partition, from: first, to: end, body)
  }
  func watermarks(of partition: TopicPartition) throws(KafkaError) -> Watermarks {
    try topics.watermarks(of: partition)
  }
  func delete(before offset: Int64, of partition: TopicPartition) throws(KafkaError) {
    try topics.delete(before: offset, of: partition)
  }
}
