import Columns
import StreamSQL

/// Which scale a date or time value is stored in.
enum DatetimeScale {
  /// Days since 1970-01-01.
  case days
  /// Milliseconds: timestamps, times and day-time intervals.
  case milliseconds
  /// Months: year-month intervals.
  case months
}

/// FLOOR and CEIL of a moment to calendar months (1) or years (12), counted from 1970-01.
final class MonthMultipleKernel: Kernel {
  private let operand: Kernel
  private let months: Int64
  private let roundsUp: Bool
  private let scale: DatetimeScale

  init(_ operand: Kernel, months: Int64, roundsUp: Bool, scale: DatetimeScale) {
    self.operand = operand
    self.months = months
    self.roundsUp = roundsUp
    self.scale = scale
    super.init(storage: .integer, canFail: operand.canFail)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    var result = operand.evaluate(input, rows, &evaluation, &pool)
    rows.forEach { row in
      if result.isNull(row) { return }
      let stored = result.integers[row]
      let value = scale == .days ? TextFormat.milliseconds(ofDay: stored) : stored
      let time = CivilTime(milliseconds: value)
      let month = Int64(time.year - 1_970) * 12 + Int64(time.month - 1)
      let run = floorDivide(month, months)
      var moment = monthStart(run * months)
      if roundsUp, moment != value { moment = monthStart((run + 1) * months) }
      result.integers[row] =
        scale == .days ? floorDivide(moment, CivilTime.millisecondsPerDay) : moment
    }
    return result
  }
}

/// The first moment of a month counted from 1970-01.
func monthStart(_ month: Int64) -> Int64 {
  // Beyond these years milliseconds since 1970 do not fit 64 bits.
  let month = min(max(month, -290_000_000 * 12), 290_000_000 * 12)
  let year = floorDivide(month, 12)
  return CivilTime(year: Int(year) + 1_970, month: Int(month - year * 12) + 1).milliseconds
}

/// A moment some months later; the day is cut to the month's last.
func addMonths(_ months: Int64, to milliseconds: Int64) -> Int64 {
  var time = CivilTime(milliseconds: milliseconds)
  let month = Int64(time.year) * 12 + Int64(time.month - 1) + months
  time.year = Int(min(max(floorDivide(month, 12), -290_000_000), 290_000_000))
  time.month = Int(month - floorDivide(month, 12) * 12) + 1
  time.day = min(time.day, CivilTime.days(in: time.month, of: time.year))
  return time.milliseconds
}

/// EXTRACT of a field: BIGINT, for SECOND DECIMAL(5, 3).
final class ExtractKernel: Kernel {
  private let operand: Kernel
  private let unit: DatetimeUnit
  private let scale: DatetimeScale
  private let interval: IntervalQualifier?

  init(
    _ operand: Kernel, unit: DatetimeUnit, scale: DatetimeScale, interval: IntervalQualifier?
  ) {
    self.operand = operand
    self.unit = unit
    self.scale = scale
    self.interval = interval
    super.init(storage: .integer, canFail: operand.canFail)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    var result = operand.evaluate(input, rows, &evaluation, &pool)
    rows.forEach { row in
      if result.isNull(row) { return }
      let value = result.integers[row]
      result.integers[row] = interval != nil ? intervalField(value) : civilField(value)
    }
    return result
  }

  private func civilField(_ value: Int64) -> Int64 {
    let time = CivilTime(
      milliseconds: scale == .days ? TextFormat.milliseconds(ofDay: value) : value)
    switch unit {
    case .year: return Int64(time.year)
    case .month: return Int64(time.month)
    case .day: return Int64(time.day)
    case .hour: return Int64(time.hour)
    case .minute: return Int64(time.minute)
    case .second: return Int64(time.second) * 1_000 + Int64(time.millisecond)
    }
  }

  /// The fields of an interval: the largest of its qualifier is not limited by the next larger one.
  private func intervalField(_ value: Int64) -> Int64 {
    let isFirst = unit == interval?.first
    switch unit {
    case .year: return value / 12
    case .month: return isFirst ? value : value % 12
    case .day: return value / 86_400_000
    case .hour: return isFirst ? value / 3_600_000 : value / 3_600_000 % 24
    case .minute: return isFirst ? value / 60_000 : value / 60_000 % 60
    case .second: return isFirst ? value : value % 60_000
    }
  }
}

