internal import Columns

extension BoundExpression {
  /// The expression as SQL, with the names of its input's columns.
  func text(_ input: Schema) -> String {
    func inner(_ part: BoundExpression) -> String { part.text(input) }
    func joined(_ parts: [BoundExpression], _ separator: String) -> String {
      parts.map(inner).joined(separator: separator)
    }
    switch kind {
    case .column(let index):
      return input.columns.indices.contains(index) ? quoted(input.columns[index].name) : "#\(index)"
    case .rowtime: return "ROWTIME"
    case .literal(let value): return literalText(value)
    case .call(let function, let arguments): return callText(function, arguments, input)
    case .cast(let operand): return "CAST(\(inner(operand)) AS \(type))"
    case .conditional(let branches, let otherwise):
      let whens = branches.map { "WHEN \(inner($0.condition)) THEN \(inner($0.result))" }
      return "CASE \(whens.joined(separator: " ")) ELSE \(inner(otherwise)) END"
    case .coalesce(let operands): return "COALESCE(\(joined(operands, ", ")))"
    case .and(let operands): return "(\(joined(operands, " AND ")))"
    case .or(let operands): return "(\(joined(operands, " OR ")))"
    case .not(let operand): return "NOT \(inner(operand))"
    case .comparison(let sign, let left, let right):
      return "(\(inner(left)) \(sign.rawValue) \(inner(right)))"
    case .isNotDistinct(let left, let right):
      return "(\(inner(left)) IS NOT DISTINCT FROM \(inner(right)))"
    case .inList(let operand, let values): return "(\(inner(operand)) IN (\(joined(values, ", "))))"
    case .arithmetic(let sign, let left, let right):
      return "(\(inner(left)) \(sign.rawValue) \(inner(right)))"
    case .negate(let operand): return "-\(inner(operand))"
    case .isNull(let operand): return "(\(inner(operand)) IS NULL)"
    case .isBoolean(let operand, let flag):
      return "(\(inner(operand)) IS \(flag ? "TRUE" : "FALSE"))"
    }
  }

  private func quoted(_ name: String) -> String { "\"\(name)\"" }

  private func literalText(_ value: SQLValue) -> String {
    switch (value, type) {
    case (.null, _): return "NULL"
    case (.double(let number), _): return "\(number)"
    case (.bytes(let bytes), _):
      let text = String(decoding: bytes, as: UTF8.self)
      return
        "'\(text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''"))'"
    case (.integer(let number), .column(.boolean)): return number == 0 ? "FALSE" : "TRUE"
    case (.integer(let number), .column(.timestamp)):
      return "TIMESTAMP '\(CivilTime(milliseconds: number))'"
    case (.integer(let number), .column(.date)):
      var bytes: [UInt8] = []
      CivilTime(milliseconds: number &* CivilTime.millisecondsPerDay).appendDate(to: &bytes)
      return "DATE '\(String(decoding: bytes, as: UTF8.self))'"
    case (.integer(let number), .column(.decimal(_, let scale))) where scale > 0:
      var digits = String(number.magnitude)
      while digits.count <= scale { digits = "0" + digits }
      return "\(number < 0 ? "-" : "")\(digits.dropLast(scale)).\(digits.suffix(scale))"
    case (.integer(let number), .interval(let qualifier)):
      return qualifier.isYearMonth ? "\(number) months" : "\(durationText(number))"
    case (.integer(let number), _): return "\(number)"
    }
  }

  private func callText(
    _ function: FunctionID, _ arguments: [BoundExpression], _ input: Schema
  ) -> String {
    let texts = arguments.map { $0.text(input) }
    let list = texts.joined(separator: ", ")
    switch function {
    case .floorTo(let unit): return "FLOOR(\(list) TO \("\(unit)".uppercased()))"
    case .ceilingTo(let unit): return "CEIL(\(list) TO \("\(unit)".uppercased()))"
    case .stepMilliseconds(let length): return "STEP(\(list) BY \(durationText(length)))"
    case .stepMonths(let months): return "STEP(\(list) BY \(months) months)"
    case .stepNumber: return "STEP(\(texts.joined(separator: " BY ")))"
    case .extract(let unit): return "EXTRACT(\("\(unit)".uppercased()) FROM \(list))"
    case .concatenate: return "(\(texts.joined(separator: " || ")))"
    case .like: return "(\(texts.prefix(2).joined(separator: " LIKE ")))"
    case .similarTo: return "(\(texts.prefix(2).joined(separator: " SIMILAR TO ")))"
    default: return "\(function.name)(\(list))"
    }
  }
}

/// A length of time in the largest unit that divides it.
func durationText(_ milliseconds: Int64) -> String {
  let units: [(Int64, String)] = [
    (86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1_000, "second"),
  ]
  for (length, name) in units where milliseconds != 0 && milliseconds % length == 0 {
    let count = milliseconds / length
    return "\(count) \(name)\(count == 1 ? "" : "s")"
  }
  return "\(milliseconds) ms"
}

extension FunctionID {
  /// The name in programs of functions without keywords between their arguments.
  var name: String {
    switch self {
    case .absolute: "ABS"
    case .floor: "FLOOR"
    case .ceiling: "CEIL"
    case .exponential: "EXP"
    case .naturalLogarithm: "LN"
    case .decimalLogarithm: "LOG10"
    case .power: "POWER"
    case .squareRoot: "SQRT"
    case .stepNumber, .stepMilliseconds, .stepMonths: "STEP"
    case .floorTo: "FLOOR"
    case .ceilingTo: "CEIL"
    case .extract: "EXTRACT"
    case .unixTimestamp: "UNIX_TIMESTAMP"
    case .toTimestamp: "TO_TIMESTAMP"
    case .timestampDifference: "TSDIFF"
    case .monthsBetween: "MONTHS_BETWEEN"
    case .charToTimestamp: "CHAR_TO_TIMESTAMP"
    case .charToDate: "CHAR_TO_DATE"
    case .charToTime: "CHAR_TO_TIME"
    case .datetimeToChar: "TIMESTAMP_TO_CHAR"
    case .queryStartTimestamp: "CURRENT_TIMESTAMP"
    case .currentRowTimestamp: "CURRENT_ROW_TIMESTAMP"
    case .concatenate: "||"
    case .characterLength: "CHAR_LENGTH"
    case .lower: "LOWER"
    case .upper: "UPPER"
    case .initialCapitals: "INITCAP"
    case .overlay: "OVERLAY"
    case .position: "POSITION"
    case .trim: "TRIM"
    case .substringFrom, .substringComma, .substringRegex, .substringSimilar: "SUBSTRING"
    case .regexReplace: "REGEX_REPLACE"
    case .like: "LIKE"
    case .similarTo: "SIMILAR TO"
    case .jsonValue: "JSON_VALUE"
    }
  }
}
