/// When a task commits and takes snapshots.
///
/// Tasks that write through one producer commit at the same instants, the multiples of their intervals
/// on the monotonic clock, so that one transaction or one flush serves all of them.
package struct CommitSchedule {
  let timing: PipelineConfiguration.Timing
  private let isShared: Bool
  private(set) var lastCommit: Int64
  private(set) var lastSnapshot: Int64
  private var rowsAtSnapshot: Int64
  /// How long the last snapshot took until it was durable.
  private var snapshotDuration: Int64 = 0
  /// How long to wait between two commits.
  private var commitInterval: Int64

  /// Creates the schedule of a task that begins; times are milliseconds on the monotonic clock, here and
  /// below.
  ///
  /// - Parameters:
  ///   - timing: The pipeline's intervals.
  ///   - isShared: Whether commits go through a producer that other tasks write through too.
  ///   - now: The clock.
  ///   - rowNumber: How many rows the task has taken.
  package init(
    timing: PipelineConfiguration.Timing, isShared: Bool, now: Int64, rowNumber: Int64
  ) {
    self.timing = timing
    self.isShared = isShared
    lastCommit = now
    lastSnapshot = now
    rowsAtSnapshot = rowNumber
    commitInterval = timing.commitInterval
  }

  /// Whether it is time for a commit.
  package func commitIsDue(now: Int64) -> Bool {
    isShared
      ? now / commitInterval > lastCommit / commitInterval : now - lastCommit >= commitInterval
  }

  /// Whether the group may soon forget the offsets of an idle task.
  func isStale(now: Int64) -> Bool { now - lastCommit >= 3_600_000 }

  func snapshotIsDue(now: Int64, rowNumber: Int64) -> Bool {
    guard rowNumber > rowsAtSnapshot, now - lastSnapshot >= 10 * snapshotDuration else {
      return false
    }
    return now - lastSnapshot >= timing.snapshotInterval
      || rowNumber - rowsAtSnapshot >= timing.snapshotRecords
  }

  /// A commit was begun.
  package mutating func committed(now: Int64) { lastCommit = now }

  /// Adapts the interval to how long the commit took that was begun last: half of the time at most goes
  /// to commits, unless they take more than 50 ms.
  package mutating func acknowledged(now: Int64) {
    guard timing.adaptsCommitInterval else { return }
    let wanted = 2 * (now - lastCommit)
    commitInterval = Self.intervals.first { $0 >= wanted } ?? Self.intervals[2]
  }

  /// Each is a multiple of the one before, so that tasks with different ones have instants in common.
  private static let intervals: [Int64] = [25, 50, 100]

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
