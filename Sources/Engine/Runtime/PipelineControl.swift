import Foundation
import Kafka
import Logging
import Synchronization
import Transport

/// The control thread of one pipeline: serves its consumer, answers rebalances, commits for its tasks.
final class PipelineControl: Sendable {
  let plan: PipelinePlan
  private let services: [TaskServices]
  private let logger: Logger
  private let time: any TimeSource
  private let board: StatusBoard
  private let mailbox = Mailbox<ControlMessage>()
  private let stopping = Mutex(false)
  private let ended = Mutex<[CheckedContinuation<Void, Never>]?>([])
  private let makeLife: @Sendable () -> String

  /// Creates the control of a pipeline whose task i runs on worker `i % services.count`.
  init(
    plan: PipelinePlan, services: [TaskServices], board: StatusBoard, time: any TimeSource,
    logger: Logger, makeLife: @escaping @Sendable () -> String
  ) {
    self.plan = plan
    self.services = services
    self.board = board
    self.time = time
    self.logger = logger
    self.makeLife = makeLife
  }

  private var name: String { plan.configuration.name }

  /// Starts the thread.
  func begin() {
    let thread = Thread { [self] in
      runUntilStopped()
      ended.withLock { waiting in
        waiting?.forEach { $0.resume() }
        waiting = nil
      }
    }
    thread.name = "control-\(name)"
    thread.start()
  }

  /// Lets the pipeline drain and end.
  func stop() { stopping.withLock { $0 = true } }

  private var isStopping: Bool { stopping.withLock { $0 } }

  /// Waits for the end of the thread.
  func waitUntilEnded() async {
    await withCheckedContinuation { continuation in
      let isOver = ended.withLock { waiting in
        waiting?.append(continuation)
        return waiting == nil
      }
      if isOver { continuation.resume() }
    }
  }

  private func runUntilStopped() {
    do {
      let consumer = try makeConsumer()
      guard let partitions = waitForTopics(consumer) else {
        return try consumer.close()
      }
      try consumer.subscribe(to: plan.inputs.map(\.topic))
      let session = ControlSession(
        plan: plan, consumer: consumer, partitions: partitions, services: services,
        mailbox: mailbox, logger: logger, makeLife: makeLife)
      var isDraining = false
      while !session.isOver {
        if isStopping, !isDraining {
          isDraining = true
          session.drain()
        }
        session.turn(timeout: .milliseconds(20))
        board.report(
          name, problem: session.failure ?? session.brokerProblem,
          hasFailed: session.failure != nil)
      }
      try consumer.close()
    } catch {
      logger.error("pipeline \(name) has stopped: \(error)")
      board.report(name, problem: "\(error)", hasFailed: true)
    }
  }

  private func makeConsumer() throws -> Consumer {
    let kafka = plan.configuration.kafka
    var configuration = ConsumerConfiguration(
      brokers: kafka.brokers, group: plan.configuration.group, properties: kafka.properties)
    configuration.clientID = "cutbank-\(name)"
    configuration.queueKilobytes = 16_384
    switch plan.parallelism {
    case .single: configuration.assignment = .range
    case .partitionParallel: configuration.assignment = .cooperativeSticky
    }
    return try Consumer(configuration, logger: logger)
  }

  /// Waits for the brokers and the topics, saying what is missing.
  ///
  /// - Returns: The partition count of each input's topic; nil when the pipeline was stopped.
  private func waitForTopics(_ consumer: Consumer) -> [Int]? {
    var lastProblem: String?
    while !isStopping {
      let problem: String
      do {
        let found = try TopicLookup.partitions(
          of: plan.inputs.map(\.topic), client: consumer.client)
        switch found {
        case .counts(let counts):
          board.report(name, problem: nil)
          return counts
        case .missing(let topic):
          problem =
            "topic '\(topic)' does not exist on \(plan.configuration.kafka.brokers); create it "
            + "(kafka-topics --create --topic \(topic), or cutbank broker --topic \(topic):4); "
            + "waiting for it"
        }
      } catch {
        problem = "\(error); still trying"
      }
      if problem != lastProblem { logger.warning("pipeline \(name): \(problem)") }
      lastProblem = problem
      board.report(name, problem: problem)
      _ = consumer.poll(timeout: .milliseconds(500))
    }
    return nil
  }
}

/// Finds the partitions of topics.
enum TopicLookup {
  /// What was found.
  enum Answer {
    case counts([Int])
    case missing(String)
  }

  static func partitions(of topics: [String], client: Client) throws -> Answer {
    var counts: [Int] = []
    for topic in topics {
      let metadata = try client.metadata(topic: topic, timeout: .seconds(5))
      guard let found = metadata.topics.first(where: { $0.name == topic }), found.error == nil,
        !found.partitions.isEmpty
      else { return .missing(topic) }
      counts.append(found.partitions.count)
    }
    return .counts(counts)
  }
}
