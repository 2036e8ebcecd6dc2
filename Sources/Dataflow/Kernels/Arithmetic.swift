import Columns
import StreamSQL

/// Arithmetic on two `Int64` operands whose result must lie in the range of its type.
///
/// `scaling` is for decimals: a product is divided by 10^-`scaling`, halves away from zero; a dividend is
/// multiplied by 10^`scaling` first, or the divisor by 10^-`scaling` if that is negative.
final class IntegerArithmetic: Kernel {
  private let operation: ArithmeticOperator
  private let left: Kernel
  private let right: Kernel
  private let range: ClosedRange<Int64>
  private let scaling: Int

  init(
    _ operation: ArithmeticOperator, _ left: Kernel, _ right: Kernel,
    range: ClosedRange<Int64> = Int64.min...Int64.max, scaling: Int = 0
  ) {
    self.operation = operation
    self.left = left
    self.right = right
    self.range = range
    self.scaling = scaling
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
    switch operation {
    case .add:
      apply(lhs, rhs, rows, &result, &evaluation) { $0.addingReportingOverflow($1) }
    case .subtract:
      apply(lhs, rhs, rows, &result, &evaluation) { $0.subtractingReportingOverflow($1) }
    case .multiply where scaling == 0:
      apply(lhs, rhs, rows, &result, &evaluation) { $0.multipliedReportingOverflow(by: $1) }
    case .multiply:
      let divisor = power(-scaling)
      applyWide(lhs, rhs, rows, &result, &evaluation) { left, right in
        let product = left * right
        let quotient = product / divisor
        let rest = (product % divisor).magnitude
        if rest < divisor.magnitude - rest { return quotient }
        return product < 0 ? quotient - 1 : quotient + 1
      }
    case .divide, .remainder:
      let factor = power(scaling)
      let divisorFactor = power(-scaling)
      let isRemainder = operation == .remainder
      applyWide(lhs, rhs, rows, &result, &evaluation) { left, right in
        guard right != 0 else { return nil }
        return isRemainder ? left % right : left * factor / (right * divisorFactor)
      }
    }
    return result
  }

  @inline(__always)
  private func apply(
    _ lhs: Column, _ rhs: Column, _ rows: Rows, _ result: inout Column,
    _ evaluation: inout Evaluation,
    _ operate: (Int64, Int64) -> (partialValue: Int64, overflow: Bool)
  ) {
    let lower = range.lowerBound
    let upper = range.upperBound
    rows.forEach { row in
      let (value, overflow) = operate(lhs.integers[row], rhs.integers[row])
      if !overflow, value >= lower, value <= upper {
        result.integers[row] = value
      } else if !result.isNull(row) {
        evaluation.fail(row, .numericOverflow, "the result does not fit its type")
      }
    }
  }

  private func power(_ exponent: Int) -> Int128 {
    var value: Int128 = 1
    for _ in 0..<max(0, min(18, exponent)) { value *= 10 }
    return value
  }

  /// Computes in 128 bits; nil stands for a division by zero.
  @inline(__always)
  private func applyWide(
    _ lhs: Column, _ rhs: Column, _ rows: Rows, _ result: inout Column,
    _ evaluation: inout Evaluation, _ operate: (Int128, Int128) -> Int128?
  ) {
    rows.forEach { row in
      guard !result.isNull(row) else { return }
      guard let value = operate(Int128(lhs.integers[row]), Int128(rhs.integers[row])) else {
        evaluation.fail(row, .divisionByZero, "division by zero")
        return
      }
      if value >= Int128(range.lowerBound), value <= Int128(range.upperBound) {
        result.integers[row] = Int64(value)
      } else {
        evaluation.fail(row, .numericOverflow, "the result does not fit its type")
      }
    }
  }
}

/// Arithmetic on two `Double` operands; REAL results are rounded to `Float`.
final class FloatingArithmetic: Kernel {
  private let operation: ArithmeticOperator
  private let left: Kernel
  private let right: Kernel
  private let isReal: Bool

