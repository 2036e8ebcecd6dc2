import Logging
import Registry
import StreamSQL
import Transport

/// All that a daemon does about models: it trains them, leads them into service, and publishes what
/// serves to the tasks.
final class ModelServices: Sendable {
  private let publisher: EndpointPublisher
  private let keeper: RolloutKeeper
  private let trainer: ModelTrainer
  private let board: StatusBoard
  private let time: any TimeSource

  /// How often the registry is looked at, milliseconds.
  private static let interval: Int64 = 500

  /// Opens the registry and fails the jobs that a crash has left behind.
  init(
    plans: [PipelinePlan], configuration: DaemonConfiguration, slots: SlotBoard,
    board: StatusBoard, time: any TimeSource, logger: Logger
  ) throws {
    self.board = board
    self.time = time
    let registry = try Registry(folder: configuration.registryFolder)
    for job in try registry.failAbandonedJobs(at: time.now) {
      logger.warning("training job \(job.id) of \(job.model) is failed: \(job.reason ?? "")")
    }
    publisher = EndpointPublisher(
      registry: registry, slots: slots, plans: plans, time: time, logger: logger)
    keeper = RolloutKeeper(
      registry: registry, slots: slots, board: board, plans: plans, time: time, logger: logger)
    trainer = try ModelTrainer(
      registry: registry, plans: plans, board: board, configuration: configuration, time: time,
      logger: logger)
  }

  /// The endpoints' activations so far, in their order.
  var activations: [EndpointActivation] { publisher.activations }

  /// Publishes what was in service when the daemon last ended, for the first record to meet it, and
  /// begins to train.
  func begin() {
    publisher.publish()
    trainer.beginIfNeeded()
  }

  /// Goes on for these pipelines.
  func update(_ plans: [PipelinePlan]) {
    publisher.update(plans)
    keeper.update(plans)
    trainer.update(plans)
    trainer.beginIfNeeded()
  }

  /// Looks at the registry again and again until it is cancelled.
  func run() async throws {
    while true {
      try await time.sleep(milliseconds: Self.interval)
      keeper.advance()
      publisher.publish()
      publisher.note()
      board.noteChange()
    }
  }

  /// Ends a training that is under way.
  func stop() { trainer.stop() }

  /// Waits for the end of training after `stop`.
  func waitUntilEnded() async {
    trainer.stop()
    await trainer.waitUntilEnded()
  }

  /// Writes down what has become of what was published.
  func note() { publisher.note() }
}
