import GRDB

/// The outbox cannot be written for now: its disk is full, read-only or broken.
///
/// Trying again later is all that helps, and it loses nothing.
public struct OutboxUnavailable: Error, Hashable, Sendable, CustomStringConvertible {
  /// What SQLite says.
  public let description: String

  /// Passes what `body` throws on, as this error when trying again may help.
  static func telling<Value>(_ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch let error as DatabaseError where error.isPassing {
      throw OutboxUnavailable(
        description: "cannot write the outbox: \(error.message ?? "\(error.resultCode)")")
    }
  }
}

extension DatabaseError {
  /// Whether the same may succeed later without anybody changing the outbox.
  var isPassing: Bool {
    switch resultCode {
    case .SQLITE_FULL, .SQLITE_IOERR, .SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_BUSY,
      .SQLITE_LOCKED, .SQLITE_NOMEM:
      true
    default: false
    }
  }
}
