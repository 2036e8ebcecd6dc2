import Kafka
public import Logging

/// A record as a reader sees it that is shown only what transactions have committed.
public struct CommittedRecord: Sendable {
  /// Nil when it has none.
  public let key: String?
  /// The text of its value.
  public let value: String
}

/// Reads topics of a cluster from their beginnings to the ends that they have now.
public struct CommittedRecords: Sendable {
  private let brokers: String
  private let logger: Logger

  /// Reads from `brokers`, `host:port`.
  public init(brokers: String, logger: Logger) {
    self.brokers = brokers
    self.logger = logger
  }

  /// The committed records of a topic, partition by partition.
  ///
  /// Brokers answer a commit before they show its records: what lies before the end of a partition is
  /// waited for until it is committed or aborted, for 30 s.
  ///
  /// - Throws: `KafkaError` when the brokers do not answer, or something stays open.
  public func read(_ topic: String) throws -> [[CommittedRecord]] {
    var configuration = ConsumerConfiguration(brokers: brokers, group: nil)
    configuration.reportsPartitionEnd = true
    let consumer = try Consumer(configuration, logger: logger)
    configuration.properties["isolation.level"] = "read_uncommitted"
    let observer = try Consumer(configuration, logger: logger)
    let metadata = try consumer.client.metadata(topic: topic, timeout: .seconds(20))
    var found: [[CommittedRecord]] = []
    for number in 0..<Int32(metadata.topic(topic)?.partitions.count ?? 0) {
      let partition = TopicPartition(topic: topic, partition: number)
      let end = try observer.client.watermarks(of: partition, timeout: .seconds(20)).high
      let queues = try consumer.assign([PartitionStart(partition, at: .beginning)])
      found.append(try Self.records(from: queues[0], of: consumer, to: end))
    }
    try observer.close()
    try consumer.close()
    return found
  }

  private static func records(
    from queue: PartitionQueue, of consumer: Consumer, to end: Int64
  ) throws -> [CommittedRecord] {
    let wakeup = Wakeup()
    queue.attach(wakeup)
    var batch = RecordBatch(capacity: 512)
    var records: [CommittedRecord] = []
    var reached: Int64 = 0
    let deadline = ContinuousClock.now + .seconds(30)
    while ContinuousClock.now < deadline {
      _ = consumer.poll(timeout: .zero)
      queue.poll(into: &batch)
      for index in 0..<batch.count {
        let key = batch.copyOfKey(at: index).map { String(decoding: $0, as: UTF8.self) }
        let value = String(decoding: batch.copyOfValue(at: index) ?? [], as: UTF8.self)
        records.append(CommittedRecord(key: key, value: value))
      }
      for case .partitionEnd(let offset) in batch.events { reached = offset }
      if reached >= end, batch.count == 0 || !batch.events.isEmpty { return records }
      if batch.count == 0 { wakeup.wait(timeout: .milliseconds(100)) }
    }
    throw KafkaError(
      .timedOut, "\(queue.topicPartition) ends at \(end), and was shown up to \(reached) only",
      operation: "read")
  }
}
