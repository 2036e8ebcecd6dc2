public import Columns

/// A column of `VARIABLE_COLUMN_LOG_PARSE` or `FIXED_COLUMN_LOG_PARSE`.
public struct LogColumn: Hashable, Sendable {
  /// The name.
  public let name: String
  /// The type into which the text is converted.
  public let type: ColumnType
  /// False for `NOT NULL`.
  public let isNullable: Bool
  /// For fixed columns the first character, from 0; else 0.
  public let start: Int
  /// For fixed columns how many characters; nil is up to the end of the line.
  public let length: Int?

  /// Reads a description that was checked when the program was compiled.
  ///
  /// - Returns: The columns; empty if the text is no description.
  public static func columns(_ text: String, fixed: Bool) -> [LogColumn] {
    do throws(SQLError) {
      return try parse(text, fixed: fixed)
    } catch {
      return []
    }
  }

  static func parse(_ text: String, fixed: Bool) throws(SQLError) -> [LogColumn] {
    try Parser.logColumns(text, fixed: fixed)
  }
}

extension Parser {
  /// `name TYPE type [NOT NULL] [START n [FOR n]] {, …}`.
  fileprivate static func logColumns(
    _ text: String, fixed: Bool
  ) throws(SQLError) -> [LogColumn] {
    var parser = Parser(fragment: SourceText(text, file: ""))
    if let error = parser.program.errors.first { throw error }
    let columns = try parser.list { (parser) throws(SQLError) in try parser.logColumn(fixed) }
    guard parser.isAtEnd else { throw parser.unexpected("','") }
    return columns
  }

  private mutating func logColumn(_ fixed: Bool) throws(SQLError) -> LogColumn {
    let name = try name("a column")
    _ = accept(words: "TYPE")
    guard let type = try typeName().type.columnType else { throw unexpected("a type") }
    let isNullable = !accept(words: "NOT", "NULL")
    var start = 0
    var length: Int?
    if fixed {
      try expect(word: "START")
      start = try count()
      if accept(words: "FOR") { length = try count() }
    }
    return LogColumn(
      name: name.text, type: type, isNullable: isNullable, start: start, length: length)
  }

  private mutating func count() throws(SQLError) -> Int {
    guard case .integer(let digits) = current.kind, let value = Int(digits), value <= 1_000_000
    else { throw unexpected("a number") }
    advance()
    return value
  }
}
