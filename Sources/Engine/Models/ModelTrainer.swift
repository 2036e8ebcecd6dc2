import Foundation
import Kafka
import Logging
import Registry
import Synchronization
import Transport

/// Trains the models of all pipelines when they are due, one at a time, on a thread of its own.
///
/// In a group of daemons only the one that runs task 0 of a pipeline trains its models.
final class ModelTrainer: Sendable {
  private let registry: Registry
  /// The pipelines, and how often they were others.
  private let plans: Mutex<(current: [PipelinePlan], changes: Int)>
  private let board: StatusBoard
  private let program: String
  private let folder: String
  private let time: any TimeSource
  private let logger: Logger
  private let wakeup = Wakeup()
  private let isStopping = Atomic<Bool>(false)
  private let hasBegun = Atomic<Bool>(false)
  private let end = Latch()

  /// How often schedules are looked at.
  private static let interval = Duration.milliseconds(250)

  /// Removes what jobs of an earlier process have left.
  init(
    registry: Registry, plans: [PipelinePlan], board: StatusBoard,
    configuration: DaemonConfiguration, time: any TimeSource, logger: Logger
  ) throws {
    self.registry = registry
    self.plans = Mutex((plans, 0))
    self.board = board
    program = configuration.program
    folder = configuration.registryFolder + "/jobs"
    self.time = time
    self.logger = logger
    try Self.clean(folder, registry)
  }

  /// Another daemon may use the registry: only folders of jobs that have ended are removed, and not
  /// those of interrupted ones that were the last of their model.
  private static func clean(_ folder: String, _ registry: Registry) throws {
    let files = FileManager.default
    guard files.fileExists(atPath: folder) else { return }
    for name in try files.contentsOfDirectory(atPath: folder) {
      if let id = Int64(name), let job = try registry.job(id) {
        if job.status == .inProgress { continue }
        let isLast = try registry.jobs(of: job.model, limit: 1).first?.id == id
        if isLast, TrainingRemains.exist(in: folder + "/" + name) { continue }
      }
      try files.removeItem(atPath: folder + "/" + name)
    }
  }

  /// Trains what these pipelines ask for; a training of one that is not among them, or has changed, ends.
  func update(_ plans: [PipelinePlan]) {
    self.plans.withLock { $0 = (plans, $0.changes + 1) }
    wakeup.signal()
  }

  /// Starts the thread, once there is something to train.
  func beginIfNeeded() {
    let isNeeded = plans.withLock { $0.current.contains { !$0.models.isEmpty } }
    guard isNeeded, !hasBegun.exchange(true, ordering: .acquiringAndReleasing) else { return }
    let thread = Thread { [self] in
      run()
      end.open()
    }
    thread.name = "training"
    thread.start()
  }

  /// Ends the training under way and the thread.
  func stop() {
    isStopping.store(true, ordering: .releasing)
    wakeup.signal()
  }

  /// Waits for the thread's end.
  func waitUntilEnded() async {
    if hasBegun.load(ordering: .acquiring) { await end.wait() }
  }

  private func run() {
    let start = time.now
    // What was read from the registry last: it is asked again only when a model seems to be due.
    var due: [String: Int64] = [:]
    var changesSeen = 0
    while !isStopping.load(ordering: .acquiring) {
      let (plans, changes) = plans.withLock { $0 }
      if changes != changesSeen { due = [:] }
      changesSeen = changes
      for plan in plans {
        for model in plan.models where board.holdsFirstTask(plan.configuration.name) {
          let name = plan.configuration.name + "/" + model.configuration.name
          if let next = due[name], next > time.now { continue }
          do {
            // A daemon that had task 0 before may have died in the middle of a training.
            try registry.failAbandonedJobs(at: time.now)
            due[name] = try nextTime(model.configuration, plan, start: start)
            guard let next = due[name], next <= time.now else { continue }
            guard try !isBeingRolledOut(model.configuration) else { continue }
            try train(model, plan)
          } catch {
            logger.error("model \(model.configuration.name) is not trained: \(error)")
            due[name] = time.now + 60_000
          }
        }
      }
      wakeup.wait(timeout: Self.interval)
    }
  }

  private func nextTime(
    _ model: ModelConfiguration, _ plan: PipelinePlan, start: Int64
  ) throws -> Int64 {
    let last = try lastJob(of: model, plan)
    if let last, last.status == .stopped || isInterrupted(last) { return last.createdAt }
    return model.schedule.due(after: last?.createdAt, start: start) ?? .max
  }

  private func lastJob(of model: ModelConfiguration, _ plan: PipelinePlan) throws -> TrainingJob? {
    try registry.jobs(of: model.name).first { $0.pipeline == plan.configuration.name }
  }

  /// Whether a job has left rows to go on with.
  private func isInterrupted(_ job: TrainingJob) -> Bool {
    (job.status == .stopped || job.status == .failed)
      && TrainingRemains.exist(in: "\(folder)/\(job.id)")
  }

  /// A candidate that is on its way is not overtaken by the next.
  private func isBeingRolledOut(_ model: ModelConfiguration) throws -> Bool {
    let phase = try registry.endpoint(model.endpoint)?.phase
    return phase == .shadow || phase == .canary
  }

  private func train(_ model: ModelPlan, _ plan: PipelinePlan) throws {
    let last = try lastJob(of: model.configuration, plan)
    try TrainingRun(
      registry: registry, plan: plan, model: model, program: program, folder: folder, time: time,
      logger: logger, interrupted: last.flatMap { isInterrupted($0) ? $0.id : nil },
      isCancelled: { [self] in
        isStopping.load(ordering: .acquiring) || !board.holdsFirstTask(plan.configuration.name)
          || !plans.withLock { $0.current.contains { $0.isUnchanged(from: plan) } }
      }
    ).execute()
  }
}
