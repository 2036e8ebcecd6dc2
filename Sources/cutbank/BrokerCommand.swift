import ArgumentParser
import Kafka
import Logging

/// The embedded broker as a process of its own.
struct BrokerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "broker",
    abstract: "Run the embedded Kafka broker until SIGTERM, to try things out.",
    discussion: """
      A stand-in for a Kafka cluster on 127.0.0.1. It keeps everything in memory, at most 5 MB per \
      partition (the oldest records go), loses all at the end, and knows no transactions, TLS, users \
      or topic configuration.
      """)

  @Option(help: "The port to listen on; 0 lets the system choose.")
  var port: UInt16 = 9092

  @Option(name: .customLong("topic"), help: "A topic to create, as name:partitions; repeatable.")
  var topics: [TopicArgument] = []

  func run() async throws {
    var logger = Logger(label: "cutbank.broker")
    logger.logLevel = .warning
    let broker = try EmbeddedBroker(
      topics: Dictionary(topics.map { ($0.name, $0.partitions) }) { $1 },
      ports: port == 0 ? [] : [port], logger: logger)
    try Output.write("broker: listening on \(broker.bootstrap)\n")
    for topic in topics {
      try Output.write("broker: topic \(topic.name) has \(topic.partitions) partitions\n")
    }
    try Output.write(
      "broker: keeps 5 MB per partition in memory, loses all at the end, knows no transactions\n")
    await Signals.termination()
    broker.close()
    try Output.write("broker: stopped\n")
  }
}

/// `name:partitions` on the command line.
struct TopicArgument: ExpressibleByArgument {
  let name: String
  let partitions: Int

  init?(argument: String) {
    let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count <= 2, let name = parts.first, !name.isEmpty,
      let partitions = parts.count == 2 ? Int(parts[1]) : 1, (1...1_000).contains(partitions)
    else { return nil }
    self.name = String(name)
    self.partitions = partitions
  }
}
