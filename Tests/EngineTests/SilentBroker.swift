import Engine
import Kafka
import Logging
import Synchronization

/// Kafka, whose brokers do not say what some of the times when they are asked where partitions begin.
struct SilentBroker: Broker {
  private let kafka = KafkaBroker()
  private let silence: Silence

  /// Creates a broker that answers whoever looks where a task begins, and everybody else `count` times
  /// with an error, then always.
  init(_ error: KafkaError, count: Int) { silence = Silence(error, count: count) }

  func makeMember(_ plan: PipelinePlan, logger: Logger) throws(KafkaError) -> any GroupMember {
    SilentMember(inner: try kafka.makeMember(plan, logger: logger), silence: silence)
  }

  func makeProducer(
    _ plan: PipelinePlan, transactionalID: String?, logger: Logger
  ) throws(KafkaError) -> any TopicProducer {
    try kafka.makeProducer(plan, transactionalID: transactionalID, logger: logger)
  }
}

/// What is answered to those who ask.
private final class Silence: Sendable {
  private let error: KafkaError
  private let count: Int
  private let asked = Mutex(0)

  init(_ error: KafkaError, count: Int) {
    self.error = error
    self.count = count
  }

  func answer(within timeout: Duration) throws(KafkaError) {
    // Who looks where a task begins waits for longer than who is at work.
    guard timeout < .seconds(10) else { return }
    let number = asked.withLock { asked in
      asked += 1
      return asked
    }
    if number <= count { throw error }
  }
}

private struct SilentMember: GroupMember {
  let inner: any GroupMember
  let silence: Silence

  func watermarks(
    of partition: TopicPartition, timeout: Duration
  ) throws(KafkaError) -> Watermarks {
    try silence.answer(within: timeout)
    return try inner.watermarks(of: partition, timeout: timeout)
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
  func cachedWatermarks(of partition: TopicPartition) -> Watermarks? {
    inner.cachedWatermarks(of: partition)
  }
  func offsets(
    atOrAfter times: [TopicPartition: Int64], timeout: Duration
  ) throws(KafkaError) -> [TopicPartition: Int64] {
    try inner.offsets(atOrAfter: times, timeout: timeout)
  }
  func subscribe(to topics: [String]) throws(KafkaError) { try inner.subscribe(to: topics) }
  func attach(_ wakeup: Wakeup) throws(KafkaError) { try inner.attach(wakeup) }
  func poll(timeout: Duration) -> ConsumerEvent? { inner.poll(timeout: timeout) }
  var isCooperative: Bool { inner.isCooperative }
  func assign(_ starts: [PartitionStart]) throws(KafkaError) -> [any RecordQueue] {
    try inner.assign(starts)
  }
  func incrementallyAssign(
    _ starts: [PartitionStart]
  ) throws(KafkaError) -> [any RecordQueue] { try inner.incrementallyAssign(starts) }
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
