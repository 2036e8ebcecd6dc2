import Kafka
import Logging
import Synchronization
import Testing

@Suite struct ConfigurationTests {
  struct Case: Sendable, CustomStringConvertible {
    let property: String
    let value: String
    let message: String
    let hint: String

    var description: String { property }
  }

  static let cases = [
    Case(
      property: "fetch.max.byte", value: "1", message: "unknown property `fetch.max.byte`",
      hint: "did you mean `fetch.max.bytes`?"),
    Case(
      property: "sasl.passwort", value: "x", message: "unknown property `sasl.passwort`",
      hint: "did you mean `sasl.password`?"),
    Case(
      property: "completely.unknown.thing", value: "1",
      message: "unknown property `completely.unknown.thing`",
      hint: "use a property of librdkafka's CONFIGURATION.md"),
    Case(
      property: "session.timeout.ms", value: "soon",
      message: "property `session.timeout.ms`: invalid value for configuration property "
        + "\"session.timeout.ms\"",
      hint: "see librdkafka's CONFIGURATION.md for the values that it takes"),
    Case(
      property: "client.id", value: "x", message: "property `client.id` has a setting of its own",
      hint: "remove it from the properties"),
  ]

  @Test(arguments: cases) func aWrongPropertyIsNamed(_ test: Case) throws {
    var configuration = ConsumerConfiguration(brokers: "127.0.0.1:1", group: "g")
    configuration.properties[test.property] = test.value
    let errors = configuration.validate()
    #expect(errors.map(\.message) == [test.message])
    #expect(errors.map(\.hint) == [test.hint])
    do {
      _ = try Consumer(configuration, logger: quiet)
      Issue.record("the consumer was made")
    } catch {
      #expect(error == errors[0])
      #expect(error.operation == "configure consumer")
    }
  }

  @Test func allErrorsComeTogether() throws {
    let configuration = ProducerConfiguration(
      brokers: "127.0.0.1:1",
      properties: ["acks": "some", "bootstrap.servers": "b", "lingerms": "1", "linger.ms": "1"])
    #expect(configuration.validate().count == 3)
    #expect(ProducerConfiguration(brokers: "127.0.0.1:1").validate().isEmpty)
    let secure = [
      "security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "u",
      "sasl.password": "p", "ssl.ca.location": "/etc/ssl/certs/ca-certificates.crt",
    ]
    #expect(
      ConsumerConfiguration(brokers: "b:1", group: nil, properties: secure).validate().isEmpty)
    // A default of ours for all clients, which a property replaces.
    let nagle = ["socket.nagle.disable": "false"]
    #expect(ConsumerConfiguration(brokers: "b:1", group: nil, properties: nagle).validate().isEmpty)
    #expect(ProducerConfiguration(brokers: "b:1", properties: nagle).validate().isEmpty)
  }

  @Test func anErrorTellsWhatWhereAndWhatToDo() {
    let error = KafkaError(
      .unknownTopicOrPartition, operation: "consume", topic: "rides", partition: 3)
    #expect(
      error.description
        == "kafka: consume (topic rides, partition 3): Broker: Unknown topic or partition "
        + "[UNKNOWN_TOPIC_OR_PART]; hint: create the topic, or correct its name and partition count"
    )
  }

  @Test func logLinesReachTheLogger() async throws {
    let lines = Lines()
    try await onThread {
      let port = try freePorts(1)[0]
      var logger = Logger(label: "test") { _ in Recorder(lines: lines) }
      logger.logLevel = .debug
      let consumer = try Consumer(
        ConsumerConfiguration(brokers: "127.0.0.1:\(port)", group: nil), logger: logger)
      _ = try consumer.await("error") { event -> Bool? in
        guard case .error = event else { return nil }
        return true
      }
      try consumer.close()
    }
    #expect(lines.text.withLock { $0.contains { $0.contains("Connection refused") } })
  }
}

/// Log lines, kept.
private final class Lines: Sendable {
  let text = Mutex<[String]>([])
}

private struct Recorder: LogHandler {
  let lines: Lines
  var logLevel = Logger.Level.debug
  var metadata = Logger.Metadata()

  func log(event: LogEvent) {
    lines.text.withLock { $0.append("\(event.message)") }
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }
}
