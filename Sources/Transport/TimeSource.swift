import Glibc
import Synchronization

/// The clocks and the waiting that everything at the rim is given from outside.
public protocol TimeSource: Sendable {
  /// Milliseconds since 1970-01-01 00:00 UTC: for timestamps. Somebody may set it back or forward.
  var now: Int64 { get }

  /// Milliseconds since some moment, which only go on: for how long things take or may take.
  var elapsed: Int64 { get }

  /// Waits on the clock of `elapsed`.
  ///
  /// - Throws: `CancellationError` when the surrounding task is cancelled.
  func sleep(milliseconds: Int64) async throws
}

/// The machine's clocks.
public struct SystemTime: TimeSource {
  /// Creates the clock.
  public init() {}

  /// Milliseconds since 1970-01-01 00:00 UTC.
  public var now: Int64 { Self.read(CLOCK_REALTIME) }

  /// Milliseconds since the machine started.
  public var elapsed: Int64 { Self.read(CLOCK_MONOTONIC) }

  private static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
  }

  /// Waits on a monotonic clock.
  public func sleep(milliseconds: Int64) async throws {
    try await Task.sleep(for: .milliseconds(milliseconds))
  }
}

/// A wall clock that is never set back: where the one below it is, it goes on at its pace until that one
/// has caught up.
///
/// What becomes due at a timestamp thus never waits longer than meant.
public final class SteadyTime: TimeSource {
  private let base: any TimeSource
  /// By how much `now` is ahead of `elapsed`.
  private let lead: Atomic<Int64>

  /// Creates a clock.
  ///
  /// - Parameters:
  ///   - base: What it reads.
  ///   - time: What it has shown before, milliseconds since 1970.
  public init(_ base: any TimeSource, notBefore time: Int64 = 0) {
    self.base = base
    lead = Atomic(max(time, base.now) - base.elapsed)
  }

  /// Milliseconds since 1970-01-01 00:00 UTC, never less than before.
  public var now: Int64 {
    let elapsed = base.elapsed
    return elapsed + lead.max(base.now - elapsed, ordering: .relaxed).newValue
  }

  /// Milliseconds since some moment, which only go on.
  public var elapsed: Int64 { base.elapsed }

  /// Waits on the clock of `elapsed`.
  public func sleep(milliseconds: Int64) async throws {
    try await base.sleep(milliseconds: milliseconds)
  }
}
