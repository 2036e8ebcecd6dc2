import Engine
import Kafka
import Logging

/// The records of one partition.
final class PartitionLog: @unchecked Sendable {
  private(set) var records: [StoredRecord] = []

  func append(_ record: StoredRecord) { records.append(record) }

  var watermarks: Watermarks { Watermarks(low: 0, high: Int64(records.count)) }

  func offset(atOrAfter time: Int64) -> Int64? {
    records.first { $0.timestamp >= time }?.offset
  }
}

/// Brokers with topics and one consumer group; whatever a process asks goes through `World`.
final class SimulatedCluster: @unchecked Sendable {
  let world: World
  let group: SimulatedGroup
  /// Whether commits are refused while a generation is being made, as the embedded broker does.
  let refusesCommitsWhileJoining: Bool
  let transactions: SimulatedTransactions
  var clients: [SimulatedMember] = []
  private var logs: [String: [PartitionLog]] = [:]

  init(
    world: World, inputs: [String: Int], isCooperative: Bool, refusesCommitsWhileJoining: Bool,
    metadataLimit: Int
  ) {
    self.world = world
    self.refusesCommitsWhileJoining = refusesCommitsWhileJoining
    group = SimulatedGroup(
      world: world, partitions: inputs, isCooperative: isCooperative,
      metadataLimit: metadataLimit)
    transactions = SimulatedTransactions(world: world, group: group)
    for (topic, count) in inputs { logs[topic] = (0..<count).map { _ in PartitionLog() } }
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
    let marks = log.watermarks
    guard position >= marks.low, position <= marks.high else {
      batch.append(
        [],
        events: [
          .offsetOutOfRange(offset: position, KafkaError(.offsetOutOfRange, operation: "fetch"))
        ])
      return true
    }
    let fetched = min(Int(marks.high - position), batch.capacity - batch.count, member.nextFetch())
    batch.append(Array(log.records[Int(position)..<(Int(position) + fetched)]))
    position += Int64(fetched)
    return position == marks.high
  }

  func attach(_ wakeup: Wakeup) {}
}
