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
  /// The snapshot that is being stored.
  private var underWay: Int64?
  /// The stored snapshot that the next commit names.
  private var stored: Int64?
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

  struct Opened {
    let core: TaskCore
    let log: TaskLog
    let steps: [NumberedStep]
  }

  private init(
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

  // MARK: Opening

  /// Brings a task into being, or back from its snapshot with the steps that must be replayed.
  ///
  /// - Throws: `TaskFailure` when commit and state do not fit each other.
  static func open(_ start: TaskStart) throws -> Opened {
    let store = try start.services.makeStore(start.name)
    switch start.origin {
    case .birth(let offsets, let history, let life):
      guard try store.isEmpty() else {
        throw TaskFailure.state(
          StateProblem(
            message: "task \(start.name) has state on this machine, but the group "
              + "'\(start.plan.configuration.group)' has no commit for "
              + "\(start.partitions[0].topicPartition)",
            hint: "the broker lost the group's offsets, or it is another broker; to start afresh "
              + "remove \(start.services.stateFolder(start.name))"))
      }
      let core = try makeCore(start, store: store, offsets: history, life: life)
      core.begin(at: offsets)
      let record = CommitRecord(
        life: life, epoch: 1, commit: -1, snapshot: -1, previousSnapshot: -1, segment: 0,
        segmentEnd: 0)
      let log = try TaskLog(
        start: start, store: store, record: record, isBirth: true, rowNumber: 0)
      return Opened(core: core, log: log, steps: [])
    case .resume(let record):
      return try resume(start, store: store, record: record)
    }
  }

  private static func resume(
    _ start: TaskStart, store: any SnapshotStore, record: CommitRecord
  ) throws -> Opened {
    let (snapshot, first) = try load(start, store: store, record: record)
    let blocks = try store.blocks(from: first, to: record.segment, end: record.segmentEnd)
    if let newest = blocks.map(\.epoch).max(), newest > record.epoch {
      throw TaskFailure.lost(
        "the journal of task \(start.name) has epoch \(newest), the group's commit only "
          + "\(record.epoch): a later owner has written it")
    }
    let header = try TaskCore.header(of: snapshot.slices)
    let core = try makeCore(
      start, store: store, offsets: withNewPartitions(header.offsets, start), life: header.life)
    let steps = blocks.filter { $0.commit > snapshot.commit && $0.commit <= record.commit }
      .flatMap(\.steps)
    try restore(core, from: snapshot, start: start, replays: !steps.isEmpty)
    var next = record
    next.epoch += 1
    let log = try TaskLog(
      start: start, store: store, record: next, isBirth: false,
      rowNumber: core.position.rowNumber)
    log.needsSnapshot = core.buffers.count > header.offsets.count
    return Opened(core: core, log: log, steps: steps)
  }

  /// The offsets of a snapshot, with the beginnings of the partitions that the topic got since.
  ///
  /// They come last, so that the journal's numbers of partitions stay valid.
  private static func withNewPartitions(_ offsets: [Int64], _ start: TaskStart) -> [Int64] {
    guard start.plan.inputs.count == 1, offsets.count < start.partitions.count else {
      return offsets
    }
    return offsets + start.partitions.dropFirst(offsets.count).map(\.begin)
  }

  /// Gives a task the state of a snapshot; a changed pipeline takes over what still fits.
  private static func restore(
    _ core: TaskCore, from snapshot: Snapshot, start: TaskStart, replays: Bool
  ) throws {
    if snapshot.fingerprint == start.plan.fingerprint {
      return try core.restore(snapshot.slices, operators: true)
    }
    guard !replays else {
      throw TaskFailure.state(
        StateProblem(
          message: "the pipeline of task \(start.name) was changed after an unclean stop",
          hint: "start it once as it was and stop it with SIGTERM; then start the changed one. "
            + "To forget the old state remove \(start.services.stateFolder(start.name)) and the "
            + "offsets of group '\(start.plan.configuration.group)'"))
    }
    let isSameProgram = snapshot.applicationText == start.plan.configuration.application
    if !isSameProgram {
      start.services.logger.warning(
        "the application of task \(start.name) has changed: its windows and models begin anew")
    }
    try core.restore(snapshot.slices, operators: isSameProgram)
  }

  /// The snapshot that the commit names, or its predecessor when that one is damaged.
  private static func load(
    _ start: TaskStart, store: any SnapshotStore, record: CommitRecord
  ) throws -> (Snapshot, Int64) {
    for number in [record.snapshot, record.previousSnapshot] {
      do {
        if let snapshot = try store.load(number) { return (snapshot, number) }
      } catch let error as StateError {
        start.services.logger.warning(
          "snapshot \(number) of task \(start.name) is damaged and was set aside: \(error)")
      }
    }
    throw TaskFailure.state(
      StateProblem(
        message: "task \(start.name): this machine has neither snapshot \(record.snapshot) nor "
          + "\(record.previousSnapshot), which the group's commit names",
        hint: "run the pipeline where its state is, or bring "
          + "\(start.services.stateFolder(start.name)) here; to forget the state, reset the "
          + "offsets of group '\(start.plan.configuration.group)' and remove that folder"))
  }

  private static func makeCore(
    _ start: TaskStart, store: any SnapshotStore, offsets: [Int64], life: String
  ) throws -> TaskCore {
    guard offsets.count == start.partitions.count else {
      throw TaskFailure.state(
        StateProblem(
          message: "task \(start.name) was made for \(offsets.count) partitions, the topics now "
            + "have \(start.partitions.count)",
          hint: "give the pipeline another name and a start position"))
    }
    let buffers = zip(start.partitions, offsets).map { partition, offset in
      PartitionBuffer(partition, nextOffset: offset, capacity: Batch.laggingRowLimit)
    }
    return try TaskCore(
      plan: start.plan, task: start.name.number, life: life, buffers: buffers,
      seed: start.plan.configuration.seed,
      readBlob: { try readBlob($0, store: store, start: start) })
  }

  private static func readBlob(
    _ name: String, store: any SnapshotStore, start: TaskStart
  ) throws -> [UInt8] {
    var problem = "is not there"
    do {
      if let bytes = try store.blob(name) { return bytes }
    } catch let error as StateError {
      problem = "is damaged: \(error)"
    }
    if let published = start.services.slots.bytes(of: name) { return published }
    throw TaskFailure.state(
      StateProblem(
        message: "task \(start.name): the model or table \(name) that its state names \(problem)",
        hint: "bring the file blob-\(name) back into \(start.services.stateFolder(start.name)); "
          + "to forget the state remove that folder and the offsets of group "
          + "'\(start.plan.configuration.group)'"))
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
    underWay = nil
    try store.store(snapshot(core, number: number, commit: next.commit))
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
    record.snapshot < 0 ? 0 : try store.nextNumber()
  }

  /// Copies the state after a commit and lets it be stored beside the worker.
  ///
  /// The journal goes on in the snapshot's segment; until a commit names the snapshot, recovery reads
  /// the segment before it too.
  private func beginSnapshot(_ core: TaskCore, _ next: CommitRecord, now: Int64) throws {
    let number = try nextNumber()
    let copy = try snapshot(core, number: number, commit: next.commit)
    try store.beginSegment(number)
    underWay = number
    schedule.tookSnapshot(now: now, rowNumber: core.position.rowNumber)
    let (worker, name) = (start.services.worker, start.name)
    snapshots.store(copy, with: store.writer) { problem in
      worker.post(.snapshotStored(name, number: number, problem: problem))
    }
  }

  private func snapshot(_ core: TaskCore, number: Int64, commit: Int64) throws -> Snapshot {
    for blob in core.activeBlobs.values { namedBlobs.append((number, blob)) }
    let configuration = start.plan.configuration
    return Snapshot(
      number: number, commit: commit, fingerprint: start.plan.fingerprint,
      pipelineText: configuration.sourceText, applicationText: configuration.application,
      slices: try core.save())
  }

  /// A snapshot is durable, and the next commit names it; or the disk has refused it, and the journal
  /// goes on after the one before.
  func snapshotStored(_ number: Int64, problem: String?) {
    guard number == underWay else { return }
    underWay = nil
    guard let problem else {
      stored = number
      return
    }
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
