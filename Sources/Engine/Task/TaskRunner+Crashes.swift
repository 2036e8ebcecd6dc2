import Kafka
import Logging
import Transport

extension CrashWatch {
  /// The watch of a task that begins or goes on; says what it has found.
  init(_ start: TaskStart) throws {
    let (life, commit): (String, Int64) =
      switch start.origin {
      case .resume(let record): (record.life, record.commit)
      case .birth(_, _, let life): (life, -1)
      }
    try self.init(
      folder: start.services.stateFolder(start.name), disk: start.services.disk, life: life,
      commit: commit, now: start.services.time.elapsed)
    do {
      try open()
    } catch {
      guard let problem = StoragePatience.problem(of: error) else { throw error }
      start.services.logger.warning(
        "task \(start.name) could not note that it runs; if it dies, that crash does not count: \(problem)"
      )
    }
    guard isCareful else { return }
    let count = crashes == 1 ? "once" : "\(crashes) times"
    let text =
      "task \(start.name): the process has died \(count) at commit \(commit); what is taken is "
      + "noted"
      + (suspect.map { ", and from \($0) on records are taken one by one" } ?? " for a while")
    start.services.logger.warning("\(text)")
  }
}

/// Records taken with a note of what is processed, because the process has died.
extension TaskRunner {
  /// How often something is noted in a turn.
  private static let notesPerTurn = 16

  /// Takes records, noting them before they are processed, and passes over the one that kills.
  func takeNoted(limit: Int) throws -> Int {
    guard watchPatience.problem == nil || watchPatience.isDue(now: elapsed) else { return 0 }
    let taken = try takeUnits(limit: limit)
    _ = try noted { try watch.finish() }
    return taken
  }

  private func takeUnits(limit: Int) throws -> Int {
    let time = elapsed
    for (index, buffer) in core.buffers.enumerated() {
      merge.look(at: index, buffer, now: time) { self.hasUnread($0) }
    }
    var taken = 0
    var notes = 0
    while notes < Self.notesPerTurn, taken < limit,
      let run = merge.next(core.buffers, limit: limit - taken)
    {
      let buffer = core.buffers[run.partition]
      let cursor = buffer.cursor
      let count = watch.cut(buffer.topicPartition, run.count) {
        buffer.records.offset(at: cursor + $0)
      }
      let first = buffer.records.offset(at: cursor)
      let place = CrashWatch.Place(
        partition: buffer.topicPartition, offset: first,
        count: buffer.records.offset(at: cursor + count - 1) + 1 - first)
      if place == watch.culprit {
        try passOver(run.partition, place)
        return taken + 1
      }
      guard try takeUnit(run.partition, count, place) else { return taken }
      log.noteTake(
        partition: run.partition, count: count, nextOffset: buffer.nextOffset,
        rowNumber: core.position.rowNumber)
      taken += count
      notes += 1
      if buffer.isExhausted { break }
      merge.look(at: run.partition, buffer, now: time) { self.hasUnread($0) }
    }
    return taken
  }

  /// Processes records that are noted; false while the disk refuses the note.
  private func takeUnit(_ partition: Int, _ count: Int, _ place: CrashWatch.Place) throws -> Bool {
    guard watch.suspects(place) else { return try processNoted(partition, count, place) }
    var isTaken = false
    try start.services.suspects.alone {
      isTaken = try processNoted(partition, count, place)
      // The next task must not find this one's record in the middle of its processing.
      _ = try noted { try watch.finish() }
    }
    return isTaken
  }

  private func processNoted(
    _ partition: Int, _ count: Int, _ place: CrashWatch.Place
  ) throws -> Bool {
    guard try noted({ try watch.begin(place) }) else { return false }
    try core.take(partition: partition, count: count)
    try core.flush()
    return true
  }

  private func passOver(_ partition: Int, _ place: CrashWatch.Place) throws {
    guard core.order == nil else {
      throw TaskFailure.state(
        StateProblem(
          message: "task \(name): the process has died twice while it processed \(place) and what "
            + "that record let go on; rows wait for their event time here, so that another record may "
            + "be the cause, and none is passed over",
          hint: "look at the crash's report; with a version that does not die remove "
            + "\(start.services.stateFolder(name))/attempts and start it again"))
    }
    try core.take(partition: partition, count: 1, isPassedOver: true)
    try core.flush()
    log.noteSkip(
      partition: partition, nextOffset: core.buffers[partition].nextOffset,
      rowNumber: core.position.rowNumber)
    watch.passedOver(before: log.nextCommit)
    let text =
      "task \(name): the process has died twice while it processed \(place); the record is passed over "
      + "and becomes a dead letter"
    start.services.logger.error("\(text)", metadata: ["hint": "see cutbank dlq show"])
  }

  /// Lets the watch write its note; false while the disk refuses.
  private func noted(_ write: () throws -> Void) throws -> Bool {
    do {
      try write()
    } catch {
      try watchPatience.refused(error, now: elapsed, start)
      return false
    }
    watchPatience.succeeded(start)
    return true
  }

  /// The group has accepted a commit.
  func noteAccepted(_ commit: Int64) throws {
    _ = try noted {
      try watch.accepted(commit, now: elapsed) { partition in
        core.buffers.first { $0.topicPartition == partition }?.nextOffset
      }
    }
  }

  /// Removes the note: the task ends in good order.
  func endWatch() {
    do {
      try watch.end()
    } catch {
      let text =
        "task \(name) could not remove its note of attempts; the next start will count a crash: "
        + "\(error)"
      start.services.logger.warning("\(text)")
    }
  }
}
