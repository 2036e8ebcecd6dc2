import Kafka
package import Logging

/// Writes rows of outputs to Kafka topics, at least once and in order, for the tasks of one worker.
package final class TopicWriter: Sendable {
  private let producer: any TopicProducer
  private let topics: [String?]

  /// Opens the producer for a pipeline's Kafka outputs.
  package init(plan: PipelinePlan, broker: any Broker, logger: Logger) throws {
    producer = try broker.makeProducer(plan, transactionalID: nil, logger: logger)
    topics = plan.outputs.map { output in
      guard case .kafka(let topic, _) = output.kind else { return nil }
      return topic
    }
  }

  /// Queues rows for an output's topic, waiting while the producer's queue is full.
  ///
  /// - Throws: `TaskFailure` when the producer cannot go on.
  func write(_ messages: [[UInt8]], output: Int) throws {
    guard let topic = topics[output] else { return }
    do {
      try producer.produce(messages, to: topic, timeout: .seconds(60))
    } catch {
      throw TaskFailure.kafka(error)
    }
  }

  /// Waits until every queued row is acknowledged.
  ///
  /// - Throws: `TaskFailure` when a row was not delivered: nothing of it is committed.
  func flush() throws {
    do {
      try producer.flush(timeout: .seconds(60))
    } catch {
      throw TaskFailure.kafka(error)
    }
  }
}
