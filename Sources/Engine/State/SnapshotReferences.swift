import Columns
import Synchronization

/// Which earlier snapshots each snapshot of a task refers to.
final class SnapshotReferences: Sendable {
  private let known = Mutex<[Int64: Set<Int64>]>([:])

  func note(_ origins: Set<Int64>, of snapshot: Int64) { known.withLock { $0[snapshot] = origins } }

  func note(_ slices: [StateWriter.Slice], of snapshot: Int64) {
    note(Set(slices.compactMap(\.origin)), of: snapshot)
  }

  func areKnown(of snapshot: Int64) -> Bool { known.withLock { $0[snapshot] != nil } }

  /// What the snapshots from one on refer to; the others are forgotten.
  func needed(from snapshot: Int64) -> Set<Int64> {
    known.withLock { known in
      known = known.filter { $0.key >= snapshot }
      return known.values.reduce(into: Set<Int64>()) { $0.formUnion($1) }
    }
  }
}
