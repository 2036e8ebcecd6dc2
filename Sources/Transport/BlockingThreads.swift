import NIOPosix

/// Threads for work that blocks or takes long, kept away from Swift's cooperative pool.
public final class BlockingThreads: Sendable {
  private let pool: NIOThreadPool

  /// Starts `count` threads.
  public init(count: Int) {
    pool = NIOThreadPool(numberOfThreads: count)
    pool.start()
  }

  /// Runs `work` on one of the threads.
  ///
  /// - Throws: what `work` throws, or an error when the threads were stopped.
  public func run<Result: Sendable>(
    _ work: @escaping @Sendable () throws -> Result
  ) async throws -> Result {
    try await pool.runIfActive(work)
  }

  /// Ends the threads after the work under way; work that waits fails.
  public func stop() async throws { try await pool.shutdownGracefully() }
}
