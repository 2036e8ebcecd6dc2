/// Why one row could not be computed.
public struct RuntimeError: Error, Hashable, Sendable {
  /// What kind of failure it is; the raw value is the ERROR_NAME on `error_stream`.
  public enum Code: String, Sendable {
    /// A division by zero, in floating-point arithmetic too.
    case divisionByZero = "DIVISION_BY_ZERO"
    /// A value that does not convert to the type that is asked for.
    case castFailed = "CAST_FAILED"
    /// A number outside the range of its type.
    case numericOverflow = "NUMERIC_OVERFLOW"
    /// An argument outside the domain of a function.
    case badArgument = "BAD_ARGUMENT"
    /// A row whose ROWTIME lies before that of the row before it in the same stream.
    case outOfOrderRowtime = "OUT_OF_ORDER_ROWTIME"
    /// NULL in a column declared NOT NULL.
    case nullNotAllowed = "NULL_NOT_ALLOWED"
    /// NULL or NaN in a numeric column of a model.
    case badModelInput = "BAD_MODEL_INPUT"
    /// More rows, keys or matches than a configured limit.
    case limitExceeded = "LIMIT_EXCEEDED"
    /// A record that could not be decoded.
    case undecodable = "UNDECODABLE_RECORD"
  }

  /// What kind of failure it is.
  public let code: Code
  /// The particulars, in lower case without a full stop.
  public let message: String

  /// Creates an error.
  public init(code: Code, message: String) {
    self.code = code
    self.message = message
  }
}
