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
  }

  /// Whether it is time for a commit; `interval` is how long to wait between two.
  package func commitIsDue(now: Int64, interval: Int64) -> Bool {
    isShared ? now / interval > lastCommit / interval : now - lastCommit >= interval
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
