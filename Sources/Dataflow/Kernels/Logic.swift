import Columns
import StreamSQL

/// Compares two operands of the same storage; NULL when one of them is NULL.
final class ComparisonKernel: Kernel {
  private let comparison: ComparisonOperator
  private let left: Kernel
  private let right: Kernel

  init(_ comparison: ComparisonOperator, _ left: Kernel, _ right: Kernel) {
    self.comparison = comparison
    self.left = left
    self.right = right
    super.init(storage: .integer, canFail: left.canFail || right.canFail)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    let lhs = left.evaluate(input, rows, &evaluation, &pool)
    let rhs = right.evaluate(input, rows, &evaluation, &pool)
    var result = Column(zeros: input.count, storage: .integer)
    result.nulls.formUnion(lhs.nulls)
    result.nulls.formUnion(rhs.nulls)
    switch left.storage {
    case .integer: compare(lhs.integers, rhs.integers, rows, &result)
    case .floating: compare(lhs.doubles, rhs.doubles, rows, &result)
    case .text: compareTexts(lhs, rhs, rows, &result, pool)
    }
    if result.nulls.hasSetBits {
      rows.forEach { row in if result.nulls[row] { result.integers[row] = 0 } }
    }
    return result
  }

  private func compare<Value: Comparable>(
    _ lhs: [Value], _ rhs: [Value], _ rows: Rows, _ result: inout Column
  ) {
    switch comparison {
    case .equal: rows.forEach { result.integers[$0] = lhs[$0] == rhs[$0] ? 1 : 0 }
    case .notEqual: rows.forEach { result.integers[$0] = lhs[$0] != rhs[$0] ? 1 : 0 }
    case .less: rows.forEach { result.integers[$0] = lhs[$0] < rhs[$0] ? 1 : 0 }
    case .lessOrEqual: rows.forEach { result.integers[$0] = lhs[$0] <= rhs[$0] ? 1 : 0 }
    case .greater: rows.forEach { result.integers[$0] = lhs[$0] > rhs[$0] ? 1 : 0 }
    case .greaterOrEqual: rows.forEach { result.integers[$0] = lhs[$0] >= rhs[$0] ? 1 : 0 }
    }
  }

  private func compareTexts(
    _ lhs: Column, _ rhs: Column, _ rows: Rows, _ result: inout Column,
    _ pool: borrowing StringPool
  ) {
    switch comparison {
    case .equal: rows.forEach { result.integers[$0] = lhs.texts[$0] == rhs.texts[$0] ? 1 : 0 }
    case .notEqual: rows.forEach { result.integers[$0] = lhs.texts[$0] != rhs.texts[$0] ? 1 : 0 }
    default:
      for row in 0..<rows.activeCount {
        let row = rows.selected.map { Int($0[row]) } ?? row
        let order = pool.compare(lhs.texts[row], rhs.texts[row])
        let holds =
          switch comparison {
          case .less: order < 0
          case .lessOrEqual: order <= 0
          case .greater: order > 0
          default: order >= 0
          }
        result.integers[row] = holds ? 1 : 0
      }
    }
  }
}

extension StringPool {
  /// Below 0, 0 or above 0 as `left` stands before, at or behind `right` in the order of bytes.
  borrowing func compare(_ left: StringID, _ right: StringID) -> Int {
    if left == right { return 0 }
    let first = range(of: left)
    let second = range(of: right)
    let shorter = min(first.count, second.count)
    for offset in 0..<shorter {
      let a = bytes[first.lowerBound + offset]
      let b = bytes[second.lowerBound + offset]
      if a != b { return a < b ? -1 : 1 }
    }
    return first.count - second.count
  }
}

/// AND and OR in three-valued logic; the right operand is evaluated only where the left leaves the
/// result open.
final class ConnectiveKernel: Kernel {
  private let left: Kernel
  private let right: Kernel
  private let isAnd: Bool

  init(_ left: Kernel, _ right: Kernel, isAnd: Bool) {
    self.left = left
    self.right = right
    self.isAnd = isAnd
    super.init(storage: .integer, canFail: left.canFail || right.canFail)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    var result = left.evaluate(input, rows, &evaluation, &pool)
    let decisive: Int64 = isAnd ? 0 : 1
    let open = rows.filter { result.isNull($0) || result.integers[$0] != decisive }
    if open.activeCount == 0 { return result }
    let rhs = right.evaluate(input, open, &evaluation, &pool)
    open.forEach { row in
      if rhs.isNull(row) {
        result.setNull(at: row)
      } else if rhs.integers[row] == decisive || !result.isNull(row) {
        if result.nulls.hasSetBits { result.nulls[row] = false }
        result.integers[row] = rhs.integers[row]
      }
    }
    return result
  }
}

/// NOT in three-valued logic.
final class NotKernel: Kernel {
  private let operand: Kernel

  init(_ operand: Kernel) {
    self.operand = operand
    super.init(storage: .integer, canFail: operand.canFail)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    var result = operand.evaluate(input, rows, &evaluation, &pool)
    rows.forEach { row in
      if !result.isNull(row) { result.integers[row] = 1 - result.integers[row] }
    }
    return result
  }
}

/// IS [NOT] NULL, TRUE, FALSE and UNKNOWN: never NULL.
final class TestKernel: Kernel {
  enum Test { case isNull, isTrue, isFalse }
  private let operand: Kernel
  private let test: Test
  private let isNegated: Bool

