import Kafka
import Logging
import Transport

/// One membership of a pipeline's control thread in its consumer group.
///
/// The lease of a task is its lead partition: who is given it runs the task and reads all the task's
/// partitions; who is given only others stands by.
final class ControlSession {
  private let plan: PipelinePlan
  private let consumer: any GroupMember
  /// The partitions of each input's topic, now and when this membership began.
  private var partitions: [Int]
  private let firstPartitions: [Int]
  private let services: [TaskServices]
  private let mailbox: Mailbox<ControlMessage>
  private let logger: Logger
  private let makeLife: () -> String

  /// Why the pipeline has failed for good.
  private(set) var failure: String?
  /// What the brokers have to say, while it lasts.
  private var brokerProblem: String?
  private var isDraining = false
  /// Tasks that were given to workers and have not ended.
  private var running: Set<TaskName> = []
  /// Tasks that the group gave and that could not be started yet.
  private var unstarted: [TaskName] = []
  /// What tasks asked for in answer to the last `assign`, until all have.
  private var assignment: Assignment?
  /// Tasks that read the partitions that they have from elsewhere; nothing until they say from where.
  private var renewals: [TaskName: [PartitionStart]] = [:]
  /// Tasks that must end before the group's revocation can be answered.
  private var revocation: Revocation?
  private var commits = CommitLedger()
  /// As whom the tasks that run were given their partitions.
  private var memberID: String?
  /// Whether the group has forgotten this member, which goes on as another one: it must begin anew.
  private(set) var isForgotten = false

  private struct Assignment {
    var awaited: Set<TaskName>
    var starts: [PartitionStart] = []
    var ready: [TaskName] = []
  }

  private struct Revocation {
    let partitions: [TopicPartition]
    var awaited: Set<TaskName>
  }

  init(
    plan: PipelinePlan, consumer: any GroupMember, partitions: [Int], services: [TaskServices],
    mailbox: Mailbox<ControlMessage>, logger: Logger, makeLife: @escaping () -> String
  ) {
    self.plan = plan
    self.consumer = consumer
    self.partitions = partitions
    firstPartitions = partitions
    self.services = services
    self.mailbox = mailbox
    self.logger = logger
    self.makeLife = makeLife
  }

  /// What hinders the pipeline, while it lasts.
  var problem: String? {
    brokerProblem ?? services.lazy.compactMap { $0.topics?.problem }.first
  }

  /// Whether nothing is left to do.
  var isOver: Bool { isEnding && running.isEmpty }

  /// Whether no task is to begin any more.
  private var isEnding: Bool { isDraining || failure != nil || isForgotten }

  /// Whether nothing waits for a time or for another thread's state, which signal nothing.
  var isSettled: Bool {
    unstarted.isEmpty && assignment == nil && revocation == nil && renewals.isEmpty && !isEnding
      && commits.waitingCount == 0
  }

  /// Lets every task end: after delivering what it has, or at a barrier.
  func end(_ mode: StopMode) {
    isDraining = true
    unstarted = []
    stop(running, mode)
  }

  /// Serves what has happened, waiting for it at most `timeout`.
  func turn(timeout: Duration) {
    endWithWriters()
    if let event = consumer.poll(timeout: timeout) { handle(event) }
    while let event = consumer.poll(timeout: .zero) { handle(event) }
    for message in mailbox.drain() { handle(message) }
    startTasks()
    sendCommits()
    answerAssignment()
    answerRevocation()
    answerRenewals()
  }

  // MARK: Group events

  private func handle(_ event: ConsumerEvent) {
    switch event {
    case .assign, .revoke:
      if hasAnotherID { forget() }
      if isForgotten { return }
    case .lost: if isForgotten { return }
    case .committed, .error, .statistics: break
    }
    switch event {
    case .assign(let given): assign(given)
    case .revoke(let taken): revoke(taken, mode: .handOver)
    case .lost(let taken): revoke(taken, mode: .drop)
    case .committed(let result): settle(result)
    case .error(let error): note(error)
    case .statistics: break
    }
  }

  /// Whether the group knows this member by another id than when its tasks got their partitions.
  ///
  /// librdkafka 2.0.2 does not tell that the group has forgotten the member while the answer to a revocation is
  /// awaited: it joins as another one and keeps what it had, which somebody else may have by then.
  private var hasAnotherID: Bool { !running.isEmpty && consumer.memberID != memberID }

