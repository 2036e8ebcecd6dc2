package import Kafka
package import Logging

/// The control of one pipeline, turn by turn, on whatever thread calls it: waits for the topics,
/// joins the group, serves it until everything has ended, and leaves it.
package final class ControlTurns {
  private enum Phase {
    case waitingForTopics(lastProblem: String?)
    case member(ControlSession)
    case over
  }

  private let plan: PipelinePlan
  private let services: [TaskServices]
  private let logger: Logger
  private let board: StatusBoard
  private let makeLife: () -> String
  private let broker: any Broker
  private var consumer: any GroupMember
  /// Is signalled when there may be something to do.
  private let wakeup: Wakeup
  private var phase = Phase.waitingForTopics(lastProblem: nil)
  private var ending: StopMode?
  /// Why brokers that are there do not let this client in; a request tells only that it had no answer.
  private var refusal: KafkaError?

  /// Makes the member of the group; task i runs on worker `i % services.count`, and what the turns must
  /// look at signals `wakeup`.
  ///
  /// - Throws: `KafkaError` when a property of the consumer is wrong.
  package init(
    plan: PipelinePlan, broker: any Broker, services: [TaskServices], board: StatusBoard,
    logger: Logger, wakeup: Wakeup = Wakeup(), makeLife: @escaping () -> String
  ) throws {
    self.plan = plan
    self.broker = broker
    self.services = services
    self.board = board
    self.logger = logger
    self.makeLife = makeLife
    self.wakeup = wakeup
    consumer = try broker.makeMember(plan, logger: logger)
    try consumer.attach(wakeup)
  }

  /// Whether the pipeline has ended.
  package var isOver: Bool {
    if case .over = phase { true } else { false }
  }

  /// Whether only a signal, and nothing that takes its time, can bring something to do.
  package var isSettled: Bool {
    if case .member(let session) = phase { session.isSettled } else { false }
  }

  /// Lets every task deliver what it has and end.
  package func drain() { end(.drain) }

  /// Lets every task end: after delivering what it has, or at a barrier.
  func end(_ mode: StopMode) {
    guard ending == nil || (ending == .barrier && mode == .drain) else { return }
    ending = mode
    if case .member(let session) = phase { session.end(mode) }
  }

  /// Lets the pipeline stop for good.
  ///
  /// - Throws: the problem when the group was not joined yet.
  func fail(_ problem: String) throws {
    switch phase {
    case .waitingForTopics: throw TaskFailure.output(problem)
    case .member(let session): session.fail(problem)
    case .over: break
    }
  }

  /// Serves what has happened, waiting for it at most `timeout`.
  ///
  /// - Throws: `KafkaError` when the group cannot be joined or left.
  package func turn(timeout: Duration) throws {
    switch phase {
    case .waitingForTopics(let lastProblem):
      guard ending == nil else {
        phase = .over
        return try consumer.close(timeout: .seconds(10))
      }
      try lookForTopics(lastProblem, timeout: timeout)
    case .member(let session):
      if session.isOver {
        guard session.isForgotten, session.failure == nil, ending == nil else {
          phase = .over
          return try consumer.close(timeout: .seconds(10))
        }
        return try joinAnew()
      }
      session.turn(timeout: timeout)
      board.report(
        name, problem: session.failure ?? session.problem,
        hasFailed: session.failure != nil)
    case .over: break
    }
  }

  private var name: String { plan.configuration.name }

  /// Leaves the group and joins it as a new member.
  private func joinAnew() throws {
    do {
      try consumer.close(timeout: .seconds(10))
    } catch {
      logger.warning("pipeline \(name): the group will notice that a member has left: \(error)")
    }
    consumer = try broker.makeMember(plan, logger: logger)
    try consumer.attach(wakeup)
    phase = .waitingForTopics(lastProblem: nil)
  }

  /// Joins the group when the brokers and the topics are there; says what is missing.
  private func lookForTopics(_ lastProblem: String?, timeout: Duration) throws {
    let problem: String
    do {
      switch try findTopics() {
      case .counts(let counts):
        try checkTransactions()
        try checkCompaction()
        try prepareState(partitions: counts)
        board.report(name, problem: nil)
        noteUnusedStarts(counts)
        try warnOfSlowGroup()
        try consumer.subscribe(to: plan.inputs.map(\.topic))
        phase = .member(
          ControlSession(
            plan: plan, consumer: consumer, partitions: counts, services: services,
            mailbox: Mailbox(wakeup: wakeup), logger: logger, makeLife: makeLife))
        return
      case .missing(let topic):
        problem =
          "topic '\(topic)' does not exist on \(plan.configuration.kafka.brokers); create it "
          + "(kafka-topics --create --topic \(topic), or cutbank broker --topic \(topic):4); "
          + "waiting for it"
      }
    } catch let error as KafkaError {
      hear(within: max(timeout, .milliseconds(500)))
      problem = "\(refusal ?? error); still trying"
    }
    if problem != lastProblem { logger.warning("pipeline \(name): \(problem)") }
    board.report(name, problem: problem)
    phase = .waitingForTopics(lastProblem: problem)
    hear(within: max(timeout, .milliseconds(500)))
  }

  /// Warns of start offsets for partitions that are not there.
  private func noteUnusedStarts(_ counts: [Int]) {
    for (input, count) in zip(plan.inputs, counts) {
      guard case .offsets(let offsets) = input.start else { continue }
      for partition in offsets.keys.sorted() where partition >= count {
        logger.warning(
          "pipeline \(name): start.offsets names partition \(partition) of topic \(input.topic), which ends with \(count - 1)"
        )
      }
    }
  }

  /// Hears what the client says of the brokers, waiting for it at most `timeout`.
  private func hear(within timeout: Duration) {
    var wait = timeout
    while let event = consumer.poll(timeout: wait) {
      wait = .zero
      guard case .error(let error) = event, [.authentication, .tls].contains(error.code),
        error.code != refusal?.code
      else { continue }
      refusal = error
    }
  }

  /// Says why nothing happens for a while: the embedded broker forms a group anew only when the session
  /// of a member that has left or was killed would be over.
  private func warnOfSlowGroup() throws {
    guard try consumer.isEmbedded(timeout: .seconds(5)) else { return }
    let timeout = plan.configuration.kafka.properties["session.timeout.ms"] ?? "45000"
    logger.notice(
      "pipeline \(name): joins its group; after a restart the embedded broker takes up to \(timeout) ms for it (session.timeout.ms under kafka:)"
    )
  }

  /// Refuses to promise what the embedded broker cannot keep.
  private func checkTransactions() throws {
    guard plan.configuration.guarantee == .exactlyOnce, plan.hasTopicOutput,
      try consumer.isEmbedded(timeout: .seconds(5))
    else { return }
    throw TaskFailure.output(
      "the pipeline promises exactly_once and writes to a topic, but the embedded broker knows no "
        + "transactions\n  hint: write guarantee: at_least_once, or use a Kafka cluster")
  }

  /// Makes sure that state has its place, where that is a topic.
  private func prepareState(partitions: [Int]) throws(KafkaError) {
    guard let topics = services.first?.stateTopics else { return }
    var tasks = 1
    if case .partitionParallel = plan.parallelism { tasks = partitions.max() ?? 1 }
    try topics.prepare(TopicSnapshotStore.names(of: name), partitions: tasks)
  }

  /// Refuses to promise a replay over records that compaction may remove.
  private func checkCompaction() throws {
    guard plan.configuration.guarantee == .exactlyOnce else { return }
    let needed = 2 * plan.configuration.timing.snapshotInterval + 3_600_000
    for topic in plan.inputs.map(\.topic) {
      guard let settings = try consumer.settings(of: topic, timeout: .seconds(10)),
        settings["cleanup.policy"]?.contains("compact") ?? false
      else { continue }
      let lag = settings["min.compaction.lag.ms"].flatMap { Int64($0) } ?? 0
      guard lag < needed else { continue }
      throw TaskFailure.output(
        "topic '\(topic)' is compacted after \(lag) ms, and the pipeline promises exactly_once: after "
          + "a crash it must find every record again\n  hint: set min.compaction.lag.ms of the topic "
          + "to \(needed) (two snapshots and an hour of outage) or more, or write guarantee: "
          + "at_least_once")
    }
  }

  private enum Topics {
    case counts([Int])
    case missing(String)
  }

  /// The partition count of each input's topic.
  private func findTopics() throws(KafkaError) -> Topics {
    var counts: [Int] = []
    for topic in plan.inputs.map(\.topic) {
      guard let count = try consumer.partitionCount(of: topic, timeout: .seconds(5)) else {
        return .missing(topic)
      }
      counts.append(count)
    }
    return .counts(counts)
  }
}
