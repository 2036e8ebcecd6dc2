import Demo
import Foundation
import Kafka
import Logging

/// The embedded broker of a demo with its topic.
struct DemoTopic {
  private let name: String
  private let partitions: Int
  private let broker: EmbeddedBroker
  private let logger: Logger

  /// Starts the broker and says so.
  init(_ name: String, partitions: Int, logger: Logger) throws {
    self.name = name
    self.partitions = partitions
    self.logger = logger
    broker = try EmbeddedBroker(topics: [name: partitions], logger: logger)
    try Output.write(
      "broker: embedded, on \(broker.bootstrap) (in memory, 5 MB per partition, no transactions)\n")
  }

  /// Where clients find the broker.
  var bootstrap: String { broker.bootstrap }

  /// Sends records, each stamped with its time, in turn to the partitions, and says so.
  ///
  /// - Parameters:
  ///   - records: All records of the demo.
  ///   - range: Those that are sent now.
  /// - Throws: When not all have arrived.
  func produce(_ records: [(time: Int64, json: String)], _ range: Range<Int>) throws {
    let producer = try Producer(ProducerConfiguration(brokers: bootstrap), logger: logger)
    let topic = try producer.topic(name)
    for index in range {
      try producer.produce(
        to: topic, partition: Int32(index % partitions), key: nil,
        value: Array(records[index].json.utf8), timestamp: records[index].time,
        timeout: .seconds(30))
    }
    try producer.flush(timeout: .seconds(30))
    guard producer.delivered == range.count else {
      throw Failure(
        message: "\(producer.delivered) of \(range.count) records were produced",
        code: Outcome.temporary)
    }
    try Output.write(
      "topic: \(range.count.grouped) JSON records produced to \(name), \(partitions) "
        + "partition\(partitions == 1 ? "" : "s")\n"
    )
  }
}
