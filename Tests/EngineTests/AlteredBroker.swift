import Engine
import Kafka
import Logging
import Synchronization

/// Kafka, of which members are told other things than its brokers say.
struct AlteredBroker: Broker {
  /// Who asks where a partition begins and ends, and waits that long for the answer, meets this first.
  var whenAskedForMarks: @Sendable (_ timeout: Duration) throws(KafkaError) -> Void = {
    (_: Duration) throws(KafkaError) in
  }
  /// Where the last fetch is said to have seen the end of a partition.
  var cachedMarks: @Sendable (Watermarks?) -> Watermarks? = { $0 }
  /// What is read in place of a queue.
  var queue: @Sendable (any RecordQueue) -> any RecordQueue = { $0 }
  /// Where state in topics is kept.
  var stateTopics: (any StateTopics)?
  private let kafka = KafkaBroker()

  init() {}

  /// Creates brokers that answer whoever looks where a task begins, and everybody else `count` times with
  /// an error, then always.
  init(silence error: KafkaError, count: Int) {
    let silence = Silence(error, count: count)
    whenAskedForMarks = { (timeout: Duration) throws(KafkaError) in
      // Who looks where a task begins waits for longer than who is at work.
      guard timeout < .seconds(10) else { return }
      try silence.answer()
    }
  }

  func makeMember(_ plan: PipelinePlan, logger: Logger) throws(KafkaError) -> any GroupMember {
    AlteredMember(inner: try kafka.makeMember(plan, logger: logger), broker: self)
  }

  func makeProducer(
    _ plan: PipelinePlan, transactionalID: String?, logger: Logger
  ) throws(KafkaError) -> any TopicProducer {
    try kafka.makeProducer(plan, transactionalID: transactionalID, logger: logger)
  }

  func makeStateTopics(
    _ plan: PipelinePlan, logger: Logger
  ) throws(KafkaError) -> any StateTopics {
    if let stateTopics { return stateTopics }
    return try kafka.makeStateTopics(plan, logger: logger)
  }
}

/// Answers the first who ask with an error.
private final class Silence: Sendable {
  private let error: KafkaError
  private let count: Int
  private let asked = Mutex(0)

  init(_ error: KafkaError, count: Int) {
    self.error = error
    self.count = count
  }

  func answer() throws(KafkaError) {
    let number = asked.withLock { asked in
      asked += 1
      return asked
    }
    if number <= count { throw error }
  }
}

private struct AlteredMember: GroupMember {
  let inner: any GroupMember
  let broker: AlteredBroker

  func watermarks(
    of partition: TopicPartition, timeout: Duration
  ) throws(KafkaError) -> Watermarks {
    try broker.whenAskedForMarks(timeout)
    return try inner.watermarks(of: partition, timeout: timeout)
  }
  func cachedWatermarks(of partition: TopicPartition) -> Watermarks? {
    broker.cachedMarks(inner.cachedWatermarks(of: partition))
  }
  func assign(_ starts: [PartitionStart]) throws(KafkaError) -> [any RecordQueue] {
    try inner.assign(starts).map(broker.queue)
  }
  func incrementallyAssign(
    _ starts: [PartitionStart]
  ) throws(KafkaError) -> [any RecordQueue] {
    try inner.incrementallyAssign(starts).map(broker.queue)
  }

  func isEmbedded(timeout: Duration) throws(KafkaError) -> Bool {
    try inner.isEmbedded(timeout: timeout)
  }
  func settings(of topic: String, timeout: Duration) throws(KafkaError) -> [String: String]? {
    try inner.settings(of: topic, timeout: timeout)
  }
  func partitionCount(of topic: String, timeout: Duration) throws(KafkaError) -> Int? {
    try inner.partitionCount(of: topic, timeout: timeout)
  }
  func offsets(
    atOrAfter times: [TopicPartition: Int64], timeout: Duration
  ) throws(KafkaError) -> [TopicPartition: Int64] {
    try inner.offsets(atOrAfter: times, timeout: timeout)
  }
  var memberID: String? { inner.memberID }
  func subscribe(to topics: [String]) throws(KafkaError) { try inner.subscribe(to: topics) }
  func attach(_ wakeup: Wakeup) throws(KafkaError) { try inner.attach(wakeup) }
  func poll(timeout: Duration) -> ConsumerEvent? { inner.poll(timeout: timeout) }
  var isCooperative: Bool { inner.isCooperative }
  func unassign() throws(KafkaError) { try inner.unassign() }
  func incrementallyUnassign(_ partitions: [TopicPartition]) throws(KafkaError) {
    try inner.incrementallyUnassign(partitions)
  }
  func commit(_ offsets: [PartitionOffset], tag: UInt64) throws(KafkaError) {
    try inner.commit(offsets, tag: tag)
  }
  func committed(
    _ partitions: [TopicPartition], timeout: Duration
  ) throws(KafkaError) -> [TopicPartition: PartitionOffset] {
    try inner.committed(partitions, timeout: timeout)
  }
  func place() throws(KafkaError) -> any GroupPlace { try inner.place() }
  func close(timeout: Duration) throws(KafkaError) { try inner.close(timeout: timeout) }
}
