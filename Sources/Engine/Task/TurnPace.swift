import Columns

/// How many records a task takes at a time, so that a turn leaves the worker's other tasks, and the task's
/// own next batch, waiting for about 20 ms at most, however much a record costs.
///
/// It decides only where batches are cut, on which results do not depend.
package struct TurnPace {
  /// As many records as should take 20 ms, as far as the last batches tell.
  private var size = Batch.rowLimit

  private static let milliseconds = 20.0
  /// Below this the clock tells too little of a batch.
  private static let leastTold: Int64 = 4
  private static let mostWhileCopying = Batch.rowLimit / 4

  /// A pace that knows nothing yet.
  package init() {}

  /// Notes how long a take took.
  ///
  /// - Parameters:
  ///   - rows: How many records were taken.
  ///   - limit: How many could have been; fewer do not tell that more would fit.
  ///   - milliseconds: How long it took, with what was copied for a snapshot.
  package mutating func note(rows: Int, limit: Int, milliseconds: Int64) {
    guard rows > 0 else { return }
    let fitting = Int(Double(rows) * Self.milliseconds / Double(max(1, milliseconds)))
    if fitting < size {
      if milliseconds >= Self.leastTold { size = max(1, fitting) }
    } else if rows >= limit {
      size = min(fitting, 2 * size, Batch.laggingRowLimit)
    }
  }

  /// The most records of a batch.
  ///
  /// - Parameter isLagging: Whether more wait than a batch has that does not lag.
  /// - Returns: At least 1.
  package func limit(isLagging: Bool) -> Int { isLagging ? size : min(size, Batch.rowLimit) }

  /// The most records of a batch while parts of the state must be copied, or read, before a record can
  /// change them: each of the records may need another part.
  ///
  /// - Parameter cost: How long one part takes, milliseconds.
  /// - Returns: At least 1.
  package func limitWhileCopying(cost: Double) -> Int {
    let each = cost + Self.milliseconds / Double(size)
    return max(1, min(Self.mostWhileCopying, Int(Self.milliseconds / each)))
  }
}
