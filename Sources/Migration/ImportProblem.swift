/// Why a file cannot be imported, and where.
public struct ImportProblem: Error, Hashable, Sendable, CustomStringConvertible {
  /// The file.
  public let file: String
  /// The place in it, nil for the whole file.
  public let position: Position?
  /// What is wrong.
  public let message: String
  /// What to do.
  public let hint: String?

  /// Creates a problem.
  init(file: String, at position: Position? = nil, _ message: String, hint: String? = nil) {
    self.file = file
    self.position = position
    self.message = message
    self.hint = hint
  }

  /// The place, the message and the hint.
  public var description: String {
    let place = position.map { "\(file):\($0.line):\($0.column)" } ?? file
    return "\(place): error: \(message)" + (hint.map { "\n  hint: \($0)" } ?? "")
  }
}

/// Something of an application that its pipeline does not hold, and what to do about it.
public struct ImportRemark: Hashable, Sendable, CustomStringConvertible {
  /// Where it stands in the imported file.
  public let position: Position
  /// What was not carried over, and what to write instead.
  public let message: String

  /// Line, column and message.
  public var description: String { "\(position.line):\(position.column): \(message)" }
}
