import Synchronization

/// Something that happens once, for which any number of tasks may wait.
final class Latch: Sendable {
  /// Those that wait; nil when it has happened.
  private let waiting = Mutex<[CheckedContinuation<Void, Never>]?>([])

  /// Whether it has happened.
  var isOpen: Bool { waiting.withLock { $0 == nil } }

  /// It happens; a second time changes nothing.
  func open() {
    let continuations = waiting.withLock { waiting in
      defer { waiting = nil }
      return waiting ?? []
    }
    for continuation in continuations { continuation.resume() }
  }

  /// Returns when it has happened.
  func wait() async {
    await withCheckedContinuation { continuation in
      let isOpen = waiting.withLock { waiting in
        waiting?.append(continuation)
        return waiting == nil
      }
      if isOpen { continuation.resume() }
    }
  }
}
