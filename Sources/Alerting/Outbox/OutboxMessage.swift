/// A message of the outbox that is due.
public struct OutboxMessage: Hashable, Sendable {
  /// Its place in the outbox.
  public let sequence: Int64
  /// What a receiver tells repetitions by.
  public let webhookID: String
  /// The receiver's name.
  public let receiver: String
  /// The body as sent.
  public let body: [UInt8]
  /// When it was appended, in milliseconds since 1970.
  public let createdAt: Int64
  /// How often it was tried.
  public let attempts: Int
}

/// What became of an attempt.
public struct AttemptRecord: Hashable, Sendable {
  /// The kinds of result.
  public enum Result: Hashable, Sendable {
    /// The receiver has it.
    case delivered
    /// It is tried again at a time in milliseconds since 1970.
    case retry(at: Int64, error: String)
    /// It is given up and kept as a dead letter.
    case dead(error: String)
  }

  /// The message's place in the outbox.
  public let sequence: Int64
  /// What became of it.
  public let result: Result

  /// Creates a record.
  public init(sequence: Int64, result: Result) {
    self.sequence = sequence
    self.result = result
  }
}

/// A message that was given up.
public struct DeadLetter: Hashable, Sendable {
  /// Its place in the outbox.
  public let sequence: Int64
  /// What a receiver tells repetitions by.
  public let webhookID: String
  /// The pipeline.
  public let pipeline: String
  /// The receiver's name.
  public let receiver: String
  /// The body as it was sent.
  public let body: [UInt8]
  /// When it was appended, in milliseconds since 1970.
  public let createdAt: Int64
  /// When it was given up, in milliseconds since 1970.
  public let endedAt: Int64
  /// How often it was tried.
  public let attempts: Int
  /// Why it was given up.
  public let error: String
}

/// The state of the outbox for one receiver.
public struct OutboxStatistics: Hashable, Sendable {
  /// Messages whose commit is not acknowledged.
  public let staged: Int
  /// Messages to be sent.
  public let queued: Int
  /// Messages given up.
  public let dead: Int
  /// When the oldest message to be sent was appended, in milliseconds since 1970.
  public let oldestCreatedAt: Int64?
  /// Why the last attempt at the message that comes next has failed; nil before the first failure.
  public let lastError: String?
  /// Why nothing is sent any more, when the receiver was disabled.
  public let disabledReason: String?

  /// The state in a line: what waits and since when, what was given up, what hinders.
  public func summary(now: Int64) -> String {
    var parts = ["\(queued) waiting"]
    if let oldestCreatedAt { parts[0] += " for \(max(0, now - oldestCreatedAt) / 1_000) s at most" }
    parts.append("\(dead) given up")
    if let lastError { parts.append("last error: \(lastError)") }
    if let disabledReason { parts.append("disabled: \(disabledReason)") }
    return parts.joined(separator: "; ")
  }
}
