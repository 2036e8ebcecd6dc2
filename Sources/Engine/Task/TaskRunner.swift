import Columns
import Delivery
import Kafka
import Logging
import Transport

/// Drives one task on its worker thread: decides the steps, journals and commits them, replays them
/// after a crash.
final class TaskRunner {
  /// Where a task is in its life.
  enum Phase {
    /// The birth commit is on its way; until it has arrived nothing is read.
    case birth
    /// Waits for its partitions.
    case waiting
    /// Obeys the journal.
    case replaying(ReplayCursor)
    case live
    /// Takes nothing more and waits for commits and deliveries.
    case stopping(StopMode)
    case ended
  }

  let start: TaskStart
  let core: TaskCore
  let log: TaskLog
  private(set) var phase: Phase
  var merge: Merge
  var uploads: TaskUploads
  private var lastTick: Int64 = 0
  private var idleSince: Int64?
  private var lastStatus: Int64 = 0
  var lastSnapshot = LastSnapshot.none
  private var breaker: CircuitBreaker
  private var pace = TurnPace()
  /// How long reading the state took, and the replay.
  private var recovery: Int64
  private var replayBegin: Int64 = 0
  var watch: CrashWatch
  /// Waits for a disk that does not take the watch's notes.
  var watchPatience = StoragePatience()
  /// A barrier that came while the task obeyed its journal.
  private var barrierIsDue: Bool
  /// Whether the task only repeats what its pipeline did before it was changed; nothing leaves it.
  let isFormer: Bool
  private var isAssigned = false
  private let logStarts: LogStartWatch
  let gaps: GapSearch
  /// The wall clock as this task sees it: it goes on from what the task's state has seen.
  private let steady: SteadyTime
  /// How often something had been published when the slots were last looked at.
  var slotChanges = 0
  /// Whether reference tables without rows hold records up.
  private var waitsForTables = true
  /// Why models of keys hold records up, if they do, and when the disk is tried again.
  var modelProblem: String?
  var nextModelAttempt: Int64 = 0
  var reading = ModelReading()

  init(_ given: TaskStart, _ state: StoredState) throws {
    let begin = given.services.time.elapsed
    let opened = try TaskLog.open(given, state)
    start = opened.start
    isFormer = opened.isFormer
    barrierIsDue = opened.isFormer
    recovery = state.milliseconds + start.services.time.elapsed - begin
    core = opened.core
    log = opened.log
    steady = SteadyTime(start.services.time, notBefore: core.position.clock)
    merge = Merge(core.buffers, wait: start.plan.configuration.timing.mergeWait)
    uploads = TaskUploads(start: start)
    breaker = CircuitBreaker(start.plan.configuration.circuitBreaker)
    watch = try CrashWatch(start)
    logStarts = LogStartWatch(start)
    gaps = GapSearch(start)
    replay = opened.steps
    phase = .waiting
    core.measure(by: Self.stopwatch)
    if opened.steps.isEmpty, log.isBirth {
      phase = .birth
      try log.commit(core, now: elapsed, snapshot: .birth)
    } else {
      try log.recoverOutbox()
    }
    // A birth does not keep the group waiting for its commit, which a rebalance may hold up.
    requestPartitions()
  }

  /// Whether most of the records taken last have raised an alert: their batches stay small then.
  private var isStorm = false

  private var replay: [NumberedStep]
  /// For timestamps.
  private var clock: Int64 { steady.now }
  /// For how long things take.
  var elapsed: Int64 { start.services.time.elapsed }
  var name: TaskName { start.name }

  private func requestPartitions() {
    start.control.post(
      .ready(
        name,
        core.buffers.map { PartitionStart($0.topicPartition, at: .offset($0.nextOffset)) }))
  }

  // MARK: Messages

  func assigned(_ queues: [any RecordQueue], wakeup: Wakeup) {
    for queue in queues {
      for buffer in core.buffers where buffer.topicPartition == queue.topicPartition {
        buffer.queue = queue
        queue.attach(wakeup)
      }
    }
    isAssigned = true
    if case .waiting = phase { begin() }
  }

  /// Goes on from the state that was opened.
  private func begin() {
    replayBegin = elapsed
    if replay.isEmpty { becomeLive() } else { phase = .replaying(ReplayCursor(steps: replay)) }
    replay = []
  }

