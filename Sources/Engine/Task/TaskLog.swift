import Columns
import Delivery
import Kafka
import Logging
import Transport

/// The memory of one task: its journal, snapshots and commits.
///
/// A commit says that everything up to its last step is accounted for. In this order: journal block
/// and alerts are durable, the group's offsets are committed, and only after the acknowledgement does
/// anything leave the process.
final class TaskLog {
  /// Whether a commit comes with a snapshot.
  enum SnapshotChoice {
    case none
    /// The worker goes on while the snapshot is stored; a later commit names it.
    case begin
    /// The commit waits for the snapshot and names it.
    case take
    /// The first of a life, before any step.
    case birth
  }

  private let start: TaskStart
  private let store: any SnapshotStore
  private let alerts: TaskAlerts
  private var record: CommitRecord
  private var steps: [NumberedStep] = []
  /// The commit that the group was asked for, with what it covers.
  private var outstanding: (record: CommitRecord, covered: [Set<Int64>])?
  private(set) var coveredObjects: [Set<Int64>] = []
  /// The blobs that steps and snapshots name which a recovery may need, by the snapshot after which.
  private var namedBlobs: [(snapshot: Int64, blob: String)] = []
  private var snapshotsTaken = 0
  private(set) var schedule: CommitSchedule
  private let snapshots: SnapshotThread
  /// The snapshot that is being copied and stored.
  private var underWay: Int64?
  /// Takes what is copied, until everything is.
  private var copying: (any SnapshotWriter)?
  /// The stored snapshot that the next commit names.
  private var stored: Int64?
  private(set) var snapshotStatus = SnapshotStatus()
  /// Whether there was never a commit before.
  let isBirth: Bool
  /// The commit whose parts are not all durable yet.
  private var draft: CommitDraft?
  /// Whether the outbox does not know yet that the last commit is acknowledged.
  private var hasUnreleased = false
  /// Waits for a disk that refuses to write.
  private var patience = StoragePatience()
  /// Whether no record may be taken before a snapshot, since replay could not cross this point.
  var needsSnapshot = false

  init(
    start: TaskStart, store: any SnapshotStore, record: CommitRecord, isBirth: Bool,
    rowNumber: Int64
  ) throws {
    self.start = start
    self.store = store
    self.record = record
    self.isBirth = isBirth
    // Turns without threads store their snapshots themselves.
    snapshots = SnapshotThread(isOwn: start.services.executor == nil)
    alerts = try TaskAlerts(start: start)
    schedule = CommitSchedule(
      timing: start.plan.configuration.timing, now: start.services.time.now, rowNumber: rowNumber)
  }

  /// Makes the outbox hold what was committed and nothing else.
  func recoverOutbox() throws { try alerts.recover(commit: record.commit) }

  // MARK: Steps

  /// Whether the next commit can be asked for.
  var hasRoom: Bool { outstanding == nil && !isBlocked }

  /// Whether the disk has refused something without which the task must not go on.
  var isBlocked: Bool { draft != nil || hasUnreleased }

  /// Why the task waits for its disk, if it does.
  var problem: String? { patience.problem }

  /// Whether there is something to commit.
  var hasNews: Bool { !steps.isEmpty }

  func note(_ step: Step, at rowNumber: Int64) {
    steps.append(NumberedStep(rowNumber: rowNumber, step: step))
  }

  /// Notes that `count` records of a partition were taken, so that now `rowNumber` are taken in all.
  func noteTake(partition: Int, count: Int, nextOffset: Int64, rowNumber: Int64) {
    if let last = steps.last, case .take(partition, let before, _) = last.step {
      steps[steps.count - 1] = NumberedStep(
        rowNumber: last.rowNumber,
        step: .take(partition: partition, count: before + count, nextOffset: nextOffset))
    } else {
      note(
        .take(partition: partition, count: count, nextOffset: nextOffset),
        at: rowNumber - Int64(count))
    }
  }

  /// Makes a blob durable and notes that a slot holds it from here on.
  func noteActivation(of slot: String, blob: String, bytes: [UInt8], at rowNumber: Int64) throws {
    try store.storeBlob(bytes, name: blob)
    namedBlobs.append((newestSnapshot, blob))
    note(.activate(slot: slot, blob: blob), at: rowNumber)
  }

  /// The snapshot that was begun last: the next steps go into its segment of the journal.
  private var newestSnapshot: Int64 {
    max(underWay ?? -1, stored ?? -1, outstanding?.record.snapshot ?? -1, record.snapshot)
  }

  // MARK: Commits