  /// Drops everything, so that a new member can begin.
  private func forget() {
    logger.warning("pipeline \(name): the group has forgotten this member, and it joins anew")
    isForgotten = true
    unstarted = []
    renewals = [:]
    assignment = nil
    revocation = nil
    stop(running, .drop)
  }

  private func assign(_ given: [TopicPartition]) {
    memberID = consumer.memberID
    countPartitions()
    let leads = given.filter { $0.topic == plan.inputs[0].topic }
    let numbers: [Int]
    switch plan.parallelism {
    case .single: numbers = leads.contains { $0.partition == 0 } ? [0] : []
    case .partitionParallel: numbers = leads.map { Int($0.partition) }.sorted()
    }
    logger.info("pipeline \(name): the group gives \(given.map(\.description)), tasks \(numbers)")
    let tasks = numbers.map { TaskName(pipeline: name, number: $0) }
    // Given anew without having been taken back: what runs begins again from its commit.
    for task in tasks where running.contains(task) { worker(of: task).post(.stop(task, .drop)) }
    assignment = Assignment(awaited: Set(tasks))
    renewals = renewals.filter { !tasks.contains($0.key) }
    unstarted = isEnding ? [] : tasks + unstarted.filter { renewals[$0] != nil }
    if isEnding { assignment?.awaited = [] }
  }

  /// Looks whether topics have got more partitions; the group was then balanced anew.
  private func countPartitions() {
    do throws(KafkaError) {
      for (input, inputPlan) in plan.inputs.enumerated() {
        guard let count = try consumer.partitionCount(of: inputPlan.topic, timeout: .seconds(5)),
          count > partitions[input]
        else { continue }
        logger.notice("topic \(inputPlan.topic) now has \(count) partitions")
        try prepareState(count)
        partitions[input] = count
      }
    } catch {
      note(error)
    }
  }

  /// Makes room for the state of new tasks, where that is a topic.
  private func prepareState(_ tasks: Int) throws(KafkaError) {
    guard case .partitionParallel = plan.parallelism, let topics = services.first?.stateTopics
    else { return }
    try topics.prepare(TopicSnapshotStore.names(of: name), partitions: tasks)
  }

  private func revoke(_ taken: [TopicPartition], mode: StopMode) {
    logger.info("pipeline \(name): the group takes back \(taken.map(\.description))")
    assignment = nil
    let leads = Set(taken.filter { $0.topic == plan.inputs[0].topic }.map { Int($0.partition) })
    let ending: Set<TaskName>
    switch plan.parallelism {
    case .single:
      ending = running
      renewals = [:]
    case .partitionParallel:
      ending = running.filter { leads.contains($0.number) }
      renewals = renewals.filter { !leads.contains($0.key.number) }
    }
    unstarted = unstarted.filter { renewals[$0] != nil }
    stop(ending, mode)
    revocation = Revocation(partitions: taken, awaited: ending)
  }

  private func answerAssignment() {
    guard let assignment, assignment.awaited.isEmpty else { return }
    self.assignment = nil
    do {
      let queues =
        consumer.isCooperative
        ? try consumer.incrementallyAssign(assignment.starts)
        : try consumer.assign(assignment.starts)
      for task in assignment.ready { worker(of: task).post(.assigned(task, queues)) }
    } catch {
      fail("cannot take partitions: \(error)")
    }
  }

  private func answerRevocation() {
    guard let revocation, revocation.awaited.isEmpty else { return }
    self.revocation = nil
    do {
      if consumer.isCooperative {
        try consumer.incrementallyUnassign(revocation.partitions)
      } else {
        try consumer.unassign()
      }
    } catch {
      fail("cannot give up partitions: \(error)")
    }
  }

  // MARK: Tasks

  private var name: String { plan.configuration.name }

  private func stop(_ tasks: Set<TaskName>, _ mode: StopMode) {
    for task in tasks.sorted(by: { $0.number < $1.number }) {
      worker(of: task).post(.stop(task, mode))
    }
  }

  /// Ends the tasks whose writer cannot go on: nothing that waits there will be committed.
  private func endWithWriters() {
    for (index, one) in services.enumerated() {
      guard let text = one.topics?.failure else { continue }
      fail(text)
      stop(running.filter { $0.number % services.count == index }, .drop)
    }
  }

  private func worker(of task: TaskName) -> Mailbox<WorkerMessage> {
    services[task.number % services.count].worker
  }