  func committed(_ commit: Int64) throws {
    if case .ended = phase { return }
    let isSuperseded = log.acknowledged(commit, now: elapsed)
    if !isFormer { uploads.release(log.coveredObjects, of: core) }
    try noteAccepted(commit)
    if isSuperseded { log.discardOld() }
    if case .birth = phase {
      phase = .waiting
      if isAssigned { begin() }
    }
  }

  func stored(_ outcome: StorageOutcome) throws {
    if case .ended = phase { return }
    try log.stored(outcome, now: elapsed)
    if outcome.wholeBytes >= Self.largeState { releaseMemory() }
  }

  /// The brokers have said what the task's partitions hold; nil when they did not answer.
  func found(_ marks: [Watermarks]?) {
    // One that has ended tells nothing more.
    if case .ended = phase { return }
    logStarts.found(marks, needed: log.replayStart)
    publishStatus()
  }

  func delivered(output: Int, firstRow: Int64) throws {
    uploads.finished(output: output, firstRow: firstRow)
    guard try core.done(output: output, firstRow: firstRow) else { return }
    log.note(.done(output: output, firstRow: firstRow), at: core.position.rowNumber)
  }

  func stop(_ mode: StopMode) throws {
    switch (phase, mode) {
    case (.stopping, _) where isFormer && mode != .drop: break
    case (.replaying, .barrier): barrierIsDue = true
    case (_, .drop), (.birth, _), (.waiting, _), (.replaying, _):
      end(nil)
    case (.stopping(.drain), .handOver), (.ended, _): break
    case (_, .handOver) where log.isBlocked: end(nil)
    default:
      try core.flush()
      if mode == .drain { try closeAll() }
      phase = .stopping(mode)
    }
  }

  /// Ends the task; its control is told when nothing of it is under way to the disk or the topics of state any
  /// more, for which the worker's other tasks do not wait.
  ///
  /// - Parameters:
  ///   - failure: Why, unless it was told to.
  ///   - awaitsStorage: Whether anybody may go on from its state in this process.
  func end(_ failure: TaskFailure?, awaitsStorage: Bool = true) {
    if case .ended = phase { return }
    phase = .ended
    endWatch()
    uploads.cancel()
    start.services.topics?.drop(name)
    let isRenewed = isFormer && failure == nil && lastSnapshot == .taken
    let message = isRenewed ? ControlMessage.renewed(name) : .stopped(name, failure)
    guard awaitsStorage else { return start.control.post(message) }
    let control = start.control
    log.afterStorage { control.post(message) }
  }

  // MARK: Turns

  /// Does what can be done now; returns whether there may be more at once.
  func turn() throws -> Bool {
    if case .ended = phase { return false }
    log.storeMore(now: elapsed)
    switch phase {
    case .birth, .waiting, .ended: return false
    case .replaying where barrierIsDue && start.services.isOutOfTime():
      endOutOfTime(.barrier)
      return false
    case .replaying(var cursor):
      guard try modelsHaveRoom(now: elapsed) else {
        publishStatus(always: false)
        return false
      }
      let read = try readModels()
      let progressed = try advance(&cursor)
      reportDamagedModels()
      phase = cursor.isAtEnd ? phase : .replaying(cursor)
      if cursor.isAtEnd { becomeLive() }
      publishStatus()
      return progressed || read
    case .live: return try liveTurn()
    case .stopping(let mode):
      publishStatus(always: false)
      return try stopTurn(mode)
    }
  }

  private func liveTurn() throws -> Bool {
    guard !log.isBlocked else {
      publishStatus(always: false)
      return false
    }
    try activatePublished()
    logStarts.lookIfDue(now: elapsed)
    let read = try readModels()
    let taken = try takeRecords()
    if taken > 0 { observe() }
    if taken > 0 || read { reportDamagedModels() }
    try closeDue()
    try boundIfIdle(taken: taken)
    if core.isFull { try commitIfNeeded() }
    let copied = try log.copyMore(core)
    publishStatus(always: taken > 0)
    return taken > 0 || copied || read
  }

