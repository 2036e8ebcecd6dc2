internal import Columns

extension ExpressionBinder {
  /// The window of an analytic call.
  func window(
    _ over: OverSyntax, for call: AggregateCall, at offset: Int
  ) throws(SQLError) -> SlidingWindow {
    let syntax = try specification(over)
    let outer = clause
    clause = .window
    defer { clause = outer }
    var keys: [BoundExpression] = []
    for key in syntax.partitionBy { keys.append(try bind(key)) }
    try checkOrder(syntax)
    let frame = try syntax.frame.map { (frame) throws(SQLError) in try analyticFrame(frame) }
    return SlidingWindow(
      partitionBy: keys, frame: try suitable(frame ?? .unbounded, call, at: offset))
  }

  func specification(_ over: OverSyntax) throws(SQLError) -> WindowSyntax {
    switch over {
    case .inline(let syntax): return syntax
    case .named(let name):
      if let window = namedWindows.first(where: { $0.name.text == name.text }) {
        return window.specification
      }
      throw SQLError(
        "there is no window \(name.quoted)", at: name.offset,
        hint: Spelling.hint(name, among: namedWindows.map(\.name.text))
          ?? "define it behind WHERE: WINDOW \(name.text) AS (RANGE INTERVAL '1' MINUTE PRECEDING)")
    }
  }

  /// Rows come in the order of ROWTIME: another order is impossible.
  private func checkOrder(_ syntax: WindowSyntax) throws(SQLError) {
    guard let first = syntax.orderBy.first else { return }
    let key = try bind(first.expression)
    let isOwnOrder = key.kind == .rowtime && !first.isDescending && syntax.orderBy.count == 1
    guard isOwnOrder, !program.options.strict else {
      throw SQLError(
        "a window has no ORDER BY", at: first.expression.offset,
        hint: "rows are seen in the order of their arrival: leave it out")
    }
  }

  private func analyticFrame(_ frame: WindowSyntax.Frame) throws(SQLError) -> WindowFrame {
    if let end = frame.end {
      guard case .currentRow = end else {
        throw SQLError(
          "a window must end at the current row", at: frame.offset,
          hint: "BETWEEN … PRECEDING AND CURRENT ROW; a row comes out at once and cannot wait")
      }
    }
    switch frame.start {
    case .unboundedPreceding: return .unbounded
    case .currentRow: return frame.isRows ? .rows(0) : .range(milliseconds: 0)
    case .preceding(let amount):
      if frame.isRows { return .rows(try rowCount(amount)) }
      let (length, isMonths) = try intervalLength(amount)
      return isMonths ? .rangeMonths(length) : .range(milliseconds: length)
    case .following, .unboundedFollowing:
      throw SQLError(
        "a window of OVER cannot look ahead", at: frame.offset,
        hint: "RANGE INTERVAL '1' MINUTE PRECEDING")
    }
  }

  func rowCount(_ syntax: ExpressionSyntax) throws(SQLError) -> Int {
    let bound = try bind(syntax)
    guard bound.type.columnType?.isInteger == true, let value = bound.integerLiteral, value >= 0,
      value <= 100_000_000
    else {
      throw SQLError(
        "ROWS needs a constant integer that is not negative", at: syntax.offset,
        hint: "ROWS 10 PRECEDING")
    }
    if value == 0, program.options.strict {
      throw SQLError("ROWS needs at least 1", at: syntax.offset)
    }
    return Int(value)
  }

  func intervalLength(_ syntax: ExpressionSyntax) throws(SQLError) -> (Int64, isMonths: Bool) {
    let bound = try bind(syntax)
    guard case .interval(let qualifier) = bound.type, let value = bound.integerLiteral else {
      throw SQLError(
        "RANGE needs a constant interval", at: syntax.offset,
        hint: "RANGE INTERVAL '1' MINUTE PRECEDING; a number of rows is ROWS 10 PRECEDING")
    }
    guard value >= 0 else {
      throw SQLError("the length of a window must not be negative", at: syntax.offset)
    }
    if value == 0, program.options.strict {
      throw SQLError("the length of a window must not be zero", at: syntax.offset)
    }
    return (value, qualifier.isYearMonth)
  }

  /// The frame with which the call's state is bounded.
  private func suitable(
    _ frame: WindowFrame, _ call: AggregateCall, at offset: Int
  ) throws(SQLError) -> WindowFrame {
    guard frame == .unbounded else { return frame }
    switch call.function {
    case .minimum, .maximum, .sum, .count, .countRows, .average:
      if !call.isDistinct { return frame }
    case .lag(let distance) where !call.ignoresNulls: return .rows(distance)
    case .lastValue where !call.ignoresNulls: return .rows(0)
    default: break
    }
    throw SQLError(
      "a window without lower bound would have to keep all rows", at: offset,
      hint: "only MIN, MAX, SUM, COUNT and AVG can do without: "
        + "OVER (RANGE INTERVAL '1' HOUR PRECEDING)")
  }

  /// What a window on one side of a join means.
  func joinWindow(_ over: OverSyntax) throws(SQLError) -> JoinWindow {
    let syntax = try specification(over)
    let outer = clause
    clause = .window
    defer { clause = outer }
    if let key = syntax.partitionBy.first {
      throw SQLError(
        "the window of a join has no PARTITION BY", at: key.offset,
        hint: "the join's condition selects the rows: ON a.key = b.key")
    }
    try checkOrder(syntax)
    guard let frame = syntax.frame else {
      throw SQLError(
        "the window of a join needs a length", at: syntax.offset,
        hint: "OVER (RANGE INTERVAL '1' MINUTE PRECEDING)")
    }
    switch (frame.start, frame.end) {
    case (.currentRow, nil), (.currentRow, .currentRow): return .currentRow
    case (.preceding(let amount), nil), (.preceding(let amount), .currentRow):
      if frame.isRows { return .rows(try rowCount(amount)) }
      return .preceding(milliseconds: try milliseconds(amount))
    case (.following(let amount), nil), (.currentRow, .following(let amount)):
      if !frame.isRows { return .following(milliseconds: try milliseconds(amount)) }
    default: break
    }
    throw SQLError(
      "this window is not possible in a join", at: frame.offset,
      hint: "OVER (RANGE INTERVAL '1' MINUTE PRECEDING), … FOLLOWING, or OVER (ROWS 10 PRECEDING)")
  }

  private func milliseconds(_ syntax: ExpressionSyntax) throws(SQLError) -> Int64 {
    let (length, isMonths) = try intervalLength(syntax)
    guard !isMonths else {
      throw SQLError(
        "a join's window is measured in days or less", at: syntax.offset,
        hint: "RANGE INTERVAL '30' DAY PRECEDING")
    }
    return length
  }
}
