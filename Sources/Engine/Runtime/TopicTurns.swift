import Kafka
package import Logging
package import Transport

/// Writes what tasks hand to a `TopicWriter`, turn by turn, on whatever thread calls it.
///
/// Exactly once, rows are written into a transaction as they come, and it ends with the commits of all
/// tasks that have rows in it. At least once, rows are acknowledged before the group is asked for the
/// commit. Rows are kept until then: after an abort they are sent again, and after an error that leaves
/// the outcome open a new producer reads the commit numbers back.
package final class TopicTurns {
  private let writer: TopicWriter
  private let plan: PipelinePlan
  private let broker: any Broker
  private let logger: Logger
  private let time: any TimeSource
  /// How long a transaction's last commit waits for another one that is announced, milliseconds.
  private let patienceForMore: Int64
  private var producer: (any TopicProducer)?
  /// What the producer was given since the last transaction ended.
  private var open = OpenTransaction()
  /// The lead partitions whose offsets were part of the last transaction, however it ended.
  private var lastLeads: [TopicPartition] = []
  /// Tasks that held up the others: their rows go with their commits until one was accepted.
  private var slowTasks: Set<TaskName> = []
  /// Commits of which only the group knows whether they were accepted.
  private var unsure: [TopicCommit] = []
  /// Rows that were handed to the producer ahead of their commit and are not acknowledged.
  private var unflushed: [TopicCommit] = []
  /// How often in a row another producer of the same id took over.
  private var fencings = 0

  /// How long one call waits; retriable calls are made again while the writer is open.
  private static let patience = Duration.seconds(5)
  /// How much longer than the interval a transaction stays open for a task that has rows in it and does
  /// not commit, milliseconds: longer than any turn of a worker should take.
  private static let patienceForTask: Int64 = 1_000
  /// So many take-overs in a row are no accident of a slow broker.
  private static let fencingLimit = 3

  /// Creates the turns of a writer; the producer is made by the first of them.
  ///
  /// - Parameters:
  ///   - writer: Where tasks hand in what is to be written.
  ///   - plan: The pipeline.
  ///   - broker: The way to the cluster.
  ///   - logger: Told about problems.
  ///   - time: The clock.
  ///   - patience: How long a commit waits for another one that is announced, so that one transaction
  ///     takes up both, in milliseconds.
  package init(
    writer: TopicWriter, plan: PipelinePlan, broker: any Broker, logger: Logger,
    time: any TimeSource, patience: Int64 = 0
  ) {
    patienceForMore = patience
    self.time = time
    self.writer = writer
    self.plan = plan
    self.broker = broker
    self.logger = logger
  }

  /// Whether the last turn met an error, so that the next had better wait.
  package private(set) var isHindered = false

  /// Whether the writer was closed.
  package var isOver: Bool { writer.isClosed }

  /// Waits until there may be something to do.
  ///
  /// Whatever is handed in, and the end, end the wait.
  package func wait() {
    let patience = open.lastCommit == nil ? 1_000 : max(1, patienceForMore)
    writer.wait(timeout: .milliseconds(isHindered ? 200 : patience))
  }

  /// Aborts what is open when the writer is closed, so that readers of the topics need not wait until the
  /// brokers do.
  package func finish() {
    guard !open.isEmpty, let producer else { return }
    do throws(KafkaError) {
      try producer.abortTransaction(timeout: Self.patience)
    } catch {
      logger.warning(
        "pipeline \(plan.configuration.name): the last transaction stays open until the brokers abort it: \(error)"
      )
    }
  }

  /// Does what can be done now; returns whether something went on.
  package func turn() -> Bool {
    guard writer.failure == nil else { return false }
    isHindered = false
    do throws(KafkaError) {
      if producer == nil { try connect() }
      if !unsure.isEmpty { try settleUnsure() }
      guard let producer, !writer.isIdle || !open.isEmpty else { return false }
      let isDone =
        writer.transactionalID == nil
        ? try writeAtLeastOnce(producer) : try writeInTransaction(producer)
      if isDone { _ = writer.tell(problem: nil) }
      return isDone
    } catch {
      if error.endsProducer { producer = nil }
      countFencings(error)
      note(error)
      return false
    }
  }

  /// After too many take-overs in a row there must be a second process of the same name.
  private func countFencings(_ error: KafkaError) {
    guard error.tellsOfTakeover else { return }
    fencings += 1
    guard fencings > Self.fencingLimit, let id = writer.transactionalID else { return }
    writer.fail(
      "another process writes as \(id), and each takes the place of the other: give every daemon of "
        + "a pipeline a data_directory and a group.instance.id of its own (\(error))")
  }

  private func note(_ error: KafkaError) {
    isHindered = true
    if Self.isHopeless(error) { return writer.fail("\(error)") }
    let text = "\(error)"
    if writer.tell(problem: text) {
      logger.warning("pipeline \(plan.configuration.name): \(text); still trying")
    }
  }

  /// Whether trying again cannot help before somebody changes something.
  private static func isHopeless(_ error: KafkaError) -> Bool {
    switch error.code {
    case .transactionAuthorization, .topicAuthorization, .groupAuthorization,
      .clusterAuthorization, .unsupportedFeature, .messageTooLarge, .invalidArgument,
      .offsetMetadataTooLarge:
      true
    default: false
    }
  }

  // MARK: Connection

  /// Makes the producer, which ends what an earlier one of the same id left open.
  private func connect() throws(KafkaError) {
    let made = try broker.makeProducer(
      plan, transactionalID: writer.transactionalID, logger: logger)
    if writer.transactionalID != nil {
      try made.initTransactions(timeout: .seconds(30))
    }
    producer = made
    writer.becomeReady()
  }

  /// Asks the group which of the unsure commits it has; the others are written again.
  private func settleUnsure() throws(KafkaError) {
    var lost: [TopicCommit] = []
    var accepted: [TopicCommit] = []
    for commit in unsure {
      let committed = try commit.member.committed(
        [commit.offsets[0].topicPartition], timeout: .seconds(10))
      if commit.isIncluded(in: committed) { accepted.append(commit) } else { lost.append(commit) }
    }
    unsure = []
    acknowledge(accepted)
    writer.putBack(lost)
  }

  private func acknowledge(_ commits: [TopicCommit]) {
    for commit in commits { commit.answer(.accepted) }
  }

  // MARK: Writing

  private func writeAtLeastOnce(_ producer: any TopicProducer) throws(KafkaError) -> Bool {
    let commits = writer.takeAll()
    unflushed += commits
    do throws(KafkaError) {
      try produce(commits, producer)
      guard commits.contains(where: \.isCommit) else { return true }
      try retried { () throws(KafkaError) in try producer.flush(timeout: Self.patience) }
    } catch {
      writer.putBack(unflushed)
      unflushed = []
      throw error
    }
    unflushed = []
    writer.tellWritten(commits)
    return true
  }

  private func writeInTransaction(_ producer: any TopicProducer) throws(KafkaError) -> Bool {
    guard let more = writer.take(for: open, slowTasks: slowTasks) else {
      try abort(producer)
      return true
    }
    let isBegun = !open.isEmpty
    open.add(more, now: time.elapsed)
    guard !open.isEmpty else { return false }
    var mayBeCommitted = false
    do throws(KafkaError) {
      if !isBegun { try producer.beginTransaction() }
      try produce(more, producer)
      guard open.isCovered else {
        guard time.elapsed - open.begin >= writer.commitInterval + Self.patienceForTask else {
          return !more.isEmpty
        }
        slowTasks.formUnion(open.uncovered)
        try abort(producer)
        return true
      }
      guard !isWaitingForMore else { return !more.isEmpty }
      try awaitLastOffsets()
      guard let place = try writer.place(for: open) else {
        try abort(producer)
        return true
      }
      lastLeads = open.commits.map { $0.offsets[0].topicPartition }
      try retried { () throws(KafkaError) in
        try producer.sendOffsets(
          open.commits.flatMap(\.offsets), place: place, timeout: Self.patience)
      }
      mayBeCommitted = true
      try retried { () throws(KafkaError) in
        try producer.commitTransaction(timeout: Self.patience)
      }
    } catch {
      return try recover(from: error, mayBeCommitted: mayBeCommitted, producer)
    }
    fencings = 0
    let ended = takeOpen()
    slowTasks.subtract(ended.commits.lazy.map(\.task))
    if let lastCommit = ended.lastCommit { writer.ended(after: time.elapsed - lastCommit) }
    acknowledge(ended.commits)
    return true
  }

  /// Waits until the group has taken note of how the last transaction ended.
  ///
  /// Brokers apply a transaction to the group's offsets some time after they have ended it, and then
  /// to all offsets that wait of the same producer: had those of the next transaction come before, they
  /// would count although it may yet be aborted (Kafka 3.6, `GroupMetadataManager`,
  /// `scheduleHandleTxnCompletion`).
  private func awaitLastOffsets() throws(KafkaError) {
    guard let any = lastLeads.first, let member = open.commits.first?.member else { return }
    let partition = lastLeads.first { lead in
      open.commits.contains { $0.offsets[0].topicPartition == lead }
    }
    try retried { () throws(KafkaError) in
      _ = try member.committed([partition ?? any], timeout: Self.patience)
    }
    lastLeads = []
  }

  /// Whether another commit is about to come that this transaction may take up too.
  private var isWaitingForMore: Bool {
    guard patienceForMore > 0, let lastCommit = open.lastCommit else { return false }
    return writer.isAwaitingCommits && time.elapsed - lastCommit < patienceForMore
  }

  private func takeOpen() -> OpenTransaction {
    defer { open = OpenTransaction() }
    return open
  }

  /// Sees to it that what was in the transaction is written again, unless it was committed.
  private func recover(
    from error: KafkaError, mayBeCommitted: Bool, _ producer: any TopicProducer
  ) throws(KafkaError) -> Bool {
    // librdkafka may call for an abort of what the brokers have committed.
    guard error.endsProducer || mayBeCommitted else {
      let commits = open.commits
      try abort(producer)
      guard CommitLedger.tellsOfLoss(error) || error.code == .fencedInstance else {
        note(error)
        return false
      }
      isHindered = true
      for commit in commits where commit.isCommit { commit.answer(.unaccepted(error)) }
      return false
    }
    // Only a new producer, which ends the transaction, can tell what became of it.
    self.producer = nil
    let commits = takeOpen().commits
    if mayBeCommitted { unsure += commits } else { writer.putBack(commits) }
    throw error
  }

  /// Aborts the transaction, so that what was in it is written again.
  private func abort(_ producer: any TopicProducer) throws(KafkaError) {
    defer { writer.putBack(takeOpen().commits) }
    do throws(KafkaError) {
      try retried { () throws(KafkaError) in
        try producer.abortTransaction(timeout: Self.patience)
      }
    } catch {
      // A new producer aborts what this one could not.
      self.producer = nil
      throw error
    }
  }

  private func produce(
    _ commits: [TopicCommit], _ producer: any TopicProducer
  ) throws(KafkaError) {
    for commit in commits {
      for rows in commit.rows {
        try producer.produce(rows.rows, to: rows.topic, timeout: .seconds(60))
      }
    }
  }

  /// Makes a call again while that may help and the writer is open.
  private func retried(_ call: () throws(KafkaError) -> Void) throws(KafkaError) {
    while true {
      do throws(KafkaError) {
        return try call()
      } catch {
        let mayPass =
          error.isRetriable || error.code == .timedOut || error.code == .unstableOffsetCommit
        guard mayPass, !error.requiresAbort, !error.isFatal, !writer.isClosed else { throw error }
        if writer.tell(problem: "\(error)") {
          logger.warning("pipeline \(plan.configuration.name): \(error); still trying")
        }
      }
    }
  }
}
