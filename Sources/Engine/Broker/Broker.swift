package import Kafka
package import Logging

/// What the engine needs of a cluster: Kafka's in production, a simulated one in simulations.
///
/// Everything behind these protocols is called per batch, commit or rebalance, never per record.
package protocol Broker: Sendable {
  /// Makes a member of the pipeline's consumer group; it joins with `subscribe`.
  func makeMember(
    _ plan: PipelinePlan, logger: Logger
  ) throws(KafkaError) -> any GroupMember
  /// Makes a reader that belongs to no group and only assigns; where it can, its queues tell when
  /// everything was read.
  func makeReader(_ plan: PipelinePlan, logger: Logger) throws(KafkaError) -> any GroupMember
  /// Makes a producer for the pipeline's Kafka outputs, without an id one without transactions.
  func makeProducer(
    _ plan: PipelinePlan, transactionalID: String?, logger: Logger
  ) throws(KafkaError) -> any TopicProducer
  /// Makes the way to the topics that hold the pipeline's state.
  func makeStateTopics(_ plan: PipelinePlan, logger: Logger) throws(KafkaError) -> any StateTopics
}

extension Broker {
  package func makeStateTopics(
    _ plan: PipelinePlan, logger: Logger
  ) throws(KafkaError) -> any StateTopics {
    throw KafkaError(
      .invalidArgument, "this broker holds no state", operation: "open topics of state")
  }
}

extension Broker {
  package func makeReader(
    _ plan: PipelinePlan, logger: Logger
  ) throws(KafkaError) -> any GroupMember {
    try makeMember(plan, logger: logger)
  }
}

/// A member of a consumer group, as its control thread uses it; see `Consumer`.
package protocol GroupMember: Sendable {
  /// Whether the cluster is the embedded broker, which knows no transactions.
  func isEmbedded(timeout: Duration) throws(KafkaError) -> Bool
  /// The settings of a topic by their names in Kafka; nil when the cluster does not tell.
  func settings(of topic: String, timeout: Duration) throws(KafkaError) -> [String: String]?
  /// The number of partitions of a topic; nil when there is no such topic.
  func partitionCount(of topic: String, timeout: Duration) throws(KafkaError) -> Int?
  /// The oldest and the next offset of a partition, asked of its leader.
  func watermarks(
    of partition: TopicPartition, timeout: Duration
  ) throws(KafkaError) -> Watermarks
  /// The watermarks that the last fetch brought, without asking; nil before the first.
  func cachedWatermarks(of partition: TopicPartition) -> Watermarks?
  /// The offset of the first record of each partition that is not older than its milliseconds.
  func offsets(
    atOrAfter times: [TopicPartition: Int64], timeout: Duration
  ) throws(KafkaError) -> [TopicPartition: Int64]

  /// The id that the group gave to this member; another one after the group has forgotten it.
  var memberID: String? { get }
  /// Joins the group for these topics.
  func subscribe(to topics: [String]) throws(KafkaError)
  /// Signals this wakeup when there may be something for `poll`; one that cannot is polled often.
  func attach(_ wakeup: Wakeup) throws(KafkaError)
  /// Waits for the next event, at most `timeout`.
  func poll(timeout: Duration) -> ConsumerEvent?
  /// Whether rebalances are to be answered incrementally.
  var isCooperative: Bool { get }
  /// Takes these partitions in place of all before; returns their queues in the same order.
  func assign(_ starts: [PartitionStart]) throws(KafkaError) -> [any RecordQueue]
  /// Takes these partitions besides those before; returns their queues in the same order.
  func incrementallyAssign(
    _ starts: [PartitionStart]
  ) throws(KafkaError) -> [any RecordQueue]
  /// Gives up all partitions.
  func unassign() throws(KafkaError)
  /// Gives up these partitions.
  func incrementallyUnassign(_ partitions: [TopicPartition]) throws(KafkaError)
  /// Commits without waiting; `poll` gives a `.committed` with the tag when it was answered.
  func commit(_ offsets: [PartitionOffset], tag: UInt64) throws(KafkaError)
  /// What the group has committed; waits while a transaction over it is open.
  func committed(
    _ partitions: [TopicPartition], timeout: Duration
  ) throws(KafkaError) -> [TopicPartition: PartitionOffset]
  /// The member's place in the group at this moment, for transactions.
  func place() throws(KafkaError) -> any GroupPlace
  /// Leaves the group.
  func close(timeout: Duration) throws(KafkaError)
}

extension GroupMember {
  package var memberID: String? { nil }
  package func attach(_ wakeup: Wakeup) {}
  package func isEmbedded(timeout: Duration) throws(KafkaError) -> Bool { false }
  package func settings(
    of topic: String, timeout: Duration
  ) throws(KafkaError) -> [String: String]? { nil }
}

/// The fetched records of one assigned partition; see `PartitionQueue`.
package protocol RecordQueue: Sendable {
  /// Whose records they are.
  var topicPartition: TopicPartition { get }
  /// Adds what waits here to the batch, as far as it has room; returns whether nothing is left.
  @discardableResult
  func append(to batch: inout RecordBatch) -> Bool
  /// Signals this wakeup when something arrives in the empty queue.
  func attach(_ wakeup: Wakeup)
}

/// Generation and member id of a group member at one moment; see `GroupMetadata`.
package protocol GroupPlace: Sendable {}

/// Writes rows to topics, if it was made so in transactions; see `Producer`.
package protocol TopicProducer: Sendable {
  /// Queues rows for a topic in their order, waiting at most `timeout` while the queue is full.
  func produce(_ rows: RowBlock, to topic: String, timeout: Duration) throws(KafkaError)
  /// Waits until every queued row is acknowledged.
  ///
  /// - Throws: `KafkaError` when a row was not delivered since the last call.
  func flush(timeout: Duration) throws(KafkaError)

  /// Fences older producers of the same transactional id and waits for what they left behind.
  func initTransactions(timeout: Duration) throws(KafkaError)
  /// Begins a transaction; what is produced from here on belongs to it.
  func beginTransaction() throws(KafkaError)
  /// Makes the group's offsets part of the transaction.
  func sendOffsets(
    _ offsets: [PartitionOffset], place: any GroupPlace, timeout: Duration
  ) throws(KafkaError)
  /// Delivers what waits and commits; after a timeout the same call goes on waiting.
  func commitTransaction(timeout: Duration) throws(KafkaError)
  /// Drops what waits and aborts; after a timeout the same call goes on waiting.
  func abortTransaction(timeout: Duration) throws(KafkaError)
}
