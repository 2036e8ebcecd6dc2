/// Why an object was not delivered.
public struct DeliveryError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What helps.
  public enum Remedy: String, Hashable, Sendable {
    /// Trying again later, by itself.
    case retry
    /// A change made by the operator; trying again until then loses nothing.
    case operatorAction
    /// Nothing: this object will never be accepted.
    case none
  }

  /// A stable name, for example `Directory.DiskFull`.
  public let code: String
  /// What is wrong, in lower case without a full stop.
  public let message: String
  /// How to put it right.
  public let hint: String
  /// What helps.
  public let remedy: Remedy
  /// How long the destination asked to be left alone, in milliseconds.
  public var retryAfterMilliseconds: Int64?

  /// Creates an error.
  public init(
    code: String, message: String, hint: String, remedy: Remedy,
    retryAfterMilliseconds: Int64? = nil
  ) {
    self.code = code
    self.message = message
    self.hint = hint
    self.remedy = remedy
    self.retryAfterMilliseconds = retryAfterMilliseconds
  }

  /// The error as one line.
  public var description: String { "\(code): \(message) (hint: \(hint))" }
}
