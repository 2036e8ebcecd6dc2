internal import Columns

/// The rules of types: what converts into what, and what operands have in common.
enum Conversions {
  /// The expression as a value of another column type, where the language converts by itself.
  ///
  /// - Returns: nil if it needs a CAST or is impossible.
  static func implicit(_ expression: BoundExpression, to target: ColumnType) -> BoundExpression? {
    if expression.isNullLiteral { return expression.retyped(.column(target)) }
    guard case .column(let source) = expression.type else { return nil }
    let isAllowed =
      source == target || (source.isNumeric && target.isNumeric)
      || (source.isCharacter && target.isCharacter) || (source.isBinary && target.isBinary)
    return isAllowed ? converted(expression, to: target) : nil
  }

  /// The expression with a cast to `target` around it, unless none is needed.
  static func converted(_ expression: BoundExpression, to target: ColumnType) -> BoundExpression {
    guard expression.type != .column(target) else { return expression }
    if expression.isNullLiteral { return expression.retyped(.column(target)) }
    if let folded = foldedNumber(expression, target) { return folded }
    if case .column(.varchar(let from)) = expression.type, case .varchar(let to) = target,
      from <= to
    {
      switch expression.kind {
      case .cast, .call(.jsonValue, _): break  // Their type says where the text is cut.
      default: return expression.retyped(.column(target))
      }
    }
    return BoundExpression(.cast(expression), type: .column(target), position: expression.position)
  }

  private static func foldedNumber(
    _ expression: BoundExpression, _ target: ColumnType
  ) -> BoundExpression? {
    guard case .literal(.integer(let value)) = expression.kind,
      case .column(let source) = expression.type, source.isNumeric
    else { return nil }
    func literal(_ value: SQLValue) -> BoundExpression {
      BoundExpression(.literal(value), type: .column(target), position: expression.position)
    }
    let scale: Int
    if case .decimal(_, let digits) = source { scale = digits } else { scale = 0 }
    switch target {
    case .double: return literal(.double(Double(value) / powerOfTen(scale)))
    case .bigint where scale == 0: return literal(.integer(value))
    case .integer where scale == 0 && Int32(exactly: value) != nil: return literal(.integer(value))
    case .decimal(_, let wanted) where wanted >= scale && wanted - scale <= 18:
      var result = value
      for _ in scale..<wanted {
        let (product, overflow) = result.multipliedReportingOverflow(by: 10)
        if overflow { return nil }
        result = product
      }
      return literal(.integer(result))
    default: return nil
    }
  }

  /// Exact for up to 10^22.
  private static func powerOfTen(_ exponent: Int) -> Double {
    var power = 1.0
    for _ in 0..<exponent { power *= 10 }
    return power
  }

  /// The type that values of both can take without a CAST.
  static func common(_ left: ExpressionType, _ right: ExpressionType) -> ExpressionType? {
    if left == right { return left }
    switch (left, right) {
    case (.interval(let one), .interval(let other)):
      guard one.isYearMonth == other.isYearMonth else { return nil }
      return .interval(
        IntervalQualifier(first: min(one.first, other.first), last: max(one.last, other.last)))
    case (.column(let one), .column(let other)): return common(one, other).map { .column($0) }
    default: return nil
    }
  }

  /// The column type that values of both can take without a CAST.
  static func common(_ left: ColumnType, _ right: ColumnType) -> ColumnType? {
    if left == right { return left }
    if left.isNumeric && right.isNumeric { return commonNumber(left, right) }
    if left.isCharacter && right.isCharacter { return .varchar(max(left.length, right.length)) }
    if left.isBinary && right.isBinary { return .varbinary(max(left.length, right.length)) }
    return nil
  }

  private static func commonNumber(_ left: ColumnType, _ right: ColumnType) -> ColumnType {
    if left.isApproximate || right.isApproximate { return .double }
    if left.isInteger && right.isInteger {
      return left.integerDigits >= right.integerDigits ? left : right
    }
    let scale = max(left.scale, right.scale)
    return .decimal(precision: Parser.precisionLimit, scale: scale)
  }

  /// Whether CAST knows the pair.
  static func canCast(_ source: ExpressionType, to target: ExpressionType) -> Bool {
    switch (source, target) {
    case (.interval(let one), .interval(let other)): return one.isYearMonth == other.isYearMonth
    case (.interval(let one), .column(let other)):
      return other.isCharacter || (other.isNumeric && one.first == one.last)
    case (.column(let one), .interval(let other)):
      return one.isCharacter || (one.isNumeric && other.first == other.last)
    case (.column(let one), .column(let other)):
      if one == other || one.isCharacter { return true }
      if other.isCharacter { return true }
      if one.isNumeric { return other.isNumeric || other == .boolean }
      switch (one, other) {
      case (.boolean, _): return other.isNumeric
      case (.timestamp, .date), (.timestamp, .time), (.date, .timestamp): return true
      default: return one.isBinary && other.isBinary
      }
    }
  }
}

extension ColumnType {
  /// The length of a text or binary type.
  var length: Int {
    switch self {
    case .char(let length), .varchar(let length), .binary(let length), .varbinary(let length):
      length
    default: 0
    }
  }

  /// Whether values are filled up with blanks.
  var isPadded: Bool {
    if case .char = self { return true }
    return false
  }

  /// Digits behind the point of an exact number.
  var scale: Int {
    if case .decimal(_, let scale) = self { return scale }
    return 0
  }

  /// The most digits of an integer type.
  var integerDigits: Int {
    switch self {
    case .tinyint: 3
    case .smallint: 5
    case .integer: 10
    case .bigint: 19
    case .decimal(let precision, _): precision
    default: 0
    }
  }
}

extension ExpressionType: CustomStringConvertible {
  /// The type as it is written in SQL.
  public var description: String {
    switch self {
    case .column(let type): return type.description
    case .interval(let qualifier):
      let first = "\(qualifier.first)".uppercased()
      return qualifier.first == qualifier.last
        ? "INTERVAL \(first)" : "INTERVAL \(first) TO \("\(qualifier.last)".uppercased())"
    }
  }
}
