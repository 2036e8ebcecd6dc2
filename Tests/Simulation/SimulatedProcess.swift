import Delivery
import Engine
import Kafka
import Logging
import Transport

/// One start of the daemon: the real engine's turns over the simulated outside.
final class SimulatedProcess {
  let state: ProcessState
  let time: ProcessTime
  let executor = ProcessExecutor()
  let board = StatusBoard()
  private let world: World
  private let workers: [WorkerTurns]
  private let work: ProcessWork
  private let control: ControlTurns
  /// What writes the topics, one per worker; none when there is no topic.
  private let writers: [TopicTurns]
  /// The name of its data directory to the brokers.
  let instance: Int
  private let deadline = ShutdownDeadline()
  private(set) var isDraining = false
  /// Whether one of the threads that write topics waits for the brokers.
  var isWaiting = false
  /// Whether no other is to be started in its place when it has ended.
  var isMeantToEnd = false
  private var wasBusy: [Bool]
  private var seenChanges: UInt64 = 0
  private var countedChanges: UInt64 = 0
  private var countedTasks = 0

  /// Starts the daemon.
  ///
  /// - Throws: when the member of the group cannot be made.
  init(number: Int, instance: Int, scenario: Scenario, outside: Outside) throws {
    let world = outside.world
    self.world = world
    self.instance = instance
    let state = ProcessState(number: number)
    self.state = state
    let time = ProcessTime(world: world, process: state)
    self.time = time
    let plan = scenario.pipeline.plan
    let board = board
    let executor = executor
    let logger = Logger(label: "simulation") { _ in WorldLogHandler(world: world, number: number) }
    let uploaders: [Uploader?] = (0..<scenario.pipeline.outputs).map { output in
      let destination = SimulatedDestination(
        output: output, image: outside.store, world: world, process: state, time: time)
      return Uploader(
        destination: destination, backoff: Backoff(firstMilliseconds: 200, capMilliseconds: 5_000),
        time: time, seed: UInt64(number * 100 + output))
    }
    let disk = SimulatedDisk(image: outside.disk, world: world, process: state)
    let broker = SimulatedBroker(cluster: outside.cluster, process: state)
    workers = (0..<scenario.workers).map { _ in WorkerTurns(wakeup: Wakeup()) }
    let deadline = deadline
    let work = ProcessWork(world: world, isSingle: scenario.pipeline.tasks == 1)
    self.work = work
    let topics = (0..<(plan.hasTopicOutput ? scenario.workers : 0)).map { worker in
      TopicWriter(
        transactionalID: "\(instance).\(worker)", timing: plan.configuration.timing)
    }
    writers = topics.map {
      TopicTurns(
        writer: $0, plan: plan, broker: broker, logger: logger, time: time,
        patience: scenario.gatheringTime)
    }
    let services = workers.enumerated().map { index, worker in
      TaskServices(
        time: time, disk: disk, dataDirectory: "data", logger: logger,
        background: { work.makeLine($0) }, executor: executor, worker: worker, status: board,
        uploaders: uploaders, outbox: nil,
        receivers: Array(repeating: nil, count: uploaders.count),
        topics: topics.isEmpty ? nil : topics[index], deadline: deadline)
    }
    control = try ControlTurns(
      plan: plan, broker: broker, services: services, board: board, logger: logger,
      makeLife: {
        outside.lives += 1
        return "life\(outside.lives)"
      })
    wasBusy = Array(repeating: true, count: scenario.workers + writers.count)
  }

  /// Whether it has ended by itself.
  var isOver: Bool { control.isOver }

  /// Why the pipeline has failed, if it has.
  var failure: String? {
    board.snapshot().first { $0.hasFailed }.map { $0.problem ?? "failed" }
  }

  /// Whether its board has changed since the last question.
  var hasNews: Bool {
    let changes = board.changeCount
    defer { seenChanges = changes }
    return changes != seenChanges
  }

  /// How many tasks are past their replay.
  var runningTasks: Int {
    if board.changeCount != countedChanges {
      countedChanges = board.changeCount
      countedTasks = board.snapshot().reduce(0) { sum, pipeline in
        sum + pipeline.tasks.values.count { $0.phase == "running" }
      }
    }
    return countedTasks
  }

  /// Asks it to end as SIGTERM does.
  func drain() {
    guard !isDraining else { return }
    isDraining = true
    deadline.set(time.elapsed + 600_000)
    control.drain()
  }

  /// Does one thing that can be done; returns whether there may be more at once.
  func step() -> Bool {
    time.wake()
    let actors = workers.count + (isWaiting ? 0 : writers.count) + 3
    switch world.generator.below(actors) {
    case 0:
      do {
        try control.turn(timeout: .zero)
      } catch {
        world.note("control: \(error)")
      }
      return false
    case 1: return executor.step()
    case 2: return work.step()
    case let actor:
      let index = actor - 3
      world.lines?.append("    \(state.number) turn of actor \(index)")
      wasBusy[index] =
        index < workers.count ? workers[index].turn() : writers[index - workers.count].turn()
      return wasBusy[index]
    }
  }

  /// The process is gone: what it had begun never goes on.
  func bury() {
    state.isDead = true
    state.meanwhile = nil
    time.end()
    work.end()
    executor.drain()
  }
}

/// Everything outside the processes; it outlives them.
final class Outside {
  let world: World
  let disk = DiskImage()
  let cluster: SimulatedCluster
  let store: ObjectStoreImage
  /// How many lives tasks were given.
  var lives = 0

  init(world: World, scenario: Scenario) {
    self.world = world
    store = ObjectStoreImage(world: world)
    cluster = SimulatedCluster(
      world: world, inputs: ["numbers": scenario.pipeline.partitions],
      isCooperative: scenario.pipeline.isPartitionParallel,
      refusesCommitsWhileJoining: scenario.refusesCommitsWhileJoining,
      metadataLimit: scenario.metadataLimit, fetchLimit: scenario.fetchLimit,
      endsWithMarks: scenario.endsWithMarks)
  }
}

/// Puts the engine's log on the record, when there is one to read.
private struct WorldLogHandler: LogHandler {
  let world: World
  let number: Int
  var metadata: Logger.Metadata = [:]
  var logLevel: Logger.Level {
    // Texts that nobody reads are not made.
    get { world.lines == nil ? .critical : .trace }
    set {}
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    guard world.lines != nil else { return }
    world.lines?.append("    \(number) \(event.level): \(event.message)")
  }
}
