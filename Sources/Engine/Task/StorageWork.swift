import Columns
import Kafka

/// What one commit makes durable before the group is asked for it, away from the worker, in this order:
/// blobs that its steps name, alerts, its block of the journal, a snapshot or the beginning of one.
struct StorageWork: Sendable {
  /// What becomes of a snapshot.
  enum SnapshotPart: Sendable {
    case none
    /// Its segment of the journal begins; its parts are stored by a `SnapshotThread`.
    case segment
    /// All of it is stored, with the number of its segment if an attempt that failed has begun that.
    case whole(Snapshot, segment: Int64?)
  }

  /// The commit.
  let commit: Int64
  var blobs: [NamedBlob] = []
  var alerts = TaskAlerts.Staged()
  /// Nil when it is durable already, and at a birth.
  var block: JournalBlock?
  var snapshot = SnapshotPart.none

  /// Bytes under the name that steps give them.
  struct NamedBlob: Sendable {
    let name: String
    let bytes: [UInt8]
  }

  /// Does it, each part once or to the same effect; what went wrong is in the outcome.
  func perform(_ store: any SnapshotStore, _ outbox: TaskAlerts, into outcome: inout StorageOutcome)
  {
    do {
      for blob in blobs { try store.storeBlob(blob.bytes, name: blob.name) }
      try outbox.append(alerts, commit: commit)
      if let block { outcome.place = try store.append(block) }
      switch snapshot {
      case .none: break
      case .segment:
        outcome.snapshot = try store.beginSegment()
      case .whole(var snapshot, let segment):
        snapshot.number = try segment ?? store.beginSegment()
        outcome.segment = snapshot.number
        try store.store(snapshot)
        outcome.wholeBytes = snapshot.slices.reduce(0) { $0 + $1.bytes.count }
        outcome.snapshot = snapshot.number
      }
    } catch {
      outcome.error = error
    }
  }
}

/// How far the work for a commit went.
struct StorageOutcome: Sendable {
  /// The commit that was worked for, if one was.
  var commit: Int64?
  /// The commit up to which the outbox lets alerts go.
  var released: Int64?
  /// The end of the journal with the commit's block.
  var place: (segment: Int64, end: Int64)?
  /// The segment of the journal that was begun for a whole snapshot, which may not be stored yet.
  var segment: Int64?
  /// The bytes of a whole snapshot that was stored.
  var wholeBytes = 0
  /// The number of the snapshot that was stored, or begun.
  var snapshot: Int64?
  /// What stopped it.
  var error: (any Error)?
}

/// A commit that is not durable yet; the task goes on meanwhile.
struct CommitDraft {
  var record: CommitRecord
  var work: StorageWork
  /// The rows for topics that it accounts for.
  let rows: [TopicCommit.Rows]
  let offsets: [PartitionOffset]
  /// The closed objects of each output that the commit covers, by their first rows.
  let covered: [Set<Int64>]
  /// The snapshot that was begun with it.
  var begun: Snapshot?
}
