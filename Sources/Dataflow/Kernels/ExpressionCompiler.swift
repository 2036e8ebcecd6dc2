import Columns
import StreamSQL

/// Turns bound expressions into trees of kernels.
enum ExpressionCompiler {
  /// The kernel of an expression over the input's columns.
  static func compile(_ expression: BoundExpression) -> Kernel {
    let type = expression.type
    switch expression.kind {
    case .column(let index):
      return ColumnKernel(index: index, storage: type.storage)
    case .rowtime: return RowtimeKernel()
    case .literal(let value): return literal(value, type)
    case .call(let function, let arguments): return call(function, arguments, type)
    case .cast(let operand): return cast(operand, to: type)
    case .conditional(let branches, let otherwise):
      return CaseKernel(
        branches: branches.map { (compile($0.condition), compile($0.result)) },
        otherwise: compile(otherwise), storage: type.storage)
    case .coalesce(let operands):
      return CoalesceKernel(operands.map(compile), storage: type.storage)
    case .and(let operands): return connective(operands, isAnd: true)
    case .or(let operands): return connective(operands, isAnd: false)
    case .not(let operand): return NotKernel(compile(operand))
    case .comparison(let comparison, let left, let right):
      return ComparisonKernel(comparison, compile(left), compile(right))
    case .isNotDistinct(let left, let right):
      return DistinctKernel(compile(left), compile(right), isNegated: true)
    case .inList(let operand, let list):
      return InListKernel(compile(operand), list.map(compile))
    case .arithmetic(let operation, let left, let right):
      return arithmetic(operation, left, right, type)
    case .negate(let operand):
      return SignKernel(compile(operand), isAbsolute: false, range: range(of: type))
    case .isNull(let operand): return TestKernel(compile(operand), .isNull, isNegated: false)
    case .isBoolean(let operand, let flag):
      return TestKernel(compile(operand), flag ? .isTrue : .isFalse, isNegated: false)
    }
  }

  private static func range(of type: ExpressionType) -> ClosedRange<Int64> {
    type.columnType?.integerRange ?? Int64.min...Int64.max
  }

  private static func literal(_ value: SQLValue, _ type: ExpressionType) -> Kernel {
    let constant: ConstantKernel.Value =
      switch value {
      case .null: .null
      case .integer(let number):
        type.storage == .floating ? .double(Double(number)) : .integer(number)
      case .double(let number): .double(number)
      case .bytes(let bytes): .text(bytes)
      }
    return ConstantKernel(constant, storage: type.storage)
  }

  private static func connective(_ operands: [BoundExpression], isAnd: Bool) -> Kernel {
    var result = compile(operands[0])
    for operand in operands.dropFirst() {
      result = ConnectiveKernel(result, compile(operand), isAnd: isAnd)
    }
    return result
  }

  private static func arithmetic(
    _ operation: ArithmeticOperator, _ left: BoundExpression, _ right: BoundExpression,
    _ type: ExpressionType
  ) -> Kernel {
    let lhs = compile(left)
    let rhs = compile(right)
    if case .interval(let qualifier) = right.type, let moment = left.type.columnType {
      return MomentArithmetic(
        lhs, rhs, type: moment, isMonths: qualifier.isYearMonth,
        isNegative: operation == .subtract)
    }
    if case .interval = type, let moment = left.type.columnType {
      return MomentDifference(lhs, rhs, scale: scale(of: .column(moment)))
    }
    if case .interval = type, rhs.storage == .floating {
      return IntervalScaling(lhs, rhs, divides: operation == .divide)
    }
    guard let result = type.columnType else { return IntegerArithmetic(operation, lhs, rhs) }
    if result.storage == .floating {
      return FloatingArithmetic(operation, lhs, rhs, isReal: result == .real)
    }
    let leftScale = left.type.columnType?.scale ?? 0
    let rightScale = right.type.columnType?.scale ?? 0
    let scaling =
      switch operation {
      case .multiply: result.scale - leftScale - rightScale
      case .divide: result.scale + rightScale - leftScale
      default: 0
      }
    return IntegerArithmetic(
      operation, lhs, rhs, range: result.integerRange, scaling: scaling)
  }

