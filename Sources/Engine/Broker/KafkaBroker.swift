package import Kafka
package import Logging
import Synchronization

/// Apache Kafka, or what speaks its protocol, through librdkafka.
package struct KafkaBroker: Broker {
  /// Creates the way to the clusters that pipelines name.
  package init() {}

  package func makeMember(
    _ plan: PipelinePlan, logger: Logger
  ) throws(KafkaError) -> any GroupMember {
    let kafka = plan.configuration.kafka
    var configuration = ConsumerConfiguration(
      brokers: kafka.brokers, group: plan.configuration.group,
      properties: kafka.consumerProperties)
    // New partitions are noticed, and the group is balanced anew, after at most this time.
    configuration.properties["topic.metadata.refresh.interval.ms"] =
      configuration.properties["topic.metadata.refresh.interval.ms"] ?? "30000"
    configuration.clientID = "cutbank-\(plan.configuration.name)"
    configuration.queueKilobytes = 16_384
    // Where marks of transactions stand at the end of a partition, nothing else tells that it was read.
    configuration.reportsPartitionEnd = true
    switch plan.parallelism {
    case .single: configuration.assignment = .range
    case .partitionParallel: configuration.assignment = .cooperativeSticky
    }
    return KafkaMember(consumer: try Consumer(configuration, logger: logger))
  }

  package func makeReader(
    _ plan: PipelinePlan, logger: Logger
  ) throws(KafkaError) -> any GroupMember {
    let kafka = plan.configuration.kafka
    var configuration = ConsumerConfiguration(
      brokers: kafka.brokers, group: nil, properties: kafka.consumerProperties)
    configuration.clientID = "cutbank-\(plan.configuration.name)-tables"
    configuration.reportsPartitionEnd = true
    configuration.queueKilobytes = 4_096
    return KafkaMember(consumer: try Consumer(configuration, logger: logger))
  }

  package func makeProducer(
    _ plan: PipelinePlan, transactionalID: String?, logger: Logger
  ) throws(KafkaError) -> any TopicProducer {
    let kafka = plan.configuration.kafka
    var properties = kafka.producerProperties
    if transactionalID != nil {
      // With the default of 100 ms, transactions one after the other take that long each.
      properties["retry.backoff.ms"] = properties["retry.backoff.ms"] ?? "2"
      properties["transaction.timeout.ms"] = properties["transaction.timeout.ms"] ?? "20000"
    }
    var configuration = ProducerConfiguration(brokers: kafka.brokers, properties: properties)
    configuration.reports = .failures
    configuration.transactionalID = transactionalID
    return KafkaProducer(try Producer(configuration, logger: logger))
  }

  package func makeStateTopics(
    _ plan: PipelinePlan, logger: Logger
  ) throws(KafkaError) -> any StateTopics { try KafkaStateTopics(plan, logger: logger) }
}

extension PartitionQueue: RecordQueue {}

extension GroupMetadata: GroupPlace {}

/// A consumer as a group member.
private struct KafkaMember: GroupMember {
  let consumer: Consumer

  func isEmbedded(timeout: Duration) throws(KafkaError) -> Bool {
    consumer.client.clusterID(timeout: timeout)?.hasPrefix(EmbeddedBroker.clusterIDPrefix)
      ?? false
  }

  func settings(of topic: String, timeout: Duration) throws(KafkaError) -> [String: String]? {
    // It answers no request of an administrator.
    guard try !isEmbedded(timeout: timeout) else { return nil }
    do throws(KafkaError) {
      return try consumer.client.configuration(of: topic, timeout: timeout)
    } catch {
      // Who may read a topic need not be allowed to see its settings.
      if error.code == .topicAuthorization || error.code == .clusterAuthorization { return nil }
      throw error
    }
  }

  func partitionCount(of topic: String, timeout: Duration) throws(KafkaError) -> Int? {
    let metadata = try consumer.client.metadata(topic: topic, timeout: timeout)
    guard let found = metadata.topic(topic), found.error == nil, !found.partitions.isEmpty else {
      return nil
    }
    return found.partitions.count
  }

  func watermarks(
    of partition: TopicPartition, timeout: Duration
  ) throws(KafkaError) -> Watermarks {
    try consumer.client.watermarks(of: partition, timeout: timeout)
  }

  func cachedWatermarks(of partition: TopicPartition) -> Watermarks? {
    consumer.cachedWatermarks(of: partition)
  }

  func offsets(
    atOrAfter times: [TopicPartition: Int64], timeout: Duration
  ) throws(KafkaError) -> [TopicPartition: Int64] {
    try consumer.client.offsets(atOrAfter: times, timeout: timeout)
  }

