/// Something wrong in a configuration or application file.
public struct ConfigurationProblem: Error, Hashable, Sendable, CustomStringConvertible {
  /// How bad it is.
  public enum Severity: String, Sendable {
    case error
    case warning
  }

  /// The file, as the user named it.
  public let file: String
  /// The line, from 1; 0 when the problem has no place.
  public let line: Int
  /// The column, from 1.
  public let column: Int
  /// Whether the file is refused.
  public let severity: Severity
  /// What is wrong, in lower case without a full stop.
  public let message: String
  /// What to do.
  public let hint: String?
  /// The source line with a caret below the place, when there is one.
  public let excerpt: String?

  /// Creates a problem.
  public init(
    file: String, line: Int = 0, column: Int = 0, severity: Severity = .error, message: String,
    hint: String? = nil, excerpt: String? = nil
  ) {
    self.file = file
    self.line = line
    self.column = column
    self.severity = severity
    self.message = message
    self.hint = hint
    self.excerpt = excerpt
  }

  /// The problem as compilers print it: place, message, excerpt, hint.
  public var description: String {
    let place = line > 0 ? "\(file):\(line):\(column)" : file
    var text = "\(place): \(severity.rawValue): \(message)"
    if let excerpt { text += "\n\(excerpt)" }
    if let hint { text += "\n  hint: \(hint)" }
    return text
  }
}

/// All problems that made a configuration unusable.
public struct ConfigurationRefused: Error, Sendable, CustomStringConvertible {
  /// The problems in the order of their places.
  public let problems: [ConfigurationProblem]

  /// Creates a refusal.
  public init(problems: [ConfigurationProblem]) { self.problems = problems }

  /// The problems, one after the other.
  public var description: String {
    problems.map(\.description).joined(separator: "\n")
  }
}
