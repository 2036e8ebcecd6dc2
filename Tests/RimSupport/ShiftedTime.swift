import Synchronization
public import Transport

/// The machine's clock, which a test moves on; whoever sleeps wakes up when the time is there.
public final class ShiftedTime: TimeSource {
  private let shift = Mutex<Int64>(0)

  public init() {}

  public var now: Int64 { SystemTime().now + shift.withLock { $0 } }

  public var elapsed: Int64 { SystemTime().elapsed + shift.withLock { $0 } }

  public func sleep(milliseconds: Int64) async throws {
    let end = elapsed + milliseconds
    while elapsed < end {
      try await SystemTime().sleep(milliseconds: min(20, max(1, end - elapsed)))
    }
  }

  public func advance(hours: Int64) { shift.withLock { $0 += hours * 3_600_000 } }
}
