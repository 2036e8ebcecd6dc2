import Dispatch

/// Does what waits for a disk beside the thread that hands it over, one piece after the other.
package protocol BackgroundWork: Sendable {
  /// Hands over a piece of work.
  func perform(_ work: @escaping @Sendable () -> Void)
}

/// Work on a thread of its own.
final class BackgroundThread: BackgroundWork {
  private let queue: DispatchQueue

  init(name: String) { queue = DispatchQueue(label: "cutbank.\(name)") }

  func perform(_ work: @escaping @Sendable () -> Void) {
    queue.async(execute: work)
  }
}
