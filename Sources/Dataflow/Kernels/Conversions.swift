import Columns
import StreamSQL

/// Powers of ten that fit `Int64`.
let powersOfTen: [Int64] = {
  var values: [Int64] = [1]
  for _ in 0..<18 { values.append((values.last ?? 1) * 10) }
  return values
}()

extension ColumnType {
  /// The values that an integer-like type can hold, as stored.
  var integerRange: ClosedRange<Int64> {
    switch self {
    case .tinyint: -128...127
    case .smallint: -32_768...32_767
    case .integer: -2_147_483_648...2_147_483_647
    case .decimal(let precision, _):
      -(powersOfTen[min(precision, 18)] - 1)...(powersOfTen[min(precision, 18)] - 1)
    default: Int64.min...Int64.max
    }
  }

  /// The digits behind the point of a decimal; 0 for integers.
  var scale: Int {
    if case .decimal(_, let scale) = self { scale } else { 0 }
  }
}

/// Divides by a positive power of ten, halves away from zero.
@inline(__always)
func divideRounding(_ value: Int64, by divisor: Int64) -> Int64 {
  let quotient = value / divisor
  let rest = (value % divisor).magnitude
  if rest >= divisor.magnitude - rest { return value < 0 ? quotient - 1 : quotient + 1 }
  return quotient
}

/// Moves integers and decimals between scales and checks the range of the new type.
final class RescaleKernel: Kernel {
  private let operand: Kernel
  private let from: Int
  private let to: Int
  private let range: ClosedRange<Int64>

  init(_ operand: Kernel, from: Int, to: Int, range: ClosedRange<Int64>) {
    self.operand = operand
    self.from = from
    self.to = to
    self.range = range
    super.init(storage: .integer, canFail: true)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    var result = operand.evaluate(input, rows, &evaluation, &pool)
    let factor = powersOfTen[min(18, abs(to - from))]
    rows.forEach { row in
      let value = result.integers[row]
      var scaled = value
      var overflow = false
      if to > from {
        (scaled, overflow) = value.multipliedReportingOverflow(by: factor)
      } else if to < from {
        scaled = divideRounding(value, by: factor)
      }
      if overflow || !range.contains(scaled) {
        result.integers[row] = 0
        evaluation.fail(row, .numericOverflow, "\(value) does not fit its type")
      } else {
        result.integers[row] = scaled
      }
    }
    return result
  }
}

/// Integers and decimals to floating point.
final class ToFloatingKernel: Kernel {
  private let operand: Kernel
  private let divisor: Double
  private let isReal: Bool

  init(_ operand: Kernel, scale: Int, isReal: Bool) {
    self.operand = operand
    divisor = Double(powersOfTen[min(18, scale)])
    self.isReal = isReal
    super.init(storage: .floating, canFail: operand.canFail)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    let values = operand.evaluate(input, rows, &evaluation, &pool)
    var result = Column(zeros: input.count, storage: .floating)
    rows.forEach { row in
      let value = Double(values.integers[row]) / divisor
      result.doubles[row] = isReal ? Double(Float(value)) : value
    }
    result.nulls = values.nulls
    return result
  }
}

/// DOUBLE to REAL.
final class ToRealKernel: Kernel {
  private let operand: Kernel

  init(_ operand: Kernel) {
    self.operand = operand
    super.init(storage: .floating, canFail: true)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    var result = operand.evaluate(input, rows, &evaluation, &pool)
    rows.forEach { row in
      let value = Float(result.doubles[row])
      if value.isFinite {
        result.doubles[row] = Double(value)
      } else {
        result.doubles[row] = 0
        evaluation.fail(row, .numericOverflow, "the value does not fit REAL")
      }
    }
    return result
  }
}

/// Floating point to integers and decimals, halves away from zero.
final class FromFloatingKernel: Kernel {
  private let operand: Kernel
  private let factor: Double
  private let range: ClosedRange<Int64>

  init(_ operand: Kernel, scale: Int, range: ClosedRange<Int64>) {
    self.operand = operand
    factor = Double(powersOfTen[min(18, scale)])
    self.range = range
    super.init(storage: .integer, canFail: true)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    let values = operand.evaluate(input, rows, &evaluation, &pool)
    var result = Column(zeros: input.count, storage: .integer)
    result.nulls = values.nulls
    rows.forEach { row in
      let scaled = (values.doubles[row] * factor).rounded(.toNearestOrAwayFromZero)
      if let whole = Int64(exactly: scaled), range.contains(whole) {
        result.integers[row] = whole
      } else if !result.isNull(row) {
        evaluation.fail(row, .numericOverflow, "\(values.doubles[row]) does not fit its type")
      }
    }
    return result
  }
}

/// Numbers to BOOLEAN: not zero is true.
final class ToBooleanKernel: Kernel {
  private let operand: Kernel

