import Dispatch

/// Stores the snapshots of one task one after the other, beside the worker that goes on.
final class SnapshotThread: Sendable {
  private let queue = DispatchQueue(label: "cutbank.snapshots")
  private let group = DispatchGroup()

  /// Stores a snapshot and then tells how it went: nil when it is durable.
  func store(
    _ snapshot: Snapshot, with writer: any SnapshotWriter,
    then tell: @escaping @Sendable (String?) -> Void
  ) {
    queue.async(group: group) {
      do {
        try writer.store(snapshot)
        tell(nil)
      } catch {
        tell("\(error)")
      }
    }
  }

  /// Waits until nothing is under way, so that the task's next owner meets no late writer.
  func wait() { group.wait() }
}
