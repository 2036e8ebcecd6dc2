import Columns
import StreamSQL

/// Holds rows while a monotonic key keeps its value, then emits them sorted.
final class OrderByOperator: Operator {
  private let key: MonotonicKey
  private let sortKeys: [SortKey]
  private let rowLimit: Int
  private var held: HeldRows
  /// The bound at which the held rows are complete.
  private var due = Int64.max

  init(
    input: Operator, key: MonotonicKey, keys: [SortKey], rowLimit: Int, schema: Schema,
    section: String
  ) {
    self.key = key
    sortKeys = keys
    self.rowLimit = rowLimit
    held = HeldRows(schema: schema)
    super.init(
      schema: schema, section: section, inputs: [input], isBounded: input.isBounded)
  }

  override var hasState: Bool { true }

  override var nextDue: Int64 { due }

  override func run(_ context: ExecutionContext, _ pool: inout StringPool) {
    output.removeAll()
    let input = inputs[0].output
    var bounds = BoundCursor(context, isMoved: isBounded)
    counters.rowsIn += Int64(input.count)
    for row in 0..<input.count {
      let cause = input.causes[row]
      if let earlier = bounds.reaches(due, before: cause) { release(cause: earlier, due, pool) }
      switch key {
      case .rowtime(let function):
        let rowtime = input.rowtimes[row]
        if rowtime >= due { release(cause: cause, due, pool) }
        if held.rows.isEmpty { due = function.nextChange(after: rowtime) }
      case .asserted:
        if !held.rows.isEmpty, !isSameRun(input, row) {
          release(cause: cause, input.rowtimes[row], pool)
        }
      }
      if held.rows.count >= rowLimit {
        refuse(
          input, row,
          RuntimeError(
            code: .limitExceeded,
            message: "ORDER BY holds \(rowLimit) rows already (limits: held_rows)"),
          context, pool)
      } else {
        held.append(from: input, row: row)
      }
    }
    if let cause = bounds.reaches(due) { release(cause: cause, due, pool) }
    counters.passed += Int64(output.count)
  }

  private func isSameRun(_ input: Batch, _ row: Int) -> Bool {
    guard let first = sortKeys.first else { return true }
    let column = held.rows.columns[first.column]
    let other = input.columns[first.column]
    if column.isNull(0) || other.isNull(row) { return column.isNull(0) == other.isNull(row) }
    switch column.type.storage {
    case .integer: return column.integers[0] == other.integers[row]
    case .floating: return column.doubles[0] == other.doubles[row]
    case .text: return column.texts[0] == other.texts[row]
    }
  }

  private func release(cause: Int64, _ time: Int64, _ pool: borrowing StringPool) {
    let order = sortedRows(of: held.rows, by: sortKeys, pool)
    let start = output.count
    output.append(from: held.rows, rows: order)
    var keepsRowtime = false
    if case .rowtime(let function) = key { keepsRowtime = function.isIdentity }
    for row in start..<output.count {
      output.causes[row] = cause
      if !keepsRowtime { output.rowtimes[row] = time }
    }
    held.removeAll()
    due = Int64.max
  }

  override func save(into writer: inout StateWriter, _ pool: borrowing StringPool) {
    held.save(section: section, into: &writer, pool) { $0.write(due) }
  }

  override func beginSave(
    _ snapshot: Int64, into writer: inout StateWriter, _ pool: borrowing StringPool
  ) { held.beginSave(section: section, into: &writer) { $0.write(due) } }

  override func continueSave(into writer: inout StateWriter, _ pool: borrowing StringPool) -> Bool {
    held.copyOne(section: section, into: &writer, pool)
  }

  override func forgetSaved() { held.forgetSaved() }

  override func restore(from reader: StateReader, _ pool: inout StringPool) throws {
    var head = try held.restore(section: section, from: reader, &pool)
    due = try head.integer()
    try head.finish()
  }

  override func remapStrings(_ remap: inout StringRemapper) { held.remapStrings(&remap) }
}

/// The rows of a batch in the order of some columns, ties as they stand; NULL is the largest value.
func sortedRows(
  of batch: Batch, by keys: [SortKey], _ pool: borrowing StringPool
) -> [Int32] {
  var order = (0..<Int32(batch.count)).map { $0 }
  order.sort { left, right in
    for key in keys {
      let comparison = compareRows(batch.columns[key.column], Int(left), Int(right), pool)
      if comparison != 0 { return key.isDescending ? comparison > 0 : comparison < 0 }
    }
    return left < right
  }
  return order
}

/// Below 0, 0 or above 0 as one value of a column stands to another; NULL is the largest.
func compareRows(
  _ column: Column, _ left: Int, _ right: Int, _ pool: borrowing StringPool
) -> Int {
  if column.isNull(left) || column.isNull(right) {
    return (column.isNull(left) ? 1 : 0) - (column.isNull(right) ? 1 : 0)
  }
  switch column.type.storage {
  case .integer:
    let (first, second) = (column.integers[left], column.integers[right])
    return first < second ? -1 : (first > second ? 1 : 0)
  case .floating:
    let (first, second) = (column.doubles[left], column.doubles[right])
    return first < second ? -1 : (first > second ? 1 : 0)
  case .text: return pool.compare(column.texts[left], column.texts[right])
  }
}
