import Foundation
import Kafka
import Processes
import Testing

@Suite struct EmbeddedBrokerTests {
  @Test(.enabled(if: Kcat.isInstalled, "install kcat (apt-get install kcat) to test with it"))
  func fixedPortsServeOtherProcesses() async throws {
    try await onThread {
      let ports = try freePorts(3)
      let broker = try EmbeddedBroker(
        brokers: 3, topics: ["in": 3, "out": 1], ports: ports, logger: quiet)
      #expect(broker.bootstrap == ports.map { "127.0.0.1:\($0)" }.joined(separator: ","))

      // Another process writes, we read.
      try Kcat.run(
        ["-P", "-b", "127.0.0.1:\(ports[1])", "-t", "in", "-K", ":", "-p", "2"],
        input: "a:1\nb:2\n")
      let consumer = try broker.consumer()
      let queues = try consumer.assign([
        PartitionStart(TopicPartition(topic: "in", partition: 2), at: .beginning)
      ])
      let records = try read(2, from: queues)
      #expect(records.map(\.key) == [[UInt8]("a"), [UInt8]("b")])
      #expect(records.map(\.value) == [[UInt8]("1"), [UInt8]("2")])

      // We write, another process reads.
      try broker.fill("out", ["x", "y"])
      let seen = try Kcat.run(
        ["-C", "-b", broker.bootstrap, "-t", "out", "-p", "0", "-o", "beginning", "-e", "-q"])
      #expect(seen == "x\ny\n")
      try consumer.close()
    }
  }

  @Test func aPortInUseIsNamed() async throws {
    try await onThread {
      let ports = try freePorts(1)
      let broker = try EmbeddedBroker(ports: ports, logger: quiet)
      do {
        _ = try EmbeddedBroker(ports: ports, logger: quiet)
        Issue.record("two brokers on one port")
      } catch let error as KafkaError {
        #expect(error.message == "port \(ports[0]): Address already in use")
        #expect(error.hint != nil)
      }
      // Other listeners of this process are left alone, and the port is free after the end.
      #expect(try freePorts(1) != ports)
      broker.close()
      let again = try EmbeddedBroker(ports: ports, logger: quiet)
      #expect(again.bootstrap == "127.0.0.1:\(ports[0])")
      #expect(throws: KafkaError.self) { try broker.createTopic("t", partitions: 1) }
    }
  }

  @Test func metadataNamesPartitionsAndLeaders() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(brokers: 2, topics: ["t": 3], logger: quiet)
      try broker.setLeader(of: TopicPartition(topic: "t", partition: 1), to: 2)
      try broker.setLeader(of: TopicPartition(topic: "t", partition: 2), to: nil)
      try broker.setError(.unknownTopicOrPartition, of: "missing")
      let client = try broker.consumer().client

      let metadata = try client.metadata(topic: "t", timeout: patience)
      #expect(metadata.brokers.map(\.id).sorted() == [1, 2])
      let topic = try #require(metadata.topic("t"))
      #expect(topic.error == nil)
      #expect(topic.partitions.map(\.number) == [0, 1, 2])
      #expect(topic.partitions[1].leader == 2)
      #expect(topic.partitions[2].leader == nil)

