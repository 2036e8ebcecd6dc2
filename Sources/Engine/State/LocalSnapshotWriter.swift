import Columns
import Synchronization

/// Writes one snapshot into a task's folder: part by part under another name, under its own at the end.
final class LocalSnapshotWriter: SnapshotWriter {
  private let path: String
  private let disk: any Disk
  private let number: Int64
  private let references: SnapshotReferences
  private let state: Mutex<State>

  private struct State {
    /// What is not on the disk yet.
    var waiting: [UInt8]
    /// The bytes on the disk.
    var length = 0
    var sliceCount: Int
    /// The earlier snapshots that it refers to.
    var origins: Set<Int64>
  }

  /// How many bytes are written at a time.
  private static let chunk = 2 << 20

  init(path: String, disk: any Disk, snapshot: Snapshot, references: SnapshotReferences) {
    self.path = path
    self.disk = disk
    self.references = references
    number = snapshot.number
    state = Mutex(
      State(
        waiting: SnapshotFile.encode(snapshot), sliceCount: snapshot.slices.count,
        origins: Set(snapshot.slices.compactMap(\.origin))))
  }

  private var temporary: String { path + ".tmp" }

  func add(_ slices: [StateWriter.Slice]) throws {
    try state.withLock { state in
      state.waiting += SnapshotFile.encode(slices)
      state.sliceCount += slices.count
      state.origins.formUnion(slices.compactMap(\.origin))
      guard state.waiting.count >= Self.chunk else { return }
      try disk.append(state.waiting, to: temporary, at: state.length)
      state.length += state.waiting.count
      state.waiting = []
    }
  }

  func abandon() throws { try disk.remove(temporary) }

  func finish() throws {
    try state.withLock { state in
      let rest = state.waiting + SnapshotFile.encodeEnd(sliceCount: state.sliceCount)
      if state.length > 0 {
        try disk.append(rest, to: temporary, at: state.length)
        try disk.move(temporary, to: path)
      } else {
        try disk.replace(path, with: rest)
      }
      references.note(state.origins, of: number)
    }
  }
}
