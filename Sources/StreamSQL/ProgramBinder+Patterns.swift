internal import Columns

extension ProgramBinder {
  /// Checks a pattern that is a constant, so that a bad one is told now and not row by row.
  func checkPattern(
    _ function: FunctionID, pattern: BoundExpression, escape: BoundExpression?, at offset: Int
  ) throws(SQLError) {
    guard let text = pattern.textLiteral else { return }
    if escape != nil, escape?.textLiteral == nil { return }
    let bytes = Array(text.utf8)
    let sign = escape?.textLiteral?.utf8.first
    switch function {
    case .like: _ = try regex(.like(bytes, escape: sign), at: offset)
    case .similarTo: _ = try regex(.similar(bytes, escape: sign), at: offset)
    case .substringSimilar:
      _ = try regex(.substringSimilar(bytes, escape: sign ?? 0), at: offset)
    default: _ = try regex(.regex(bytes), at: offset)
    }
  }

  private func regex(_ pattern: TextPattern, at offset: Int) throws(SQLError) -> Regex {
    do throws(PatternError) {
      return try Regex(pattern)
    } catch {
      let place = error.offset.map { " near its character \($0 + 1)" } ?? ""
      throw SQLError(
        "malformed pattern\(pattern.isTranslated ? "" : place): \(error.message)", at: offset,
        hint: pattern.hint)
    }
  }

  /// The fields of a log-parsing function's record.
  func recordFields(
    _ function: RecordFunction, _ arguments: [BoundExpression], _ call: CallSyntax, at offset: Int
  ) throws(SQLError) -> [RecordField] {
    let counts = function.argumentCounts
    guard counts.contains(arguments.count) else {
      let many =
        counts.count == 1 ? "\(counts.lowerBound)" : "\(counts.lowerBound) to \(counts.upperBound)"
      throw SQLError(
        "\(function.name) has \(many) argument\(counts.upperBound == 1 ? "" : "s"), not "
          + "\(arguments.count)", at: offset, hint: FunctionCatalog.usage(function.name))
    }
    if function == .sysLog {
      return [
        RecordField(name: "COLUMN1", type: .timestamp),
        RecordField(name: "COLUMN2", type: .varchar(RecordField.textLength)),
      ]
    }
    let place = call.arguments[1].offset
    if function == .variableColumn, let count = arguments[1].integerLiteral {
      guard (1...1_000).contains(count) else {
        throw SQLError("the number of columns lies between 1 and 1000", at: place)
      }
      return RecordField.numbered(Int(count))
    }
    guard let text = arguments[1].textLiteral else {
      throw SQLError(
        "the second argument of \(function.name) is text", at: place,
        hint: FunctionCatalog.usage(function.name))
    }
    switch function {
    case .regex:
      return RecordField.numbered(
        try regex(.wholeRegex(Array(text.utf8)), at: place).groupCount)
    case .fastRegex:
      return RecordField.numbered(
        try regex(.fastRegex(Array(text.utf8)), at: place).groupCount)
    case .w3c: return try w3cFields(text, at: place)
    case .variableColumn:
      return try columns(text, fixed: false, at: place).map {
        RecordField(name: $0.name, type: $0.type)
      }
    default:
      return try columns(text, fixed: true, at: place).map {
        RecordField(name: $0.name, type: $0.type)
      }
    }
  }

  private func w3cFields(_ text: String, at offset: Int) throws(SQLError) -> [RecordField] {
    let count = try regex(.w3c(Array(text.utf8)), at: offset).groupCount
    guard count > 0 else {
      throw SQLError(
        "'\(text)' is no format of W3C_LOG_PARSE", at: offset,
        hint:
          "COMMON, COMMON WITH VHOST, NCSA EXTENDED, REFERER, AGENT, IIS, or directives such as "
          + "%h %l %u %t \"%r\" %>s %b")
    }
    return RecordField.numbered(count)
  }

  private func columns(
    _ text: String, fixed: Bool, at offset: Int
  ) throws(SQLError) -> [LogColumn] {
    do throws(SQLError) {
      return try LogColumn.parse(text, fixed: fixed)
    } catch {
      throw SQLError(
        "\(error.message) in the description of columns", at: offset,
        hint: fixed
          ? "'A TYPE VARCHAR(8) START 0 FOR 8, B TYPE INTEGER START 8 FOR 4'"
          : "'A TYPE VARCHAR(16), B TYPE INTEGER NOT NULL'")
    }
  }
}

extension RecordFunction {
  fileprivate var argumentCounts: ClosedRange<Int> {
    switch self {
    case .regex, .fastRegex, .w3c, .fixedColumn: 2...2
    case .variableColumn: 3...5
    case .sysLog: 1...1
    }
  }
}

extension RecordField {
  /// The length of text fields whose type the program does not say.
  static let textLength = 1_024

  static func numbered(_ count: Int) -> [RecordField] {
    (0..<count).map { RecordField(name: "COLUMN\($0 + 1)", type: .varchar(textLength)) }
  }
}

extension TextPattern {
  /// Whether places in the regular expression mean nothing to the user.
  fileprivate var isTranslated: Bool {
    switch self {
    case .regex, .wholeRegex: false
    default: true
    }
  }

  fileprivate var hint: String? {
    switch self {
    case .like: "behind ESCAPE's character stands %, _ or the character itself"
    case .substringSimilar:
      "two marks of the escape character and a quotation mark enclose what is wanted: "
        + "SUBSTRING(s SIMILAR 'a#\"%#\"b' ESCAPE '#')"
    default: nil
    }
  }
}
