import Glibc

/// The wall clock and the waiting that everything at the rim is given from outside.
public protocol TimeSource: Sendable {
  /// Milliseconds since 1970-01-01 00:00 UTC.
  var now: Int64 { get }

  /// Waits on a monotonic clock.
  ///
  /// - Throws: `CancellationError` when the surrounding task is cancelled.
  func sleep(milliseconds: Int64) async throws
}

/// The machine's clock.
public struct SystemTime: TimeSource {
  /// Creates the clock.
  public init() {}

  /// Milliseconds since 1970-01-01 00:00 UTC.
  public var now: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
  }

  /// Waits on a monotonic clock.
  public func sleep(milliseconds: Int64) async throws {
    try await Task.sleep(for: .milliseconds(milliseconds))
  }
}
