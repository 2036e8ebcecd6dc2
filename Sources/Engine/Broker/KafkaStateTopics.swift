package import Kafka
package import Logging
import Synchronization

/// The topics that hold a pipeline's state, on a real cluster.
package final class KafkaStateTopics: StateTopics {
  private let producer: Producer
  private let plan: PipelinePlan
  private let patience: Duration
  private let logger: Logger
  private let opened = Mutex<[String: ProducerTopic]>([:])
  private let reports = Mutex(Reports())

  private struct Reports {
    var lastTag: UInt64 = 0
    /// What came for a caller that has not seen it.
    var waiting: [UInt64: DeliveryReport] = [:]
  }

  /// Connects to the pipeline's brokers; who reads goes without an answer after `patience`.
  package init(
    _ plan: PipelinePlan, patience: Duration = .seconds(10), logger: Logger
  ) throws(KafkaError) {
    self.plan = plan
    self.patience = patience
    self.logger = logger
    let kafka = plan.configuration.kafka
    var properties = kafka.producerProperties
    properties["linger.ms"] = "0"
    // The state of a task goes nowhere else: a cluster that is away is waited for.
    properties["message.timeout.ms"] = "0"
    var configuration = ProducerConfiguration(brokers: kafka.brokers, properties: properties)
    configuration.reports = .failuresAndTagged
    producer = try Producer(configuration, logger: logger)
  }

  private func makeReader() throws(KafkaError) -> Consumer {
    let kafka = plan.configuration.kafka
    var properties = kafka.consumerProperties
    properties["auto.offset.reset"] = "error"
    // What an older owner's transaction would hide is not there: state is written without any.
    properties["isolation.level"] = "read_uncommitted"
    var configuration = ConsumerConfiguration(
      brokers: kafka.brokers, group: nil, properties: properties)
    configuration.reportsPartitionEnd = true
    return try Consumer(configuration, logger: logger)
  }

  package func prepare(_ names: [String], partitions: Int) throws(KafkaError) {
    let reader = try makeReader()
    for name in names {
      let found = try reader.client.metadata(topic: name, timeout: .seconds(10)).topic(name)
      if let found, found.error == nil, !found.partitions.isEmpty {
        guard found.partitions.count < partitions else { continue }
        logger.notice("topic \(name) gets \(partitions) partitions, one for each task")
        try producer.client.addPartitions(to: name, upTo: partitions, timeout: .seconds(20))
        continue
      }
      logger.notice("topic \(name) is created with \(partitions) partitions")
      do throws(KafkaError) {
        try producer.client.createTopic(
          name, partitions: partitions,
          configuration: [
            "cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1",
          ], timeout: .seconds(20))
      } catch {
        guard error.code == .topicAlreadyExists else { throw error }
      }
    }
    try reader.close()
  }

  package func append(_ records: [[UInt8]], to partition: TopicPartition) throws(KafkaError)
    -> [Int64]
  {
    guard !records.isEmpty else { return [] }
    let topic = try open(partition.topic)
    let first = reports.withLock { state -> UInt64 in
      defer { state.lastTag += UInt64(records.count) }
      return state.lastTag + 1
    }
    for (index, record) in records.enumerated() {
      try producer.produce(
        to: topic, partition: partition.partition, key: nil, value: record,
        tag: first + UInt64(index), timeout: .seconds(60))
    }
    // All are waited for: what is told of one that nobody waits for would be kept for ever.
    let answers = records.indices.map { wait(for: first + UInt64($0)) }
    var offsets: [Int64] = []
    for report in answers {
      if let error = report.error { throw error }
      guard let offset = report.offset else {
        throw KafkaError(
          .fail, "the broker did not say where a record of state stands", operation: "write state",
          topic: partition.topic, partition: partition.partition)
      }
      offsets.append(offset)
    }
    return offsets
  }

  /// Serves deliveries, those of other threads too, until this one has come.
  private func wait(for tag: UInt64) -> DeliveryReport {
    var events: [ProducerEvent] = []
    while true {
      if let found = reports.withLock({ $0.waiting.removeValue(forKey: tag) }) { return found }
      events.removeAll(keepingCapacity: true)
      producer.poll(timeout: .milliseconds(5), into: &events)
      reports.withLock { state in
        for case .delivery(let report) in events { state.waiting[report.tag] = report }
      }
    }
  }

  private func open(_ name: String) throws(KafkaError) -> ProducerTopic {
    if let topic = opened.withLock({ $0[name] }) { return topic }
    let topic = try producer.topic(name)
    opened.withLock { $0[name] = topic }
    return topic
  }

  package func read(
    _ partition: TopicPartition, from first: Int64, to end: Int64,
    _ body: (_ offset: Int64, _ record: [UInt8]) throws -> Bool
  ) throws {
    guard first < end else { return }
    let reader = try makeReader()
    defer { closeReader(reader) }
    let queue = try reader.assign([PartitionStart(partition, at: .offset(first))])[0]
    let wakeup = Wakeup()
    queue.attach(wakeup)
    var batch = RecordBatch(capacity: 64)
    var silence = Duration.zero
    var problem: KafkaError?
    while true {
      if case .error(let error) = reader.poll(timeout: .zero) {
        guard !error.isFatal else { throw error }
        problem = error
      }
      queue.poll(into: &batch)
      for index in 0..<batch.count {
        let offset = batch.offsets[index]
        guard offset < end, try body(offset, batch.copyOfValue(at: index) ?? []) else { return }
        if offset + 1 >= end { return }
      }
      for event in batch.events {
        switch event {
        case .partitionEnd:
          // What the brokers have lost never comes: whoever needs it says what is missing.
          if try watermarks(of: partition).high < end { return }
        case .offsetOutOfRange(_, let error), .error(let error): throw error
        }
      }
      if batch.count > 0 || !batch.events.isEmpty { silence = .zero }
      guard silence < patience else { throw Self.noAnswer(partition, silence, problem) }
      if batch.count == 0, !wakeup.wait(timeout: Self.look) { silence += Self.look }
    }
  }

  /// How long the queue of a reader is waited for before its client is asked what is wrong.
  private static let look = Duration.milliseconds(100)

  private static func noAnswer(
    _ partition: TopicPartition, _ silence: Duration, _ problem: KafkaError?
  ) -> KafkaError {
    KafkaError(
      .timedOut,
      "no record of state came for \(silence)"
        + (problem.map { ", the last error: \($0.message)" } ?? ""),
      operation: "read state", topic: partition.topic, partition: partition.partition)
  }

  private func closeReader(_ reader: Consumer) {
    do {
      try reader.close()
    } catch {
      logger.debug("a reader of state was not closed in order: \(error)")
    }
  }

  package func watermarks(of partition: TopicPartition) throws(KafkaError) -> Watermarks {
    try producer.client.watermarks(of: partition, timeout: .seconds(30))
  }

  package func delete(before offset: Int64, of partition: TopicPartition) throws(KafkaError) {
    do throws(KafkaError) {
      try producer.client.deleteRecords(before: offset, of: partition, timeout: .seconds(10))
    } catch {
      // What is too old takes room and does no harm; the next snapshot tries again.
      logger.warning("old state in \(partition) could not be deleted: \(error)")
    }
  }
}