/// Adds an interval to a moment or takes it away.
final class MomentArithmetic: Kernel {
  private let moment: Kernel
  private let interval: Kernel
  private let type: ColumnType
  private let isMonths: Bool
  private let isNegative: Bool

  init(_ moment: Kernel, _ interval: Kernel, type: ColumnType, isMonths: Bool, isNegative: Bool) {
    self.moment = moment
    self.interval = interval
    self.type = type
    self.isMonths = isMonths
    self.isNegative = isNegative
    super.init(storage: .integer, canFail: true)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    var result = moment.evaluate(input, rows, &evaluation, &pool)
    let delta = interval.evaluate(input, rows, &evaluation, &pool)
    result.nulls.formUnion(delta.nulls)
    rows.forEach { row in
      if result.isNull(row) {
        result.integers[row] = 0
        return
      }
      guard let value = add(delta.integers[row], to: result.integers[row]) else {
        result.integers[row] = 0
        evaluation.fail(row, .numericOverflow, "the time is out of range")
        return
      }
      result.integers[row] = value
    }
    return result
  }

  private func add(_ delta: Int64, to value: Int64) -> Int64? {
    let signed = isNegative ? 0 &- delta : delta
    let milliseconds = type == .date ? TextFormat.milliseconds(ofDay: value) : value
    if isMonths {
      guard abs(signed) <= 120_000 else { return nil }
      let moved = addMonths(signed, to: milliseconds)
      return type == .date ? floorDivide(moved, CivilTime.millisecondsPerDay) : moved
    }
    let (sum, overflow) = milliseconds.addingReportingOverflow(signed)
    if overflow { return nil }
    switch type {
    case .date: return floorDivide(sum, CivilTime.millisecondsPerDay)
    case .time:
      return sum - floorDivide(sum, CivilTime.millisecondsPerDay) * CivilTime.millisecondsPerDay
    default: return sum
    }
  }
}

/// The difference of two moments in milliseconds, TSDIFF's absolute one too.
final class MomentDifference: Kernel {
  private let left: Kernel
  private let right: Kernel
  private let factor: Int64
  private let isAbsolute: Bool

  init(_ left: Kernel, _ right: Kernel, scale: DatetimeScale, isAbsolute: Bool = false) {
    self.left = left
    self.right = right
    factor = scale == .days ? CivilTime.millisecondsPerDay : 1
    self.isAbsolute = isAbsolute
    super.init(storage: .integer, canFail: true)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    let lhs = left.evaluate(input, rows, &evaluation, &pool)
    let rhs = right.evaluate(input, rows, &evaluation, &pool)
    var result = Column(zeros: input.count, storage: .integer)
    result.nulls.formUnion(lhs.nulls)
    result.nulls.formUnion(rhs.nulls)
    rows.forEach { row in
      let (days, overflow) = lhs.integers[row].subtractingReportingOverflow(rhs.integers[row])
      let (value, tooBig) = days.multipliedReportingOverflow(by: factor)
      if result.isNull(row) { return }
      if overflow || tooBig || value == Int64.min {
        evaluation.fail(row, .numericOverflow, "the difference of the times is out of range")
      } else {
        result.integers[row] = isAbsolute ? abs(value) : value
      }
    }
    return result
  }
}

/// An interval times or divided by a floating-point number, cut to a whole.
final class IntervalScaling: Kernel {
  private let interval: Kernel
  private let factor: Kernel
  private let divides: Bool

  init(_ interval: Kernel, _ factor: Kernel, divides: Bool) {
    self.interval = interval
    self.factor = factor
    self.divides = divides
    super.init(storage: .integer, canFail: true)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    var result = interval.evaluate(input, rows, &evaluation, &pool)
    let by = factor.evaluate(input, rows, &evaluation, &pool)
    result.nulls.formUnion(by.nulls)
    rows.forEach { row in
      let value = Double(result.integers[row])
      result.integers[row] = 0
      if result.isNull(row) { return }
      if divides, by.doubles[row] == 0 {
        evaluation.fail(row, .divisionByZero, "division by zero")
        return
      }
      let scaled = (divides ? value / by.doubles[row] : value * by.doubles[row])
        .rounded(.towardZero)
      guard let whole = Int64(exactly: scaled) else {
        evaluation.fail(row, .numericOverflow, "the interval is out of range")
        return
      }
      result.integers[row] = whole
    }
    return result
  }
}