  static func scale(of type: ExpressionType) -> DatetimeScale {
    switch type {
    case .column(.date): .days
    case .column: .milliseconds
    case .interval(let qualifier): qualifier.isYearMonth ? .months : .milliseconds
    }
  }

  // MARK: Conversions

  private static func cast(_ operand: BoundExpression, to type: ExpressionType) -> Kernel {
    let value = compile(operand)
    switch (operand.type, type) {
    case (.column(let from), .column(let to)): return cast(value, from: from, to: to)
    case (.interval(let from), .column(let to)):
      if to.isCharacter {
        return fit(ToTextKernel(value, format: .interval(from)), to: to)
      }
      let unit = ConstantKernel(.integer(length(of: from)), storage: .integer)
      return cast(IntegerArithmetic(.divide, value, unit), from: .bigint, to: to)
    case (.column(let from), .interval(let to)):
      if from.isCharacter { return TextToIntervalKernel(value, qualifier: to) }
      let unit = ConstantKernel(.integer(length(of: to)), storage: .integer)
      return IntegerArithmetic(.multiply, cast(value, from: from, to: .bigint), unit)
    case (.interval, .interval(let to)):
      if to.last == .second || to.last == .month { return value }
      let unit = ConstantKernel(.integer(length(of: to)), storage: .integer)
      return IntegerArithmetic(.multiply, IntegerArithmetic(.divide, value, unit), unit)
    }
  }

  private static func length(of qualifier: IntervalQualifier) -> Int64 {
    qualifier.last.milliseconds ?? (qualifier.last == .year ? 12 : 1)
  }

  /// The kernel that converts between two column types.
  static func cast(_ value: Kernel, from: ColumnType, to: ColumnType) -> Kernel {
    if from == to { return value }
    switch (from.storage, to.storage) {
    case (.text, .text): return fit(value, to: to, from: from)
    case (.text, _): return FromTextKernel(value, target: to)
    case (_, .text):
      guard let format = TextFormat(from) else { return value }
      return fit(ToTextKernel(value, format: format), to: to)
    case (.floating, .floating): return to == .real ? ToRealKernel(value) : value
    case (.floating, .integer):
      if to == .boolean { return ToBooleanKernel(value) }
      return FromFloatingKernel(value, scale: to.scale, range: to.integerRange)
    case (.integer, .floating):
      return ToFloatingKernel(value, scale: from.scale, isReal: to == .real)
    case (.integer, .integer):
      if from.isDatetime, to.isDatetime { return DatetimeCastKernel(value, from: from, to: to) }
      if to == .boolean { return ToBooleanKernel(value) }
      let source = from == .boolean ? 0...1 : from.integerRange
      if from.scale == to.scale, to.integerRange.contains(source.lowerBound),
        to.integerRange.contains(source.upperBound)
      {
        return value
      }
      return RescaleKernel(value, from: from.scale, to: to.scale, range: to.integerRange)
    }
  }

  private static func fit(_ value: Kernel, to: ColumnType, from: ColumnType? = nil) -> Kernel {
    switch to {
    case .char(let length): return FitTextKernel(value, length: length, pads: true, isBinary: false)
    case .binary(let length):
      return FitTextKernel(value, length: length, pads: true, isBinary: true)
    case .varchar(let length):
      if case .varchar(let shorter)? = from, shorter <= length { return value }
      if case .char(let shorter)? = from, shorter <= length { return value }
      return FitTextKernel(value, length: length, pads: false, isBinary: false)
    case .varbinary(let length):
      return FitTextKernel(value, length: length, pads: false, isBinary: true)
    default: return value
    }
  }

  // MARK: Functions

