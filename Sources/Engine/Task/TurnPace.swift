import Columns

/// How many records a task takes at a time, so that a turn leaves the worker's other tasks waiting for
/// about 20 ms at most.
///
/// It decides only where batches are cut, on which results do not depend.
package struct TurnPace {
  /// Until batches have told otherwise, as little as a task takes that does not lag: the first ones make
  /// models, and nobody knows how large these are.
  private var rowsPerMillisecond = Double(Batch.rowLimit) / Double(Self.milliseconds)
  /// The most records of a batch while a snapshot is copied, as far as the last batches tell.
  private var copyingLimit = Self.copyingLimits.lowerBound

  private static let milliseconds: Int64 = 20
  private static let copyingLimits = Batch.rowLimit / 32...Batch.rowLimit / 4
  private static let leastWhileCopying = 8

  /// Creates a pace of which nothing is known.
  package init() {}

  /// Notes how long a take took.
  package mutating func note(rows: Int, milliseconds: Int64, isCopying: Bool) {
    guard !isCopying else { return noteCopying(rows: rows, milliseconds: milliseconds) }
    copyingLimit = Self.copyingLimits.lowerBound
    // A few rows tell more of the clock than of the application.
    guard rows >= Batch.rowLimit / 2 else { return }
    let seen = Double(rows) / Double(max(1, milliseconds))
    rowsPerMillisecond += (seen - rowsPerMillisecond) / 4
  }

  private mutating func noteCopying(rows: Int, milliseconds: Int64) {
    if milliseconds >= Self.milliseconds {
      copyingLimit = max(Self.copyingLimits.lowerBound, copyingLimit / 2)
    } else if milliseconds * 2 < Self.milliseconds, rows >= copyingLimit {
      copyingLimit = min(Self.copyingLimits.upperBound, copyingLimit * 2)
    }
  }

  /// The most records of a batch while a snapshot is copied: the part of the state that one touches is
  /// copied first unless it was before, and none of the records of a batch may be so lucky.
  ///
  /// - Parameter cost: How long the copy of a part takes, milliseconds; 0 when that is not known.
  /// - Returns: At least 8.
  package func limitWhileCopying(cost: Double) -> Int {
    guard cost * Double(copyingLimit) > Double(Self.milliseconds) else { return copyingLimit }
    return max(Self.leastWhileCopying, Int(Double(Self.milliseconds) / cost))
  }

  /// The most records of a lagging task's batch; never less than what one takes that does not lag.
  package var limit: Int {
    let rows = rowsPerMillisecond * Double(Self.milliseconds)
    return max(Batch.rowLimit, Int(min(rows, Double(Batch.laggingRowLimit))))
  }
}