/// CHAR_TO_TIMESTAMP, CHAR_TO_DATE and CHAR_TO_TIME.
final class ParseMomentKernel: Kernel {
  private let pattern: Kernel
  private let text: Kernel
  private let type: ColumnType
  private var patternBytes: [UInt8]?
  private var compiled: DatePattern?

  init(pattern: Kernel, text: Kernel, type: ColumnType) {
    self.pattern = pattern
    self.text = text
    self.type = type
    super.init(storage: .integer, canFail: true)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    let patterns = pattern.evaluate(input, rows, &evaluation, &pool)
    let texts = text.evaluate(input, rows, &evaluation, &pool)
    var result = Column(zeros: input.count, storage: .integer)
    result.nulls.formUnion(patterns.nulls)
    result.nulls.formUnion(texts.nulls)
    for index in 0..<rows.activeCount {
      let row = rows.selected.map { Int($0[index]) } ?? index
      if result.isNull(row) { continue }
      prepare(pool.bytes[pool.range(of: patterns.texts[row])])
      guard let compiled else {
        evaluation.fail(row, .badArgument, "the date pattern is malformed")
        continue
      }
      let value = pool.bytes[pool.range(of: texts.texts[row])]
      guard let moment = compiled.parse(value) else {
        evaluation.fail(
          row, .castFailed,
          "'\(String(decoding: value.prefix(100), as: UTF8.self))' does not match the pattern")
        continue
      }
      let day = floorDivide(moment, CivilTime.millisecondsPerDay)
      result.integers[row] =
        switch type {
        case .date: day
        case .time: moment - day * CivilTime.millisecondsPerDay
        default: moment
        }
    }
    return result
  }

  private func prepare(_ bytes: ArraySlice<UInt8>) {
    if let patternBytes, patternBytes.elementsEqual(bytes) { return }
    patternBytes = Array(bytes)
    compiled = DatePattern(bytes)
  }
}

/// TIMESTAMP_TO_CHAR, DATE_TO_CHAR and TIME_TO_CHAR.
final class FormatMomentKernel: Kernel {
  private let pattern: Kernel
  private let moment: Kernel
  private let scale: DatetimeScale
  private var patternBytes: [UInt8]?
  private var compiled: DatePattern?

  init(pattern: Kernel, moment: Kernel, scale: DatetimeScale) {
    self.pattern = pattern
    self.moment = moment
    self.scale = scale
    super.init(storage: .text, canFail: true)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    let patterns = pattern.evaluate(input, rows, &evaluation, &pool)
    let moments = moment.evaluate(input, rows, &evaluation, &pool)
    var result = Column(zeros: input.count, storage: .text)
    result.nulls.formUnion(patterns.nulls)
    result.nulls.formUnion(moments.nulls)
    var output: [UInt8] = []
    for index in 0..<rows.activeCount {
      let row = rows.selected.map { Int($0[index]) } ?? index
      if result.isNull(row) { continue }
      let bytes = Array(pool.bytes[pool.range(of: patterns.texts[row])])
      if patternBytes != bytes {
        patternBytes = bytes
        compiled = DatePattern(bytes[...])
      }
      guard let compiled else {
        evaluation.fail(row, .badArgument, "the date pattern is malformed")
        continue
      }
      let stored = moments.integers[row]
      output.removeAll(keepingCapacity: true)
      compiled.format(
        scale == .days ? TextFormat.milliseconds(ofDay: stored) : stored, to: &output)
      result.texts[row] = pool.intern(output.span)
    }
    return result
  }
}

/// A value under another scale: days to milliseconds and back, time parts of timestamps.
final class DatetimeCastKernel: Kernel {
  private let operand: Kernel
  private let from: ColumnType
  private let to: ColumnType

  init(_ operand: Kernel, from: ColumnType, to: ColumnType) {
    self.operand = operand
    self.from = from
    self.to = to
    super.init(storage: .integer, canFail: operand.canFail)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    var result = operand.evaluate(input, rows, &evaluation, &pool)
    rows.forEach { row in
      let value = result.integers[row]
      let milliseconds = from == .date ? TextFormat.milliseconds(ofDay: value) : value
      let day = floorDivide(milliseconds, CivilTime.millisecondsPerDay)
      switch to {
      case .date: result.integers[row] = day
      case .time: result.integers[row] = milliseconds - day * CivilTime.millisecondsPerDay
      default: result.integers[row] = milliseconds
      }
    }
    return result
  }
}
