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
  /// What the steps name and is not durable yet.
  private var blobs: [StorageWork.NamedBlob] = []
  /// The commit that the group was asked for, with what it covers.
  private var outstanding: (record: CommitRecord, covered: [Set<Int64>])?
  private(set) var coveredObjects: [Set<Int64>] = []
  /// The blobs that steps and snapshots name which a recovery may need, by the snapshot after which;
  /// `Int64.max` is the one that has no number yet.
  private var namedBlobs: [(snapshot: Int64, blob: String)] = []
  private var snapshotsTaken = 0
  private(set) var schedule: CommitSchedule
  /// Makes commits durable.
  private let journal: any BackgroundWork
  private let snapshots: SnapshotThread
  /// The snapshot that is being copied and stored.
  private var underWay: Int64?
  /// Takes what is copied, until everything is.
  private var copying: (any SnapshotWriter)?
  /// The stored snapshot that the next commit names.
  private var stored: Int64?
  /// How many snapshots were begun, and the store's numbers of the last of them: operators count, the
  /// store numbers.
  private var begunSnapshots: (count: Int64, numbers: [Int64: Int64]) = (0, [:])
  private(set) var snapshotStatus = SnapshotStatus()
  /// The parts that were copied between batches, and how long that took.
  private var copied = (parts: 0, milliseconds: Int64(0))
  /// The longest turns since a snapshot was begun: until it is stored, and after that.
  private var turns = (copying: Int64(0), others: Int64(0))
  /// Whether there was never a commit before.
  let isBirth: Bool
  /// The commit whose parts are not all durable yet.
  private var draft: CommitDraft?
  /// The acknowledged commit of which the outbox does not know yet.
  private var unreleased: Int64?
  /// Whether something is on its way to the disk.
  private var isStoring = false
  /// Waits for a disk that refuses to write.
  private var patience = StoragePatience()
  /// From where the snapshots' replays would read.
  var replayStarts = ReplayStarts()
  /// Whether no record may be taken before a snapshot, since replay could not cross this point.
  var needsSnapshot = false
  /// Whether records that are gone were passed over since the last commit.
  private var hasGap = false

  init(
    start: TaskStart, store: any SnapshotStore, record: CommitRecord, isBirth: Bool,
    rowNumber: Int64
  ) throws {
    self.start = start
    self.store = store
    self.record = record
    self.isBirth = isBirth
    journal = start.services.makeBackground("journal")
    snapshots = SnapshotThread(start.services.makeBackground("snapshots"))
    alerts = try TaskAlerts(start: start)
    schedule = CommitSchedule(
      timing: start.plan.configuration.timing, isShared: start.services.topics != nil,
      now: start.services.time.elapsed, rowNumber: rowNumber)
  }

  /// Makes the outbox hold what was committed and nothing else.
  func recoverOutbox() throws { try alerts.recover(commit: record.commit) }

  // MARK: Steps

  /// Whether the next commit can be made.
  var hasRoom: Bool { outstanding == nil && draft == nil && !isBlocked }

  /// Whether the disk has refused something without which the task must not go on.
  var isBlocked: Bool { patience.problem != nil }

  /// Why the task waits for its disk, if it does.
  var problem: String? { patience.problem }

  /// Where the state lies that the last commit names.
  var place: String { "\(store.place) (snapshot \(record.snapshot))" }

  /// The offsets from which a replay would read after a crash now.
  var replayStart: [Int64]? { replayStarts.offsets(of: record.snapshot) }

  /// Whether there is something to commit.
  var hasNews: Bool { !steps.isEmpty || hasGap }

  /// Notes that records were passed over that are gone: those before them may be gone too.
  func noteGap() {
    hasGap = true
    needsSnapshot = true
  }

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

  /// Notes that the next record of a partition was passed over.
  func noteSkip(partition: Int, nextOffset: Int64, rowNumber: Int64) {
    note(.skip(partition: partition, nextOffset: nextOffset), at: rowNumber - 1)
  }

  /// The number of the commit that covers what is noted now.
  var nextCommit: Int64 {
    (draft?.record.commit ?? outstanding?.record.commit ?? record.commit) + 1
  }

  /// Notes that a slot holds a blob from here on; it becomes durable before the step does.
  func noteActivation(of slot: String, blob: String, bytes: [UInt8], at rowNumber: Int64) {
    blobs.append(StorageWork.NamedBlob(name: blob, bytes: bytes))
    namedBlobs.append((newestSnapshot, blob))
    note(.activate(slot: slot, blob: blob), at: rowNumber)
  }

  /// The snapshot that was begun last: the next steps go into its segment of the journal.
  private var newestSnapshot: Int64 {
    if let draft, case .none = draft.work.snapshot {} else if draft != nil { return .max }
    return max(underWay ?? -1, stored ?? -1, outstanding?.record.snapshot ?? -1, record.snapshot)
  }

  // MARK: Commits

  /// Lets everything so far be made durable, and then asks the group to commit it; `now` is the monotonic
  /// clock, here and below.
  ///
  /// Where a snapshot is needed it is taken, whatever is chosen.
  func commit(_ core: TaskCore, now: Int64, snapshot chosen: SnapshotChoice) throws {
    let choice = needsSnapshot && chosen != .birth ? .take : chosen
    try core.flush()
    var next = record
    next.commit += 1
    if let stored {
      next.previousSnapshot = record.snapshot
      next.snapshot = stored
    }
    stored = nil
    var staged = alerts.take(core)
    let rows = staged.rows
    staged.rows = []
    var work = StorageWork(commit: next.commit, blobs: blobs, alerts: staged)
    if choice != .birth {
      work.block = JournalBlock(epoch: next.epoch, commit: next.commit, steps: steps)
    }
    var offsets: [PartitionOffset] = []
    for (index, buffer) in core.buffers.enumerated() {
      offsets.append(
        PartitionOffset(buffer.topicPartition, offset: core.position.nextOffsets[index]))
    }
    var made = CommitDraft(
      record: next, work: work, rows: rows, offsets: offsets,
      covered: core.stages.map { Set($0.pending.map(\.identity.firstRow)) })
    try addSnapshot(core, choice, to: &made)
    steps.removeAll(keepingCapacity: true)
    hasGap = false
    blobs = []
    draft = made
    start.services.topics?.announce(start.name)
    schedule.committed(now: now)
    if choice != .none {
      schedule.tookSnapshot(now: now, rowNumber: core.position.rowNumber)
    }
    storeMore(now: now)
  }

  private func addSnapshot(
    _ core: TaskCore, _ choice: SnapshotChoice, to draft: inout CommitDraft
  ) throws {
    let commit = draft.record.commit
    if choice != .none { replayStarts.begin(core.position.nextOffsets) }
    switch choice {
    case .none: break
    case .begin:
      abandonSnapshot(core)
      begunSnapshots.count += 1
      snapshotStatus.longestOtherTurn = turns.others
      turns = (0, 0)
      draft.begun = snapshot(
        core, commit: commit, slices: numbered(try core.beginSave(begunSnapshots.count)))
      draft.work.snapshot = .segment
    case .take, .birth:
      abandonSnapshot(core)
      let whole = snapshot(core, commit: commit, slices: try core.save())
      draft.work.snapshot = .whole(whole, segment: nil)
    }
  }

  /// Hands what must become durable, if there is something, to the thread that waits for the disk.
  func storeMore(now: Int64) {
    guard !isStoring, draft != nil || unreleased != nil, patience.isDue(now: now) else { return }
    isStoring = true
    let (work, released, name) = (draft?.work, unreleased, start.name)
    let (store, alerts, worker) = (store, alerts, start.services.worker)
    journal.perform {
      var outcome = StorageOutcome(commit: work?.commit)
      do {
        if let released { try alerts.release(commit: released) }
        outcome.released = released
        work?.perform(store, alerts, into: &outcome)
      } catch {
        outcome.error = error
      }
      worker.post(.stored(name, outcome))
    }
  }

  /// Takes note of what has become durable, and asks the group for the commit when all of it has.
  ///
  /// While the disk refuses, the rest is kept for `storeMore`.
  func stored(_ outcome: StorageOutcome, now: Int64) throws {
    isStoring = false
    if outcome.released == unreleased { unreleased = nil }
    if let place = outcome.place {
      draft?.record.segment = place.segment
      draft?.record.segmentEnd = place.end
      draft?.work.block = nil
    }
    if let number = outcome.snapshot {
      noteSnapshot(number)
    } else if case .whole(let snapshot, _) = draft?.work.snapshot {
      // A full disk would otherwise get a segment more with every attempt.
      draft?.work.snapshot = .whole(snapshot, segment: outcome.segment)
    }
    if let error = outcome.error {
      try patience.refused(error, now: now, start)
    } else {
      patience.succeeded(start)
      if let finished = draft, finished.record.commit == outcome.commit {
        draft = nil
        ask(for: finished)
      }
    }
    storeMore(now: now)
  }

  /// Asks the group for a commit that is durable here.
  private func ask(for draft: CommitDraft) {
    outstanding = (draft.record, draft.covered)
    var offsets = draft.offsets
    offsets[0].metadata = draft.record.text
    guard let topics = start.services.topics else {
      return start.control.post(.commit(start.name, offsets, commit: draft.record.commit))
    }
    topics.submit(topicCommit(draft.record, rows: draft.rows, offsets: offsets))
  }

  /// Hands rows for topics to the producer ahead of their commit.
  ///
  /// They must not overtake a commit that is not durable yet, which does not account for them.
  func passRows(_ core: TaskCore) {
    guard let topics = start.services.topics, topics.takesRowsAhead, draft == nil else { return }
    var rows: [TopicCommit.Rows] = []
    for (index, output) in core.plan.outputs.enumerated() {
      guard case .kafka(let plan) = output.kind else { continue }
      let staged = core.takeMessages(index)
      if !staged.isEmpty { rows.append(TopicCommit.Rows(topic: plan.settings.topic, rows: staged)) }
    }
    if !rows.isEmpty { topics.submit(topicCommit(record, rows: rows, offsets: [])) }
  }

  private func topicCommit(
    _ record: CommitRecord, rows: [TopicCommit.Rows], offsets: [PartitionOffset]
  ) -> TopicCommit {
    let (task, commit) = (start.name, record.commit)
    let (control, worker) = (start.control, start.services.worker)
    return TopicCommit(
      task: task, record: record, rows: rows, offsets: offsets, member: start.consumer,
      memberID: start.memberID
    ) { answer in
      switch answer {
      case .accepted: worker.post(.committed(task, commit: commit))
      case .written: control.post(.commit(task, offsets, commit: commit))
      case .unaccepted(let error): control.post(.unaccepted(task, error))
      }
    }
  }

  /// The snapshot of the draft has a number, and its segment of the journal has begun.
  ///
  /// Until a commit names the snapshot, recovery reads the segment before it too.
  private func noteSnapshot(_ number: Int64) {
    replayStarts.number(number)
    for index in namedBlobs.indices where namedBlobs[index].snapshot == .max {
      namedBlobs[index].snapshot = number
    }
    if var begun = draft?.begun {
      begunSnapshots.numbers[begunSnapshots.count] = number
      begunSnapshots.numbers = begunSnapshots.numbers.filter {
        $0.key > begunSnapshots.count - Self.rememberedNumbers
      }
      begun.number = number
      // What is there already is encoded where it is stored.
      let slices = begun.slices
      begun.slices = []
      let writer = store.makeWriter(begun)
      snapshots.add(slices, to: writer)
      copying = writer
      underWay = number
    } else if var record = draft?.record {
      // Behind a point that no replay may cross the one before is of no use.
      let isFirst = record.snapshot < 0 || needsSnapshot
      record.previousSnapshot = isFirst ? number : record.snapshot
      record.snapshot = number
      record.segment = number
      record.segmentEnd = 0
      draft?.record = record
      needsSnapshot = false
    }
    draft?.work.snapshot = .none
  }

  /// Operators refer to one of the last sixteen snapshots.
  private static let rememberedNumbers: Int64 = 64

  /// Slices that refer to snapshots by the store's numbers.
  private func numbered(_ slices: [StateWriter.Slice]) -> [StateWriter.Slice] {
    var writer = StateWriter()
    for slice in slices {
      if let origin = slice.origin, let number = begunSnapshots.numbers[origin] {
        writer.reference(slice.section, slice: slice.number, origin: number)
      } else {
        writer.append([slice])
      }
    }
    return writer.slices
  }

  /// Whether parts of the state must still be copied.
  var isCopying: Bool { copying != nil || draft?.begun != nil }

  /// Copies more of the state for the snapshot that was begun, for at most 5 ms.
  ///
  /// - Returns: Whether it got any further.
  func copyMore(_ core: TaskCore) throws -> Bool {
    guard let writer = copying, let number = underWay, snapshots.hasRoom else { return false }
    let time = start.services.time
    let begin = time.elapsed
    var parts = 0
    var isWhole = false
    while !isWhole, parts < Self.copiedParts, time.elapsed - begin < 4 {
      let (slices, wasLast) = try core.continueSave()
      snapshots.add(numbered(slices), to: writer)
      isWhole = wasLast
      parts += 1
    }
    if copied.parts > Self.rememberedParts { copied = (copied.parts / 2, copied.milliseconds / 2) }
    copied.parts += parts
    copied.milliseconds += time.elapsed - begin
    guard isWhole else { return true }
    copying = nil
    let (worker, name) = (start.services.worker, start.name)
    snapshots.finish(writer) { problem in
      worker.post(.snapshotStored(name, number: number, problem: problem))
    }
    return true
  }

  /// Notes how long the worker was away from its other tasks and messages.
  func noteTurn(milliseconds: Int64) {
    if underWay != nil || draft?.begun != nil {
      turns.copying = max(turns.copying, milliseconds)
    } else {
      turns.others = max(turns.others, milliseconds)
    }
  }

  /// How long the copy of a part of the state takes, milliseconds: rather too much than too little, since
  /// the clock counts whole ones.
  var copyCost: Double { Double(copied.milliseconds + 1) / Double(max(1, copied.parts)) }

  /// Of about so many parts it is remembered how long their copies took.
  private static let rememberedParts = 1_000
  /// How many parts are copied in a turn at most.
  private static let copiedParts = 16

  /// Gives up the snapshot that is under way; nothing has named it.
  private func abandonSnapshot(_ core: TaskCore) {
    guard underWay != nil else { return }
    if let copying { snapshots.abandon(copying) }
    copying = nil
    underWay = nil
    core.forgetSaved()
  }

  /// A snapshot that has no number yet.
  private func snapshot(
    _ core: TaskCore, commit: Int64, slices: [StateWriter.Slice]
  ) -> Snapshot {
    for blob in core.activeBlobs.values { namedBlobs.append((.max, blob)) }
    let configuration = start.plan.configuration
    return Snapshot(
      number: 0, commit: commit, fingerprint: start.plan.fingerprint,
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
      snapshotStatus.longestTurn = turns.copying
      snapshotStatus.milliseconds = schedule.storedSnapshot(now: start.services.time.elapsed)
      return
    }
    // What it was to have is nowhere: the next one must not refer to it.
    core.forgetSaved()
    start.services.logger.warning(
      "task \(start.name) could not store a snapshot: \(problem)",
      metadata: ["hint": "the next one is tried after snapshot_interval; nothing is lost"])
  }

  /// Whether a snapshot is stored that the next commit names.
  var hasStored: Bool { stored != nil }

  /// Whether a snapshot is being stored.
  var isSaving: Bool { underWay != nil }

  /// Does something when nothing is on its way any more: the next owner meets no late writer.
  func afterStorage(_ body: @escaping @Sendable () -> Void) {
    journal.perform { [snapshots] in snapshots.afterwards(body) }
  }

  /// The group has accepted a commit: what it covers may leave the process.
  ///
  /// - Returns: Whether an older snapshot became needless.
  func acknowledged(_ commit: Int64, now: Int64) -> Bool {
    guard let (committed, covered) = outstanding, committed.commit == commit else { return false }
    let isSuperseded = committed.snapshot != record.snapshot
    record = committed
    coveredObjects = covered
    outstanding = nil
    if start.services.outbox != nil { unreleased = commit }
    storeMore(now: now)
    return isSuperseded
  }

  /// Lets the snapshots and segments be removed that no recovery needs any more.
  func discardOld() {
    let (store, oldest) = (store, record.previousSnapshot)
    replayStarts.forget(before: oldest)
    snapshots.afterwards(removing { try store.discard(before: oldest) })
    // Blobs of an earlier run are known again once both snapshots are of this one.
    snapshotsTaken += 1
    guard snapshotsTaken > 2 else { return }
    namedBlobs.removeAll { $0.snapshot < oldest }
    let needed = Set(namedBlobs.map(\.blob))
    journal.perform(removing { try store.discardBlobs(except: needed) })
  }

  private func removing(_ body: @escaping @Sendable () throws -> Void) -> @Sendable () -> Void {
    let (logger, name) = (start.services.logger, start.name)
    return {
      do {
        try body()
      } catch {
        logger.warning("task \(name) could not remove old state: \(error)")
      }
    }
  }
}
