import Foundation
public import Logging
import StreamSQL
import Synchronization
public import Transport

/// Runs pipelines until it is stopped: `cutbank run`, and the demo.
public final class Daemon: Sendable {
  /// Something that runs as long as the daemon, or until its pipeline ends.
  private enum Work {
    case pipeline(RunningPipeline)
    case models(ModelServices)
  }

  private struct State {
    var pipelines: [RunningPipeline] = []
    /// Whether somebody has asked the daemon to end.
    var isStopping = false
    /// Whether pipelines are being replaced, so that more may come.
    var isReloading = false
    /// Whether no pipeline is left.
    var isOver = false
    /// The worker of the next pipeline's task 0.
    var nextWorker = 0
  }

  private let plans: [PipelinePlan]
  private let shared: SharedServices
  private let models = Mutex<ModelServices?>(nil)
  private let workers = Mutex<[Worker]>([])
  private let state = Mutex(State())
  /// The pipelines of the start run, or could not be opened.
  private let started = Latch()
  private let work: AsyncStream<Work>
  private let workAdded: AsyncStream<Work>.Continuation

  /// Creates a daemon.
  ///
  /// - Parameters:
  ///   - plans: The pipelines; their names differ.
  ///   - configuration: Settings of the daemon.
  ///   - logger: Told about changes of state.
  ///   - time: The clock.
  ///   - seed: Seeds lives of tasks and jitter of retries; results never depend on it.
  public convenience init(
    plans: [PipelinePlan], configuration: DaemonConfiguration, logger: Logger,
    time: any TimeSource = SystemTime(), seed: UInt64
  ) {
    self.init(
      plans: plans, configuration: configuration, logger: logger, time: time, disk: LocalDisk(),
      seed: seed)
  }

  package init(
    plans: [PipelinePlan], configuration: DaemonConfiguration, logger: Logger,
    time: any TimeSource, disk: any Disk, broker: any Broker = KafkaBroker(), seed: UInt64
  ) {
    self.plans = plans
    shared = SharedServices(
      configuration: configuration, logger: logger, time: time, disk: disk, broker: broker,
      seed: seed)
    (work, workAdded) = AsyncStream.makeStream(of: Work.self)
  }

  /// What every pipeline is doing, in the order of the names.
  public var statuses: [PipelineStatus] { shared.board.snapshot() }

  /// Waits until `holds` does, or the task is cancelled; it is asked again when a status changes or
  /// tasks have taken up models or tables.
  package func wait(until holds: () throws -> Bool) async rethrows {
    try await shared.board.wait(until: holds)
  }

  /// Where tasks have taken up what endpoints serve, since `run`.
  public var activations: [EndpointActivation] {
    models.withLock { $0 }?.activations ?? []
  }

  /// Where tasks of pipelines that run have taken up rows of reference tables.
  public var tableActivations: [TableActivation] {
    state.withLock { $0.pipelines }.flatMap(\.tableActivations)
  }

  /// How many turns each worker thread has made; one that stays the same is stuck.
  public var workerTurns: [UInt64] { workers.withLock { $0.map(\.turnCount) } }

  /// Lets every pipeline deliver what it has taken, commit and end; `run` then returns.
  public func stop() {
    let pipelines = state.withLock { state in
      state.isStopping = true
      return state.pipelines
    }
    for pipeline in pipelines { pipeline.stop(.drain) }
    models.withLock { $0 }?.stop()
  }

  /// Lets tasks go on that bad records have paused.
  public func resume() {
    for worker in workers.withLock({ $0 }) { worker.mailbox.post(.resume) }
  }

  /// Runs until `stop`, which is also what cancelling the task does, or until every pipeline has failed.
  ///
  /// - Parameter whenStarted: Called when every destination is open and the pipelines begin.
  /// - Returns: Whether no pipeline has failed.
  /// - Throws: `ConfigurationRefused` when a destination or the data directory cannot be written.
  public func run(whenStarted: @Sendable () -> Void = {}) async throws -> Bool {
    defer { started.open() }
    try shared.makeDataDirectory()
    let workers = (0..<max(1, ProcessInfo.processInfo.activeProcessorCount)).map {
      Worker(number: $0)
    }
    self.workers.withLock { $0 = workers }
    let opened = try await open(plans)
    try openModels(plans)
    begin(opened)
    endIfNothingIsLeft()
    whenStarted()
    started.open()
    // Whoever cancels the task means a stop, which delivers; what delivers must not be cancelled itself.
    let running = Task { try await runAll() }
    try await withTaskCancellationHandler {
      try await running.value
    } onCancel: {
      stop()
    }
    for worker in workers { worker.mailbox.post(.quit) }
    try await shared.stopThreads()
    return !statuses.contains(where: \.hasFailed)
  }

