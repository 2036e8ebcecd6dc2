import Synchronization

/// Lets one task of the process at a time process a record under suspicion.
///
/// When the process dies, at most one such record was being processed, and none is blamed for what
/// another task did at the same moment.
package final class SuspectGate: Sendable {
  private let lock = Mutex(())

  /// Creates a gate with nobody inside.
  package init() {}

  /// Does something that no other task does meanwhile.
  package func alone<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
    try lock.withLock { _ throws(Failure) in try body() }
  }
}
