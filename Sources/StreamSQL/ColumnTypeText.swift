public import Columns

/// A text that is no column type, with a way out.
public struct ColumnTypeError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong, in lower case without a full stop.
  public let message: String
  /// What to write instead, if there is something to say.
  public let hint: String?

  /// The message, and the hint in parentheses.
  public var description: String { message + (hint.map { " (hint: \($0))" } ?? "") }
}

extension ColumnType {
  /// Reads a type as a program writes it, such as `VARCHAR(20)` or `decimal(10, 2)`.
  ///
  /// - Throws: `ColumnTypeError` when the text is no type, or one that no column can have.
  public init(sql text: String) throws(ColumnTypeError) {
    var parser = Parser(fragment: SourceText(text, file: ""))
    do throws(SQLError) {
      if let error = parser.program.errors.first { throw error }
      let syntax = try parser.typeName()
      guard parser.isAtEnd else { throw parser.unexpected("the end of the type") }
      guard case .column(let type) = syntax.type else {
        throw SQLError("an interval cannot be the type of a column", at: 0)
      }
      self = type
    } catch {
      let reason = error.message.hasPrefix("unknown type") ? "" : ": \(error.message)"
      throw ColumnTypeError(message: "'\(text)' is not a column type\(reason)", hint: error.hint)
    }
  }
}