  init(_ operation: ArithmeticOperator, _ left: Kernel, _ right: Kernel, isReal: Bool) {
    self.operation = operation
    self.left = left
    self.right = right
    self.isReal = isReal
    super.init(storage: .floating, canFail: true)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    let lhs = left.evaluate(input, rows, &evaluation, &pool)
    let rhs = right.evaluate(input, rows, &evaluation, &pool)
    var result = Column(zeros: input.count, storage: .floating)
    result.nulls.formUnion(lhs.nulls)
    result.nulls.formUnion(rhs.nulls)
    switch operation {
    case .add: apply(lhs, rhs, rows, &result, &evaluation) { $0 + $1 }
    case .subtract: apply(lhs, rhs, rows, &result, &evaluation) { $0 - $1 }
    case .multiply: apply(lhs, rhs, rows, &result, &evaluation) { $0 * $1 }
    case .divide:
      checkDivisor(rhs, rows, result, &evaluation)
      apply(lhs, rhs, rows, &result, &evaluation) { $0 / $1 }
    case .remainder:
      checkDivisor(rhs, rows, result, &evaluation)
      apply(lhs, rhs, rows, &result, &evaluation) { $0.truncatingRemainder(dividingBy: $1) }
    }
    return result
  }

  @inline(__always)
  private func apply(
    _ lhs: Column, _ rhs: Column, _ rows: Rows, _ result: inout Column,
    _ evaluation: inout Evaluation, _ operate: (Double, Double) -> Double
  ) {
    let isReal = self.isReal
    rows.forEach { row in
      var value = operate(lhs.doubles[row], rhs.doubles[row])
      if isReal { value = Double(Float(value)) }
      if value.isFinite {
        result.doubles[row] = value
      } else if !result.isNull(row) {
        evaluation.fail(row, .numericOverflow, "the result does not fit its type")
      }
    }
    if result.nulls.hasSetBits {
      rows.forEach { row in if result.nulls[row] { result.doubles[row] = 0 } }
    }
  }

  private func checkDivisor(
    _ rhs: Column, _ rows: Rows, _ result: Column, _ evaluation: inout Evaluation
  ) {
    rows.forEach { row in
      if rhs.doubles[row] == 0, !result.isNull(row) {
        evaluation.fail(row, .divisionByZero, "division by zero")
      }
    }
  }
}

/// Minus and ABS.
final class SignKernel: Kernel {
  private let operand: Kernel
  private let isAbsolute: Bool
  private let range: ClosedRange<Int64>

  init(_ operand: Kernel, isAbsolute: Bool, range: ClosedRange<Int64>) {
    self.operand = operand
    self.isAbsolute = isAbsolute
    self.range = range
    super.init(
      storage: operand.storage, canFail: operand.canFail || operand.storage == .integer)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    var result = operand.evaluate(input, rows, &evaluation, &pool)
    if storage == .floating {
      rows.forEach { row in
        let value = result.doubles[row]
        result.doubles[row] = isAbsolute ? abs(value) : (value == 0 ? 0 : -value)
      }
      return result
    }
    rows.forEach { row in
      let value = result.integers[row]
      if isAbsolute, value >= 0 { return }
      let (negated, overflow) = Int64(0).subtractingReportingOverflow(value)
      if overflow || !range.contains(negated) {
        result.integers[row] = 0
        evaluation.fail(row, .numericOverflow, "the result does not fit its type")
      } else {
        result.integers[row] = negated
      }
    }
    return result
  }
}

/// The elementary functions of one number.
enum ElementaryFunction {
  case exponential, naturalLogarithm, commonLogarithm, squareRoot, floor, ceiling
}

/// A function of one floating-point number.
final class ElementaryKernel: Kernel {
  private let function: ElementaryFunction
  private let operand: Kernel

