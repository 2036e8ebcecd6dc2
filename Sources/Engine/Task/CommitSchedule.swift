/// When a task commits and takes snapshots.
struct CommitSchedule {
  let timing: PipelineConfiguration.Timing
  private(set) var lastCommit: Int64
  private(set) var lastSnapshot: Int64
  private var rowsAtSnapshot: Int64
  /// How long the last snapshot took until it was durable.
  private var snapshotDuration: Int64 = 0
  /// How long to wait between two commits.
  private var commitInterval: Int64

  init(timing: PipelineConfiguration.Timing, now: Int64, rowNumber: Int64) {
    self.timing = timing
    lastCommit = now
    lastSnapshot = now
    rowsAtSnapshot = rowNumber
    commitInterval = timing.commitInterval
  }

  func commitIsDue(now: Int64) -> Bool { now - lastCommit >= commitInterval }

  /// Whether the group may soon forget the offsets of an idle task.
  func isStale(now: Int64) -> Bool { now - lastCommit >= 3_600_000 }

  func snapshotIsDue(now: Int64, rowNumber: Int64) -> Bool {
    guard rowNumber > rowsAtSnapshot, now - lastSnapshot >= 10 * snapshotDuration else {
      return false
    }
    return now - lastSnapshot >= timing.snapshotInterval
      || rowNumber - rowsAtSnapshot >= timing.snapshotRecords
  }

  mutating func committed(now: Int64) { lastCommit = now }

  /// Adapts the interval to how long a commit takes: half of the time at most goes to commits, within
  /// 20 to 100 ms.
  mutating func acknowledged(now: Int64) {
    guard timing.adaptsCommitInterval else { return }
    commitInterval = min(100, max(20, 2 * (now - lastCommit)))
  }

  mutating func tookSnapshot(now: Int64, rowNumber: Int64) {
    lastSnapshot = now
    rowsAtSnapshot = rowNumber
  }

  /// The snapshot that was begun last is durable; the next is put off until this one has taken a
  /// tenth of the time.
  ///
  /// - Returns: How long it took, milliseconds.
  mutating func storedSnapshot(now: Int64) -> Int64 {
    snapshotDuration = now - lastSnapshot
    return snapshotDuration
  }
}
