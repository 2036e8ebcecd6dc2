import Alerting
import Delivery
import Logging
import Synchronization
import Transport

/// One pipeline of a daemon with everything that is its own: its member of the consumer group, what writes
/// its outputs, what sends its alerts and loads its tables.
///
/// It begins and ends without the others, so that a reload need not disturb them.
final class RunningPipeline: Sendable {
  let plan: PipelinePlan
  private let shared: SharedServices
  private let destinations: Destinations
  private let uploaders: [Uploader?]
  private let alerts: AlertServices?
  private let tables: TablePublisher?
  private let writers: [TopicWriter]
  private let deadline: ShutdownDeadline
  private let control: PipelineControl
  private let stopping = Mutex<StopMode?>(nil)
  /// Somebody has asked it to end.
  private let end = Latch()
  /// Nothing of it is under way any more.
  private let over = Latch()

  private init(_ plan: PipelinePlan, _ workers: [Worker], _ parts: Parts, _ shared: SharedServices)
  {
    self.plan = plan
    self.shared = shared
    destinations = parts.destinations
    uploaders = parts.uploaders
    tables = parts.tables
    writers = parts.writers
    let deadline = ShutdownDeadline()
    self.deadline = deadline
    let targets = plan.alertTargets
    alerts = parts.outbox.map {
      AlertServices(
        outbox: $0, targets: targets, time: shared.time, seed: shared.seed,
        lookups: shared.lookups, logger: shared.logger)
    }
    let receivers = plan.outputs.map {
      AlertTarget(pipeline: plan.configuration.name, output: $0)?.receiver
    }
    let services = workers.enumerated().map { index, worker in
      TaskServices(
        time: shared.time, disk: shared.disk, dataDirectory: shared.configuration.dataDirectory,
        logger: shared.logger, executor: nil, worker: worker.mailbox, status: shared.board,
        uploaders: parts.uploaders, outbox: parts.outbox, receivers: receivers,
        topics: parts.writers.isEmpty ? nil : parts.writers[index], deadline: deadline,
        slots: shared.slots, tables: parts.tableBoard, suspects: shared.suspects,
        stateTopics: parts.stateTopics)
    }
    control = PipelineControl(
      plan: plan, broker: shared.broker, services: services, board: shared.board,
      logger: shared.logger, makeLife: { shared.lives.next() })
  }

  /// Whether its control has ended: it was stopped, or has failed for good.
  var hasEnded: Bool { control.hasEnded }

  /// Whether it has stopped for good, or is about to.
  var hasFailed: Bool {
    shared.board.status(of: plan.configuration.name)?.hasFailed ?? false
  }

  /// Whether nothing of it is under way any more.
  var isOver: Bool { over.isOpen }

  /// Where tasks have taken up rows of reference tables.
  var tableActivations: [TableActivation] { tables?.activations ?? [] }

  /// Lets it end: after delivering what it has taken, or at a barrier.
  func stop(_ mode: StopMode) {
    deadline.set(shared.time.elapsed + shared.configuration.shutdownTimeout)
    stopping.withLock { $0 = $0 == .drain ? .drain : mode }
    control.stop(mode)
    end.open()
  }

  func waitUntilOver() async { await over.wait() }

  /// Runs until it is stopped; one that fails sends its alerts until then.
  ///
  /// - Parameter whenEnded: Called when its control has ended.
  /// - Throws: what its tables or connections say when they cannot be closed.
  func run(whenEnded: @Sendable () -> Void) async throws {
    defer { over.open() }
    shared.logger.notice("pipeline \(plan.configuration.name): \(plan.summary)")
    for writer in writers {
      TopicThread.start(writer, plan: plan, broker: shared.broker, logger: shared.logger)
    }
    control.begin()
    do {
      try await runServices(whenEnded: whenEnded)
    } catch is CancellationError {
      shared.logger.debug("pipeline \(plan.configuration.name) was given up")
    }
    try await close()
  }

  private func runServices(whenEnded: @Sendable () -> Void) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for service in services {
        group.addTask { [control] in
          do { try await service.run() } catch is CancellationError { return } catch {
            control.fail("\(service.name) cannot go on: \(error)")
          }
        }
      }
      await control.waitUntilEnded()
      whenEnded()
      await end.wait()
      if stopping.withLock({ $0 }) != .barrier {
        do {
          try await alerts?.waitUntilSent(deadline: shared.time.elapsed + 5_000)
        } catch let error where !(error is CancellationError) {
          shared.logger.error(
            "pipeline \(plan.configuration.name): nobody knows whether alerts wait: \(error)")
        }
      }
      group.cancelAll()
      try await group.waitForAll()
    }
  }

  /// Something that goes on until it is cancelled.
  private struct Service: Sendable {
    let name: String
    let run: @Sendable () async throws -> Void
  }

  /// What goes on beside its tasks until it ends.
  private var services: [Service] {
    let shared = shared
    let report = StatusReport(
      plan, uploaders, board: shared.board, alerts: alerts, time: shared.time,
      logger: shared.logger, interval: { shared.configuration.statusInterval })
    var all = [Service(name: "the status report", run: report.run)]
    if let tables { all.append(Service(name: "loading of reference tables", run: tables.run)) }
    if let alerts { all.append(Service(name: "sending of alerts", run: alerts.run)) }
    if plan.configuration.deadLetter == nil {
      let retention = DeadLetterRetention(
        folder: String(plan.deadLetterDestination.dropFirst("file://".count)),
        limits: { shared.configuration.deadLetters }, time: shared.time, threads: shared.threads,
        logger: shared.logger)
      all.append(Service(name: "removing of old dead letters", run: retention.run))
    }
    return all
  }

  /// Closes what was opened, when nothing uses it any more.
  func close() async throws {
    for writer in writers { writer.close() }
    // What was given up may still be writing a file that a successor is about to write.
    for uploader in uploaders { await uploader?.waitUntilIdle() }
    // One that cannot be closed keeps no other one open.
    var problem: (any Error)?
    do { try await tables?.close() } catch { problem = error }
    do { try await alerts?.shutdown() } catch { problem = problem ?? error }
    do { try await destinations.shutdown() } catch { problem = problem ?? error }
    if let problem { throw problem }
  }
}

