import Synchronization

/// Wakes one waiting task; a wake that nobody waits for is kept for the next wait.
public final class WakeSignal: Sendable {
  private enum State {
    case idle
    case signalled
    case waiting(CheckedContinuation<Void, Never>)
  }

  private let state = Mutex(State.idle)

  /// Creates a signal.
  public init() {}

  /// Ends the present or the next wait.
  public func wake() {
    let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
      guard case .waiting(let continuation) = state else {
        state = .signalled
        return nil
      }
      state = .idle
      return continuation
    }
    waiter?.resume()
  }

  /// Waits for a wake, or until the surrounding task is cancelled.
  public func wait() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = state.withLock { state in
          if case .signalled = state {
            state = .idle
            return true
          }
          guard !Task.isCancelled else { return true }
          state = .waiting(continuation)
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
        guard case .waiting(let continuation) = state else { return nil }
        state = .idle
        return continuation
      }
      waiter?.resume()
    }
  }

  /// Waits for a wake, at most `milliseconds`; nil for no limit.
  public func wait(atMost milliseconds: Int64?, on time: any TimeSource) async {
    guard let milliseconds else { return await wait() }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.wait() }
      group.addTask {
        do { try await time.sleep(milliseconds: milliseconds) } catch { return }
      }
      await group.next()
      group.cancelAll()
    }
  }
}
