import Dispatch

/// Holds threads up until it is opened.
struct Gate: Sendable {
  private let semaphore = DispatchSemaphore(value: 0)

  /// Opens it for good.
  func open() { semaphore.signal() }

  /// Waits until it is open.
  func pass() {
    semaphore.wait()
    semaphore.signal()
  }
}
