import Synchronization
public import Transport

/// A clock that stands still until a test moves it on.
public final class ManualTime: TimeSource {
  private struct Sleeper {
    let id: Int
    let until: Int64
    let continuation: CheckedContinuation<Void, any Error>
  }

  private struct State {
    var now: Int64
    /// How far somebody has set the wall clock.
    var step: Int64 = 0
    var nextID = 0
    var sleepers: [Sleeper] = []
  }

  private let state: Mutex<State>

  public init(now: Int64 = 1_700_000_000_000) { state = Mutex(State(now: now)) }

  public var now: Int64 { state.withLock { $0.now + $0.step } }

  public var elapsed: Int64 { state.withLock { $0.now } }

  /// Sets the wall clock forward, or back; no time passes.
  public func step(milliseconds: Int64) { state.withLock { $0.step += milliseconds } }

  public func sleep(milliseconds: Int64) async throws {
    let id = state.withLock { state -> Int in
      state.nextID += 1
      return state.nextID
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let isSleeping = state.withLock { state in
          guard !Task.isCancelled else { return false }
          state.sleepers.append(
            Sleeper(id: id, until: state.now + milliseconds, continuation: continuation))
          return true
        }
        if !isSleeping { continuation.resume(throwing: CancellationError()) }
      }
    } onCancel: {
      let sleeper = state.withLock { state -> Sleeper? in
        guard let index = state.sleepers.firstIndex(where: { $0.id == id }) else { return nil }
        return state.sleepers.remove(at: index)
      }
      sleeper?.continuation.resume(throwing: CancellationError())
    }
  }

  /// Moves the clock to the end of the shortest sleep and ends it; false when nobody sleeps.
  @discardableResult
  public func endShortestSleep() -> Bool {
    let woken = state.withLock { state -> Sleeper? in
      guard let first = state.sleepers.min(by: { $0.until < $1.until }) else { return nil }
      state.sleepers.removeAll { $0.id == first.id }
      state.now = max(state.now, first.until)
      return first
    }
    woken?.continuation.resume()
    return woken != nil
  }

  /// Ends one sleep after the other until `condition` holds.
  ///
  /// - Throws: what `condition` throws, or `CancellationError` when the test's time is over.
  public func advance(until condition: () throws -> Bool) async throws {
    while try !condition() {
      try Task.checkCancellation()
      if !endShortestSleep() { await Task.yield() }
    }
  }

  public func advance(milliseconds: Int64) { state.withLock { $0.now += milliseconds } }
}