  /// Makes everything so far durable and asks the group to commit it.
  ///
  /// While the disk refuses, the commit is kept as a draft for `retry`, and the task must neither take
  /// a step nor change its state.
  func commit(_ core: TaskCore, now: Int64, snapshot choice: SnapshotChoice) throws {
    try core.flush()
    var next = record
    next.commit += 1
    var offsets: [PartitionOffset] = []
    for (index, buffer) in core.buffers.enumerated() {
      offsets.append(
        PartitionOffset(buffer.topicPartition, offset: core.position.nextOffsets[index]))
    }
    draft = CommitDraft(
      record: next, choice: choice, staged: alerts.take(core), steps: steps, offsets: offsets,
      covered: core.stages.map { Set($0.pending.map(\.identity.firstRow)) })
    steps.removeAll(keepingCapacity: true)
    try patience.attempt(now: now, start) { try complete(core, now: now) }
  }

  /// Tries again what the disk has refused, when it is time.
  ///
  /// - Returns: Whether the task can go on.
  func retry(_ core: TaskCore, now: Int64) throws -> Bool {
    guard isBlocked else { return true }
    guard patience.isDue(now: now) else { return false }
    try patience.attempt(now: now, start) {
      if hasUnreleased { try release() }
      if draft != nil { try complete(core, now: now) }
    }
    return !isBlocked
  }

  /// Does what is left of the draft: each part once, or to the same effect.
  private func complete(_ core: TaskCore, now: Int64) throws {
    guard var next = draft?.record, let choice = draft?.choice, let staged = draft?.staged else {
      return
    }
    try alerts.append(staged, commit: next.commit)
    if choice != .birth, draft?.isJournaled == false, let steps = draft?.steps {
      let block = JournalBlock(epoch: next.epoch, commit: next.commit, steps: steps)
      (next.segment, next.segmentEnd) = try store.append(block)
      draft?.record = next
      draft?.isJournaled = true
    }
    if let stored {
      next.previousSnapshot = record.snapshot
      next.snapshot = stored
    }
    switch choice {
    case .none: break
    case .begin: try beginSnapshot(core, next, now: now)
    case .take, .birth: try takeSnapshot(core, &next, now: now)
    }
    stored = nil
    schedule.committed(now: now)
    ask(for: next)
  }

  /// Asks the group for a commit that is durable here.
  private func ask(for record: CommitRecord) {
    guard let finished = draft else { return }
    draft = nil
    outstanding = (record, finished.covered)
    var offsets = finished.offsets
    offsets[0].metadata = record.text
    guard let topics = start.services.topics else {
      return start.control.post(.commit(start.name, offsets, commit: record.commit))
    }
    topics.submit(topicCommit(record, rows: finished.staged.rows, offsets: offsets))
  }

  /// Hands rows for topics to the producer ahead of their commit, where a repetition is allowed.
  func passRows(_ core: TaskCore) {
    guard let topics = start.services.topics, topics.transactionalID == nil else { return }
    var rows: [TopicCommit.Rows] = []
    for (index, output) in core.plan.outputs.enumerated() {
      guard case .kafka(let topic, _) = output.kind else { continue }
      let staged = core.takeMessages(index)
      if !staged.isEmpty { rows.append(TopicCommit.Rows(topic: topic, rows: staged)) }
    }
    if !rows.isEmpty { topics.submit(topicCommit(record, rows: rows, offsets: [])) }
  }

  private func topicCommit(
    _ record: CommitRecord, rows: [TopicCommit.Rows], offsets: [PartitionOffset]
  ) -> TopicCommit {
    TopicCommit(
      task: start.name, record: record, rows: rows, offsets: offsets, member: start.consumer,
      control: start.control, worker: start.services.worker)
  }

  private func takeSnapshot(_ core: TaskCore, _ next: inout CommitRecord, now: Int64) throws {
    let number = try nextNumber()
    abandonSnapshot(core)
    try store.store(snapshot(core, number: number, commit: next.commit, slices: core.save()))
    try store.beginSegment(number)
    next.previousSnapshot = next.snapshot < 0 ? number : next.snapshot
    next.snapshot = number
    next.segment = number
    next.segmentEnd = 0
    needsSnapshot = false
    schedule.tookSnapshot(now: now, rowNumber: core.position.rowNumber)
  }

  /// The number of the next snapshot and its segment: no other owner's has it.
  private func nextNumber() throws -> Int64 {
    try store.nextNumber(isBirth: record.snapshot < 0)
  }

