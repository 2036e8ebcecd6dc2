import Engine
import Kafka
import Logging

/// The records of one partition.
final class PartitionLog: @unchecked Sendable {
  /// All that there ever were.
  private(set) var records: [StoredRecord] = []
  /// The offset of the oldest one that was not deleted.
  private var begin: Int64 = 0
  /// Whether the mark of a transaction stands behind them: an offset of which nobody is given anything.
  private let endsWithMark: Bool

  init(endsWithMark: Bool) { self.endsWithMark = endsWithMark }

  func append(_ record: StoredRecord) { records.append(record) }

  func delete(before offset: Int64) { begin = max(begin, offset) }

  var watermarks: Watermarks {
    Watermarks(low: begin, high: Int64(records.count) + (endsWithMark ? 1 : 0))
  }

  func offset(atOrAfter time: Int64) -> Int64? {
    records.dropFirst(Int(begin)).first { $0.timestamp >= time }?.offset
  }
}

/// Brokers with topics and one consumer group; whatever a process asks goes through `World`.
final class SimulatedCluster: @unchecked Sendable {
  let world: World
  let group: SimulatedGroup
  /// Whether commits are refused while a generation is being made, as the embedded broker does.
  let refusesCommitsWhileJoining: Bool
  let transactions: SimulatedTransactions
  /// How many records a fetch brings at most; nil for all, at once.
  let fetchLimit: Int?
  var clients: [SimulatedMember] = []
  private var logs: [String: [PartitionLog]] = [:]

  init(
    world: World, inputs: [String: Int], isCooperative: Bool, refusesCommitsWhileJoining: Bool,
    metadataLimit: Int, fetchLimit: Int?, endsWithMarks: Bool
  ) {
    self.world = world
    self.fetchLimit = fetchLimit
    self.refusesCommitsWhileJoining = refusesCommitsWhileJoining
    group = SimulatedGroup(
      world: world, partitions: inputs, isCooperative: isCooperative,
      metadataLimit: metadataLimit)
    transactions = SimulatedTransactions(world: world, group: group)
    for (topic, count) in inputs {
      logs[topic] = (0..<count).map { _ in PartitionLog(endsWithMark: endsWithMarks) }
    }
  }

  func partitionCount(_ topic: String) -> Int? { logs[topic]?.count }

  func log(_ partition: TopicPartition) -> PartitionLog {
    guard let topic = logs[partition.topic], topic.indices.contains(Int(partition.partition)) else {
      preconditionFailure("the engine asks for partitions that exist")
    }
    return topic[Int(partition.partition)]
  }

  /// Lets members and coordinator do what they do by themselves.
  func tick() {
    for client in clients { client.tick() }
    group.tick()
    transactions.tick()
  }
}

/// The cluster as one process reaches it.
struct SimulatedBroker: Broker {
  let cluster: SimulatedCluster
  let process: ProcessState

  func makeMember(_ plan: PipelinePlan, logger: Logger) throws(KafkaError) -> any GroupMember {
    cluster.clients.removeAll(where: \.hasEnded)
    return SimulatedMember(cluster: cluster, process: process)
  }

  func makeProducer(
    _ plan: PipelinePlan, transactionalID: String?, logger: Logger
  ) throws(KafkaError) -> any TopicProducer {
    guard let transactionalID else {
      preconditionFailure("simulated pipelines write their topics in transactions")
    }
    return SimulatedProducer(cluster: cluster, process: process, id: transactionalID)
  }
}

/// The fetched records of one partition.
final class SimulatedQueue: RecordQueue, @unchecked Sendable {
  private let member: SimulatedMember
  private let log: PartitionLog
  let topicPartition: TopicPartition
  private let assignment: Int
  private var position: Int64
  /// Fetched before the task asks for it, where fetches are limited.
  private var ahead: [StoredRecord] = []
  private var lastGiven: Int64 = 0

  init(
    member: SimulatedMember, log: PartitionLog, topicPartition: TopicPartition, assignment: Int,
    position: Int64
  ) {
    self.member = member
    self.log = log
    self.topicPartition = topicPartition
    self.assignment = assignment
    self.position = position
  }

  @discardableResult
  func append(to batch: inout RecordBatch) -> Bool {
    guard member.isCurrent(topicPartition, assignment) else { return true }
    member.look(at: topicPartition)
    if let limit = member.fetchLimit { return appendAhead(to: &batch, limit) }
    let marks = log.watermarks
    guard position >= marks.low, position <= marks.high else {
      batch.append(
        [],
        events: [
          .offsetOutOfRange(offset: position, KafkaError(.offsetOutOfRange, operation: "fetch"))
        ])
      return true
    }
    let left = log.records.count - Int(position)
    let fetched = min(left, batch.capacity - batch.count, member.nextFetch())
    let isWhole = fetched == left
    batch.append(
      Array(log.records[Int(position)..<(Int(position) + fetched)]),
      events: isWhole ? [.partitionEnd(offset: marks.high)] : [])
    position += Int64(fetched)
    return isWhole
  }

  /// Adds what was fetched before, and then fetches more: what brokers have deleted since is lost behind
  /// records that are there.
  private func appendAhead(to batch: inout RecordBatch, _ limit: Int) -> Bool {
    guard member.now > lastGiven else { return true }
    lastGiven = member.now
    let given = ahead
    ahead = []
    guard let event = fetchAhead(limit) else {
      batch.append(given)
      return true
    }
    batch.append(given, events: [event])
    return true
  }

  private func fetchAhead(_ limit: Int) -> QueueEvent? {
    let marks = log.watermarks
    guard position >= marks.low, position <= marks.high else {
      return .offsetOutOfRange(
        offset: position, KafkaError(.offsetOutOfRange, operation: "fetch"))
    }
    let end = min(Int64(log.records.count), position + Int64(limit))
    ahead = Array(log.records[Int(position)..<Int(end)])
    position = end
    return nil
  }

  func attach(_ wakeup: Wakeup) {}
}