  init(_ operand: Kernel) {
    self.operand = operand
    super.init(storage: .integer, canFail: operand.canFail)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    let values = operand.evaluate(input, rows, &evaluation, &pool)
    var result = Column(zeros: input.count, storage: .integer)
    result.nulls = values.nulls
    rows.forEach { row in
      let isSet =
        values.type.storage == .floating ? values.doubles[row] != 0 : values.integers[row] != 0
      result.integers[row] = isSet ? 1 : 0
    }
    return result
  }
}

/// Any value as text, in the form of `CAST(… AS VARCHAR)`.
final class ToTextKernel: Kernel {
  private let operand: Kernel
  private let format: TextFormat

  init(_ operand: Kernel, format: TextFormat) {
    self.operand = operand
    self.format = format
    super.init(storage: .text, canFail: operand.canFail)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    let values = operand.evaluate(input, rows, &evaluation, &pool)
    var result = Column(zeros: input.count, storage: .text)
    result.nulls = values.nulls
    var buffer: [UInt8] = []
    for index in 0..<rows.activeCount {
      let row = rows.selected.map { Int($0[index]) } ?? index
      if result.isNull(row) { continue }
      buffer.removeAll(keepingCapacity: true)
      if values.type.storage == .floating {
        format.append(values.doubles[row], to: &buffer)
      } else {
        format.append(values.integers[row], to: &buffer)
      }
      result.texts[row] = pool.intern(buffer.span)
    }
    return result
  }
}

/// Text to any other type; a text that does not parse fails the row.
final class FromTextKernel: Kernel {
  private let operand: Kernel
  private let target: ColumnType

  init(_ operand: Kernel, target: ColumnType) {
    self.operand = operand
    self.target = target
    super.init(storage: target.storage, canFail: true)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    let values = operand.evaluate(input, rows, &evaluation, &pool)
    var result = Column(zeros: input.count, storage: storage)
    result.nulls = values.nulls
    for index in 0..<rows.activeCount {
      let row = rows.selected.map { Int($0[index]) } ?? index
      if result.isNull(row) { continue }
      let text = pool.bytes[pool.range(of: values.texts[row])]
      switch TextParser.parse(text, as: target) {
      case .integer(let value): result.integers[row] = value
      case .floating(let value): result.doubles[row] = value
      case .invalid:
        evaluation.fail(
          row, .castFailed,
          "'\(String(decoding: text.prefix(100), as: UTF8.self))' is not \(target.article)")
      }
    }
    return result
  }
}

/// Text to an interval; a text that does not fit the qualifier fails the row.
final class TextToIntervalKernel: Kernel {
  private let operand: Kernel
  private let qualifier: IntervalQualifier

  init(_ operand: Kernel, qualifier: IntervalQualifier) {
    self.operand = operand
    self.qualifier = qualifier
    super.init(storage: .integer, canFail: true)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    let values = operand.evaluate(input, rows, &evaluation, &pool)
    var result = Column(zeros: input.count, storage: .integer)
    result.nulls = values.nulls
    for index in 0..<rows.activeCount {
      let row = rows.selected.map { Int($0[index]) } ?? index
      if result.isNull(row) { continue }
      let text = String(decoding: pool.bytes[pool.range(of: values.texts[row])], as: UTF8.self)
      if let value = qualifier.value(of: text) {
        result.integers[row] = value
      } else {
        evaluation.fail(row, .castFailed, "'\(text.prefix(100))' does not fit INTERVAL")
      }
    }
    return result
  }
}

/// Cuts text to a number of characters and fills it up with blanks for CHAR.
final class FitTextKernel: Kernel {
  private let operand: Kernel
  private let length: Int
  private let pads: Bool
  private let isBinary: Bool

  init(_ operand: Kernel, length: Int, pads: Bool, isBinary: Bool) {
    self.operand = operand
    self.length = length
    self.pads = pads
    self.isBinary = isBinary
    super.init(storage: .text, canFail: operand.canFail)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    var result = operand.evaluate(input, rows, &evaluation, &pool)
    for index in 0..<rows.activeCount {
      let row = rows.selected.map { Int($0[index]) } ?? index
      let range = pool.range(of: result.texts[row])
      if range.count <= length, !pads || result.isNull(row) { continue }
      var text = Array(pool.bytes[range])
      let characters = isBinary ? text.count : characterCount(text[...])
      if characters > length {
        text.removeSubrange((isBinary ? length : byteOffset(of: length, in: text[...]))...)
      } else if pads, characters < length {
        text.append(contentsOf: repeatElement(isBinary ? 0 : 32, count: length - characters))
      } else {
        continue
      }
      result.texts[row] = pool.intern(text.span)
    }
    return result
  }
}
