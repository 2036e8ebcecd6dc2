internal import Columns

/// GROUP BY or WINDOWED BY.
struct BoundGrouping {
  let window: GroupWindow
  let keys: [BoundExpression]
  /// What start and end of the window are over the aggregation's output.
  let windowStart: BoundExpression?
  let windowEnd: BoundExpression?
  let offset: Int
}

/// The last computing operator of a SELECT, with how its columns depend on ROWTIME.
struct Stage {
  var node: PlanNode
  var monotonic: [MonotonicKey?]
  var asserted: [BoundExpression]
  /// The column of a tumbling window's monotonic key: its rows share one ROWTIME.
  var tumblingColumn: Int?

  /// How an expression over the node depends on the produced row's ROWTIME.
  func monotonicKey(of expression: BoundExpression, rowtime: BoundExpression?) -> MonotonicKey? {
    if let rowtime { return expression == rowtime ? .rowtime(MonotonicFunction()) : nil }
    return expression.monotonicKey(columns: monotonic, asserted: asserted)
  }
}

extension QueryBinder {
  func grouping(
    _ syntax: GroupingSyntax, _ binder: ExpressionBinder, _ from: FromClause
  ) throws(SQLError) -> BoundGrouping {
    switch syntax {
    case .stagger(let keys, let length, let offset):
      var bound: [BoundExpression] = []
      for key in keys { bound.append(try binder.bind(key)) }
      let (milliseconds, isMonths) = try binder.intervalLength(length)
      guard milliseconds > 0, !isMonths else {
        throw SQLError(
          "the length of a stagger window is a positive interval of days or less",
          at: length.offset)
      }
      return BoundGrouping(
        window: .stagger(milliseconds: milliseconds), keys: bound, windowStart: nil,
        windowEnd: nil, offset: offset)
    case .groupBy(let keys, let offset):
      return try groupBy(keys, binder, from, at: offset)
    }
  }

  private func groupBy(
    _ keys: [ExpressionSyntax], _ binder: ExpressionBinder, _ from: FromClause, at offset: Int
  ) throws(SQLError) -> BoundGrouping {
    var bound: [BoundExpression] = []
    var function = from.groupWindow
    for key in keys {
      if let found = try windowFunction(key, binder) {
        if function != nil { throw SQLError("two windows in GROUP BY", at: key.offset) }
        function = found
        continue
      }
      let expression = try binder.bind(key)
      if case .column(let index) = expression.kind,
        index == Placeholder.windowStart || index == Placeholder.windowEnd
      {
        continue
      }
      bound.append(expression)
    }
    if let function {
      return windowGrouping(function, bound, binder, at: offset)
    }
    return try tumbling(bound, keys, binder, from, at: offset)
  }

  private func tumbling(
    _ bound: [BoundExpression], _ keys: [ExpressionSyntax], _ binder: ExpressionBinder,
    _ from: FromClause, at offset: Int
  ) throws(SQLError) -> BoundGrouping {
    let monotonic = bound.map {
      $0.monotonicKey(columns: from.monotonic, asserted: binder.asserted)
    }
    let timed = monotonic.indices.filter { index in
      if case .rowtime = monotonic[index] { return true }
      return false
    }
    if timed.count > 1 {
      throw SQLError(
        "GROUP BY has two expressions based on ROWTIME", at: keys[timed[1]].offset,
        hint: "keep one, and compute the other from it in the select list")
    }
    guard let place = timed.first ?? monotonic.firstIndex(where: { $0 != nil }),
      let key = monotonic[place]
    else {
      let name = from.relations.first { $0.hasRowtime }?.name.map { "\"\($0)\".ROWTIME" }
      throw SQLError(
        "GROUP BY without a monotonic expression based on ROWTIME", at: offset,
        hint: "a group must end some time: add STEP(\(name ?? "s.ROWTIME") BY INTERVAL '60' SECOND)"
          + " or FLOOR(\(name ?? "s.ROWTIME") TO MINUTE) to the list")
    }
    return BoundGrouping(
      window: .tumbling(key: place, key), keys: bound, windowStart: nil, windowEnd: nil,
      offset: offset)
  }

  /// `TUMBLE(ROWTIME, size)`, `HOP(ROWTIME, slide, size)`, `SESSION(ROWTIME, gap)` in GROUP BY.
  private func windowFunction(
    _ syntax: ExpressionSyntax, _ binder: ExpressionBinder
  ) throws(SQLError) -> GroupWindowFunction? {
    guard case .call(let call) = syntax.form, !program.functionNames.contains(call.name.text),
      let name = TableFunctionName(rawValue: call.name.text), name.isWindow
    else { return nil }
    guard call.arguments.count == (name == .hop ? 3 : 2) else {
      throw SQLError(
        "\(call.name.text) has \(name == .hop ? 3 : 2) arguments", at: syntax.offset,
        hint: name == .hop
          ? "HOP(ROWTIME, INTERVAL '10' SECOND, INTERVAL '1' MINUTE)"
          : "\(call.name.text)(ROWTIME, INTERVAL '1' MINUTE)")
    }
    guard try binder.bind(call.arguments[0]).kind == .rowtime else {
      throw SQLError(
        "\(call.name.text) works on ROWTIME", at: call.arguments[0].offset,
        hint: "for event time declare rowtime: column in the pipeline's input")
    }
    var lengths: [Int64] = []
    for argument in call.arguments.dropFirst() {
      lengths.append(try windowLength(argument, binder))
    }
    return try GroupWindowFunction.make(name, lengths, at: syntax.offset)
  }