  private static func call(
    _ function: FunctionID, _ arguments: [BoundExpression], _ type: ExpressionType
  ) -> Kernel {
    switch function {
    case .absolute:
      return SignKernel(compile(arguments[0]), isAbsolute: true, range: range(of: type))
    case .floor, .ceiling:
      return rounded(arguments[0], roundsUp: function == .ceiling)
    case .exponential: return ElementaryKernel(.exponential, compile(arguments[0]))
    case .naturalLogarithm: return ElementaryKernel(.naturalLogarithm, compile(arguments[0]))
    case .decimalLogarithm: return ElementaryKernel(.commonLogarithm, compile(arguments[0]))
    case .squareRoot: return ElementaryKernel(.squareRoot, compile(arguments[0]))
    case .power: return PowerKernel(compile(arguments[0]), compile(arguments[1]))
    case .stepNumber: return StepKernel(compile(arguments[0]), compile(arguments[1]))
    case .floorTo, .ceilingTo, .stepMilliseconds, .stepMonths, .extract, .unixTimestamp,
      .toTimestamp, .timestampDifference, .monthsBetween, .charToTimestamp, .charToDate,
      .charToTime,
      .datetimeToChar, .queryStartTimestamp, .currentRowTimestamp:
      return datetime(function, arguments)
    case .jsonValue(let onEmpty, let onError):
      return JSONValueKernel(
        arguments.map(compile), onEmpty: onEmpty, onError: onError,
        type: type.columnType ?? .varchar(0))
    default:
      return TextFunctionKernel(function, arguments.map(compile), storage: type.storage)
    }
  }

  private static func rounded(_ operand: BoundExpression, roundsUp: Bool) -> Kernel {
    let value = compile(operand)
    if value.storage == .floating { return ElementaryKernel(roundsUp ? .ceiling : .floor, value) }
    let scale = operand.type.columnType?.scale ?? 0
    guard scale > 0 else { return value }
    return MultipleKernel(value, size: powersOfTen[min(18, scale)], roundsUp: roundsUp)
  }

  private static func datetime(_ function: FunctionID, _ arguments: [BoundExpression]) -> Kernel {
    let operands = arguments.map(compile)
    let scale = arguments.first.map { self.scale(of: $0.type) } ?? .milliseconds
    switch function {
    case .floorTo(let unit): return multiple(operands[0], unit, scale, roundsUp: false)
    case .ceilingTo(let unit): return multiple(operands[0], unit, scale, roundsUp: true)
    case .stepMilliseconds(let size):
      guard scale == .days else { return MultipleKernel(operands[0], size: size, roundsUp: false) }
      let moment = DatetimeCastKernel(operands[0], from: .date, to: .timestamp)
      return DatetimeCastKernel(
        MultipleKernel(moment, size: size, roundsUp: false), from: .timestamp, to: .date)
    case .stepMonths(let months):
      return MonthMultipleKernel(operands[0], months: months, roundsUp: false, scale: scale)
    case .extract(let unit):
      var qualifier: IntervalQualifier?
      if case .interval(let found) = arguments[0].type { qualifier = found }
      return ExtractKernel(operands[0], unit: unit, scale: scale, interval: qualifier)
    case .timestampDifference:
      return MomentDifference(operands[0], operands[1], scale: scale, isAbsolute: true)
    case .monthsBetween: return MonthDifference(operands[0], operands[1])
    case .charToTimestamp:
      return ParseMomentKernel(pattern: operands[0], text: operands[1], type: .timestamp)
    case .charToDate: return ParseMomentKernel(pattern: operands[0], text: operands[1], type: .date)
    case .charToTime: return ParseMomentKernel(pattern: operands[0], text: operands[1], type: .time)
    case .datetimeToChar:
      return FormatMomentKernel(
        pattern: operands[0], moment: operands[1], scale: self.scale(of: arguments[1].type))
    case .queryStartTimestamp: return StartTimeKernel()
    case .currentRowTimestamp: return ClockKernel()
    default: return operands[0]
    }
  }

  private static func multiple(
    _ value: Kernel, _ unit: DatetimeUnit, _ scale: DatetimeScale, roundsUp: Bool
  ) -> Kernel {
    guard let size = unit.milliseconds else {
      let months: Int64 = unit == .year ? 12 : 1
      if scale == .months { return MultipleKernel(value, size: months, roundsUp: roundsUp) }
      return MonthMultipleKernel(value, months: months, roundsUp: roundsUp, scale: scale)
    }
    if scale == .days { return value }
    return MultipleKernel(value, size: size, roundsUp: roundsUp)
  }
}
