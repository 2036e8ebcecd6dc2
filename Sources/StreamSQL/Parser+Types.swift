internal import Columns

extension Parser {
  /// The longest text and binary types.
  static let lengthLimit = 65_535
  /// The most digits of a DECIMAL.
  static let precisionLimit = 18

  mutating func typeName() throws(SQLError) -> TypeSyntax {
    let start = offset
    guard case .word(let word) = current.kind else {
      throw unexpected("a type", hint: "for example INTEGER, DOUBLE, VARCHAR(16), TIMESTAMP")
    }
    if word == "INTERVAL" {
      advance()
      return TypeSyntax(type: .interval(try qualifier()), offset: start)
    }
    guard let type = try columnType(word) else {
      throw SQLError(
        "unknown type '\(source.text(tokens[index].range))'", at: start, hint: Self.typeHint(word))
    }
    return TypeSyntax(type: .column(type), offset: start)
  }

  private static func typeHint(_ word: String) -> String {
    switch word {
    case "STRING", "TEXT", "VARCHAR2": "write VARCHAR(n), for example VARCHAR(64)"
    case "LONG", "INT8", "INT64": "write BIGINT"
    case "BOOL": "write BOOLEAN"
    case "DATETIME": "write TIMESTAMP"
    default:
      "types are BOOLEAN, TINYINT, SMALLINT, INTEGER, BIGINT, DECIMAL(p,s), REAL, DOUBLE, CHAR(n), "
        + "VARCHAR(n), BINARY(n), VARBINARY(n), DATE, TIME, TIMESTAMP"
    }
  }

  private mutating func columnType(_ word: String) throws(SQLError) -> ColumnType? {
    let simple: ColumnType? =
      switch word {
      case "BOOLEAN": .boolean
      case "TINYINT": .tinyint
      case "SMALLINT": .smallint
      case "INTEGER", "INT": .integer
      case "BIGINT": .bigint
      case "REAL": .real
      case "DATE": .date
      default: nil
      }
    if let simple {
      advance()
      return simple
    }
    switch word {
    case "DECIMAL", "DEC", "NUMERIC":
      advance()
      return try decimalType()
    case "DOUBLE":
      advance()
      _ = accept(words: "PRECISION")
      return .double
    case "FLOAT":
      advance()
      _ = try parameters(1)
      return .double
    case "TIME", "TIMESTAMP":
      advance()
      _ = try parameters(1)
      _ = accept(words: "WITHOUT", "TIME", "ZONE")
      return word == "TIME" ? .time : .timestamp
    case "CHAR", "CHARACTER":
      advance()
      return accept(words: "VARYING") ? .varchar(try varyingLength()) : .char(try length())
    case "VARCHAR":
      advance()
      return .varchar(try varyingLength())
    case "BINARY":
      advance()
      return accept(words: "VARYING") ? .varbinary(try varyingLength()) : .binary(try length())
    case "VARBINARY":
      advance()
      return .varbinary(try varyingLength())
    default: return nil
    }
  }

  private mutating func decimalType() throws(SQLError) -> ColumnType {
    let start = offset
    let values = try parameters(2)
    let precision = values.first ?? Self.precisionLimit
    let scale = values.count > 1 ? values[1] : 0
    // One page of the original says 19 digits, the others 18.
    guard (1...19).contains(precision), (0...precision).contains(scale) else {
      throw SQLError(
        "DECIMAL has 1 to \(Self.precisionLimit) digits and a scale from 0 to their number",
        at: start)
    }
    return .decimal(precision: min(precision, Self.precisionLimit), scale: min(scale, 18))
  }

  /// Without a length nothing is cut: programs write `CAST(… AS VARCHAR)`.
  private mutating func varyingLength() throws(SQLError) -> Int {
    isAt("(") ? try length() : Self.lengthLimit
  }

  private mutating func length() throws(SQLError) -> Int {
    let start = offset
    guard let value = try parameters(1).first else { return 1 }
    guard (1...Self.lengthLimit).contains(value) else {
      throw SQLError("a length lies between 1 and \(Self.lengthLimit)", at: start)
    }
    return value
  }

  /// `[( integer {, integer} )]`, at most `limit` of them.
  private mutating func parameters(_ limit: Int) throws(SQLError) -> [Int] {
    guard accept("(") else { return [] }
    var values = [try integer()]
    while values.count < limit, accept(",") { values.append(try integer()) }
    try expect(")")
    return values
  }

  private mutating func integer() throws(SQLError) -> Int {
    guard case .integer(let digits) = current.kind, let value = Int(digits) else {
      throw unexpected("an integer")
    }
    advance()
    return value
  }

  // MARK: Intervals

  /// The unit under the cursor.
  func unitAhead(_ ahead: Int = 0) -> DatetimeUnit? {
    guard case .word(let word) = peek(ahead).kind else { return nil }
    return Self.unit(word)
  }

  static func unit(_ word: String) -> DatetimeUnit? {
    switch word {
    case "YEAR", "YEARS": .year
    case "MONTH", "MONTHS": .month
    case "DAY", "DAYS": .day
    case "HOUR", "HOURS": .hour
    case "MINUTE", "MINUTES": .minute
    case "SECOND", "SECONDS": .second
    default: nil
    }
  }

  /// `unit[(p[, f])] [TO unit[(f)]]`.
  ///
  /// With the text of a literal that has one field, `TO unit )` belongs to an enclosing FLOOR or CEIL.
  mutating func qualifier(of text: String? = nil) throws(SQLError) -> IntervalQualifier {
    let start = offset
    let first = try unit()
    let precision = try parameters(2)
    let hasOneField = text?.contains { " :-".contains($0) } == false
    guard !(hasOneField && isAt(")", 2)), accept(words: "TO") else {
      return IntervalQualifier(
        first: first, last: first, leadingPrecision: precision.first ?? 2,
        fractionalPrecision: precision.count > 1 ? precision[1] : 3)
    }
    let last = try unit()
    let fraction = try parameters(1)
    guard first < last, (first <= .month) == (last <= .month) else {
      throw SQLError(
        "an interval cannot reach from \(first) to \(last)", at: start,
        hint: "YEAR TO MONTH, or from larger to smaller among DAY, HOUR, MINUTE, SECOND")
    }
    return IntervalQualifier(
      first: first, last: last, leadingPrecision: precision.first ?? 2,
      fractionalPrecision: fraction.first ?? 3)
  }

  mutating func unit() throws(SQLError) -> DatetimeUnit {
    guard let unit = unitAhead() else {
      let hint =
        isAt(word: "WEEK")
        ? "there is no WEEK: use INTERVAL '7' DAY" : "YEAR, MONTH, DAY, HOUR, MINUTE or SECOND"
      throw unexpected("a unit of time", hint: hint)
    }
    advance()
    return unit
  }
}