  func windowLength(
    _ syntax: ExpressionSyntax, _ binder: ExpressionBinder
  ) throws(SQLError) -> Int64 {
    let (length, isMonths) = try binder.intervalLength(syntax)
    guard length > 0, !isMonths else {
      throw SQLError(
        "the length of a window is a positive interval of days or less", at: syntax.offset)
    }
    return length
  }

  private func windowGrouping(
    _ function: GroupWindowFunction, _ keys: [BoundExpression], _ binder: ExpressionBinder,
    at offset: Int
  ) -> BoundGrouping {
    func column(_ index: Int) -> BoundExpression {
      binder.make(.column(index), .timestamp, at: offset)
    }
    switch function {
    case .hop(let slide, let size):
      return BoundGrouping(
        window: .hopping(slideMilliseconds: slide, sizeMilliseconds: size), keys: keys,
        windowStart: column(keys.count), windowEnd: column(keys.count + 1), offset: offset)
    case .session(let gap):
      return BoundGrouping(
        window: .session(gapMilliseconds: gap), keys: keys, windowStart: column(keys.count),
        windowEnd: column(keys.count + 1), offset: offset)
    case .tumble(let size):
      let start = binder.make(
        .call(.stepMilliseconds(size), [binder.make(.rowtime, .timestamp, at: offset)]),
        .timestamp, at: offset)
      return BoundGrouping(
        window: .tumbling(key: keys.count, .rowtime(MonotonicFunction([.floor(size)]))),
        keys: keys + [start], windowStart: column(keys.count),
        windowEnd: binder.adding(size, to: column(keys.count), at: offset), offset: offset)
    }
  }

  // MARK: Operators

  /// The operators of grouping, HAVING and analytic functions; the clauses are then over the last one.
  func aggregated(
    _ from: FromClause, _ clauses: inout BoundClauses, _ binder: ExpressionBinder,
    _ syntax: SelectSyntax
  ) throws(SQLError) -> Stage {
    var stage = Stage(node: from.node, monotonic: from.monotonic, asserted: binder.asserted)
    var windows = binder.windows
    var calls = binder.analyticCalls
    if let grouping = clauses.grouping {
      stage = try group(stage, grouping, &clauses, &windows, &calls, binder)
    } else {
      if let offset = binder.firstAggregateOffset {
        throw aggregateWithoutGroup(at: offset, from)
      }
      if let having = syntax.having {
        throw SQLError("HAVING without GROUP BY", at: having.offset, hint: "use WHERE")
      }
      stage.node = parsed(from.records, over: stage.node, &stage.monotonic, at: syntax.offset)
      try ungrouped(&clauses, &windows, &calls, from, binder)
    }
    return analytic(stage, &clauses, windows, calls, at: syntax.offset)
  }

  private func aggregateWithoutGroup(at offset: Int, _ from: FromClause) -> SQLError {
    let name = from.relations.first { $0.hasRowtime }?.name.map { "\"\($0)\".ROWTIME" }
    return SQLError(
      "aggregate without GROUP BY", at: offset,
      hint: "a stream has no end: add GROUP BY STEP(\(name ?? "s.ROWTIME") BY INTERVAL '60' SECOND)"
        + " for windows that end, or OVER (RANGE INTERVAL '60' SECOND PRECEDING) for one result a row"
    )
  }

  private func group(
    _ input: Stage, _ grouping: BoundGrouping, _ clauses: inout BoundClauses,
    _ windows: inout [SlidingWindow], _ calls: inout [WindowCall], _ binder: ExpressionBinder
  ) throws(SQLError) -> Stage {
    let result = GroupedColumns(grouping: grouping, calls: binder.aggregates, program: program)
    let node = self.node(
      .aggregate(
        input.node, window: grouping.window, keys: grouping.keys, calls: binder.aggregates),
      result.schema, at: grouping.offset)
    var stage = Stage(node: node, monotonic: result.monotonic, asserted: [])
    if case .tumbling(let key, .rowtime) = grouping.window { stage.tumblingColumn = key }
    try clauses.rewrite { (part) throws(SQLError) in try result.replacement(of: part) }
    calls = try calls.map { (call) throws(SQLError) in
      try call.rewritten { (part) throws(SQLError) in try result.replacement(of: part) }
    }
    windows = try windows.map { (window) throws(SQLError) in
      try window.rewritten { (part) throws(SQLError) in try result.replacement(of: part) }
    }
    if let having = clauses.having {
      stage.node = self.node(
        .filter(stage.node, predicate: having), stage.node.output, at: grouping.offset)
    }
    return stage
  }

