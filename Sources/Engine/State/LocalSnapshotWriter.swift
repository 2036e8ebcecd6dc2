import Columns
import Synchronization

/// Writes one snapshot into a task's folder: part by part under another name, under its own at the end.
final class LocalSnapshotWriter: SnapshotWriter {
  private let path: String
  private let disk: any Disk
  private let state: Mutex<State>

  private struct State {
    /// What is not on the disk yet.
    var waiting: [UInt8]
    /// The bytes on the disk.
    var length = 0
    var sliceCount: Int
  }

  /// How many bytes are written at a time.
  private static let chunk = 2 << 20

  init(path: String, disk: any Disk, snapshot: Snapshot) {
    self.path = path
    self.disk = disk
    state = Mutex(
      State(waiting: SnapshotFile.encode(snapshot), sliceCount: snapshot.slices.count))
  }

  private var temporary: String { path + ".tmp" }

  func add(_ slices: [StateWriter.Slice]) throws {
    try state.withLock { state in
      state.waiting += SnapshotFile.encode(slices)
      state.sliceCount += slices.count
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
      guard state.length > 0 else { return try disk.replace(path, with: rest) }
      try disk.append(rest, to: temporary, at: state.length)
      try disk.move(temporary, to: path)
    }
  }
}
