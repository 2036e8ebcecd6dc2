import Columns

/// `(a - b) MONTH`: the whole calendar months from b to a, toward zero.
final class MonthDifference: Kernel {
  private let left: Kernel
  private let right: Kernel

  init(_ left: Kernel, _ right: Kernel) {
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
    rows.forEach { row in
      if result.isNull(row) { return }
      result.integers[row] = Self.months(from: rhs.integers[row], to: lhs.integers[row])
    }
    return result
  }

  private static func months(from start: Int64, to end: Int64) -> Int64 {
    if end < start { return -months(from: end, to: start) }
    let (first, last) = (CivilTime(milliseconds: start), CivilTime(milliseconds: end))
    let months = Int64(last.year - first.year) * 12 + Int64(last.month - first.month)
    return addMonths(months, to: start) > end ? months - 1 : months
  }
}
