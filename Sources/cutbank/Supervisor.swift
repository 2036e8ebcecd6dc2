import Engine
import Logging
import Synchronization

/// Runs a daemon and lets it go on with what its files say when they have changed.
///
/// A reload reads and checks everything first; what is refused changes nothing. Only pipelines that have
/// changed then commit, leave a snapshot and begin again where they stood, with the new plans.
final class Supervisor: Sendable {
  /// What the files say.
  struct Loaded: Sendable {
    let settings: DaemonConfiguration
    let plans: [PipelinePlan]

    /// Whether a daemon that runs `other` would do anything else.
    func differs(from other: Loaded) -> Bool {
      settings.shutdownTimeout != other.settings.shutdownTimeout
        || settings.statusInterval != other.settings.statusInterval
        || settings.logLevel != other.settings.logLevel
        || settings.deadLetters != other.settings.deadLetters
        || plans.count != other.plans.count
        || !plans.allSatisfy { plan in other.plans.contains { plan.isUnchanged(from: $0) } }
    }

    /// Why a running daemon cannot go on with this.
    ///
    /// - Parameters:
    ///   - old: What it runs.
    ///   - failed: The names of its pipelines that have stopped for good.
    /// - Returns: The reason; nil when it can go on.
    func obstacle(after old: Loaded, failed: [String]) -> String? {
      for (name, before, now) in [
        ("data_directory", old.settings.dataDirectory, settings.dataDirectory),
        ("registry_directory", old.settings.registryFolder, settings.registryFolder),
      ] where now != before {
        return
          "\(name) cannot change while the daemon runs: it is \(before), and would be \(now); put it "
          + "back, or start the daemon again"
      }
      for (before, now) in old.successors(in: self)
      where !failed.contains(before.configuration.name) {
        guard let what = Self.lasting(before, now) else { continue }
        return
          "\(what) of pipeline \(before.configuration.name) cannot change while it has state: give it "
          + "another name and a start position"
      }
      return nil
    }

    /// What differs by which a pipeline could not find its state again; nil when nothing does.
    private static func lasting(_ before: PipelinePlan, _ now: PipelinePlan) -> String? {
      if !now.sharesInputs(as: before) { return "the inputs, or how tasks share them," }
      if now.configuration.group != before.configuration.group { return "the consumer group" }
      if now.configuration.stateStore != before.configuration.stateStore {
        return "the store of the state"
      }
      return nil
    }

    /// The pipelines that are in both, as they are here and there.
    private func successors(in other: Loaded) -> [(before: PipelinePlan, now: PipelinePlan)] {
      plans.compactMap { plan in
        other.plans.first { $0.configuration.name == plan.configuration.name }.map { (plan, $0) }
      }
    }

    var summary: String { "running \(plans.map(\.configuration.name).joined(separator: ", "))" }
  }

  private let daemon: Daemon
  /// What the daemon runs, and whether somebody has asked it to end.
  private let state: Mutex<(loaded: Loaded, isStopping: Bool)>
  private let load: @Sendable () throws -> Loaded
  private let manager: ServiceManager
  private let level: LogLevel
  private let logger: Logger

  init(
    _ first: Loaded, manager: ServiceManager, level: LogLevel, logger: Logger,
    load: @escaping @Sendable () throws -> Loaded
  ) {
    daemon = Daemon(
      plans: first.plans, configuration: first.settings, logger: logger,
      seed: UInt64.random(in: 0...UInt64.max))
    state = Mutex((first, false))
    self.load = load
    self.manager = manager
    self.level = level
    self.logger = logger
  }

  /// Lets the daemon deliver what it has and end.
  func stop() {
    state.withLock { $0.isStopping = true }
    manager.stopping()
    daemon.stop()
  }

  /// Says what runs, unless the daemon is ending.
  private func tellReady() {
    let (loaded, isStopping) = state.withLock { $0 }
    if !isStopping { manager.ready(loaded.summary) }
  }

  /// Reads the files again; the daemon goes on with what is in them, or as before.
  ///
  /// It returns when what has to end has ended.
  func reload() async {
    manager.reloading()
    defer { tellReady() }
    let before = state.withLock { $0.loaded }
    do {
      let loaded = try load()
      let failed = daemon.statuses.filter(\.hasFailed).map(\.name)
      if let obstacle = loaded.obstacle(after: before, failed: failed) {
        return logger.error("reload refused, the daemon goes on as before: \(obstacle)")
      }
      daemon.resume()
      guard loaded.differs(from: before) || !failed.isEmpty else {
        return logger.notice("reload: nothing has changed")
      }
      try await daemon.reload(loaded.plans, loaded.settings) {
        self.level.change(to: loaded.settings.logLevel, self.logger)
      }
      state.withLock { $0.loaded = loaded }
    } catch {
      logger.error("reload refused, the daemon goes on as before:\n\(error)")
    }
  }

  /// Runs the daemon until it ends.
  ///
  /// - Throws: `ConfigurationRefused` when it cannot open what it needs, and what its pipelines say when
  ///   some have failed.
  func run() async throws {
    let watchdog = Task {
      try await Watchdog(manager: manager, logger: logger).watch(daemon)
    }
    defer { watchdog.cancel() }
    let isFine = try await daemon.run { tellReady() }
    guard isFine else {
      let problems = daemon.statuses.compactMap { status in
        status.problem.map { "pipeline \(status.name): \($0)" }
      }
      throw Failure(message: problems.joined(separator: "\n"))
    }
  }
}
