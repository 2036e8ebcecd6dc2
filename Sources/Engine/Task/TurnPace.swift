import Columns

/// How many records a lagging task takes at a time, so that a turn leaves the worker's other tasks waiting
/// for about 20 ms at most.
///
/// It decides only where batches are cut, on which results do not depend.
struct TurnPace {
  private var rowsPerMillisecond = Double(Batch.laggingRowLimit)

  private static let milliseconds = 20.0

  /// Notes how long a take took.
  mutating func note(rows: Int, milliseconds: Int64) {
    // A few rows tell more of the clock than of the application.
    guard rows >= Batch.rowLimit / 2 else { return }
    let seen = Double(rows) / Double(max(1, milliseconds))
    rowsPerMillisecond += (seen - rowsPerMillisecond) / 4
  }

  /// The most records of a batch; never less than what a task takes that does not lag.
  var limit: Int {
    let rows = rowsPerMillisecond * Self.milliseconds
    return max(Batch.rowLimit, Int(min(rows, Double(Batch.laggingRowLimit))))
  }
}
