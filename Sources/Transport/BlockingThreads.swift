import NIOPosix
import Synchronization

/// Threads for work that blocks or takes long, kept away from Swift's cooperative pool.
public final class BlockingThreads: Sendable {
  private enum Stage { case idle, running, stopped }

  private let pool: NIOThreadPool
  private let stage = Mutex(Stage.idle)

  /// Makes `count` threads, which begin with the first work: each takes room for its stack.
  public init(count: Int) {
    pool = NIOThreadPool(numberOfThreads: count)
  }

  /// Runs `work` on one of the threads.
  ///
  /// - Throws: what `work` throws, or an error when the threads were stopped.
  public func run<Result: Sendable>(
    _ work: @escaping @Sendable () throws -> Result
  ) async throws -> Result {
    stage.withLock { stage in
      guard stage == .idle else { return }
      pool.start()
      stage = .running
    }
    return try await pool.runIfActive(work)
  }

  /// Ends the threads after the work under way; work that waits fails.
  public func stop() async throws {
    let isRunning = stage.withLock { stage in
      defer { stage = .stopped }
      return stage == .running
    }
    if isRunning { try await pool.shutdownGracefully() }
  }
}
