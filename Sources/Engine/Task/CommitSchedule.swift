/// When a task commits and takes snapshots.
struct CommitSchedule {
  let timing: PipelineConfiguration.Timing
  private(set) var lastCommit: Int64
  private(set) var lastSnapshot: Int64
  private var rowsAtSnapshot: Int64

  init(timing: PipelineConfiguration.Timing, now: Int64, rowNumber: Int64) {
    self.timing = timing
    lastCommit = now
    lastSnapshot = now
    rowsAtSnapshot = rowNumber
  }

  func commitIsDue(now: Int64) -> Bool { now - lastCommit >= timing.commitInterval }

  /// Whether the group may soon forget the offsets of an idle task.
  func isStale(now: Int64) -> Bool { now - lastCommit >= 3_600_000 }

  func snapshotIsDue(now: Int64, rowNumber: Int64) -> Bool {
    guard rowNumber > rowsAtSnapshot else { return false }
    return now - lastSnapshot >= timing.snapshotInterval
      || rowNumber - rowsAtSnapshot >= timing.snapshotRecords
  }

  mutating func committed(now: Int64) { lastCommit = now }

  mutating func tookSnapshot(now: Int64, rowNumber: Int64) {
    lastSnapshot = now
    rowsAtSnapshot = rowNumber
  }
}
