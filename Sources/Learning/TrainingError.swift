/// Why nothing was trained.
public enum TrainingError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A hyperparameter is unknown, missing or out of range.
  case hyperparameter(HyperparameterError)
  /// The data cannot be learned from; the text says the place, the value and what to do.
  case data(DataError)
  /// The computation left the range of numbers.
  case diverged(reason: String, hint: String)
  /// The checkpoint is of another training, or the algorithm has none.
  case checkpoint(reason: String, hint: String)
  /// `TrainingProgress.isCancelled` said so.
  case cancelled

  /// What is wrong and what to do.
  public var description: String {
    switch self {
    case .hyperparameter(let error): error.description
    case .data(let error): error.description
    case .diverged(let reason, let hint): "the training diverged: \(reason)\n  hint: \(hint)"
    case .checkpoint(let reason, let hint): "\(reason)\n  hint: \(hint)"
    case .cancelled: "the training was cancelled"
    }
  }
}

/// A hyperparameter that is unknown, missing or out of range.
public struct HyperparameterError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Its name.
  public let name: String
  /// The text given; nil when it is missing.
  public let value: String?
  /// What it may be, in words: `an integer from 1 to 1000`.
  public let range: String

  /// An error.
  public init(name: String, value: String?, range: String) {
    self.name = name
    self.value = value
    self.range = range
  }

  /// The error with value and range.
  public var description: String {
    guard let value else { return "hyperparameter \(name) is required: \(range)" }
    return "hyperparameter \(name) is '\(value)', it must be \(range)"
  }
}

/// Data that cannot be read or learned from.
public struct DataError: Error, Equatable, Sendable, CustomStringConvertible {
  /// `file:line`, `file: record 7`, or nil when the data as a whole is meant.
  public let place: String?
  /// What is wrong, with the value.
  public let message: String
  /// What to do.
  public let hint: String?

  /// An error.
  public init(place: String? = nil, message: String, hint: String? = nil) {
    self.place = place
    self.message = message
    self.hint = hint
  }

  /// Place, message and hint.
  public var description: String {
    (place.map { $0 + ": " } ?? "") + message + (hint.map { "\n  hint: \($0)" } ?? "")
  }
}
