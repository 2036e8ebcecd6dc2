import Columns
import Kafka
import Logging
import StreamSQL
import Transport

extension TaskLog {
  /// A task that can begin, or go on.
  struct Opened {
    /// With the plan that the steps were made with.
    let start: TaskStart
    /// Whether that is another one than the pipeline has now.
    var isFormer = false
    let core: TaskCore
    let log: TaskLog
    let steps: [NumberedStep]
  }

  /// Reads what a task left, on whatever thread: a disk or a cluster may take its time.
  ///
  /// - Throws: `TaskFailure` when that does not fit the group's commit, and what disk and cluster say.
  static func read(_ start: TaskStart) throws -> StoredState {
    let begin = start.services.time.elapsed
    let store = try start.services.makeStore(start.name)
    var past: StoredState.Past?
    switch start.origin {
    case .birth:
      guard try store.isEmpty() else {
        throw TaskFailure.state(
          StateProblem(
            message: "task \(start.name) has state in \(store.place), but the group "
              + "'\(start.plan.configuration.group)' has no commit for "
              + "\(start.partitions[0].topicPartition)",
            hint: "the broker lost the group's offsets, or it is another broker; to start afresh "
              + "remove \(store.place)"))
      }
    case .resume(let record):
      let (snapshot, first) = try load(start, store: store, record: record)
      past = (snapshot, first, try blocks(store, from: first, record: record))
    }
    return StoredState(store, past, milliseconds: start.services.time.elapsed - begin)
  }

  /// Brings a task into being, or back from its snapshot with the steps that must be replayed.
  ///
  /// - Throws: `TaskFailure` when commit and state do not fit each other.
  static func open(_ start: TaskStart, _ state: StoredState) throws -> Opened {
    let store = state.store
    switch start.origin {
    case .birth(let offsets, let history, let life):
      let core = try makeCore(start, store: store, offsets: history, life: life)
      core.begin(at: offsets)
      let record = CommitRecord(
        life: life, epoch: 1, commit: -1, snapshot: -1, previousSnapshot: -1, segment: 0,
        segmentEnd: 0)
      let log = try TaskLog(
        start: start, store: store, record: record, isBirth: true, rowNumber: 0)
      return Opened(start: start, core: core, log: log, steps: [])
    case .resume(let record):
      return try resume(start, state, record: record)
    }
  }

  private static func resume(
    _ start: TaskStart, _ state: StoredState, record: CommitRecord
  ) throws -> Opened {
    guard case (var snapshot, let first, let blocks)? = state.takePast() else {
      preconditionFailure("what was read for a task that goes on is taken once")
    }
    let store = state.store
    if let newest = blocks.map(\.epoch).max(), newest > record.epoch {
      throw TaskFailure.lost(
        "the journal of task \(start.name) has epoch \(newest), the group's commit only "
          + "\(record.epoch): a later owner has written it")
    }
    let header = try TaskCore.header(of: snapshot.slices)
    try checkOrigin(of: snapshot, life: header.life, record: record, start, place: store.place)
    let steps = blocks.filter { $0.commit > snapshot.commit && $0.commit <= record.commit }
      .flatMap(\.steps)
    let isFormer = !steps.isEmpty && !start.plan.hasMade(snapshot)
    var start = start
    if isFormer { start.plan = try former(of: snapshot, start, place: store.place) }
    let core = try makeCore(
      start, store: store, offsets: withNewPartitions(header.offsets, start), life: header.life)
    try checkArithmetic(of: snapshot, start: start, replays: !steps.isEmpty)
    let operators = try restoredOperators(of: snapshot, start)
    // Each slice is gone as soon as it is read.
    let slices = StateReader(snapshot.slices)
    snapshot.slices = []
    let begun = try core.restore(slices, operators: operators)
    if !start.plan.hasMade(snapshot) { tell(begun, start) }
    var next = record
    next.epoch += 1
    // In the place of a damaged one, so that the next snapshot has a predecessor that can be read.
    next.snapshot = first
    let log = try TaskLog(
      start: start, store: store, record: next, isBirth: false,
      rowNumber: core.position.rowNumber)
    log.replayStarts.note(first, withNewPartitions(header.offsets, start))
    // Replay crosses no change: what comes after it is computed from a snapshot of its own.
    log.needsSnapshot =
      core.buffers.count > header.offsets.count
      || !start.plan.hasMade(snapshot)
      || snapshot.arithmetic != Arithmetic.fingerprint
    return Opened(start: start, isFormer: isFormer, core: core, log: log, steps: steps)
  }

