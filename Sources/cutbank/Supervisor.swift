import Engine
import Logging
import Synchronization

/// Runs a daemon and, when its files have changed, the next one in its place.
///
/// A reload reads and checks everything first; what is refused changes nothing. The pipelines then
/// commit, leave a snapshot and begin again where they stood, with the new plans.
final class Supervisor: Sendable {
  /// What the files say.
  struct Loaded: Sendable {
    let settings: DaemonConfiguration
    let plans: [PipelinePlan]

    /// Whether a daemon that runs `other` would do anything else.
    func differs(from other: Loaded) -> Bool {
      func isSame(_ first: PipelineConfiguration, _ second: PipelineConfiguration) -> Bool {
        first.sourceText == second.sourceText && first.application == second.application
          && first.kafka == second.kafka
      }
      return settings.shutdownTimeout != other.settings.shutdownTimeout
        || plans.count != other.plans.count
        || !zip(plans, other.plans).allSatisfy { isSame($0.configuration, $1.configuration) }
    }

    /// Why a running daemon cannot go on with this.
    ///
    /// - Parameters:
    ///   - old: What it runs.
    ///   - failed: The names of its pipelines that have stopped for good.
    /// - Returns: The reason; nil when it can go on.
    func obstacle(after old: Loaded, failed: [String]) -> String? {
      guard settings.dataDirectory == old.settings.dataDirectory,
        settings.registryFolder == old.settings.registryFolder
      else { return "data_directory and registry_directory cannot change while the daemon runs" }
      for (before, now) in old.successors(in: self)
      where !failed.contains(before.configuration.name) && !now.sharesInputs(as: before) {
        return
          "the inputs of pipeline \(before.configuration.name), or how they are shared between tasks, "
          + "cannot change while it has state: give it another name and a start position"
      }
      return nil
    }

    /// Whether rows may wait for outputs that are not there any more.
    func losesOutputs(of old: Loaded) -> Bool {
      let kept = old.successors(in: self)
      return kept.count < old.plans.count || !kept.allSatisfy { $1.keepsOutputs(of: $0) }
    }

    /// The pipelines that are in both, as they are here and there.
    private func successors(in other: Loaded) -> [(before: PipelinePlan, now: PipelinePlan)] {
      plans.compactMap { plan in
        other.plans.first { $0.configuration.name == plan.configuration.name }.map { (plan, $0) }
      }
    }

    var summary: String { "running \(plans.map(\.configuration.name).joined(separator: ", "))" }
  }

  private struct State {
    var current: (loaded: Loaded, daemon: Daemon)?
    var next: Loaded?
    var isStopping = false
  }

  private let state = Mutex(State())
  private let load: @Sendable () throws -> Loaded
  private let manager: ServiceManager
  private let logger: Logger

  init(manager: ServiceManager, logger: Logger, load: @escaping @Sendable () throws -> Loaded) {
    self.manager = manager
    self.logger = logger
    self.load = load
  }

  /// Lets the daemon deliver what it has and end.
  func stop() {
    manager.stopping()
    let daemon = state.withLock { state in
      state.isStopping = true
      return state.current?.daemon
    }
    daemon?.stop()
  }

  /// Reads the files again; the daemon goes on with what is in them, or as before.
  func reload() {
    manager.reloading()
    guard let current = state.withLock({ $0.current }) else { return }
    defer { manager.ready(current.loaded.summary) }
    do {
      let loaded = try load()
      let failed = current.daemon.statuses.filter(\.hasFailed).map(\.name)
      if let obstacle = loaded.obstacle(after: current.loaded, failed: failed) {
        return logger.error("reload refused, the daemon goes on as before: \(obstacle)")
      }
      current.daemon.resume()
      guard loaded.differs(from: current.loaded) else {
        return logger.notice("reload: nothing has changed")
      }
      logger.notice("reload: going on with the new configuration")
      let isStopping = state.withLock { state in
        state.next = loaded
        return state.isStopping
      }
      guard !isStopping else { return }
      if loaded.losesOutputs(of: current.loaded) {
        current.daemon.stop()
      } else {
        current.daemon.stopAtBarrier()
      }
    } catch {
      logger.error("reload refused, the daemon goes on as before:\n\(error)")
    }
  }

  /// Runs daemons until one ends that no reload has asked to.
  ///
  /// - Returns: The last daemon, and whether no pipeline of it has failed.
  /// - Throws: `ConfigurationRefused` when the first one cannot open what it needs.
  func run(_ first: Loaded) async throws -> (daemon: Daemon, isFine: Bool) {
    var loaded = first
    var before: Loaded?
    while true {
      let (daemon, isStopping) = state.withLock { state in
        // What a reload has read since the last daemon ended, rather than what it read before.
        if let next = state.next { loaded = next }
        state.next = nil
        let daemon = Daemon(
          plans: loaded.plans, configuration: loaded.settings, logger: logger,
          seed: UInt64.random(in: 0...UInt64.max))
        state.current = (loaded, daemon)
        return (daemon, state.isStopping)
      }
      if isStopping { daemon.stop() }
      for plan in loaded.plans {
        logger.notice("pipeline \(plan.configuration.name): \(plan.summary)")
      }
      do {
        let summary = loaded.summary
        let isFine = try await watched(daemon, summary)
        let isReloading = state.withLock { !$0.isStopping && $0.next != nil }
        guard isReloading else { return (daemon, isFine) }
        before = loaded
      } catch let error as ConfigurationRefused {
        guard let old = before else { throw error }
        logger.error("reload refused, the daemon goes on as before:\n\(error)")
        before = nil
        loaded = old
      }
    }
  }

  private func watched(_ daemon: Daemon, _ summary: String) async throws -> Bool {
    let watchdog = Task {
      try await Watchdog(manager: manager, logger: logger).watch(daemon)
    }
    defer { watchdog.cancel() }
    return try await daemon.run { manager.ready(summary) }
  }
}
