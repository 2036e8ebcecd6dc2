import Kafka
import Testing

@Suite struct ProducerTests {
  @Test func aFullQueuePushesBack() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(topics: ["t": 1], logger: quiet)
      let producer = try broker.producer(properties: [
        "queue.buffering.max.messages": "10", "linger.ms": "0",
        "reconnect.backoff.max.ms": "100",
      ])
      let topic = try producer.topic("t")
      try broker.stop()
      for index in 0..<10 {
        try producer.produce(to: topic, key: nil, value: [UInt8(index)])
      }
      #expect(producer.outstanding >= 10)
      for timeout in [Duration.zero, .milliseconds(50)] {
        do {
          try producer.produce(to: topic, key: nil, value: [10], timeout: timeout)
          Issue.record("the queue took more than its limit")
        } catch let error as KafkaError {
          #expect(error.code == .queueFull)
          #expect(error.isRetriable)
        }
      }
      // With the broker back, the same call waits for room and goes through.
      try broker.start()
      try producer.produce(to: topic, key: nil, value: [10], timeout: patience)
      try producer.flush(timeout: patience)
      #expect(producer.delivered == 11)
      #expect(producer.failed == 0)
      #expect(producer.outstanding == 0)
    }
  }

  @Test func taggedMessagesAreReported() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(topics: ["t": 2], logger: quiet)
      let producer = try broker.producer()
      let topic = try producer.topic("t")
      try producer.produce(to: topic, partition: 1, key: nil, value: [0])
      try producer.produce(to: topic, partition: 1, key: nil, value: [1], tag: .max)
      let report = try producer.awaitDelivery()
      #expect(report.tag == .max)
      #expect(report.topicPartition == TopicPartition(topic: "t", partition: 1))
      #expect(report.offset == 1)
      #expect(report.error == nil)
      #expect(producer.delivered == 2)
    }
  }

  @Test func purgedMessagesAreReported() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(topics: ["t": 1], logger: quiet)
      let producer = try broker.producer()
      try broker.stop()
      try producer.produce(to: producer.topic("t"), key: nil, value: [0])
      #expect(throws: KafkaError.self) { try producer.flush(timeout: .zero) }
      try producer.purge()
      let report = try producer.awaitDelivery()
      #expect(report.error?.code == .purgedFromQueue)
      #expect(report.tag == 0)
    }
  }

  /// Hashes from the tests of Apache Kafka's own client (UtilsTest.testMurmur2).
  @Test func keysGoWhereApacheKafkaSendsThem() async throws {
    try await onThread {
      let hashes: [(String, Int32)] = [
        ("21", -973_932_308), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971), ("abc", 479_470_107),
      ]
      let broker = try EmbeddedBroker(topics: ["t": 12], logger: quiet)
      let producer = try broker.producer()
      let topic = try producer.topic("t")
      for (key, hash) in hashes {
        try producer.produce(to: topic, key: [UInt8](key), value: nil as [UInt8]?, tag: 1)
        #expect(
          try producer.awaitDelivery().topicPartition.partition == (hash & 0x7FFF_FFFF) % 12)
      }
    }
  }

  /// The calls only: whether records are isolated is tested on a real broker.
  @Test func transactionCallsWork() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(topics: ["in": 1, "out": 1], logger: quiet)
      let producer = try Producer(
        ProducerConfiguration(
          brokers: broker.bootstrap, transactionalID: "tx",
          properties: ["retry.backoff.ms": "1"]), logger: quiet)
      let consumer = try broker.consumer(group: "g")
      _ = try consumer.join(["in"])
      let topic = try producer.topic("out")
      try producer.initTransactions(timeout: patience)
      for value in 0..<3 as Range<UInt8> {
        try producer.beginTransaction()
        try producer.produce(to: topic, key: nil, value: [value])
        try producer.sendOffsets(
          [PartitionOffset(TopicPartition(topic: "in", partition: 0), offset: 1)],
          group: consumer.groupMetadata(), timeout: patience)
        if value == 1 {
          try producer.abortTransaction(timeout: patience)
        } else {
          try producer.commitTransaction(timeout: patience)
        }
      }
      try consumer.close()
      do {
        try producer.commitTransaction(timeout: patience)
        Issue.record("a transaction that was not begun was committed")
      } catch let error as KafkaError {
        #expect(error.code == .state)
        #expect(error.operation == "commit transaction")
      }
    }
  }

  @Test func aFencedProducerIsFatal() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(topics: ["t": 1], logger: quiet)
      let producer = try Producer(
        ProducerConfiguration(brokers: broker.bootstrap, transactionalID: "tx"), logger: quiet)
      let topic = try producer.topic("t")
      try producer.initTransactions(timeout: patience)
      try producer.beginTransaction()
      try producer.produce(to: topic, key: nil, value: [1])
      try broker.fail(.endTransaction, with: [.invalidProducerEpoch])
      do {
        try producer.commitTransaction(timeout: patience)
        Issue.record("a fenced producer committed")
      } catch let error as KafkaError {
        #expect(error.code == .fenced)
        #expect(error.isFatal && !error.isRetriable)
        #expect(error.hint?.contains("transactional.id") == true)
      }
      #expect(producer.client.fatalError?.code == .fenced)
      do {
        try producer.produce(to: topic, key: nil, value: [1])
        Issue.record("a fenced producer took a message")
      } catch let error as KafkaError {
        #expect(error.isFatal)
      }
    }
  }

  /// One that was fenced ends at once, also while brokers still have to answer its rows: each answer says
  /// so again.
  @Test func aFencedProducerEndsWhileItsRowsAreUnderWay() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(brokers: 3, topics: ["in": 1, "t": 2], logger: quiet)
      for partition in 0..<2 as Range<Int32> {
        try broker.setLeader(
          of: TopicPartition(topic: "t", partition: partition), to: partition + 2)
      }
      try broker.setCoordinator(of: .transaction, "tx", to: 1)
      try broker.setCoordinator(of: .group, "g", to: 1)
      let group = try broker.consumer(group: "g").groupMetadata()
      // When the answers come, as seen from the end of the producer, is left to chance.
      for round in 0..<40 {
        try Self.fence(broker, group, answersAfter: .milliseconds(1 + round % 4))
        for request in [EmbeddedBroker.Request.produce, .addOffsetsToTransaction] {
          try broker.clearFailures(of: request)
        }
      }
    }
  }

  /// Lets a producer be fenced when it sends offsets, while the answers to its rows are under way.
  private static func fence(
    _ broker: EmbeddedBroker, _ group: GroupMetadata, answersAfter delay: Duration
  ) throws {
    try broker.setRoundTrip(.zero)
    let producer = try Producer(
      ProducerConfiguration(
        brokers: broker.bootstrap, transactionalID: "tx",
        properties: ["linger.ms": "0", "retry.backoff.ms": "1"]), logger: quiet)
    let topic = try producer.topic("t")
    let offset = PartitionOffset(TopicPartition(topic: "in", partition: 0), offset: 1)
    func write() throws {
      try producer.beginTransaction()
      for partition in 0..<2 as Range<Int32> {
        try producer.produce(to: topic, partition: partition, key: nil, value: [1])
      }
      try producer.sendOffsets([offset], group: group, timeout: patience)
    }
    try producer.initTransactions(timeout: patience)
    // So that it is connected with all of them.
    try write()
    try producer.commitTransaction(timeout: patience)
    try broker.fail(.produce, with: [.invalidProducerEpoch, .invalidProducerEpoch])
    try broker.fail(.addOffsetsToTransaction, with: [.noError, .invalidProducerEpoch])
    try broker.setRoundTrip(.milliseconds(1), broker: 1)
    for leader in 2...3 as ClosedRange<Int32> { try broker.setRoundTrip(delay, broker: leader) }
    do {
      // The rows are sent while the first offsets are added.
      try write()
      try producer.sendOffsets([offset], group: group, timeout: patience)
      Issue.record("a fenced producer sent offsets")
    } catch is KafkaError {
      #expect(producer.client.fatalError?.code == .fenced)
    }
  }
}
