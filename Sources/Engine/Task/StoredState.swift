import Synchronization

/// What a task left, as it was read: bytes of which operators are yet to be made.
final class StoredState: Sendable {
  /// The snapshot to go on from with its number, and the blocks of the journal after it.
  typealias Past = (snapshot: Snapshot, first: Int64, blocks: [JournalBlock])

  /// Where it came from.
  let store: any SnapshotStore
  /// How long reading took.
  let milliseconds: Int64
  private let past: Mutex<Past?>

  /// Takes what was read; nothing at a birth.
  init(_ store: any SnapshotStore, _ past: Past?, milliseconds: Int64) {
    self.store = store
    self.milliseconds = milliseconds
    self.past = Mutex(past)
  }

  /// What was read, once: nobody else holds its bytes, so that each can go when it was used.
  func takePast() -> Past? {
    past.withLock { past in
      defer { past = nil }
      return past
    }
  }
}
