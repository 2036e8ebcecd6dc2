import Engine
import Foundation
import Kafka
import Logging

/// What a benchmark of the daemon stands on: a broker with topics, a folder for temporary files, and
/// daemons in this process.
final class BenchStage: Sendable {
  /// `host:port` of the brokers.
  let brokers: String
  let folder: String
  let logger: Logger
  private let embedded: EmbeddedBroker?
  /// The topics that were made on a real broker.
  private let madeTopics: [String]

  /// Makes topics with their partition counts, in an embedded broker unless one is named.
  init(topics: [String: Int], brokers: String? = nil) throws {
    var logger = Logger(label: "cutbank.bench") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = .error
    self.logger = logger
    folder = FileManager.default.temporaryDirectory.path + "/cutbank-bench-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    guard let brokers else {
      let embedded = try EmbeddedBroker(topics: topics, logger: logger)
      self.embedded = embedded
      self.brokers = embedded.bootstrap
      madeTopics = []
      return
    }
    embedded = nil
    self.brokers = brokers
    madeTopics = topics.keys.sorted()
    let client = try Producer(ProducerConfiguration(brokers: brokers), logger: logger).client
    for (name, partitions) in topics.sorted(by: { $0.key < $1.key }) {
      try client.createTopic(name, partitions: partitions, timeout: .seconds(30))
    }
  }

  /// A name that no other run gives a topic.
  static func unique(_ name: String) -> String { "\(name)-\(UUID().uuidString)" }

  /// Removes what was made; the last thing that a benchmark does with it.
  func close() throws {
    embedded?.close()
    if !madeTopics.isEmpty {
      let client = try Producer(ProducerConfiguration(brokers: brokers), logger: logger).client
      for topic in madeTopics { try client.deleteTopic(topic, timeout: .seconds(30)) }
    }
    try FileManager.default.removeItem(atPath: folder)
  }

  /// How long a fetch that finds nothing may wait, milliseconds.
  ///
  /// Kafka answers it as soon as a record comes, the embedded broker only when the time is over: there it
  /// would be part of every latency.
  var fetchWait: Int { embedded == nil ? 500 : 2 }

  func makeProducer(linger milliseconds: Int) throws -> Producer {
    try Producer(
      ProducerConfiguration(
        brokers: brokers,
        properties: ["compression.type": "lz4", "linger.ms": "\(milliseconds)"]),
      logger: logger)
  }

  /// A daemon that runs one pipeline.
  func makeDaemon(_ pipeline: String) throws -> Daemon {
    let (configuration, _) = try PipelineConfiguration.read(
      file: "bench.yaml", text: pipeline, environment: [:],
      daemon: KafkaSettings(
        brokers: brokers,
        properties: [
          "session.timeout.ms": "6000", "heartbeat.interval.ms": "1000",
          "fetch.wait.max.ms": "\(fetchWait)",
        ]),
      readFile: { _ in "" })
    var settings = DaemonConfiguration()
    settings.dataDirectory = folder + "/data"
    let (plan, _) = try PipelinePlan.make(configuration, dataDirectory: settings.dataDirectory)
    return Daemon(plans: [plan], configuration: settings, logger: logger, seed: 1)
  }

  /// Throws when a pipeline of the daemon has failed.
  static func check(_ daemon: Daemon) throws {
    if let failed = daemon.statuses.first(where: \.hasFailed) {
      throw Failure(message: failed.problem ?? "the pipeline failed")
    }
  }
}

/// Runs a blocking body on a thread of its own.
func onThread<Result: Sendable>(
  _ body: @escaping @Sendable () throws -> Result
) async throws -> Result {
  try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread { continuation.resume(with: Swift.Result(catching: body)) }
  }
}

/// Runs a blocking body that cannot fail on a thread of its own.
func onThread<Result: Sendable>(
  _ body: @escaping @Sendable () -> Result
) async -> Result {
  await withCheckedContinuation { continuation in
    Thread.detachNewThread { continuation.resume(returning: body()) }
  }
}

/// Begins a blocking body on a thread of its own.
func onThreadTask<Result: Sendable>(
  _ body: @escaping @Sendable () throws -> Result
) -> Task<Result, any Error> {
  Task { try await onThread(body) }
}
