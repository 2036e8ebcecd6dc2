internal import Columns

/// The output of an aggregation, and what expressions over its input become over it.
struct GroupedColumns {
  let grouping: BoundGrouping
  let calls: [AggregateCall]
  let program: ProgramBinder

  private var hasWindowColumns: Bool {
    switch grouping.window {
    case .hopping, .session: true
    case .tumbling, .stagger: false
    }
  }

  private var firstCall: Int { grouping.keys.count + (hasWindowColumns ? 2 : 0) }

  var schema: Schema {
    let keys = grouping.keys.enumerated().map { number, key in
      ColumnDefinition(name: "KEY$\(number)", type: key.type.columnType ?? .bigint)
    }
    let windows = [
      ColumnDefinition(name: "WINDOW_START", type: .timestamp),
      ColumnDefinition(name: "WINDOW_END", type: .timestamp),
    ]
    let results = calls.enumerated().map { number, call in
      ColumnDefinition(name: "AGGREGATE$\(number)", type: call.type)
    }
    return Schema(keys + (hasWindowColumns ? windows : []) + results)
  }

  /// How the columns depend on the result's ROWTIME, which is the first moment after the window.
  var monotonic: [MonotonicKey?] {
    var keys: [MonotonicKey?] = Array(repeating: nil, count: schema.columns.count)
    switch grouping.window {
    case .tumbling(let key, .rowtime(let function)):
      keys[key] = .rowtime(MonotonicFunction([.add(-1)] + function.steps))
    case .tumbling(let key, .asserted): keys[key] = .asserted
    case .hopping(_, let size):
      keys[grouping.keys.count] = .rowtime(MonotonicFunction([.add(-size)]))
      keys[grouping.keys.count + 1] = .rowtime(MonotonicFunction())
    case .session, .stagger: break
    }
    return keys
  }

  /// What stands for a part of an expression over the input; nil if its own parts decide.
  func replacement(of part: BoundExpression) throws(SQLError) -> BoundExpression? {
    if case .column(let index) = part.kind {
      if Placeholder.analyticNumber(index) != nil { return part }
      if let number = Placeholder.aggregateNumber(index) {
        return column(firstCall + number, part)
      }
      if index == Placeholder.producedRowtime {
        return BoundExpression(.rowtime, type: part.type, position: part.position)
      }
      if index == Placeholder.windowStart, let start = grouping.windowStart { return start }
      if index == Placeholder.windowEnd, let end = grouping.windowEnd { return end }
    }
    if case .literal = part.kind { return nil }
    if let key = grouping.keys.firstIndex(of: part) { return column(key, part) }
    switch part.kind {
    case .column, .rowtime: throw notGrouped(part)
    default: return nil
    }
  }

  private func column(_ index: Int, _ part: BoundExpression) -> BoundExpression {
    BoundExpression(.column(index), type: part.type, position: part.position)
  }

  private func notGrouped(_ part: BoundExpression) -> SQLError {
    let offset = program.source.offset(of: part.position)
    if part.kind == .rowtime {
      return SQLError(
        "the input's ROWTIME is neither grouped nor aggregated", at: offset,
        hint: "write ROWTIME without qualifier for the result's time, or repeat the expression of "
          + "GROUP BY")
    }
    return SQLError(
      "this column is neither grouped nor aggregated", at: offset,
      hint: "add it to GROUP BY, or use MIN, MAX, FIRST_VALUE or LAST_VALUE")
  }
}
