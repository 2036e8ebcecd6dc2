import Synchronization
public import Transport

/// A clock on which every wait ends at once and moves the clock on.
public final class InstantTime: TimeSource {
  private let state: Mutex<(now: Int64, sleeps: [Int64])>

  public init(now: Int64 = 1_700_000_000_000) { state = Mutex((now, [])) }

  public var now: Int64 { state.withLock { $0.now } }

  public var elapsed: Int64 { now }

  /// The waits so far in milliseconds.
  public var sleeps: [Int64] { state.withLock { $0.sleeps } }

  public func sleep(milliseconds: Int64) async throws {
    state.withLock {
      $0.now += milliseconds
      $0.sleeps.append(milliseconds)
    }
    await Task.yield()
    try Task.checkCancellation()
  }

  public func advance(milliseconds: Int64) { state.withLock { $0.now += milliseconds } }
}
