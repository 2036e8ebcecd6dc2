import Foundation
import Kafka
import Testing

/// A broker of the user's, named by the environment.
enum RealBroker {
  static let bootstrap = ProcessInfo.processInfo.environment["CUTBANK_TEST_BROKERS"]

  static func consumer(
    group: String? = nil, _ configure: (inout ConsumerConfiguration) -> Void = { _ in }
  ) throws -> Consumer {
    var configuration = ConsumerConfiguration(brokers: try #require(bootstrap), group: group)
    configure(&configuration)
    return try Consumer(configuration, logger: quiet)
  }

  static func producer(transactionalID: String? = nil) throws -> Producer {
    try Producer(
      ProducerConfiguration(
        brokers: try #require(bootstrap), transactionalID: transactionalID,
        properties: ["retry.backoff.ms": "1"]), logger: quiet)
  }

  /// A topic of its own for each test.
  static func makeTopic(partitions: Int = 1) throws -> String {
    let name = "cutbank-test-\(UUID().uuidString)"
    try consumer().client.createTopic(name, partitions: partitions, timeout: patience)
    return name
  }
}

/// What the embedded broker cannot do, as Apache Kafka does it.
///
/// kfake of franz-go fails two: it takes metadata of any length, and a producer that begins anew
/// does not abort what its predecessor left open.
@Suite(
  .enabled(
    if: RealBroker.bootstrap != nil,
    "set CUTBANK_TEST_BROKERS=host:port to test transactions, fencing and times on a real broker"))
struct RealBrokerTests {
  @Test func topicsAreCreatedAndDescribed() async throws {
    try await onThread {
      let client = try RealBroker.consumer().client
      let topic = "cutbank-test-\(UUID().uuidString)"
      try client.createTopic(
        topic, partitions: 3,
        configuration: ["cleanup.policy": "compact", "min.compaction.lag.ms": "60000"],
        timeout: patience)
      let metadata = try client.metadata(topic: topic, timeout: patience)
      #expect(metadata.topic(topic)?.partitions.count == 3)
      let configuration = try client.configuration(of: topic, timeout: patience)
      #expect(configuration["cleanup.policy"] == "compact")
      #expect(configuration["min.compaction.lag.ms"] == "60000")
      #expect(configuration["retention.ms"] != nil)
      do {
        try client.createTopic(topic, partitions: 3, timeout: patience)
        Issue.record("the topic was created twice")
      } catch let error as KafkaError {
        #expect(error.code == .topicAlreadyExists)
        #expect(error.topic == topic)
      }
      let missing = try client.metadata(topic: "\(topic)-missing", timeout: patience)
      #expect(missing.topics.map(\.error?.code) == [.unknownTopicOrPartition])
      #expect(throws: KafkaError.self) {
        try client.configuration(of: "\(topic)-missing", timeout: patience)
      }
    }
  }