// MARK: Opening

extension RunningPipeline {
  /// What is opened before a pipeline begins.
  private struct Parts {
    let destinations: Destinations
    var uploaders: [Uploader?] = []
    var outbox: Outbox?
    var stateTopics: (any StateTopics)?
    var writers: [TopicWriter] = []
    var tables: TablePublisher?
    let tableBoard = SlotBoard()
  }

  /// Opens what a pipeline needs, which changes nothing for one of the same name that still runs.
  ///
  /// - Parameters:
  ///   - plan: The pipeline.
  ///   - workers: The threads for its tasks; task i runs on worker `i % workers.count`.
  ///   - isRunning: Whether another one of its name still runs.
  ///   - shared: What it shares with others.
  /// - Returns: The pipeline, which `run` begins.
  /// - Throws: `ConfigurationRefused` when a destination or a table cannot be opened.
  static func open(
    _ plan: PipelinePlan, on workers: [Worker], isRunning: Bool, _ shared: SharedServices
  ) async throws -> RunningPipeline {
    var parts = Parts(
      destinations: Destinations(
        threads: shared.threads, lookups: shared.lookups, time: shared.time,
        logger: shared.logger))
    do {
      for (index, output) in plan.outputs.enumerated() {
        parts.uploaders.append(
          try await uploader(
            output, index, of: plan, parts.destinations, isRunning: isRunning, shared))
      }
      if !plan.alertTargets.isEmpty { parts.outbox = try shared.openOutbox() }
      if plan.configuration.stateStore == .topics {
        parts.stateTopics = try shared.broker.makeStateTopics(plan, logger: shared.logger)
      }
      if plan.hasTopicOutput { parts.writers = try writers(plan, count: workers.count, shared) }
      parts.tables = try await tables(plan, parts, shared)
    } catch {
      try await parts.destinations.shutdown()
      throw error
    }
    return RunningPipeline(plan, workers, parts, shared)
  }

  /// What delivers an output's objects; nil for one that is no delivery.
  private static func uploader(
    _ output: OutputPlan, _ index: Int, of plan: PipelinePlan, _ destinations: Destinations,
    isRunning: Bool, _ shared: SharedServices
  ) async throws -> Uploader? {
    guard case .delivery(let delivery) = output.kind else { return nil }
    do {
      return try await destinations.makeUploader(
        delivery, owner: "\(plan.configuration.name)/\(output.name)",
        seed: shared.seed &+ UInt64(index), isWriting: isRunning)
    } catch let error as DeliveryError {
      throw ConfigurationRefused(
        plan.configuration.file, "the folder of output \(output.name): \(error.message)",
        hint: "make a folder that this user can write, or name another one in 'to'")
    } catch let error as SettingError {
      throw ConfigurationRefused(
        plan.configuration.file, "output \(output.name): \(error.message)", hint: error.hint)
    }
  }

  /// One for each worker: what its tasks hand over is written by a thread beside it.
  private static func writers(
    _ plan: PipelinePlan, count: Int, _ shared: SharedServices
  ) throws -> [TopicWriter] {
    let configuration = plan.configuration
    guard configuration.guarantee == .exactlyOnce else {
      return (0..<count).map { _ in
        TopicWriter(transactionalID: nil, timing: configuration.timing)
      }
    }
    let instance = try configuration.kafka.properties["group.instance.id"] ?? shared.instance()
    return (0..<count).map {
      TopicWriter(
        transactionalID: "cutbank.\(configuration.name).\(instance).\($0)",
        timing: configuration.timing)
    }
  }

  /// Opens the sources of a pipeline's reference tables and loads those in files.
  private static func tables(
    _ plan: PipelinePlan, _ parts: Parts, _ shared: SharedServices
  ) async throws -> TablePublisher? {
    guard !plan.tables.isEmpty else { return nil }
    let sources = try plan.tables.map { table in
      try parts.destinations.makeTableSource(
        table, of: plan, disk: shared.disk, broker: shared.broker, logger: shared.logger)
    }
    let publisher = TablePublisher(
      plan, sources: sources, board: parts.tableBoard, status: shared.board, time: shared.time,
      logger: shared.logger)
    let problems = await publisher.loadFiles()
    // With state there are rows to go on with.
    let folder = "\(shared.configuration.dataDirectory)/\(plan.configuration.name)"
    let hasState = try shared.disk.list(folder).contains { $0.hasPrefix("task-") }
    guard problems.isEmpty || hasState else {
      try await publisher.close()
      throw ConfigurationRefused(problems: problems)
    }
    for problem in problems {
      shared.logger.error("the rows of the pipeline's state stay in use: \(problem)")
    }
    return publisher
  }
}
