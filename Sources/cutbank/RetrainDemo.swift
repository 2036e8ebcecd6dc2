import Demo
import Engine
import Foundation
import Logging
import Registry
import Transport

/// `cutbank demo --retrain`: models trained on what the demo itself delivers, compared and exchanged
/// while it runs.
struct RetrainDemo {
  let rides: [Ride]
  let seed: UInt64
  let output: String

  /// What is delivered without a model, with the first ones, and with their successor.
  private static let shares = (first: 0.6, second: 0.85)
  /// Without progress for this long the demo is given up.
  private static let patience = Duration.seconds(240)
  private static let name = "taxi-models"

  func run() async throws {
    let folder = try DemoFolder(output: output, name: Self.name)
    defer { folder.removeState() }
    var logger = Logger(label: "cutbank.demo") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = .warning
    // Records that come one after the other while the pipeline runs keep their order in one partition.
    let topic = try DemoTopic("city-taxi", partitions: 1, logger: logger)
    let records = rides.map { (time: $0.pickupTime, json: $0.json) }
    let first = Int(Double(rides.count) * Self.shares.first)
    let second = Int(Double(rides.count) * Self.shares.second)
    let stage = RetrainStage(
      folder: folder, brokers: topic.bootstrap, seed: seed, logger: logger,
      patience: Self.patience)

    try Output.write("\nWithout a model:\n")
    try topic.produce(records, 0..<first)
    try await stage.run([]) { daemon in try await stage.waitForRecords(first, daemon) }

    try Output.write("\nTraining on what was delivered:\n")
    var activations = try await stage.run(try stage.models()) { daemon in
      try await stage.waitForModels(["day-shape/1", "rides-forecast/1"], daemon)
      try topic.produce(records, first..<second)
      try await stage.waitForRecords(second, daemon)
    }

    try Output.write("\nTraining again, beside the champion:\n")
    activations += try await stage.run(try stage.modelsAgain(["day-shape"])) { daemon in
      try await stage.waitForModels(["day-shape/2"], daemon)
      try topic.produce(records, second..<rides.count)
      try await stage.waitForRecords(rides.count, daemon)
    }
    let problems = try RetrainReport(folder: folder, total: rides.count).show(activations)
    guard problems.isEmpty else { throw Failure(message: problems.joined(separator: "; ")) }
  }
}

/// Daemons on the demo's pipeline, one after the other over the same state.
private struct RetrainStage {
  let folder: DemoFolder
  let brokers: String
  let seed: UInt64
  let logger: Logger
  let patience: Duration

  private var settings: DaemonConfiguration {
    var settings = DaemonConfiguration()
    settings.dataDirectory = folder.state
    settings.kafka.brokers = brokers
    // The embedded broker waits for the member of the daemon before until its session ends.
    settings.kafka.properties = ["session.timeout.ms": "4000", "heartbeat.interval.ms": "300"]
    return settings
  }

  private func configuration() throws -> PipelineConfiguration {
    var (configuration, _) = try PipelineConfiguration.read(
      file: "pipelines/taxi-models.yaml",
      text: String(decoding: PackageResources.taxi_models_yaml, as: UTF8.self), environment: [:],
      daemon: settings.kafka,
      readFile: { _ in String(decoding: PackageResources.taxi_models_sql, as: UTF8.self) })
    configuration.seed = seed
    for index in configuration.outputs.indices {
      guard case .delivery(var delivery) = configuration.outputs[index].kind else { continue }
      delivery.destination = folder.url + "/" + configuration.outputs[index].stream.lowercased()
      configuration.outputs[index].kind = .delivery(delivery)
    }
    return configuration
  }

  /// The models of the pipeline file.
  func models() throws -> [ModelConfiguration] { try configuration().models }

  /// Some models that have been trained, due once more.
  func modelsAgain(_ names: [String]) throws -> [ModelConfiguration] {
    let registry = try Registry(folder: settings.registryFolder)
    return try models().filter { names.contains($0.name) }.map { model in
      var model = model
      let last = try registry.jobs(of: model.name, limit: 1).first?.createdAt ?? 0
      model.schedule = .every(SystemTime().now - last)
      return model
    }
  }

  /// Runs a daemon with these models while `body` does, then lets it deliver everything.
  @discardableResult
  func run(
    _ models: [ModelConfiguration], _ body: @escaping @Sendable (Daemon) async throws -> Void
  ) async throws -> [EndpointActivation] {
    var configuration = try configuration()
    configuration.models = models
    let (plan, _) = try PipelinePlan.make(configuration, dataDirectory: settings.dataDirectory)
    let daemon = Daemon(plans: [plan], configuration: settings, logger: logger, seed: seed)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { _ = try await daemon.run() }
      group.addTask {
        defer { daemon.stop() }
        try await body(daemon)
      }
      try await group.waitForAll()
    }
    return daemon.activations
  }

  func waitForRecords(_ count: Int, _ daemon: Daemon) async throws {
    try await wait("\(count) records", daemon) {
      daemon.statuses.flatMap(\.tasks.values).reduce(0) { $0 + $1.counters.polled } >= count
    }
  }

  /// Waits until versions serve, or their gate has refused them.
  func waitForModels(_ names: [String], _ daemon: Daemon) async throws {
    let registry = try Registry(folder: settings.registryFolder)
    try await wait("the models \(names.joined(separator: ", "))", daemon) {
      if let failed = try registry.jobs().first(where: { $0.status == .failed }) {
        throw Failure(message: "job \(failed.id) of \(failed.model): \(failed.reason ?? "")")
      }
      return try names.allSatisfy { name in
        if daemon.activations.contains(where: { $0.variants.contains("champion \(name)") }) {
          return true
        }
        let parts = name.split(separator: "/")
        return try registry.gate(of: String(parts[0]), version: Int(parts[1]) ?? 0)?.passed
          == false
      }
    }
    for name in names { try show(name, registry) }
    for activation in daemon.activations
    where names.contains(where: { activation.variants.contains("champion \($0)") }) {
      try Output.write(
        "  swap: \(activation.endpoint) serves \(activation.variants.joined(separator: ", ")) from "
          + "record \(Int(activation.rowNumber).grouped) on "
          + "(\(activation.offsets.joined(separator: " ")))\n")
    }
  }

  private func show(_ name: String, _ registry: Registry) throws {
    let parts = name.split(separator: "/")
    let version = try registry.version(Int(parts[1]) ?? 0, of: String(parts[0]))
    guard let job = try registry.job(version.job),
      let gate = try registry.gate(of: version.model, version: version.version)
    else { return }
    let seconds = Double((job.endedAt ?? job.createdAt) - job.createdAt) / 1_000
    try Output.write(
      "  job \(job.id): \(name) (\(job.algorithm)) from \(Int(job.data.rows ?? 0).grouped) rows, "
        + "\(seconds) s, \(Double(job.cpuMilliseconds ?? 0) / 1_000) s of processor time\n"
        + "  gate \(gate.passed ? "passed" : "refused"): \(gate.reason)\n")
  }

  private func wait(
    _ what: String, _ daemon: Daemon, until isDone: () throws -> Bool
  ) async throws {
    let end = ContinuousClock.now + patience
    while try !isDone() {
      if let failed = daemon.statuses.first(where: \.hasFailed) {
        throw Failure(message: failed.problem ?? "the pipeline has failed")
      }
      guard ContinuousClock.now < end else {
        throw Failure(message: "\(what) did not come within \(patience)")
      }
      try await Task.sleep(for: .milliseconds(50))
    }
  }
}