  private func startTasks() {
    // The commits are read when nothing is open any more that could change them.
    guard services.allSatisfy({ $0.topics?.isReady ?? true }) else { return }
    for task in unstarted where !running.contains(task) {
      do {
        let start = TaskStart(
          name: task, plan: plan, partitions: try partitionsWithEnds(task),
          taskCount: plan.taskCount(partitions),
          origin: try origin(of: task),
          control: mailbox, services: services[task.number % services.count], consumer: consumer,
          memberID: memberID)
        unstarted.removeAll { $0 == task }
        running.insert(task)
        worker(of: task).post(.start(start))
      } catch let error as KafkaError {
        // Tried again at the next turn, unless it is fatal; the broker is slow or away.
        return note(error)
      } catch {
        return fail("\(error)")
      }
    }
  }

  private func partitionsWithEnds(_ task: TaskName) throws(KafkaError) -> [TaskPartition] {
    var all: [TaskPartition] = []
    for (partition, input) in plan.partitions(ofTask: task.number, counts: partitions) {
      let marks = try consumer.watermarks(of: partition, timeout: .seconds(10))
      all.append(
        TaskPartition(topicPartition: partition, input: input, begin: marks.low, end: marks.high))
    }
    return all
  }

  private func origin(of task: TaskName) throws -> TaskOrigin {
    let all = plan.partitions(ofTask: task.number, counts: partitions)
    let committed = try consumer.committed(all.map(\.partition), timeout: .seconds(10))
    if let text = committed[all[0].partition]?.metadata {
      if let record = CommitRecord(text: text) { return .resume(record) }
      // Whatever it names, it is no fresh start.
      guard !CommitRecord.isOurs(text) else { throw unreadable(text, of: task) }
    }
    var offsets: [Int64] = []
    for (partition, input) in all {
      if let offset = committed[partition]?.offset {
        offsets.append(offset)
      } else {
        // Of a partition that came later nothing was ever read, so nothing is left out.
        let isNew = partition.partition >= firstPartitions[input]
        offsets.append(
          try StartOffsets.resolve(
            isNew ? .earliest : plan.inputs[input].start, of: partition,
            gapPolicy: plan.inputs[input].gapPolicy, member: consumer))
      }
    }
    return .birth(
      offsets: offsets, history: try history(of: all.map(\.partition), before: offsets),
      life: makeLife())
  }

  private func unreadable(_ text: String, of task: TaskName) -> TaskFailure {
    .state(
      StateProblem(
        message:
          "the commit of group '\(plan.configuration.group)' for task \(task) cannot be read: "
          + "'\(text)'",
        hint:
          "run the version of cutbank that wrote it, or a later one; to forget the state, reset the "
          + "offsets of the group and remove what \(task) has left"))
  }

  /// Where the records begin that teach the detectors of a task that begins at `offsets`.
  private func history(
    of partitions: [TopicPartition], before offsets: [Int64]
  ) throws(KafkaError) -> [Int64] {
    guard let history = plan.configuration.history else { return offsets }
    let timeout = Duration.seconds(10)
    var first: [Int64] = []
    for (index, partition) in partitions.enumerated() {
      let oldest = try consumer.watermarks(of: partition, timeout: timeout).low
      let wanted: Int64
      switch history {
      case .records(let count): wanted = offsets[index] - count
      case .duration(let milliseconds):
        let time = services[0].time.now - milliseconds
        let found = try consumer.offsets(atOrAfter: [partition: time], timeout: timeout)[partition]
        if let found, found >= 0 {
          wanted = found
        } else {
          // Nothing is as young as that; but the embedded broker looks up no times, and everything
          // that it holds is recent.
          wanted = try consumer.isEmbedded(timeout: timeout) ? oldest : offsets[index]
        }
      }
      first.append(min(offsets[index], max(oldest, wanted)))
    }
    return first
  }

  private func handle(_ message: ControlMessage) {
    switch message {
    case .ready(let task, let starts) where renewals[task] != nil: renewals[task] = starts
    case .ready(let task, let starts):
      assignment?.starts += starts
      assignment?.ready.append(task)
      assignment?.awaited.remove(task)
    case .commit(let task, let offsets, let commit):
      commits.add(task, offsets, commit: commit)
    case .restart(let task, let starts):
      if running.contains(task) { renewals[task] = starts }
    case .renewed(let task): renew(task)
    case .unaccepted(let task, let error): unaccepted(task, error)
    case .stopped(let task, let reason):
      stopped(task, reason)
    }
  }