  private func advance(_ cursor: inout ReplayCursor) throws -> Bool {
    let limit =
      reading.isUnfinished
      ? pace.limitWhileCopying(cost: reading.cost) : pace.limit(isLagging: true)
    let (begin, first) = (elapsed, core.position.rowNumber)
    defer {
      pace.note(
        rows: Int(core.position.rowNumber - first), limit: limit, milliseconds: elapsed - begin)
    }
    do {
      return try cursor.advance(core, name: name, limit: limit)
    } catch TaskFailure.offsetOutOfRange(let partition, let expected, _) {
      guard let marks = gaps.marks(of: partition, now: elapsed) else { return false }
      throw TaskFailure.offsetOutOfRange(partition, expected: expected, marks)
    }
  }

  private func becomeLive() {
    for index in core.plan.outputs.indices { _ = core.takeStaged(index) }
    phase = .live
    recovery += elapsed - replayBegin
    breaker.begin(polled: core.counters.polled, bad: core.counters.deadLettered)
    publishStatus()
    if barrierIsDue { phase = .stopping(.barrier) }
    guard !isFormer else { return }
    // What is closed in the recovered state was committed with it.
    uploads.release(core.stages.map { Set($0.pending.map(\.identity.firstRow)) }, of: core)
  }

  private func takeRecords() throws -> Int {
    guard uploads.hasRoom(core), !core.isFull, start.services.topics?.hasRoom ?? true,
      breaker.reason == nil, !watch.waits, try tablesAreThere(),
      try modelsHaveRoom(now: elapsed)
    else { return 0 }
    if log.needsSnapshot {
      if log.hasRoom { try log.commit(core, now: elapsed, snapshot: .take) }
      return 0
    }
    for (index, buffer) in core.buffers.enumerated() where buffer.isExhausted {
      try fetch(index) { buffer throws(TaskFailure) in try buffer.refill() }
    }
    guard core.buffers.contains(where: { !$0.isExhausted }), !log.needsSnapshot else { return 0 }
    try tickIfDue()
    let begin = elapsed
    let before = core.stagedAlerts
    let limit = takeLimit
    let taken = try watch.isCareful ? takeNoted(limit: limit) : takeRuns(limit: limit)
    try core.flush()
    if taken > 0 { isStorm = 2 * (core.stagedAlerts - before) > taken }
    pace.note(rows: taken, limit: limit, milliseconds: elapsed - begin)
    log.passRows(core)
    return taken
  }

  /// How many records the next batch may have.
  private var takeLimit: Int {
    if log.isCopying { return pace.limitWhileCopying(cost: log.copyCost) }
    if reading.isUnfinished { return pace.limitWhileCopying(cost: reading.cost) }
    let isLagging = core.buffers.contains { $0.records.count > Batch.rowLimit }
    return pace.limit(isLagging: isLagging && !isStorm)
  }

  /// Takes records in the order of the merge as long as it need not wait, at most `limit`.
  ///
  /// What arrives meanwhile is added behind the records taken, which stay readable.
  private func takeRuns(limit: Int) throws -> Int {
    let time = elapsed
    for (index, buffer) in core.buffers.enumerated() {
      merge.look(at: index, buffer, now: time) { self.hasUnread($0) }
    }
    var taken = 0
    while taken < limit, let run = merge.next(core.buffers, limit: limit - taken) {
      let buffer = core.buffers[run.partition]
      try core.take(partition: run.partition, count: run.count)
      log.noteTake(
        partition: run.partition, count: run.count, nextOffset: buffer.nextOffset,
        rowNumber: core.position.rowNumber)
      taken += run.count
      if buffer.isExhausted {
        if buffer.isFull { break }
        try fetch(run.partition) { buffer throws(TaskFailure) in try buffer.fetchMore() }
        if log.needsSnapshot { break }
      }
      merge.look(at: run.partition, buffer, now: time) { self.hasUnread($0) }
    }
    return taken
  }

  private func fetch(
    _ index: Int, _ body: (PartitionBuffer) throws(TaskFailure) -> Void
  ) throws {
    do throws(TaskFailure) {
      try body(core.buffers[index])
    } catch {
      try passGap(index, error)
    }
  }

  /// Whether every reference table has rows; says which has none.
  private func tablesAreThere() throws -> Bool {
    guard waitsForTables else { return true }
    waitsForTables = !core.missingTables.isEmpty
    publishStatus()
    return !waitsForTables
  }

