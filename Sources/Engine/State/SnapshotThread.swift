import Columns
import Synchronization

/// Stores the snapshots of one task part by part, beside the worker that goes on.
final class SnapshotThread: Sendable {
  private let work: any BackgroundWork
  private let state = Mutex(State())

  private struct State {
    /// Bytes of slices on their way to the store.
    var waitingBytes = 0
    /// Why the snapshot at hand will not be stored.
    var problem: String?
  }

  /// How many bytes may be on their way before the worker copies no more of its own accord.
  private static let byteLimit = 16 << 20

  init(_ work: any BackgroundWork) { self.work = work }

  /// Whether more slices are welcome.
  var hasRoom: Bool { state.withLock { $0.waitingBytes < Self.byteLimit } }

  /// Adds slices to a snapshot.
  func add(_ slices: [StateWriter.Slice], to writer: any SnapshotWriter) {
    guard !slices.isEmpty else { return }
    let bytes = slices.reduce(0) { $0 + $1.bytes.count }
    state.withLock { $0.waitingBytes += bytes }
    work.perform { [self] in
      attempt { try writer.add(slices) }
      state.withLock { $0.waitingBytes -= bytes }
    }
  }

  /// Ends a snapshot and then tells how it went: nil when it is durable.
  func finish(_ writer: any SnapshotWriter, then tell: @escaping @Sendable (String?) -> Void) {
    work.perform { [self] in
      attempt { try writer.finish() }
      let problem = takeProblem()
      tell(problem.map { $0 + (remove(writer).map { "; \($0)" } ?? "") })
    }
  }

  /// Removes what was stored of a snapshot that is given up, and forgets what went wrong.
  func abandon(_ writer: any SnapshotWriter) {
    work.perform { [self] in
      _ = remove(writer)
      _ = takeProblem()
    }
  }

  /// Does something else after what was handed over so far.
  func afterwards(_ body: @escaping @Sendable () -> Void) { work.perform(body) }

  /// Removes what was stored; returns what the disk has against it, which the next start mends.
  private func remove(_ writer: any SnapshotWriter) -> String? {
    do {
      try writer.abandon()
      return nil
    } catch {
      return "\(error)"
    }
  }

  private func attempt(_ body: () throws -> Void) {
    guard state.withLock({ $0.problem == nil }) else { return }
    do {
      try body()
    } catch {
      state.withLock { $0.problem = "\(error)" }
    }
  }

  private func takeProblem() -> String? {
    state.withLock { state in
      defer { state.problem = nil }
      return state.problem
    }
  }
}
