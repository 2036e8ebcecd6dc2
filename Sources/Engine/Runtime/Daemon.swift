import Alerting
import Delivery
import Foundation
public import Logging
import StreamSQL
import Synchronization
public import Transport

/// Runs pipelines until it is stopped: `cutbank run`, and the demo.
public final class Daemon: Sendable {
  private let plans: [PipelinePlan]
  private let configuration: DaemonConfiguration
  private let logger: Logger
  private let time: any TimeSource
  private let disk: any Disk
  private let broker: any Broker
  private let seed: UInt64
  private let board = StatusBoard()
  private let deadline = ShutdownDeadline()
  private let slots = SlotBoard()
  private let suspects = SuspectGate()
  private let models = Mutex<ModelServices?>(nil)
  private let tables = Mutex<[TablePublisher]>([])
  private let threads = Mutex<[Worker]>([])
  private let writers = Mutex<[TopicWriter]>([])
  private let controls = Mutex<(ending: StopMode?, running: [PipelineControl])>((nil, []))

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
    self.configuration = configuration
    self.logger = logger
    self.time = SteadyTime(time)
    self.disk = disk
    self.broker = broker
    self.seed = seed
  }

  /// What every pipeline is doing, in the order of the names.
  public var statuses: [PipelineStatus] { board.snapshot() }

  /// Waits until `holds` does, or the task is cancelled; it is asked again when a status changes or
  /// tasks have taken up models or tables.
  package func wait(until holds: () throws -> Bool) async rethrows {
    try await board.wait(until: holds)
  }

  /// Where tasks have taken up what endpoints serve, since `run`.
  public var activations: [EndpointActivation] {
    models.withLock { $0 }?.activations ?? []
  }

  /// Where tasks have taken up rows of reference tables, since `run`.
  public var tableActivations: [TableActivation] {
    tables.withLock { $0 }.flatMap(\.activations)
  }

  /// Lets every pipeline deliver what it has taken, commit and end; `run` then returns.
  public func stop() { stop(.drain) }

  /// Lets every pipeline commit, leave a snapshot and end; `run` then returns.
  ///
  /// Another daemon in this process can go on with other plans. What is closed and not delivered yet
  /// stays in the state.
  public func stopAtBarrier() { stop(.barrier) }

  private func stop(_ mode: StopMode) {
    deadline.set(time.elapsed + configuration.shutdownTimeout)
    let running = controls.withLock { state in
      if state.ending != .drain { state.ending = mode }
      return state.running
    }
    for control in running { control.stop(mode) }
    models.withLock { $0 }?.stop()
  }

  /// Lets tasks go on that bad records have paused.
  public func resume() {
    for worker in threads.withLock({ $0 }) { worker.mailbox.post(.resume) }
  }

  /// How many turns each worker thread has made; one that stays the same is stuck.
  public var workerTurns: [UInt64] { threads.withLock { $0.map(\.turnCount) } }

  /// Runs until `stop`, or until every pipeline has failed.
  ///
  /// - Parameter whenStarted: Called when every destination is open and the pipelines begin.
  /// - Returns: Whether no pipeline has failed.
  /// - Throws: `ConfigurationRefused` when a destination or the data directory cannot be written.
  public func run(whenStarted: @Sendable () -> Void = {}) async throws -> Bool {
    let threads = BlockingThreads(count: 2)
    // A name server that does not answer must not keep files waiting.
    let lookups = BlockingThreads(count: 2)
    let alerts = try openAlerts(lookups)
    let destinations = Destinations(
      threads: threads, lookups: lookups, time: time, logger: logger)
    let workers = makeWorkers()
    self.threads.withLock { $0 = workers }
    var all: [PipelineControl] = []
    var report = StatusReport(
      board: board, alerts: alerts, time: time, logger: logger,
      interval: configuration.statusInterval)
    for (index, plan) in plans.enumerated() {
      let uploaders = try await makeUploaders(plan, destinations)
      report.add(plan, uploaders)
      // Task 0 of each pipeline has another worker, as far as there are enough.
      let first = index % workers.count
      let rotated = Array(workers[first...] + workers[..<first])
      let tables = try await openTables(plan, destinations)
      all.append(try makeControl(plan, rotated, uploaders, alerts, tables))
    }
    let models = try openModels()
    let ending = controls.withLock { state in
      state.running = all
      return state.ending
    }
    for control in all {
      if let ending { control.stop(ending) }
      control.begin()
    }
    whenStarted()
    try await wait(
      for: all, report: report, alerts: alerts, models: models, retention: retention(threads))
    for worker in workers { worker.mailbox.post(.quit) }
    for writer in writers.withLock({ $0 }) { writer.close() }
    for tables in tables.withLock({ $0 }) { try await tables.close() }
    try await alerts?.shutdown()
    try await destinations.shutdown()
    try await threads.stop()
    try await lookups.stop()
    return !statuses.contains(where: \.hasFailed)
  }

  /// Sends alerts as long as pipelines run, then what is left for a moment.
  private func wait(
    for all: [PipelineControl], report: StatusReport, alerts: AlertServices?,
    models: ModelServices?, retention: DeadLetterRetention
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      func add(_ work: @escaping @Sendable () async throws -> Void) {
        group.addTask {
          do {
            try await work()
          } catch is CancellationError {
            return
          }
        }
      }
      if let models { add { try await models.run() } }
      for tables in tables.withLock({ $0 }) { add { try await tables.run() } }
      if let alerts { add { try await alerts.run() } }
      add { try await report.run() }
      add { try await retention.run() }
      for control in all { await control.waitUntilEnded() }
      await models?.waitUntilEnded()
      if controls.withLock({ $0.ending }) != .barrier {
        try await alerts?.waitUntilSent(deadline: time.elapsed + 5_000)
      }
      group.cancelAll()
      try await group.waitForAll()
      models?.note()
    }
  }

  // MARK: Parts

  /// What looks after the dead letters that lie in the data directory.
  private func retention(_ threads: BlockingThreads) -> DeadLetterRetention {
    let kept = plans.filter { $0.configuration.deadLetter == nil }
    return DeadLetterRetention(
      folders: kept.map { String($0.deadLetterDestination.dropFirst("file://".count)) },
      limits: configuration.deadLetters, time: time, threads: threads, logger: logger)
  }

  /// The registry, when an application asks an endpoint or models are trained.
  private func openModels() throws -> ModelServices? {
    guard plans.contains(where: { !$0.application.endpoints.isEmpty || !$0.models.isEmpty }) else {
      return nil
    }
    let services = try ModelServices(
      plans: plans, configuration: configuration, slots: slots, board: board, time: time,
      logger: logger)
    let isEnding = models.withLock { models in
      models = services
      return controls.withLock { $0.ending } != nil
    }
    if isEnding { services.stop() }
    services.begin()
    return services
  }

  /// Opens the sources of a pipeline's reference tables and loads those in files.
  private func openTables(
    _ plan: PipelinePlan, _ destinations: Destinations
  ) async throws -> SlotBoard {
    let board = SlotBoard()
    guard !plan.tables.isEmpty else { return board }
    let sources = try plan.tables.map { table in
      try destinations.makeTableSource(table, of: plan, disk: disk, broker: broker, logger: logger)
    }
    let publisher = TablePublisher(
      plan, sources: sources, board: board, status: self.board, time: time, logger: logger)
    let problems = await publisher.loadFiles()
    // With state there are rows to go on with.
    let folder = "\(configuration.dataDirectory)/\(plan.configuration.name)"
    let hasState = try disk.list(folder).contains { $0.hasPrefix("task-") }
    guard problems.isEmpty || hasState else { throw ConfigurationRefused(problems: problems) }
    for problem in problems {
      logger.error("the rows of the pipeline's state stay in use: \(problem)")
    }
    tables.withLock { $0.append(publisher) }
    return board
  }

  private func openAlerts(_ lookups: BlockingThreads) throws -> AlertServices? {
    do {
      try disk.createDirectory(configuration.dataDirectory)
    } catch {
      throw Self.refused(
        configuration.dataDirectory, "\(error)",
        hint: "set data_directory (CUTBANK_DATA_DIRECTORY) to a folder that can be written")
    }
    let targets = plans.flatMap(\.alertTargets)
    guard !targets.isEmpty else { return nil }
    return try AlertServices(
      path: configuration.outboxPath, targets: targets, time: time,
      seed: seed, lookups: lookups, logger: logger)
  }

  private func makeWorkers() -> [Worker] {
    let count = max(1, ProcessInfo.processInfo.activeProcessorCount)
    return (0..<count).map { Worker(number: $0) }
  }

  private func makeUploaders(
    _ plan: PipelinePlan, _ destinations: Destinations
  ) async throws -> [Uploader?] {
    var uploaders: [Uploader?] = []
    for (index, output) in plan.outputs.enumerated() {
      guard case .delivery(let delivery) = output.kind else {
        uploaders.append(nil)
        continue
      }
      do {
        uploaders.append(
          try await destinations.makeUploader(
            delivery, owner: "\(plan.configuration.name)/\(output.name)",
            seed: seed &+ UInt64(index)))
      } catch let error as DeliveryError {
        throw Self.refused(
          plan.configuration.file, "the folder of output \(output.name): \(error.message)",
          hint: "make a folder that this user can write, or name another one in 'to'")
      } catch let error as SettingError {
        throw Self.refused(
          plan.configuration.file, "output \(output.name): \(error.message)", hint: error.hint)
      }
    }
    return uploaders
  }

  private func makeControl(
    _ plan: PipelinePlan, _ workers: [Worker], _ uploaders: [Uploader?], _ alerts: AlertServices?,
    _ tables: SlotBoard
  ) throws -> PipelineControl {
    let receivers = plan.outputs.map {
      AlertTarget(pipeline: plan.configuration.name, output: $0)?.receiver
    }
    let writers = try plan.hasTopicOutput ? makeWriters(plan, count: workers.count) : []
    let stateTopics =
      plan.configuration.stateStore == .topics
      ? try broker.makeStateTopics(plan, logger: logger) : nil
    let services = workers.enumerated().map { index, worker in
      TaskServices(
        time: time, disk: disk, dataDirectory: configuration.dataDirectory, logger: logger,
        executor: nil, worker: worker.mailbox, status: board, uploaders: uploaders,
        outbox: alerts?.outbox,
        receivers: receivers,
        topics: writers.isEmpty ? nil : writers[index],
        deadline: deadline, slots: slots, tables: tables, suspects: suspects,
        stateTopics: stateTopics)
    }
    let lives = Lives(seed: seed)
    return PipelineControl(
      plan: plan, broker: broker, services: services, board: board, logger: logger,
      makeLife: { lives.next() })
  }

  /// Starts a thread per worker that writes the topics of its tasks.
  private func makeWriters(_ plan: PipelinePlan, count: Int) throws -> [TopicWriter] {
    let configuration = plan.configuration
    var names: [String?] = Array(repeating: nil, count: count)
    if configuration.guarantee == .exactlyOnce {
      let instance = try configuration.kafka.properties["group.instance.id"] ?? makeInstance()
      names = (0..<count).map { "cutbank.\(configuration.name).\(instance).\($0)" }
    }
    return names.map { name in
      let writer = TopicWriter(transactionalID: name, timing: configuration.timing)
      writers.withLock { $0.append(writer) }
      TopicThread.start(writer, plan: plan, broker: broker, logger: logger)
      return writer
    }
  }

  /// The name of this data directory: the same after a restart, and different from all others.
  private func makeInstance() throws -> String {
    let path = "\(configuration.dataDirectory)/instance"
    if let bytes = try disk.read(path), !bytes.isEmpty {
      return String(decoding: bytes, as: UTF8.self)
    }
    let name = Lives(seed: seed ^ 0x1057_A9CE).next()
    try disk.replace(path, with: Array(name.utf8))
    return name
  }

  private static func refused(_ file: String, _ message: String, hint: String?) -> any Error {
    ConfigurationRefused(
      problems: [ConfigurationProblem(file: file, message: message, hint: hint)])
  }
}

/// Names for births of tasks.
private final class Lives: Sendable {
  private let generator: Mutex<SplitMix64>

  init(seed: UInt64) { generator = Mutex(SplitMix64(seed: seed)) }

  func next() -> String {
    let number = generator.withLock { $0.next() }
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