  /// Pauses the task when too much of what it takes is bad.
  private func observe() {
    let counters = core.counters
    guard breaker.observe(polled: counters.polled, bad: counters.deadLettered, now: elapsed),
      let reason = breaker.reason
    else { return }
    start.services.logger.error(
      "task \(name) is paused: \(reason)",
      metadata: ["hint": "see cutbank dlq; SIGHUP or a restart lets it go on"])
    publishStatus()
  }

  /// Goes on although bad records have paused the task.
  func resume() {
    guard breaker.reason != nil else { return }
    breaker.close()
    start.services.logger.notice("task \(name) goes on")
  }

  func hasUnread(_ buffer: PartitionBuffer) -> Bool {
    if let marks = start.consumer.cachedWatermarks(of: buffer.topicPartition) {
      buffer.knownEnd = max(buffer.knownEnd, marks.high)
    }
    return buffer.hasUnread
  }

  private func tickIfDue() throws {
    let time = clock
    // Programs that ask for the time see it exactly, others only need to tell rows of the far future.
    let resolution: Int64 = core.readsClock ? 1 : 1_000
    guard time - lastTick >= resolution || lastTick == 0 else { return }
    lastTick = time
    log.note(.tick(time: time), at: core.position.rowNumber)
    try core.tick(time)
  }

  private func closeDue() throws {
    let time = clock
    for index in core.stages.indices {
      while let firstRow = core.dueObject(output: index, now: time) {
        try close(output: index, firstRow: firstRow)
      }
    }
  }

  private func closeAll() throws {
    for index in core.stages.indices {
      for firstRow in core.stages[index].openObjects {
        try close(output: index, firstRow: firstRow)
      }
    }
  }

  private func close(output: Int, firstRow: Int64) throws {
    log.note(.close(output: output, firstRow: firstRow), at: core.position.rowNumber)
    _ = try core.close(output: output, firstRow: firstRow)
  }

  /// Lets time go on without records once everything was read for the idle time-out.
  private func boundIfIdle(taken: Int) throws {
    let time = elapsed
    guard taken == 0, core.buffers.allSatisfy({ $0.isExhausted && !hasUnread($0) }) else {
      idleSince = nil
      return
    }
    let since = idleSince ?? time
    idleSince = since
    let timeout = start.plan.configuration.timing.idleTimeout
    guard time - since >= timeout, let next = core.nextBound, next <= clock - timeout else {
      return
    }
    log.note(.bound(time: next), at: core.position.rowNumber)
    try core.bound(next)
    publishStatus()
  }

  // MARK: Commits

  /// Commits if it is time; a worker asks all its tasks in one go, so that one transaction takes up all
  /// their commits.
  func commitIfDue() throws {
    guard case .live = phase,
      log.schedule.commitIsDue(now: elapsed, interval: commitInterval)
    else { return }
    try commitIfNeeded()
  }

  private var commitInterval: Int64 {
    start.services.topics?.commitInterval ?? start.plan.configuration.timing.commitInterval
  }

  private func commitIfNeeded() throws {
    guard log.hasRoom, log.hasNews || log.schedule.isStale(now: elapsed) else { return }
    let isDue =
      !log.isSaving
      && log.schedule.snapshotIsDue(now: elapsed, rowNumber: core.position.rowNumber)
    try log.commit(core, now: elapsed, snapshot: isDue ? .begin : .none)
  }

  /// Tells what the task does: at once, or when that was a second ago.
  func publishStatus(always: Bool = true) {
    let time = elapsed
    guard always || time - lastStatus >= 1_000 else { return }
    lastStatus = time
    reportVariants()
    var phaseName = "running"
    if case .replaying = phase { phaseName = "replaying" }
    start.services.status.update(
      name,
      TaskStatus(
        phase: phaseName, counters: core.counters, rowtime: core.position.rowtime,
        nextOffsets: core.position.nextOffsets, pendingBytes: uploads.pendingBytes(core),
        oldestUndelivered: core.oldestUndelivered,
        problem: log.problem ?? gaps.problem ?? watchPatience.problem ?? breaker.reason
          ?? missingTables ?? modelProblem,
        outputs: core.balances, snapshots: log.snapshotStatus,
        recovery: recovery, models: core.modelStatus, replayMargin: logStarts.worst))
  }

  /// What is said while reference tables have no rows.
  private var missingTables: String? {
    guard waitsForTables, !core.missingTables.isEmpty else { return nil }
    return "waits for the rows of \(core.missingTables.joined(separator: ", "))"
  }
}
