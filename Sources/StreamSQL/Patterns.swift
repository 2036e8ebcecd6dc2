internal import Columns

extension ProgramBinder {
  /// Checks a pattern that is a constant, so that a bad one is told now and not row by row.
  func checkPattern(
    _ function: FunctionID, pattern: BoundExpression, escape: BoundExpression?, at offset: Int
  ) throws(SQLError) {
  }

  /// The fields of a log-parsing function's record.
  func recordFields(
    _ function: RecordFunction, _ arguments: [BoundExpression], _ call: CallSyntax, at offset: Int
  ) throws(SQLError) -> [RecordField] {
    let counts = function.argumentCounts
    guard counts.contains(arguments.count) else {
      throw SQLError(
        "\(function.name) has \(counts.lowerBound) to \(counts.upperBound) arguments, not "
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
    case .regex, .fastRegex: return RecordField.numbered(RegexSyntax.groupCount(text))
    case .w3c: return RecordField.numbered(try w3cFormat(text, at: place).fieldCount)
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

  private func w3cFormat(_ text: String, at offset: Int) throws(SQLError) -> W3CLogFormat {
    let format = W3CLogFormat(text)
    guard format.fieldCount > 0 else {
      throw SQLError(
        "'\(text)' is no format of W3C_LOG_PARSE", at: offset,
        hint:
          "COMMON, COMMON WITH VHOST, NCSA EXTENDED, REFERER, AGENT, IIS, or directives such as "
          + "%h %l %u %t \"%r\" %>s %b")
    }
    return format
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
          ? "'A TYPE VARCHAR(8) START 1 FOR 8, B TYPE INTEGER START 9 FOR 4'"
          : "'A TYPE VARCHAR(16), B TYPE INTEGER NOT NULL'")
    }
  }
}

extension RecordFunction {
  fileprivate var argumentCounts: ClosedRange<Int> {
    switch self {
    case .regex, .fastRegex, .w3c, .fixedColumn: 2...2
    case .variableColumn: 2...5
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

/// What can be seen of a regular expression without compiling it.
enum RegexSyntax {
  /// How many groups a pattern captures.
  static func groupCount(_ pattern: String) -> Int {
    let bytes = Array(pattern.utf8)
    var count = 0
    var index = 0
    var isInClass = false
    while index < bytes.count {
      switch bytes[index] {
      case UInt8(ascii: "\\"): index += 1
      case UInt8(ascii: "["): isInClass = true
      case UInt8(ascii: "]"): isInClass = false
      case UInt8(ascii: "(") where !isInClass:
        let next = index + 1 < bytes.count ? bytes[index + 1] : 0
        let isNamed =
          next == UInt8(ascii: "?") && index + 3 < bytes.count
          && bytes[index + 2] == UInt8(ascii: "<")
          && bytes[index + 3] != UInt8(ascii: "=") && bytes[index + 3] != UInt8(ascii: "!")
        if next != UInt8(ascii: "?") || isNamed { count += 1 }
      default: break
      }
      index += 1
    }
    return count
  }
}
