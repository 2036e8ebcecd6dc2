import Alerting
import Kafka
import Logging

/// Waits for a disk that refuses to write: the task stands still and loses nothing meanwhile.
struct StoragePatience {
  /// Why the task stands still, if it does.
  private(set) var problem: String?
  private var nextAttempt: Int64 = 0

  /// How long to wait between two attempts, milliseconds.
  private static let delay: Int64 = 1_000

  /// Whether it is time to try again.
  func isDue(now: Int64) -> Bool { now >= nextAttempt }

  /// Does what writes to the disk; when the disk refuses, says so once and returns.
  ///
  /// - Throws: what has another reason than the disk.
  mutating func attempt(now: Int64, _ start: TaskStart, _ body: () throws -> Void) throws {
    do {
      try body()
    } catch {
      guard let text = Self.problem(of: error) else { throw error }
      nextAttempt = now + Self.delay
      if problem != text {
        start.services.logger.error(
          "task \(start.name) is paused: \(text)",
          metadata: ["hint": "nothing is lost; it goes on by itself when the disk takes writes"])
      }
      problem = text
      return
    }
    if problem != nil { start.services.logger.notice("task \(start.name) goes on") }
    problem = nil
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

/// A commit on its way to the disk.
struct CommitDraft {
  var record: CommitRecord
  let choice: TaskLog.SnapshotChoice
  let staged: TaskAlerts.Staged
  let steps: [NumberedStep]
  let offsets: [PartitionOffset]
  /// The closed objects of each output that the commit covers, by their first rows.
  let covered: [Set<Int64>]
  /// Whether the journal has the steps.
  var isJournaled = false
}