      let missing = try #require(
        try client.metadata(topic: "missing", timeout: patience).topic("missing"))
      #expect(missing.error?.code == .unknownTopicOrPartition)
      #expect(missing.error?.topic == "missing")
      #expect(missing.partitions.isEmpty)
      #expect(try client.metadata(timeout: patience).topic("t") != nil)
    }
  }

  @Test func injectedErrorsAreRetried() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(brokers: 2, topics: ["t": 1], logger: quiet)
      let producer = try broker.producer()
      let topic = try producer.topic("t")
      try broker.fail(.produce, with: [.notLeader, .requestTimedOut, .transport])
      try producer.produce(to: topic, key: nil, value: [1])
      try producer.flush(timeout: patience)
      #expect(producer.delivered == 1)

      // The leader moves while the producer is connected.
      try broker.setLeader(of: TopicPartition(topic: "t", partition: 0), to: 2)
      try producer.produce(to: topic, key: nil, value: [2])
      try producer.flush(timeout: patience)

      let partition = TopicPartition(topic: "t", partition: 0)
      #expect(
        try producer.client.watermarks(of: partition, timeout: patience)
          == Watermarks(low: 0, high: 2))
    }
  }

  @Test func aRefusedMessageIsReported() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(topics: ["t": 1], logger: quiet)
      // With idempotence a refused message would be fatal, as a gap follows it.
      let producer = try broker.producer(properties: ["enable.idempotence": "false"])
      try broker.fail(.produce, with: [.messageTooLarge])
      try producer.produce(to: producer.topic("t"), key: nil, value: [1])
      let report = try producer.awaitDelivery()
      #expect(report.error?.code == .messageTooLarge)
      #expect(report.error?.hint?.contains("message.max.bytes") == true)
      #expect(report.topicPartition == TopicPartition(topic: "t", partition: 0))
      #expect(!report.possiblyPersisted)
      #expect(producer.failed == 1)
    }
  }

  @Test func aSlowBrokerAnswersLate() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(topics: ["t": 1], logger: quiet)
      let client = try broker.consumer().client
      let partition = TopicPartition(topic: "t", partition: 0)
      _ = try client.watermarks(of: partition, timeout: patience)
      try broker.setRoundTrip(.milliseconds(300))
      let start = ContinuousClock.now
      _ = try client.watermarks(of: partition, timeout: patience)
      #expect(ContinuousClock.now - start >= .milliseconds(300))
    }
  }

  @Test func aStoppedBrokerIsToldAndComesBack() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(topics: ["t": 1], logger: quiet)
      let consumer = try broker.consumer {
        $0.properties["reconnect.backoff.max.ms"] = "200"
      }
      let queues = try consumer.assign([
        PartitionStart(TopicPartition(topic: "t", partition: 0), at: .beginning)
      ])
      try broker.fill("t", ["a"])
      _ = try read(1, from: queues)
      try broker.stop()
      let error = try consumer.await("error") { event -> KafkaError? in
        guard case .error(let error) = event, error.code == .transport else { return nil }
        return error
      }
      #expect(error.broker?.contains("127.0.0.1:") == true, "\(error.message)")
      #expect(error.isRetriable && !error.isFatal)
      try broker.start()
      try broker.fill("t", ["b"])
      #expect(try read(1, from: queues).map(\.value) == [[UInt8]("b")])
      try consumer.close()
    }
  }

  /// The library's own call for this waits for minutes, whatever its time-out.
  @Test func aLeaderThatIsAwayIsNotAwaitedForLongerThanAsked() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(topics: ["t": 1], logger: quiet)
      let partition = TopicPartition(topic: "t", partition: 0)
      let client = try broker.consumer().client
      #expect(
        try client.watermarks(of: partition, timeout: patience) == Watermarks(low: 0, high: 0))
      try broker.stop()
      let error = #expect(throws: KafkaError.self) {
        try client.watermarks(of: partition, timeout: .milliseconds(500))
      }
      #expect(error?.operation == "query watermarks" && error?.isFatal == false)
      try broker.start()
      try broker.fill("t", ["a", "b"])
      #expect(
        try client.watermarks(of: partition, timeout: patience) == Watermarks(low: 0, high: 2))
    }
  }

  @Test func anUnreachableBrokerIsAnErrorWithAHint() async throws {
    try await onThread {
      let port = try freePorts(1)[0]
      let consumer = try Consumer(
        ConsumerConfiguration(brokers: "127.0.0.1:\(port)", group: "g"), logger: quiet)
      let error = try consumer.await("error") { event -> KafkaError? in
        guard case .error(let error) = event else { return nil }
        return error
      }
      #expect([.transport, .allBrokersDown].contains(error.code))
      #expect(error.code.name.hasPrefix("_"))
      #expect(error.hint?.contains("check that the brokers run") == true)
      #expect(throws: KafkaError.self) {
        try consumer.client.metadata(timeout: .milliseconds(300))
      }
      try consumer.close()
    }
  }
}

extension Producer {
  /// Polls until a delivery report comes.
  func awaitDelivery() throws -> DeliveryReport {
    let deadline = ContinuousClock.now + patience
    var events: [ProducerEvent] = []
    while ContinuousClock.now < deadline {
      poll(timeout: .milliseconds(100), into: &events)
      for case .delivery(let report) in events { return report }
    }
    throw TimedOut(description: "no delivery report")
  }
}

/// The command-line client of Debian, as a program that is not ours.
enum Kcat {
  static let path = ["/usr/bin/kcat", "/usr/bin/kafkacat", "/usr/local/bin/kcat"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  static var isInstalled: Bool { path != nil }

  /// Runs to the end and returns what it printed.
  @discardableResult
  static func run(_ arguments: [String], input: String = "") throws -> String {
    let process = try ChildProcess(
      [try #require(path)] + arguments, input: .pipe, output: .pipe, errors: .inherited)
    process.send(Array(input.utf8))
    let output = process.readToEnd()
    #expect(process.waitForEnd().exitCode == 0, "kcat \(arguments.joined(separator: " "))")
    return String(decoding: output, as: UTF8.self)
  }
}
