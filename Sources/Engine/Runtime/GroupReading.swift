import Kafka
import Logging

/// What a pipeline's topics hold and its group has committed, read without joining the group.
struct GroupReading {
  let plan: PipelinePlan
  let member: any GroupMember
  /// The partitions of each input's topic; nil for a topic that is not there.
  let counts: [Int?]

  static let timeout = Duration.seconds(5)

  /// Connects to the pipeline's brokers.
  ///
  /// - Throws: `KafkaError` when they do not answer.
  init(_ plan: PipelinePlan, broker: any Broker, logger: Logger) throws(KafkaError) {
    self.plan = plan
    member = try broker.makeMember(plan, logger: logger)
    var counts: [Int?] = []
    for input in plan.inputs {
      counts.append(try member.partitionCount(of: input.topic, timeout: Self.timeout))
    }
    self.counts = counts
  }

  /// The tasks with their partitions; none when a topic is missing.
  var tasks: [(number: Int, partitions: [TopicPartition])] {
    let known = counts.compactMap { $0 }
    guard known.count == counts.count else { return [] }
    return (0..<plan.taskCount(known)).map { task in
      (task, plan.partitions(ofTask: task, counts: known).map(\.partition))
    }
  }

  /// What the group has committed for a task; nil when it has no state.
  func record(ofLead lead: TopicPartition) throws(KafkaError) -> CommitRecord? {
    try member.committed([lead], timeout: Self.timeout)[lead].flatMap {
      CommitRecord(text: $0.metadata)
    }
  }

  func close() throws(KafkaError) { try member.close(timeout: Self.timeout) }
}
