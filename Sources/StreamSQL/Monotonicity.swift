internal import Columns

extension BoundExpression {
  /// How the value depends on the input row's ROWTIME, if it never decreases with it.
  ///
  /// - Parameters:
  ///   - columns: The same for the columns of the input.
  ///   - asserted: Expressions within MONOTONIC(…).
  /// - Returns: nil if it may decrease.
  func monotonicKey(columns: [MonotonicKey?], asserted: [BoundExpression]) -> MonotonicKey? {
    if let function = rowtimeFunction(columns) { return .rowtime(function) }
    if !asserted.isEmpty, monotonicFunction(columns, { asserted.contains($0) }) != nil {
      return .asserted
    }
    if case .column(let index) = kind, columns.indices.contains(index) { return columns[index] }
    return nil
  }

  private func rowtimeFunction(_ columns: [MonotonicKey?]) -> MonotonicFunction? {
    monotonicFunction(columns) { _ in false }
  }

  /// The function of ROWTIME, or of an expression that is taken for monotonic.
  private func monotonicFunction(
    _ columns: [MonotonicKey?], _ isBase: (BoundExpression) -> Bool
  ) -> MonotonicFunction? {
    if isBase(self) { return MonotonicFunction() }
    switch kind {
    case .rowtime: return MonotonicFunction()
    case .column(let index):
      guard columns.indices.contains(index), case .rowtime(let function) = columns[index] else {
        return nil
      }
      return function
    case .call(let function, let arguments):
      guard let inner = arguments.first?.monotonicFunction(columns, isBase) else { return nil }
      return Self.applying(function, arguments, to: inner)
    case .arithmetic(let sign, let left, let right):
      return arithmeticFunction(sign, left, right, columns, isBase)
    case .cast(let operand):
      guard let inner = operand.monotonicFunction(columns, isBase) else { return nil }
      return castFunction(of: inner, from: operand.type)
    default: return nil
    }
  }

  private static func applying(
    _ function: FunctionID, _ arguments: [BoundExpression], to inner: MonotonicFunction
  ) -> MonotonicFunction? {
    // A DATE is stored in days.
    let unitScale: Int64 = arguments[0].type == .column(.date) ? CivilTime.millisecondsPerDay : 1
    switch function {
    case .unixTimestamp, .toTimestamp: return inner
    case .floor, .ceiling:
      guard case .column(let type) = arguments[0].type, type.isInteger else { return nil }
      return inner
    case .floorTo(let unit):
      guard unitScale == 1 else { return nil }
      if let length = unit.milliseconds { return inner.then(.floor(length)) }
      return inner.then(.floorMonths(unit == .year ? 12 : 1))
    case .ceilingTo(let unit):
      guard unitScale == 1 else { return nil }
      if let length = unit.milliseconds { return inner.then(.ceiling(length)) }
      return inner.then(.ceilingMonths(unit == .year ? 12 : 1))
    case .stepMilliseconds(let length): return inner.then(.floor(length))
    case .stepMonths(let months): return inner.then(.floorMonths(months))
    case .stepNumber:
      guard arguments.count == 2, let step = arguments[1].integerLiteral, step > 0 else {
        return nil
      }
      return inner.then(.floor(step))
    default: return nil
    }
  }

  private func arithmeticFunction(
    _ sign: ArithmeticOperator, _ left: BoundExpression, _ right: BoundExpression,
    _ columns: [MonotonicKey?], _ isBase: (BoundExpression) -> Bool
  ) -> MonotonicFunction? {
    guard type.storage == .integer, left.type.storage == .integer, right.type.storage == .integer
    else { return nil }
    if case .column(.decimal) = type { return nil }
    let isDate = left.type == .column(.date) || right.type == .column(.date)
    if isDate { return nil }
    if case .interval(let qualifier) = right.type, qualifier.isYearMonth { return nil }
    if let inner = left.monotonicFunction(columns, isBase), let constant = right.integerLiteral {
      switch sign {
      case .add: return inner.then(.add(constant))
      case .subtract: return constant == .min ? nil : inner.then(.add(-constant))
      case .multiply: return constant > 0 ? inner.then(.multiply(constant)) : nil
      case .divide: return constant > 0 ? inner.then(.divide(constant)) : nil
      case .remainder: return nil
      }
    }
    guard let constant = left.integerLiteral, let inner = right.monotonicFunction(columns, isBase)
    else {
      return nil
    }
    switch sign {
    case .add: return inner.then(.add(constant))
    case .multiply: return constant > 0 ? inner.then(.multiply(constant)) : nil
    default: return nil
    }
  }

  private func castFunction(
    of inner: MonotonicFunction, from source: ExpressionType
  ) -> MonotonicFunction? {
    switch (source, type) {
    case (.column(.timestamp), .column(.date)):
      return inner.then(.divide(CivilTime.millisecondsPerDay))
    case (.column(.date), .column(.timestamp)):
      return inner.then(.multiply(CivilTime.millisecondsPerDay))
    case (.column(let from), .column(let to)):
      return (from.isInteger && to.isInteger) || from == to ? inner : nil
    case (.interval(let from), .column(let to)):
      guard to.isInteger, from.first == from.last, let unit = from.first.milliseconds else {
        return nil
      }
      return inner.then(.divide(unit))
    case (.interval, .interval(let to)):
      guard let unit = to.last.milliseconds else { return nil }
      return to.last == .second ? inner : inner.then(.floor(unit))
    case (.column, .interval): return nil
    }
  }
}

extension ColumnType {
  /// Whether it is TINYINT, SMALLINT, INTEGER or BIGINT.
  var isInteger: Bool {
    switch self {
    case .tinyint, .smallint, .integer, .bigint: true
    default: false
    }
  }

  /// Whether it is REAL or DOUBLE.
  var isApproximate: Bool { self == .real || self == .double }
}