  /// Runs what is added until no pipeline is left.
  private func runAll() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for await added in work {
        group.addTask {
          switch added {
          case .pipeline(let pipeline):
            defer { self.endIfNothingIsLeft() }
            try await pipeline.run { self.endIfNothingIsLeft() }
          case .models(let models):
            do { try await models.run() } catch is CancellationError { return }
          }
        }
      }
      let models = models.withLock { $0 }
      await models?.waitUntilEnded()
      group.cancelAll()
      try await group.waitForAll()
      models?.note()
    }
  }

  /// Lets `run` return when every pipeline has ended and none will come.
  private func endIfNothingIsLeft() {
    let (pipelines, isOver) = state.withLock { state -> ([RunningPipeline], Bool) in
      guard !state.isReloading, state.pipelines.allSatisfy(\.hasEnded) else { return ([], false) }
      state.isOver = state.pipelines.allSatisfy(\.isOver)
      return (state.pipelines, state.isOver)
    }
    // Those that have failed wait to be told.
    for pipeline in pipelines where !pipeline.isOver { pipeline.stop(.drain) }
    if isOver { workAdded.finish() }
  }

  // MARK: Pipelines

  /// Opens pipelines without beginning them: all, or none.
  private func open(
    _ plans: [PipelinePlan], besides running: Set<String> = []
  ) async throws -> [RunningPipeline] {
    var opened: [RunningPipeline] = []
    do {
      for plan in plans {
        opened.append(
          try await RunningPipeline.open(
            plan, on: nextWorkers(), isRunning: running.contains(plan.configuration.name), shared))
      }
    } catch {
      for pipeline in opened { try await pipeline.close() }
      throw error
    }
    return opened
  }

  /// The workers, so that task 0 of each pipeline has another one as far as there are enough.
  private func nextWorkers() -> [Worker] {
    let workers = workers.withLock { $0 }
    let first = state.withLock { state in
      defer { state.nextWorker = (state.nextWorker + 1) % workers.count }
      return state.nextWorker
    }
    return Array(workers[first...] + workers[..<first])
  }

  private func begin(_ opened: [RunningPipeline]) {
    let isStopping = state.withLock { state in
      state.pipelines += opened
      return state.isStopping
    }
    for pipeline in opened {
      if isStopping { pipeline.stop(.drain) }
      workAdded.yield(.pipeline(pipeline))
    }
  }

  /// Opens the registry, when an application asks an endpoint or models are trained.
  private func openModels(_ plans: [PipelinePlan]) throws {
    guard models.withLock({ $0 }) == nil,
      plans.contains(where: { !$0.application.endpoints.isEmpty || !$0.models.isEmpty })
    else { return }
    let services = try ModelServices(
      plans: plans, configuration: shared.configuration, slots: shared.slots, board: shared.board,
      time: shared.time, logger: shared.logger)
    let isStopping = models.withLock { models in
      models = services
      return state.withLock { $0.isStopping }
    }
    if isStopping { services.stop() }
    services.begin()
    workAdded.yield(.models(services))
  }

  // MARK: Reload

  /// Goes on with other plans: pipelines that are new begin, those that are gone deliver what they have
  /// and end, those that have changed or failed go on behind a barrier, and the others notice nothing.
  ///
  /// One call at a time; it returns when all that have to end have ended.
  ///
  /// - Parameters:
  ///   - plans: The pipelines; their names differ.
  ///   - configuration: Settings of the daemon, with the same folders.
  ///   - whenTaken: Called when nothing can be refused any more, before anything ends.
  /// - Throws: `ConfigurationRefused`, or what a registry or an outbox says, when something cannot be
  ///   opened: everything then goes on as before.
  public func reload(
    _ plans: [PipelinePlan], _ configuration: DaemonConfiguration,
    whenTaken: @Sendable () -> Void = {}
  ) async throws {
    await started.wait()
    let running = state.withLock { state -> [RunningPipeline]? in
      guard !state.isStopping, !state.isOver else { return nil }
      state.isReloading = true
      return state.pipelines
    }
    guard let running else { return }
    defer {
      state.withLock { $0.isReloading = false }
      endIfNothingIsLeft()
    }
    let change = PipelineChange(
      from: running.map { (plan: $0.plan, hasFailed: $0.hasFailed) }, to: plans)
    let opened = try await open(change.begun, besides: Set(running.map(\.plan.configuration.name)))
    do {
      try openModels(plans)
    } catch {
      for pipeline in opened { try await pipeline.close() }
      throw error
    }
    shared.use(configuration)
    whenTaken()
    models.withLock { $0 }?.update(plans)
    shared.logger.notice("reload: going on with the new configuration; \(change.summary)")
    await replace(
      running.filter { change.ended.contains($0.plan.configuration.name) }, by: opened)
  }

  /// Ends pipelines, each of which another one of its name may follow, and begins others.
  private func replace(_ ended: [RunningPipeline], by opened: [RunningPipeline]) async {
    await withTaskGroup(of: Void.self) { group in
      for old in ended {
        let successor = opened.first { $0.plan.configuration.name == old.plan.configuration.name }
        group.addTask {
          // Rows may wait for outputs that are not there any more.
          let isKept = successor?.plan.keepsOutputs(of: old.plan) ?? false
          old.stop(isKept ? .barrier : .drain)
          await old.waitUntilOver()
          self.state.withLock { state in state.pipelines.removeAll { $0 === old } }
          self.shared.board.forget(old.plan.configuration.name)
          if let successor { self.begin([successor]) }
        }
      }
      begin(
        opened.filter { new in
          !ended.contains { $0.plan.configuration.name == new.plan.configuration.name }
        })
    }
  }
}