  /// Lets a task read its partitions from elsewhere.
  private func reassign(_ task: TaskName, _ starts: [PartitionStart]) {
    guard running.contains(task) else { return }
    do throws(KafkaError) {
      let queues: [any RecordQueue]
      if consumer.isCooperative {
        try consumer.incrementallyUnassign(starts.map(\.topicPartition))
        queues = try consumer.incrementallyAssign(starts)
      } else if running.count == 1 {
        // This protocol knows whole assignments only: that of a single task is the whole.
        queues = try consumer.assign(starts)
      } else {
        return fail(
          "task \(task) begins to read elsewhere, which co-partitioned tasks of one daemon do only at a "
            + "start\n  hint: start the daemon again; nothing is lost")
      }
      worker(of: task).post(.assigned(task, queues))
    } catch {
      fail("task \(task) cannot go on: \(error)")
    }
  }

  /// A task that has repeated what its pipeline did before it was changed begins as it is now.
  private func renew(_ task: TaskName) {
    let isLeaving = isEnding || (revocation?.awaited.contains(task) ?? false)
    stopped(task, nil)
    // One that the group has given anew begins with the others.
    guard !isLeaving, !unstarted.contains(task) else { return }
    renewals[task] = []
    unstarted.append(task)
  }

  /// Lets tasks read from where they want to, when the group is not being balanced.
  private func answerRenewals() {
    guard assignment == nil, revocation == nil else { return }
    let ready = renewals.filter { !$0.value.isEmpty }.sorted { $0.key.number < $1.key.number }
    for (task, starts) in ready {
      renewals[task] = nil
      reassign(task, starts)
    }
  }

  /// A transaction was refused; the writer tries again until its task has ended.
  private func unaccepted(_ task: TaskName, _ error: KafkaError) {
    if error.code == .fencedInstance {
      return fail("the group refuses the commit of task \(task): \(error)")
    }
    // A task that is leaving gets no later place in the group.
    if revocation?.awaited.contains(task) ?? false {
      worker(of: task).post(.refused(task, error))
    }
  }

  private func stopped(_ task: TaskName, _ reason: TaskFailure?) {
    running.remove(task)
    renewals[task] = nil
    if !unstarted.contains(task) { assignment?.awaited.remove(task) }
    revocation?.awaited.remove(task)
    commits.drop(task)
    services[0].status.update(task, nil)
    services[0].slots.forget(task)
    switch reason {
    case nil: logger.info("task \(task) has ended")
    case .lost(let text): logger.warning("task \(task) belongs to another member: \(text)")
    case .some(let failure): fail("task \(task): \(failure)")
    }
  }

  /// Stops for good; what the tasks have taken is committed.
  func fail(_ text: String) {
    guard failure == nil else { return }
    failure = text
    unstarted = []
    services[0].status.report(name, problem: text, hasFailed: true)
    logger.error("pipeline \(name) has stopped: \(text)")
    stop(running, .handOver)
  }

  // MARK: Commits

  private func sendCommits() {
    // One that cannot be sent waits for the next turn.
    for _ in 0..<commits.waitingCount {
      guard let next = commits.next() else { return }
      do throws(KafkaError) {
        guard consumer.memberID == memberID else {
          throw KafkaError(.unknownMember, operation: "commit")
        }
        try consumer.commit(next.offsets, tag: next.tag)
      } catch {
        settle(next.tag, error)
      }
    }
  }

  private func settle(_ result: CommitResult) {
    settle(result.tag, result.error ?? result.failures.values.first)
  }

  private func settle(_ tag: UInt64, _ error: KafkaError?) {
    guard let entry = commits.take(tag) else { return }
    guard let error else {
      brokerProblem = nil
      return worker(of: entry.task).post(.committed(entry.task, commit: entry.commit))
    }
    let isLeaving = revocation?.awaited.contains(entry.task) ?? false
    if isLeaving {
      worker(of: entry.task).post(.refused(entry.task, error))
    } else if CommitLedger.isWorthRetrying(error) {
      note(error)
      commits.add(entry.task, entry.offsets, commit: entry.commit)
    } else {
      worker(of: entry.task).post(.refused(entry.task, error))
      fail("the group refuses the commit of task \(entry.task): \(error)")
    }
  }

  private func note(_ error: KafkaError) {
    if error.isFatal { return fail("\(error)") }
    let text = "\(error)"
    if text != brokerProblem { logger.warning("pipeline \(name): \(text); still trying") }
    brokerProblem = text
  }
}
