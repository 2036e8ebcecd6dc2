import Alerting
import Kafka
import Logging

/// Waits for a disk that refuses to write: the task stands still and loses nothing meanwhile.
struct StoragePatience {
  /// Why the task stands still, if it does.
  private(set) var problem: String?
  private var nextAttempt = Int64.min

  /// How long to wait between two attempts, milliseconds.
  private static let delay: Int64 = 1_000

  /// Whether it is time to try again.
  func isDue(now: Int64) -> Bool { now >= nextAttempt }

  /// The disk has refused something: says so once.
  ///
  /// - Throws: the error when it has another reason than the disk.
  mutating func refused(_ error: any Error, now: Int64, _ start: TaskStart) throws {
    guard let text = Self.problem(of: error) else { throw error }
    nextAttempt = now + Self.delay
    if problem != text {
      start.services.logger.error(
        "task \(start.name) is paused: \(text)",
        metadata: ["hint": "nothing is lost; it goes on by itself when the disk takes writes"])
    }
    problem = text
  }

  /// The disk has taken everything.
  mutating func succeeded(_ start: TaskStart) {
    if problem != nil { start.services.logger.notice("task \(start.name) goes on") }
    problem = nil
    nextAttempt = .min
  }

  /// What a disk that may take writes later has said; nil for every other error.
  static func problem(of error: any Error) -> String? {
    switch error {
    case let error as DiskError where error.isPassing: "\(error)"
    case let error as OutboxUnavailable: "\(error)"
    default: nil
    }
  }
}
