public import Columns

/// The format of a web server's log line, for `W3C_LOG_PARSE`.
public struct W3CLogFormat: Hashable, Sendable {
  /// A part of the format.
  public enum Element: Hashable, Sendable {
    /// These bytes stand between two fields.
    case literal([UInt8])
    /// A field that ends where the following literal begins.
    case field
    /// `%t`: a time in brackets, which stay.
    case time
    /// `"%…"`: a field in quotation marks, which are dropped; a backslash quotes one inside.
    case quoted
  }

  /// The parts in order.
  public let elements: [Element]

  /// How many fields there are.
  public var fieldCount: Int {
    elements.count { element in
      if case .literal = element { return false }
      return true
    }
  }

  /// Reads a format: a name or directives; one without fields is no format.
  public init(_ text: String) {
    let words = text.uppercased().split { $0 == " " }.joined(separator: " ")
    let directives =
      switch words {
      case "COMMON": "%h %l %u %t \"%r\" %>s %b"
      case "COMMON WITH VHOST": "%v %h %l %u %t \"%r\" %>s %b"
      case "NCSA EXTENDED": "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-agent}i\""
      case "REFERER": "%{Referer}i ---> %U"
      case "AGENT": "%{User-agent}i"
      // Date, time, client, user, method, stem, query, status, sent, received, taken, version, agent,
      // referrer: the fields that IIS writes by default in its W3C form.
      case "IIS": "%d %T %h %u %m %U %q %s %b %I %D %H %A %R"
      default: text
      }
    elements = Self.elements(Array(directives.utf8))
  }

  private static func elements(_ bytes: [UInt8]) -> [Element] {
    var elements: [Element] = []
    var literal: [UInt8] = []
    var index = 0
    func isQuote(_ place: Int) -> Bool {
      bytes.indices.contains(place) && bytes[place] == UInt8(ascii: "\"")
    }
    while index < bytes.count {
      guard bytes[index] == UInt8(ascii: "%") else {
        literal.append(bytes[index])
        index += 1
        continue
      }
      let start = index
      index += 1
      if index < bytes.count, bytes[index] == UInt8(ascii: "%") {
        literal.append(bytes[index])
        index += 1
        continue
      }
      while index < bytes.count, "<>!,0123456789".utf8.contains(bytes[index]) { index += 1 }
      if index < bytes.count, bytes[index] == UInt8(ascii: "{") || bytes[index] == UInt8(ascii: "[")
      {
        while index < bytes.count, bytes[index] != UInt8(ascii: "}"),
          bytes[index] != UInt8(ascii: "]")
        {
          index += 1
        }
        index += 1
      }
      guard index < bytes.count else { break }
      let directive = bytes[index]
      index += 1
      let isQuoted = isQuote(start - 1) && isQuote(index)
      if isQuoted {
        literal.removeLast()
        index += 1
      }
      if !literal.isEmpty { elements.append(.literal(literal)) }
      literal = []
      elements.append(
        isQuoted ? .quoted : directive == UInt8(ascii: "t") ? .time : .field)
    }
    if !literal.isEmpty { elements.append(.literal(literal)) }
    return elements
  }
}

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
    let columns = try Parser.logColumns(text, fixed: fixed)
    // SQL counts from 1; a description that says 0 counts from 0.
    let first = fixed && !columns.contains { $0.start == 0 } ? 1 : 0
    return columns.map { column in
      LogColumn(
        name: column.name, type: column.type, isNullable: column.isNullable,
        start: max(0, column.start - first), length: column.length)
    }
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