  @Test func offsetsAreFoundByTime() async throws {
    try await onThread {
      let name = try RealBroker.makeTopic()
      let producer = try RealBroker.producer()
      let topic = try producer.topic(name)
      for (index, timestamp) in ([1_000_000, 2_000_000, 3_000_000] as [Int64]).enumerated() {
        try producer.produce(
          to: topic, partition: 0, key: nil, value: [UInt8(index)], timestamp: timestamp)
        try producer.flush(timeout: patience)
      }
      let partition = TopicPartition(topic: name, partition: 0)
      let client = producer.client
      #expect(
        try client.offsets(atOrAfter: [partition: 1_500_000], timeout: patience) == [partition: 1])
      #expect(
        try client.offsets(atOrAfter: [partition: 3_000_000], timeout: patience) == [partition: 2])
      #expect(try client.offsets(atOrAfter: [partition: 3_000_001], timeout: patience) == [:])
    }
  }

  @Test func onlyCommittedRecordsAndOffsetsCount() async throws {
    try await onThread {
      let input = try RealBroker.makeTopic()
      let output = try RealBroker.makeTopic()
      let partition = TopicPartition(topic: input, partition: 0)
      let consumer = try RealBroker.consumer(group: "group-\(input)")
      _ = try consumer.join([input])
      let producer = try RealBroker.producer(transactionalID: "tx-\(output)")
      let topic = try producer.topic(output)
      try producer.initTransactions(timeout: patience)
      for (value, isCommitted) in [(0, true), (1, false), (2, true)] {
        try producer.beginTransaction()
        try producer.produce(to: topic, partition: 0, key: nil, value: [UInt8(value)])
        try producer.sendOffsets(
          [PartitionOffset(partition, offset: Int64(value) + 1, metadata: "commit \(value)")],
          group: consumer.groupMetadata(), timeout: patience)
        if isCommitted {
          try producer.commitTransaction(timeout: patience)
          // Until the group has taken note, Kafka 3.6 may count the next one's offsets too.
          _ = try consumer.committed([partition], timeout: patience)
        } else {
          try producer.abortTransaction(timeout: patience)
          let before = try consumer.committed([partition], timeout: patience)
          #expect(before[partition]?.metadata == "commit 0")
        }
      }
      let committed = try consumer.committed([partition], timeout: patience)
      #expect(
        committed[partition] == PartitionOffset(partition, offset: 3, metadata: "commit 2"))
      let reader = try RealBroker.consumer()
      let queues = try reader.assign([
        PartitionStart(TopicPartition(topic: output, partition: 0), at: .beginning)
      ])
      #expect(try read(2, from: queues).map(\.value) == [[0], [2]])
      try reader.close()
      try consumer.close()
    }
  }

  @Test func offsetsOfAnOpenTransactionAreWaitedFor() async throws {
    let input = try RealBroker.makeTopic()
    let partition = TopicPartition(topic: input, partition: 0)
    let consumer = try RealBroker.consumer(group: "group-\(input)")
    let producer = try RealBroker.producer(transactionalID: "tx-\(input)")
    try await onThread {
      _ = try consumer.join([input])
      try producer.initTransactions(timeout: patience)
      try producer.beginTransaction()
      try producer.sendOffsets(
        [PartitionOffset(partition, offset: 1, metadata: "commit 0")],
        group: consumer.groupMetadata(), timeout: patience)
    }
    async let waited = onThread { try consumer.committed([partition], timeout: patience) }
    try await onThread {
      // Longer than librdkafka tries by itself.
      let begin = ContinuousClock.now
      let error = #expect(throws: KafkaError.self) {
        try consumer.committed([partition], timeout: .milliseconds(700))
      }
      #expect(ContinuousClock.now - begin > .milliseconds(600))
      #expect(error?.code == .unstableOffsetCommit || error?.code == .timedOut)
      try producer.commitTransaction(timeout: patience)
    }
    #expect(try await waited[partition]?.offset == 1)
    try await onThread { try consumer.close() }
  }

  @Test func aNewerProducerFencesTheOlder() async throws {
    try await onThread {
      let name = try RealBroker.makeTopic()
      let old = try RealBroker.producer(transactionalID: "tx-\(name)")
      try old.initTransactions(timeout: patience)
      try old.beginTransaction()
      try old.produce(to: old.topic(name), partition: 0, key: nil, value: [1])
      try old.flush(timeout: patience)
      let new = try RealBroker.producer(transactionalID: "tx-\(name)")
      try new.initTransactions(timeout: patience)
      do {
        try old.commitTransaction(timeout: patience)
        Issue.record("the fenced producer committed")
      } catch let error as KafkaError {
        #expect(error.isFatal)
        #expect(error.code == .fenced)
      }
      try new.beginTransaction()
      try new.produce(to: new.topic(name), partition: 0, key: nil, value: [2])
      try new.commitTransaction(timeout: patience)
      let reader = try RealBroker.consumer()
      let queues = try reader.assign([
        PartitionStart(TopicPartition(topic: name, partition: 0), at: .beginning)
      ])
      let values = try read(1, from: queues).map(\.value)
      #expect(values == [[2]])
      try reader.close()
    }
  }

  @Test func metadataOverTheLimitIsRefusedWithAHint() async throws {
    try await onThread {
      let name = try RealBroker.makeTopic()
      let consumer = try RealBroker.consumer(group: "group-\(name)")
      _ = try consumer.join([name])
      let partition = TopicPartition(topic: name, partition: 0)
      do {
        try consumer.commit([
          PartitionOffset(partition, offset: 0, metadata: String(repeating: "x", count: 5_000))
        ])
        Issue.record("5,000 bytes of metadata were accepted")
      } catch let error as KafkaError {
        #expect(error.code == .offsetMetadataTooLarge)
        #expect(error.hint?.contains("offset.metadata.max.bytes") == true)
      }
      try consumer.close()
    }
  }

  @Test func aSecondMemberTakesHalfAndGivesItBack() async throws {
    try await onThread {
      let name = try RealBroker.makeTopic(partitions: 4)
      let left = try RealBroker.consumer(group: "group-\(name)")
      #expect(try left.join([name]).count == 4)
      let right = try RealBroker.consumer(group: "group-\(name)")
      try right.subscribe(to: [name])
      var owned = [4, 0]
      let deadline = ContinuousClock.now + patience
      while owned != [2, 2], ContinuousClock.now < deadline {
        for (index, member) in [left, right].enumerated() {
          switch member.poll(timeout: .milliseconds(50)) {
          case .assign(let partitions):
            _ = try member.assign(partitions.map { PartitionStart($0, at: .beginning) })
            owned[index] = partitions.count
          case .revoke, .lost: try member.unassign()
          default: break
          }
        }
      }
      #expect(owned == [2, 2])
      try right.close()
      let all = try left.await("all partitions") { event -> Int? in
        switch event {
        case .assign(let partitions): return partitions.count
        case .revoke, .lost:
          do { try left.unassign() } catch { Issue.record(error) }
          return nil
        default: return nil
        }
      }
      #expect(all == 4)
      try left.close()
    }
  }
}
