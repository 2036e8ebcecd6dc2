/// How the bytes of a record become rows.
public enum RecordFormat: Hashable, Sendable {
  /// JSON documents: `rowPath` leads to the row, or to the array whose elements are the rows; `paths`
  /// lead from the row to the value of each data column, in the schema's order.
  case json(rowPath: JSONPath, paths: [JSONPath])
  /// Delimited text: the n-th field of a line is the n-th data column.
  case csv(CSVFormat)

  /// The most bytes of a record unless the pipeline says otherwise.
  public static let defaultByteLimit = 16 << 20
  /// The most rows that one record may hold.
  public static let rowLimit = 65_536
  /// How deep arrays and objects may nest.
  public static let depthLimit = 512
}

/// The delimiters of delimited text.
///
/// An unquoted empty field is NULL, a quoted one the empty string; within quotes a doubled quote is one
/// quote and delimiters have no meaning. Missing fields are NULL, fields beyond the last column are
/// checked and ignored, empty lines are skipped, and a carriage return before a line feed belongs to the
/// row delimiter.
public struct CSVFormat: Hashable, Sendable {
  /// What separates fields; not empty.
  public let columnDelimiter: String
  /// What separates rows; not empty.
  public let rowDelimiter: String
  /// The quote, or nil when none has a meaning; an ASCII character.
  public let quote: Character?

  /// Creates a format; the defaults are those of RFC 4180 with line feeds.
  public init(
    columnDelimiter: String = ",", rowDelimiter: String = "\n", quote: Character? = "\""
  ) {
    self.columnDelimiter = columnDelimiter
    self.rowDelimiter = rowDelimiter
    self.quote = quote
  }
}

/// A mapping that cannot work, found before the first record.
public struct MappingError: Error, Hashable, Sendable {
  /// What is wrong.
  public let message: String
  /// The column that it concerns.
  public let column: String?
  /// What to write instead.
  public let hint: String
}

extension MappingError: CustomStringConvertible {
  /// Message, column and hint in one line.
  public var description: String {
    "\(message)\(column.map { " (column \($0))" } ?? "") (hint: \(hint))"
  }
}
