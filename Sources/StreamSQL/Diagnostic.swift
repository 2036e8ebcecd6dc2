/// A place in a source text, counted from 1; columns count characters as an editor shows them.
public struct SourcePosition: Hashable, Sendable, Comparable {
  /// The line.
  public let line: Int
  /// The column.
  public let column: Int

  /// Creates a position.
  public init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }

  /// Orders by line, then by column.
  public static func < (left: Self, right: Self) -> Bool {
    (left.line, left.column) < (right.line, right.column)
  }
}

/// A finding about a program, with its place and a way out.
public struct Diagnostic: Hashable, Sendable {
  /// Whether the program is refused because of it.
  public enum Severity: String, Hashable, Sendable {
    case error
    case warning
  }

  /// Whether the program is refused because of it.
  public let severity: Severity
  /// What is wrong, in lower case without a full stop.
  public let message: String
  /// How to write it, if there is something to say.
  public let hint: String?
  /// The name of the file as the caller gave it.
  public let file: String
  /// Where it begins.
  public let position: SourcePosition
  /// The line of the source, without its end.
  public let sourceLine: String

  /// Creates a diagnostic.
  public init(
    severity: Severity, message: String, hint: String?, file: String, position: SourcePosition,
    sourceLine: String
  ) {
    self.severity = severity
    self.message = message
    self.hint = hint
    self.file = file
    self.position = position
    self.sourceLine = sourceLine
  }
}

extension Diagnostic: CustomStringConvertible {
  /// `file:line:column: error: message`, the source line, a caret below the place, and the hint.
  public var description: String {
    var text = "\(file):\(position.line):\(position.column): \(severity.rawValue): \(message)\n"
    text += "  \(sourceLine)\n  "
    for character in sourceLine.prefix(position.column - 1) {
      text += character == "\t" ? "\t" : " "
    }
    text += "^"
    if let hint { text += "\n  hint: \(hint)" }
    return text
  }
}
