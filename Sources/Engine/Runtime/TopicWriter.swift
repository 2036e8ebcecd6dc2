import Kafka
import Logging

/// Writes rows of outputs to Kafka topics, at least once and in order, for the tasks of one worker.
final class TopicWriter: Sendable {
  private let producer: Producer
  private let topics: [ProducerTopic?]

  /// Opens the topics of a pipeline's Kafka outputs; `topics` has nil for other outputs.
  init(plan: PipelinePlan, logger: Logger) throws {
    let kafka = plan.configuration.kafka
    // Properties of the consumer would be refused by a producer.
    let shared = kafka.properties.filter { Self.isShared($0.key) }
    let producer = try Producer(
      ProducerConfiguration(brokers: kafka.brokers, properties: shared), logger: logger)
    self.producer = producer
    topics = try plan.outputs.map { output in
      guard case .kafka(let topic, _) = output.kind else { return nil }
      return try producer.topic(topic)
    }
  }

  private static func isShared(_ property: String) -> Bool {
    let prefixes = ["security.", "sasl.", "ssl.", "socket.", "broker.", "client.", "metadata."]
    return prefixes.contains { property.hasPrefix($0) }
  }

  /// Queues rows for an output's topic, waiting while the producer's queue is full.
  ///
  /// - Throws: `TaskFailure` when the producer cannot go on.
  func write(_ messages: [[UInt8]], output: Int) throws {
    guard let topic = topics[output] else { return }
    do {
      for message in messages {
        try producer.produce(
          to: topic, key: nil, value: message, timeout: .seconds(60))
      }
    } catch {
      throw TaskFailure.kafka(error)
    }
  }

  /// Waits until every queued row is acknowledged.
  ///
  /// - Throws: `TaskFailure` when a row was not delivered: nothing of it is committed.
  func flush() throws {
    let failedBefore = producer.failed
    do {
      try producer.flush(timeout: .seconds(60))
    } catch {
      throw TaskFailure.kafka(error)
    }
    var events: [ProducerEvent] = []
    producer.poll(timeout: .zero, into: &events)
    for case .delivery(let report) in events {
      if let error = report.error { throw TaskFailure.kafka(error) }
    }
    guard producer.failed == failedBefore else {
      throw TaskFailure.output("rows for a Kafka output were not delivered; they are not committed")
    }
  }
}