  init(_ operand: Kernel, _ test: Test, isNegated: Bool) {
    self.operand = operand
    self.test = test
    self.isNegated = isNegated
    super.init(storage: .integer, canFail: operand.canFail)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    let value = operand.evaluate(input, rows, &evaluation, &pool)
    var result = Column(zeros: input.count, storage: .integer)
    rows.forEach { row in
      let holds =
        switch test {
        case .isNull: value.isNull(row)
        case .isTrue: !value.isNull(row) && value.integers[row] == 1
        case .isFalse: !value.isNull(row) && value.integers[row] == 0
        }
      result.integers[row] = holds != isNegated ? 1 : 0
    }
    return result
  }
}

/// IS [NOT] DISTINCT FROM: NULL is like any other value.
final class DistinctKernel: Kernel {
  private let left: Kernel
  private let right: Kernel
  private let isNegated: Bool

  init(_ left: Kernel, _ right: Kernel, isNegated: Bool) {
    self.left = left
    self.right = right
    self.isNegated = isNegated
    super.init(storage: .integer, canFail: left.canFail || right.canFail)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    let lhs = left.evaluate(input, rows, &evaluation, &pool)
    let rhs = right.evaluate(input, rows, &evaluation, &pool)
    var result = Column(zeros: input.count, storage: .integer)
    rows.forEach { row in
      let isDistinct: Bool
      if lhs.isNull(row) || rhs.isNull(row) {
        isDistinct = lhs.isNull(row) != rhs.isNull(row)
      } else {
        switch left.storage {
        case .integer: isDistinct = lhs.integers[row] != rhs.integers[row]
        case .floating: isDistinct = lhs.doubles[row] != rhs.doubles[row]
        case .text: isDistinct = lhs.texts[row] != rhs.texts[row]
        }
      }
      result.integers[row] = isDistinct != isNegated ? 1 : 0
    }
    return result
  }
}

/// CASE: each row gets the value of the first condition that is true for it; later conditions and the
/// other values are not evaluated for it.
final class CaseKernel: Kernel {
  private let branches: [(condition: Kernel, value: Kernel)]
  private let otherwise: Kernel?

  init(
    branches: [(condition: Kernel, value: Kernel)], otherwise: Kernel?,
    storage: ColumnType.Storage
  ) {
    self.branches = branches
    self.otherwise = otherwise
    super.init(
      storage: storage,
      canFail: branches.contains { $0.condition.canFail || $0.value.canFail }
        || otherwise?.canFail == true)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    var result = Column(zeros: input.count, storage: storage)
    var open = rows
    for branch in branches {
      if open.activeCount == 0 { return result }
      let condition = branch.condition.evaluate(input, open, &evaluation, &pool)
      let chosen = open.filter { !condition.isNull($0) && condition.integers[$0] == 1 }
      guard chosen.activeCount > 0 else { continue }
      open = open.filter { condition.isNull($0) || condition.integers[$0] != 1 }
      let values = branch.value.evaluate(input, chosen, &evaluation, &pool)
      chosen.forEach { result.copyValue(at: $0, from: values) }
    }
    if let otherwise, open.activeCount > 0 {
      let values = otherwise.evaluate(input, open, &evaluation, &pool)
      open.forEach { result.copyValue(at: $0, from: values) }
    } else {
      open.forEach { result.setNull(at: $0) }
    }
    return result
  }
}

/// COALESCE: the first operand that is not NULL; later ones are not evaluated.
final class CoalesceKernel: Kernel {
  private let operands: [Kernel]

  init(_ operands: [Kernel], storage: ColumnType.Storage) {
    self.operands = operands
    super.init(storage: storage, canFail: operands.contains { $0.canFail })
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    var result = Column(zeros: input.count, storage: storage)
    var open = rows
    for operand in operands where open.activeCount > 0 {
      let values = operand.evaluate(input, open, &evaluation, &pool)
      open.forEach { result.copyValue(at: $0, from: values) }
      open = open.filter { values.isNull($0) }
    }
    return result
  }
}

/// IN over a list: true if one is equal, else NULL if one is NULL, else false.
final class InListKernel: Kernel {
  private let operand: Kernel
  private let list: [Kernel]

  init(_ operand: Kernel, _ list: [Kernel]) {
    self.operand = operand
    self.list = list
    super.init(storage: .integer, canFail: operand.canFail || list.contains { $0.canFail })
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    let value = operand.evaluate(input, rows, &evaluation, &pool)
    var result = Column(zeros: input.count, storage: .integer)
    result.nulls.formUnion(value.nulls)
    var open = rows.filter { !value.isNull($0) }
    for element in list where open.activeCount > 0 {
      let other = element.evaluate(input, open, &evaluation, &pool)
      open.forEach { row in
        if other.isNull(row) {
          result.nulls[row] = true
          return
        }
        let isEqual =
          switch operand.storage {
          case .integer: value.integers[row] == other.integers[row]
          case .floating: value.doubles[row] == other.doubles[row]
          case .text: value.texts[row] == other.texts[row]
          }
        if isEqual { result.integers[row] = 1 }
      }
      open = open.filter { result.integers[$0] == 0 }
    }
    if result.nulls.hasSetBits {
      rows.forEach { row in if result.integers[row] == 1 { result.nulls[row] = false } }
    }
    return result
  }
}