  /// Makes sure that a snapshot is of the past that the group's commit tells of.
  ///
  /// - Throws: `TaskFailure` when it is of another life of the task, or of one that went on otherwise.
  private static func checkOrigin(
    of snapshot: Snapshot, life: String, record: CommitRecord, _ start: TaskStart, place: String
  ) throws {
    guard life != record.life || snapshot.commit > record.commit else { return }
    throw TaskFailure.state(
      StateProblem(
        message:
          "snapshot \(snapshot.number) in \(place) is not the one that the group's commit of task "
          + "\(start.name) names: it is of life \(life), commit \(snapshot.commit), the group's of life "
          + "\(record.life), commit \(record.commit)",
        hint:
          "run the pipeline where its state is, or bring that here in place of what is there; to "
          + "forget the state, reset the offsets of group '\(start.plan.configuration.group)' and remove "
          + "\(place)"))
  }

  private static func blocks(
    _ store: any SnapshotStore, from first: Int64, record: CommitRecord
  ) throws -> [JournalBlock] {
    do {
      return try store.blocks(from: first, to: record.segment, end: record.segmentEnd)
    } catch let error as StateError {
      throw TaskFailure.state(
        StateProblem(
          message:
            "the journal that the group's commit names cannot be read: \(error.section), byte "
            + "\(error.offset): \(error.message)",
          hint:
            "bring \(store.place) back from a copy that was made after the commit; to forget the "
            + "state remove it and the offsets of the pipeline's group"))
    }
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

  /// Compares how the program that made a snapshot computes with how this one does.
  ///
  /// - Throws: `TaskFailure` when replay might bring forth other rows than those that were committed.
  private static func checkArithmetic(
    of snapshot: Snapshot, start: TaskStart, replays: Bool
  ) throws {
    guard let made = snapshot.arithmetic, let ours = Arithmetic.fingerprint, made != ours else {
      return
    }
    let difference =
      "the state of task \(start.name) was made by a program or on a machine that computes "
      + "otherwise (\(String(made, radix: 16)), here \(String(ours, radix: 16)))"
    guard replays else {
      return start.services.logger.warning(
        "\(difference): scores go on from it, but another run would not give the same bits")
    }
    throw TaskFailure.state(
      StateProblem(
        message: difference + ", and rows since its last snapshot must be computed again",
        hint: "start it once more where and with the version it ran before, stop it with SIGTERM, "
          + "and start it here then"))
  }

  /// The pipeline as it was when the steps behind a snapshot were made: they are repeated as it did them.
  private static func former(
    of snapshot: Snapshot, _ start: TaskStart, place: String
  ) throws -> PipelinePlan {
    var problem =
      "its inputs, how they are shared between tasks, or its outputs were others, or this program "
      + "makes something else of it"
    do {
      let former = try PipelinePlan.former(
        of: snapshot, beside: start.plan, dataDirectory: start.services.dataDirectory)
      if former.hasMade(snapshot), former.sharesInputs(as: start.plan),
        start.plan.keepsOutputs(of: former)
      {
        start.services.logger.notice(
          "task \(start.name) has not ended cleanly, and its pipeline has changed: what was committed is first repeated as it was computed"
        )
        return former
      }
    } catch {
      problem = "\(error)"
    }
    throw TaskFailure.state(
      StateProblem(
        message:
          "the pipeline of task \(start.name) was changed after an unclean stop, and what was "
          + "committed cannot be repeated: \(problem)",
        hint: "start it once as it was and stop it with SIGTERM; then start the changed one. "
          + "To forget the old state remove \(place) and the "
          + "offsets of group '\(start.plan.configuration.group)'"))
  }

  /// Which operators go on with the state of a snapshot: of a changed pipeline those that it still has.
  private static func restoredOperators(
    of snapshot: Snapshot, _ start: TaskStart
  ) throws -> RestoredOperators {
    guard !start.plan.hasMade(snapshot) else { return .all }
    do {
      let former = try PipelinePlan.former(
        of: snapshot, beside: start.plan, dataDirectory: start.services.dataDirectory)
      try checkUndelivered(snapshot, of: former, start)
      return .unchanged(former.application)
    } catch let error as ConfigurationRefused {
      start.services.logger.warning(
        "the pipeline that made the state of task \(start.name) cannot be read any more: \(error)")
    }
    let isSameProgram = snapshot.applicationText == start.plan.configuration.application
    return isSameProgram ? .all : .none
  }

  /// Says what a changed pipeline has forgotten.
  private static func tell(_ begun: [StatefulOperator], _ start: TaskStart) {
    let names = begun.map { "\($0.name) of pump \"\($0.pump)\"" }
    let what =
      names.isEmpty ? "all state goes on" : "\(names.joined(separator: ", ")) begin anew"
    start.services.logger.notice("the pipeline of task \(start.name) has changed: \(what)")
  }

  /// Finds rows that wait for an output that the pipeline has no more.
  ///
  /// - Throws: `TaskFailure` when there are some.
  private static func checkUndelivered(
    _ snapshot: Snapshot, of former: PipelinePlan, _ start: TaskStart
  ) throws {
    let reader = StateReader(snapshot.slices)
    for output in former.outputs where !start.plan.keeps(output, of: former) {
      var stage = OutputStage(output)
      try stage.restore(from: reader)
      let count = stage.balance.inFlight
      guard count > 0 else { continue }
      throw TaskFailure.state(
        StateProblem(
          message:
            "\(count) rows of task \(start.name) wait for its output \(output.name), which the "
            + "pipeline has no more",
          hint: "put the output back, with another destination if need be, and let it deliver; a "
            + "reload or SIGTERM does that before it goes on"))
    }
  }

  /// The snapshot that the commit names, or its predecessor when that one is damaged.
  private static func load(
    _ start: TaskStart, store: any SnapshotStore, record: CommitRecord
  ) throws -> (Snapshot, Int64) {
    for number in [record.snapshot, record.previousSnapshot] {
      do {
        if let snapshot = try store.load(number) { return (snapshot, number) }
      } catch let error as StateError {
        let what = store.damagedPlace.map { " and was set aside in \($0)" } ?? ""
        start.services.logger.warning(
          "snapshot \(number) of task \(start.name) is damaged\(what): \(error)")
      }
    }
    let names =
      record.snapshot == record.previousSnapshot
      ? "no snapshot \(record.snapshot)"
      : "neither snapshot \(record.snapshot) nor \(record.previousSnapshot)"
    throw TaskFailure.state(
      StateProblem(
        message: "\(store.place) has \(names), which the group's commit names",
        hint: "run the pipeline where its state is, or bring "
          + "\(store.place) here; to forget the state, reset the "
          + "offsets of group '\(start.plan.configuration.group)' and remove what is there"))
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
      seed: start.plan.configuration.seed, taskCount: start.taskCount,
      readBlob: { try readBlob($0, store: store, start: start) },
      makeScratch: {
        try start.services.disk.makeScratch(in: start.services.stateFolder(start.name))
      })
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
        hint: "bring the file blob-\(name) back into \(store.place); "
          + "to forget the state remove that folder and the offsets of group "
          + "'\(start.plan.configuration.group)'"))
  }
}