  init(_ function: ElementaryFunction, _ operand: Kernel) {
    self.function = function
    self.operand = operand
    super.init(storage: .floating, canFail: true)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    var result = operand.evaluate(input, rows, &evaluation, &pool)
    rows.forEach { row in
      guard !result.isNull(row) else { return }
      let value = compute(result.doubles[row])
      if value.isFinite {
        result.doubles[row] = value
      } else {
        let argument = result.doubles[row]
        result.doubles[row] = 0
        evaluation.fail(row, .badArgument, "\(name) of \(argument) is not a number")
      }
    }
    return result
  }

  @inline(__always)
  private func compute(_ value: Double) -> Double {
    switch function {
    case .exponential: DeterministicMath.exp(value)
    case .naturalLogarithm: DeterministicMath.log(value)
    case .commonLogarithm: DeterministicMath.log10(value)
    case .squareRoot: value.squareRoot()
    case .floor: value.rounded(.down)
    case .ceiling: value.rounded(.up)
    }
  }

  private var name: String {
    switch function {
    case .exponential: "EXP"
    case .naturalLogarithm: "LN"
    case .commonLogarithm: "LOG10"
    case .squareRoot: "SQRT"
    case .floor: "FLOOR"
    case .ceiling: "CEIL"
    }
  }
}

/// POWER of two floating-point numbers.
final class PowerKernel: Kernel {
  private let base: Kernel
  private let exponent: Kernel

  init(_ base: Kernel, _ exponent: Kernel) {
    self.base = base
    self.exponent = exponent
    super.init(storage: .floating, canFail: true)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    var result = base.evaluate(input, rows, &evaluation, &pool)
    let power = exponent.evaluate(input, rows, &evaluation, &pool)
    result.nulls.formUnion(power.nulls)
    rows.forEach { row in
      guard !result.isNull(row) else {
        result.doubles[row] = 0
        return
      }
      let value = DeterministicMath.pow(result.doubles[row], power.doubles[row])
      if value.isFinite {
        result.doubles[row] = value
      } else {
        result.doubles[row] = 0
        evaluation.fail(row, .badArgument, "POWER is not a number here")
      }
    }
    return result
  }
}

/// STEP, FLOOR and CEIL of numbers and times to a multiple of a positive constant.
final class MultipleKernel: Kernel {
  private let operand: Kernel
  private let size: Int64
  private let roundsUp: Bool

  init(_ operand: Kernel, size: Int64, roundsUp: Bool) {
    self.operand = operand
    self.size = size
    self.roundsUp = roundsUp
    super.init(storage: .integer, canFail: operand.canFail)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    var result = operand.evaluate(input, rows, &evaluation, &pool)
    rows.forEach { row in
      let value = result.integers[row]
      let floored = floorDivide(value, size) &* size
      result.integers[row] = roundsUp && floored != value ? floored &+ size : floored
    }
    return result
  }
}

/// STEP of numbers: the largest multiple of the second that is not above the first.
final class StepKernel: Kernel {
  private let operand: Kernel
  private let size: Kernel

  init(_ operand: Kernel, _ size: Kernel) {
    self.operand = operand
    self.size = size
    super.init(storage: .integer, canFail: true)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    var result = operand.evaluate(input, rows, &evaluation, &pool)
    let sizes = size.evaluate(input, rows, &evaluation, &pool)
    result.nulls.formUnion(sizes.nulls)
    rows.forEach { row in
      let value = result.integers[row]
      result.integers[row] = 0
      if result.isNull(row) { return }
      guard sizes.integers[row] > 0 else {
        evaluation.fail(row, .badArgument, "STEP needs a step above zero")
        return
      }
      let (multiple, overflow) = floorDivide(value, sizes.integers[row])
        .multipliedReportingOverflow(by: sizes.integers[row])
      if overflow {
        evaluation.fail(row, .numericOverflow, "the result does not fit its type")
      } else {
        result.integers[row] = multiple
      }
    }
    return result
  }
}