  /// Without aggregation the produced row's ROWTIME is the input's.
  private func ungrouped(
    _ clauses: inout BoundClauses, _ windows: inout [SlidingWindow], _ calls: inout [WindowCall],
    _ from: FromClause, _ binder: ExpressionBinder
  ) throws(SQLError) {
    let replacement: (BoundExpression) throws(SQLError) -> BoundExpression? = {
      (part) throws(SQLError) in
      guard case .column(let index) = part.kind else { return nil }
      if index == Placeholder.producedRowtime {
        return BoundExpression(.rowtime, type: part.type, position: part.position)
      }
      guard index == Placeholder.windowStart || index == Placeholder.windowEnd else { return nil }
      guard case .tumble(let size) = from.groupWindow else {
        throw SQLError(
          "start and end of a window need GROUP BY", at: from.offset,
          hint: "GROUP BY key, window_start, window_end")
      }
      let rowtime = BoundExpression(.rowtime, type: part.type, position: part.position)
      let start = BoundExpression(
        .call(.stepMilliseconds(size), [rowtime]), type: part.type, position: part.position)
      return index == Placeholder.windowStart
        ? start : binder.adding(size, to: start, at: from.offset)
    }
    try clauses.rewrite(replacement)
    calls = try calls.map { (call) throws(SQLError) in try call.rewritten(replacement) }
    windows = try windows.map { (window) throws(SQLError) in try window.rewritten(replacement) }
  }

  private func analytic(
    _ input: Stage, _ clauses: inout BoundClauses, _ windows: [SlidingWindow],
    _ calls: [WindowCall], at offset: Int
  ) -> Stage {
    guard !calls.isEmpty else { return input }
    let width = input.node.output.columns.count
    let added = calls.enumerated().map { number, call in
      ColumnDefinition(name: "ANALYTIC$\(number)", type: call.call.type)
    }
    var stage = input
    stage.node = node(
      .slidingWindows(input.node, windows, calls),
      Schema(input.node.output.columns + added), at: offset)
    stage.monotonic += Array(repeating: nil, count: calls.count)
    clauses.rewrite { part in
      guard case .column(let index) = part.kind,
        let number = Placeholder.analyticNumber(index)
      else { return nil }
      return BoundExpression(
        .column(width + number), type: part.type, position: part.position)
    }
    return stage
  }
}

extension GroupWindowFunction {
  static func make(
    _ name: TableFunctionName, _ lengths: [Int64], at offset: Int
  ) throws(SQLError) -> GroupWindowFunction {
    switch name {
    case .hop:
      guard lengths[1] >= lengths[0], lengths[1] / lengths[0] <= 1_000 else {
        throw SQLError(
          "the size of HOP is at least its slide and at most 1000 times as long", at: offset,
          hint: "HOP(…, slide, size): the slide comes first")
      }
      return .hop(slide: lengths[0], size: lengths[1])
    case .session: return .session(lengths[0])
    default: return .tumble(lengths[0])
    }
  }
}

extension ExpressionBinder {
  /// A TIMESTAMP plus a constant.
  func adding(_ milliseconds: Int64, to time: BoundExpression, at offset: Int) -> BoundExpression {
    let type = ExpressionType.interval(IntervalQualifier(first: .day, last: .second))
    let interval = make(.literal(.integer(milliseconds)), type, at: offset)
    return make(.arithmetic(.add, time, interval), .timestamp, at: offset)
  }
}

extension BoundClauses {
  /// Replaces parts of all expressions.
  mutating func rewrite<Failure: Error>(
    _ replacement: (BoundExpression) throws(Failure) -> BoundExpression?
  ) throws(Failure) {
    for index in items.indices {
      var fields: [(name: String, expression: BoundExpression)]?
      if let found = items[index].fields {
        fields = []
        for field in found {
          fields?.append((field.name, try field.expression.replacing(replacement)))
        }
      }
      items[index] = BoundItem(
        name: items[index].name,
        expression: try items[index].expression.replacing(replacement),
        offset: items[index].offset, fields: fields)
    }
    rowtime = try rowtime?.replacing(replacement)
    having = try having?.replacing(replacement)
    for index in order.indices {
      order[index].expression = try order[index].expression.replacing(replacement)
    }
  }
}

extension WindowCall {
  func rewritten(
    _ replacement: (BoundExpression) throws(SQLError) -> BoundExpression?
  ) throws(SQLError) -> WindowCall {
    var arguments: [BoundExpression] = []
    for argument in call.arguments { arguments.append(try argument.replacing(replacement)) }
    return WindowCall(
      window: window,
      call: AggregateCall(
        function: call.function, arguments: arguments, isDistinct: call.isDistinct,
        ignoresNulls: call.ignoresNulls, type: call.type, position: call.position))
  }
}

extension SlidingWindow {
  func rewritten(
    _ replacement: (BoundExpression) throws(SQLError) -> BoundExpression?
  ) throws(SQLError) -> SlidingWindow {
    var keys: [BoundExpression] = []
    for key in partitionBy { keys.append(try key.replacing(replacement)) }
    return SlidingWindow(partitionBy: keys, frame: frame)
  }
}