  /// Begins to copy the state after a commit and lets it be stored beside the worker, which goes on.
  ///
  /// The journal goes on in the snapshot's segment; until a commit names the snapshot, recovery reads
  /// the segment before it too.
  private func beginSnapshot(_ core: TaskCore, _ next: CommitRecord, now: Int64) throws {
    let number = try nextNumber()
    // What the disk may refuse comes first: a commit is tried again as a whole.
    try store.beginSegment(number)
    copying = store.makeWriter(
      snapshot(core, number: number, commit: next.commit, slices: try core.beginSave(number)))
    underWay = number
    schedule.tookSnapshot(now: now, rowNumber: core.position.rowNumber)
  }

  /// Whether parts of the state must still be copied.
  var isCopying: Bool { copying != nil }

  /// Copies more of the state for the snapshot that was begun, for at most 5 ms.
  ///
  /// - Returns: Whether it got any further.
  func copyMore(_ core: TaskCore) -> Bool {
    guard let writer = copying, let number = underWay, snapshots.hasRoom else { return false }
    let time = start.services.time
    let begin = time.now
    var parts = 0
    var isWhole = false
    while !isWhole, parts < Self.copiedParts, time.now - begin < 4 {
      let (slices, wasLast) = core.continueSave()
      snapshots.add(slices, to: writer)
      isWhole = wasLast
      parts += 1
    }
    guard isWhole else { return true }
    copying = nil
    let (worker, name) = (start.services.worker, start.name)
    snapshots.finish(writer) { problem in
      worker.post(.snapshotStored(name, number: number, problem: problem))
    }
    return true
  }

  /// Notes how long a turn was in which state was copied.
  func noteTurn(milliseconds: Int64) {
    snapshotStatus.longestTurn = max(snapshotStatus.longestTurn, milliseconds)
  }

  /// How many parts are copied in a turn at most.
  private static let copiedParts = 16

  /// Gives up the snapshot that is under way; nothing has named it.
  private func abandonSnapshot(_ core: TaskCore) {
    guard underWay != nil else { return }
    if let copying { snapshots.abandon(copying) }
    snapshots.wait()
    copying = nil
    underWay = nil
    core.forgetSaved()
  }

  private func snapshot(
    _ core: TaskCore, number: Int64, commit: Int64, slices: [StateWriter.Slice]
  ) -> Snapshot {
    for blob in core.activeBlobs.values { namedBlobs.append((number, blob)) }
    let configuration = start.plan.configuration
    return Snapshot(
      number: number, commit: commit, fingerprint: start.plan.fingerprint,
      arithmetic: Arithmetic.fingerprint, pipelineText: configuration.sourceText,
      applicationText: configuration.application, slices: slices)
  }

  /// A snapshot is durable, and the next commit names it; or the disk has refused it, and the journal
  /// goes on after the one before.
  func snapshotStored(_ number: Int64, problem: String?, _ core: TaskCore) {
    guard number == underWay else { return }
    underWay = nil
    guard let problem else {
      stored = number
      snapshotStatus.stored += 1
      snapshotStatus.milliseconds = schedule.storedSnapshot(now: start.services.time.now)
      return
    }
    // What it was to have is nowhere: the next one must not refer to it.
    core.forgetSaved()
    start.services.logger.warning(
      "task \(start.name) could not store a snapshot: \(problem)",
      metadata: ["hint": "the next one is tried after snapshot_interval; nothing is lost"])
  }

  /// Whether a snapshot is being stored.
  var isSaving: Bool { underWay != nil }

  /// Waits until no snapshot is being stored.
  func waitForWriter() { snapshots.wait() }

  /// The group has accepted a commit: what it covers may leave the process.
  ///
  /// - Returns: Whether an older snapshot became needless.
  func acknowledged(_ commit: Int64, now: Int64) throws -> Bool {
    guard let (committed, covered) = outstanding, committed.commit == commit else { return false }
    schedule.acknowledged(now: now)
    let isSuperseded = committed.snapshot != record.snapshot
    record = committed
    coveredObjects = covered
    outstanding = nil
    hasUnreleased = true
    try patience.attempt(now: now, start) { try release() }
    return isSuperseded
  }

  private func release() throws {
    try alerts.release(commit: record.commit)
    hasUnreleased = false
  }

  /// Removes the snapshots and segments that no recovery needs any more.
  func discardOld() throws {
    try store.discard(before: record.previousSnapshot)
    // Blobs of an earlier run are known again once both snapshots are of this one.
    snapshotsTaken += 1
    guard snapshotsTaken > 2 else { return }
    namedBlobs.removeAll { $0.snapshot < record.previousSnapshot }
    try store.discardBlobs(except: Set(namedBlobs.map(\.blob)))
  }
}