  var memberID: String? { consumer.memberID }

  func subscribe(to topics: [String]) throws(KafkaError) { try consumer.subscribe(to: topics) }

  func attach(_ wakeup: Wakeup) throws(KafkaError) { try consumer.attach(wakeup) }

  func poll(timeout: Duration) -> ConsumerEvent? { consumer.poll(timeout: timeout) }

  var isCooperative: Bool { consumer.isCooperative }

  func assign(_ starts: [PartitionStart]) throws(KafkaError) -> [any RecordQueue] {
    try consumer.assign(starts)
  }

  func incrementallyAssign(
    _ starts: [PartitionStart]
  ) throws(KafkaError) -> [any RecordQueue] {
    try consumer.incrementallyAssign(starts)
  }

  func unassign() throws(KafkaError) { try consumer.unassign() }

  func incrementallyUnassign(_ partitions: [TopicPartition]) throws(KafkaError) {
    try consumer.incrementallyUnassign(partitions)
  }

  func commit(_ offsets: [PartitionOffset], tag: UInt64) throws(KafkaError) {
    try consumer.commit(offsets, tag: tag)
  }

  func committed(
    _ partitions: [TopicPartition], timeout: Duration
  ) throws(KafkaError) -> [TopicPartition: PartitionOffset] {
    try consumer.committed(partitions, timeout: timeout)
  }

  func place() throws(KafkaError) -> any GroupPlace { try consumer.groupMetadata() }

  func close(timeout: Duration) throws(KafkaError) { try consumer.close(timeout: timeout) }
}

/// A producer with its topics by name.
private final class KafkaProducer: TopicProducer {
  private let producer: Producer
  private let topics = Mutex<[String: ProducerTopic]>([:])
  private let failedBefore = Mutex(0)

  init(_ producer: Producer) { self.producer = producer }

  func produce(_ rows: RowBlock, to topic: String, timeout: Duration) throws(KafkaError) {
    let opened = try open(topic)
    let bytes = rows.bytes.span
    for row in 0..<rows.count {
      let value = bytes.extracting(rows.range(row))
      guard let key = rows.keyRange(row) else {
        try producer.produce(to: opened, key: nil, value: value, timeout: timeout)
        continue
      }
      try producer.produce(
        to: opened, key: bytes.extracting(key), value: value, timeout: timeout)
    }
  }

  private func open(_ name: String) throws(KafkaError) -> ProducerTopic {
    if let opened = topics.withLock({ $0[name] }) { return opened }
    let opened = try producer.topic(name)
    topics.withLock { $0[name] = opened }
    return opened
  }

  func flush(timeout: Duration) throws(KafkaError) {
    try producer.flush(timeout: timeout)
    var events: [ProducerEvent] = []
    producer.poll(timeout: .zero, into: &events)
    let failed = producer.failed
    let before = failedBefore.withLock { before in
      defer { before = failed }
      return before
    }
    for case .delivery(let report) in events {
      if let error = report.error { throw error }
    }
    guard failed == before else {
      throw KafkaError(.fail, "\(failed - before) rows were not delivered", operation: "deliver")
    }
  }

  func initTransactions(timeout: Duration) throws(KafkaError) {
    do throws(KafkaError) {
      try producer.initTransactions(timeout: timeout)
    } catch {
      // A request tells only that it had no answer; why brokers let nobody in is told apart.
      var events: [ProducerEvent] = []
      producer.poll(timeout: .zero, into: &events)
      for case .error(let refusal) in events
      where [.authentication, .tls].contains(refusal.code) { throw refusal }
      throw error
    }
  }

  func beginTransaction() throws(KafkaError) { try producer.beginTransaction() }

  func sendOffsets(
    _ offsets: [PartitionOffset], place: any GroupPlace, timeout: Duration
  ) throws(KafkaError) {
    guard let group = place as? GroupMetadata else {
      preconditionFailure("the place in the group comes from a consumer of Kafka")
    }
    try producer.sendOffsets(offsets, group: group, timeout: timeout)
  }

  func commitTransaction(timeout: Duration) throws(KafkaError) {
    defer { forgetEvents() }
    try producer.commitTransaction(timeout: timeout)
  }

  func abortTransaction(timeout: Duration) throws(KafkaError) {
    defer { forgetEvents() }
    try producer.abortTransaction(timeout: timeout)
  }

  /// Forgets what was told of single rows, of which an abort tells each: how the transaction ended says it.
  private func forgetEvents() {
    var events: [ProducerEvent] = []
    producer.poll(timeout: .zero, into: &events)
  }
}
