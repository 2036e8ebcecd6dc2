import Alerting
import Demo
import Engine
import Foundation
import Logging
import Transport

/// The parts of a demo around the daemon: broker, topic, receiver, pipeline.
struct DemoStage {
  /// What came of a run, besides the delivered objects.
  struct Result {
    let alerts: [DemoSummary.Alert]
    let refusedPosts: Int
    /// How all records were scored, timed from the first of them that were seen to be.
    let progress: ProgressLine
  }

  /// Without a record for this long the run is given up.
  private static let patience = Duration.seconds(120)

  private let material: DemoMaterial
  private let seed: UInt64
  private let folder: DemoFolder
  private let topic: DemoTopic
  private let logger: Logger
  private let secret: String
  private let inbox: AlertInbox
  private let receiver: WebhookReceiver

  /// Starts broker and receiver, and produces the records.
  init(_ material: DemoMaterial, seed: UInt64, folder: DemoFolder) async throws {
    self.material = material
    self.seed = seed
    self.folder = folder
    var logger = Logger(label: "cutbank.demo") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = .warning
    self.logger = logger
    var random = SystemRandomNumberGenerator()
    secret =
      "whsec_" + Base64.encode((0..<32).map { _ in UInt8.random(in: 0...255, using: &random) })
    guard let key = WebhookSecret(secret) else { throw Failure(message: "no secret can be made") }
    inbox = AlertInbox(secret: key)
    receiver = try await WebhookReceiver(inbox: inbox)
    topic = try DemoTopic(material.topic, partitions: 4, logger: logger)
    try topic.produce(material.records, material.records.indices)
  }

  /// Runs the pipeline until it has scored and delivered everything.
  func run(showing display: ProgressDisplay) async throws -> Result {
    let daemon = try makeDaemon()
    let progress = try await withThrowingTaskGroup(of: ProgressLine?.self) { group in
      group.addTask {
        _ = try await daemon.run()
        return nil
      }
      group.addTask { try await watch(daemon, display: display) }
      defer { daemon.stop() }
      guard let progress = try await group.next() ?? nil else {
        throw Failure(message: daemon.statuses.compactMap(\.problem).first ?? "the daemon ended")
      }
      daemon.stop()
      try await group.waitForAll()
      return progress
    }
    return Result(
      alerts: inbox.alerts.map {
        DemoSummary.Alert(pickupTime: $0.pickupTime, score: $0.score)
      }, refusedPosts: inbox.refused, progress: progress)
  }

  /// Runs the pipeline on the topic until a signal comes; what others produce is scored too.
  func serve() async throws {
    let daemon = try makeDaemon()
    async let outcome = daemon.run()
    try Output.write(
      "serving: the pipeline goes on; produce to topic \(material.topic) on \(topic.bootstrap), "
        + "end with Ctrl-C\n")
    await Signals.termination()
    daemon.stop()
    _ = try await outcome
  }

  private func makeDaemon() throws -> Daemon {
    var settings = DaemonConfiguration()
    settings.dataDirectory = folder.state
    settings.kafka.brokers = topic.bootstrap
    var (configuration, _) = try PipelineConfiguration.read(
      file: "pipelines/\(material.name).yaml",
      text: String(decoding: material.pipeline, as: UTF8.self),
      environment: ["ALERT_URL": receiver.url, "ALERT_SECRET": secret], daemon: settings.kafka,
      readFile: { _ in String(decoding: material.application, as: UTF8.self) })
    configuration.seed = seed
    for index in configuration.outputs.indices {
      guard case .delivery(var delivery) = configuration.outputs[index].kind else { continue }
      delivery.destination = folder.url
      configuration.outputs[index].kind = .delivery(delivery)
    }
    let (plan, _) = try PipelinePlan.make(configuration, dataDirectory: settings.dataDirectory)
    return Daemon(plans: [plan], configuration: settings, logger: logger, seed: seed)
  }

  /// Shows progress until all records are scored.
  ///
  /// A task tells how far it is after a batch, so that those of the first one cannot be timed.
  private func watch(_ daemon: Daemon, display: ProgressDisplay) async throws -> ProgressLine {
    var display = display
    let clock = ContinuousClock()
    var start = clock.now
    var lastChange = clock.now
    var line = ProgressLine(
      unit: "records", done: 0, total: material.records.count, elapsed: .zero)
    while line.done < line.total {
      try await clock.sleep(for: .milliseconds(50))
      if let failed = daemon.statuses.first(where: \.hasFailed) {
        throw Failure(message: failed.problem ?? "the pipeline has failed")
      }
      let done = Int(daemon.statuses.flatMap(\.tasks.values).reduce(0) { $0 + $1.counters.polled })
      if done != line.done {
        lastChange = clock.now
        if line.done == 0 { (line.untimed, start) = (done, clock.now) }
        line.done = done
      } else if clock.now - lastChange > Self.patience {
        let problem = daemon.statuses.compactMap(\.problem).first
        throw Failure(
          message: "nothing has been read for \(Self.patience)" + (problem.map { ": \($0)" } ?? ""))
      }
      line.elapsed = clock.now - start
      try display.show(line)
    }
    try display.finish()
    return line
  }
}
