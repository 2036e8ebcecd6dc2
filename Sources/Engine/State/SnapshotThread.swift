import Dispatch

/// Stores the snapshots of one task one after the other, beside the worker that goes on.
final class SnapshotThread: Sendable {
  private let queue: DispatchQueue?
  private let group = DispatchGroup()

  /// Creates the thread; without one of its own it stores on the caller's.
  init(isOwn: Bool) {
    queue = isOwn ? DispatchQueue(label: "cutbank.snapshots") : nil
  }

  /// Stores a snapshot and then tells how it went: nil when it is durable.
  func store(
    _ snapshot: Snapshot, with writer: any SnapshotWriter,
    then tell: @escaping @Sendable (String?) -> Void
  ) {
    let work: @Sendable () -> Void = {
      do {
        try writer.store(snapshot)
        tell(nil)
      } catch {
        tell("\(error)")
      }
    }
    if let queue { queue.async(group: group, execute: work) } else { work() }
  }

  /// Waits until nothing is under way, so that the task's next owner meets no late writer.
  func wait() { group.wait() }
}
