internal import Columns

extension QueryBinder {
  func joined(
    _ left: FromSide, _ kind: StreamJoin.Kind, _ right: FromSide, on condition: ExpressionSyntax?,
    _ select: SelectSyntax, at offset: Int
  ) throws(SQLError) -> FromSide {
    switch (left, right) {
    case (.stream(let stream, _), .table(let table, let relation, _)):
      guard kind == .inner || kind == .left else { throw preservedTable(at: offset) }
      return try joined(
        stream, table, relation, tableFirst: false, preserves: kind == .left, on: condition,
        select, at: offset)
    case (.table(let table, let relation, _), .stream(let stream, _)):
      guard kind == .inner || kind == .right else { throw preservedTable(at: offset) }
      return try joined(
        stream, table, relation, tableFirst: true, preserves: kind == .right, on: condition,
        select, at: offset)
    case (.table, .table):
      throw SQLError(
        "two tables are joined", at: offset, hint: "name the stream first: FROM s, table1, table2")
    case (.stream(let one, let window), .stream(let other, let otherWindow)):
      return try joined(
        one, window, kind, other, otherWindow, on: condition, select, at: offset)
    }
  }

  private func preservedTable(at offset: Int) -> SQLError {
    SQLError(
      "all rows of a reference table cannot be kept in a join with a stream", at: offset,
      hint: "a table's row without match would never come out: use JOIN, or LEFT JOIN behind the "
        + "stream")
  }

  // MARK: Streams

  private func joined(
    _ left: FromClause, _ leftWindow: OverSyntax?, _ kind: StreamJoin.Kind, _ right: FromClause,
    _ rightWindow: OverSyntax?, on condition: ExpressionSyntax?, _ select: SelectSyntax,
    at offset: Int
  ) throws(SQLError) -> FromSide {
    if left.groupWindow != nil || right.groupWindow != nil {
      throw SQLError(
        "TUMBLE, HOP and SESSION cannot be joined", at: offset,
        hint: "aggregate in a derived table and join its results")
    }
    let one = withRowtime(left)
    let other = withRowtime(right).shifted(by: one.node.output.columns.count)
    let binder = ExpressionBinder(
      program, relations: one.relations + other.relations, namedWindows: select.windows)
    var windows: [JoinWindow] = []
    for window in [leftWindow, rightWindow] {
      windows.append(
        try window.map { (syntax) throws(SQLError) in try binder.joinWindow(syntax) }
          ?? .currentRow)
    }
    binder.clause = .join
    let bound = try condition.map { (syntax) throws(SQLError) in
      try binder.condition(syntax, "the condition of ON")
    }
    let width = one.node.output.columns.count
    let split = JoinCondition(bound?.conjuncts ?? [], leftWidth: width)
    if windows == [.currentRow, .currentRow] { hintAtEqualRowtime(left, right, at: offset) }
    let output = Schema((one.node.output.columns + other.node.output.columns).map(\.nullable))
    let join = StreamJoin(
      left: one.node, right: other.node, kind: kind, leftWindow: windows[0],
      rightWindow: windows[1], keys: split.keys, condition: split.rest)
    let result = FromClause(
      node: node(.join(join), output, at: offset), relations: one.relations + other.relations,
      monotonic: one.joinedMonotonic(kind, own: windows[0], other: windows[1], preserved: .left)
        + other.joinedMonotonic(kind, own: windows[1], other: windows[0], preserved: .right),
      offset: offset)
    return .stream(result, window: nil)
  }

  /// A table function joined with its own source means "the same row" (spec, idioms 6).
  private func hintAtEqualRowtime(_ left: FromClause, _ right: FromClause, at offset: Int) {
    for (function, source) in [(left, right), (right, left)] {
      guard case .tableFunction(let cursor, _, _) = function.node.operation,
        case .scan(let stream) = source.node.operation, cursor.scannedStreams == [stream]
      else { continue }
      program.warn(
        SQLError(
          "rows are paired by equal ROWTIME: several rows with one ROWTIME multiply", at: offset,
          hint: "select the other columns in the cursor too: a table function passes them through"))
    }
  }

  /// The clause with the ROWTIME of its rows as a column: after a join it cannot be asked for.
  private func withRowtime(_ clause: FromClause) -> FromClause {
    guard clause.relations.contains(where: { $0.hasRowtime && $0.rowtimeColumn == nil }) else {
      return clause
    }
    let position = clause.node.position
    var expressions = clause.node.output.columns.enumerated().map { index, column in
      BoundExpression(.column(index), type: .column(column.type), position: position)
    }
    let place = expressions.count
    expressions.append(
      BoundExpression(.rowtime, type: .column(.timestamp), position: position))
    var result = clause
    result.node = projection(
      clause.node, expressions, names: clause.node.output.columns.map(\.name) + ["ROWTIME"],
      at: clause.offset)
    result.monotonic.append(.rowtime(MonotonicFunction()))
    for index in result.relations.indices
    where result.relations[index].hasRowtime && result.relations[index].rowtimeColumn == nil {
      result.relations[index].rowtimeColumn = place
    }
    return result
  }

  // MARK: Reference tables

  private func joined(
    _ stream: FromClause, _ table: Int, _ relation: Relation, tableFirst: Bool, preserves: Bool,
    on condition: ExpressionSyntax?, _ select: SelectSyntax, at offset: Int
  ) throws(SQLError) -> FromSide {
    let width = stream.node.output.columns.count
    var shifted = relation
    shifted.columns = relation.columns.map { $0.shifted(by: width) }
    let relations = tableFirst ? [shifted] + stream.relations : stream.relations + [shifted]
    let binder = ExpressionBinder(program, relations: relations, namedWindows: select.windows)
    binder.clause = .filter
    let bound = try condition.map { (syntax) throws(SQLError) in
      try binder.condition(syntax, "the condition of ON")
    }
    let split = JoinCondition(bound?.conjuncts ?? [], leftWidth: width)
    let join = ReferenceJoin(
      table: table, preservesStream: preserves, keys: split.keys, condition: split.rest)
    let added = program.tables[table].schema.columns.map(\.nullable)
    let result = FromClause(
      node: node(
        .referenceJoin(stream.node, join), Schema(stream.node.output.columns + added), at: offset),
      relations: relations,
      monotonic: stream.monotonic + Array(repeating: nil, count: added.count),
      groupWindow: stream.groupWindow, offset: offset)
    return .stream(result, window: nil)
  }
}

/// A join's condition as equalities and the rest.
struct JoinCondition {
  var keys: [JoinKey] = []
  let rest: BoundExpression?

  init(_ conjuncts: [BoundExpression], leftWidth: Int) {
    var others: [BoundExpression] = []
    for conjunct in conjuncts {
      if let key = JoinKey(conjunct, leftWidth: leftWidth) {
        keys.append(key)
      } else {
        others.append(conjunct)
      }
    }
    rest = BoundExpression.conjunction(others)
  }
}

extension JoinKey {
  /// The key of `left = right`, in any order, if each side of the join has one operand.
  init?(_ conjunct: BoundExpression, leftWidth: Int) {
    guard case .comparison(.equal, let one, let other) = conjunct.kind else { return nil }
    let sides = [one, other].map { $0.side(leftWidth: leftWidth) }
    guard let first = sides[0], let second = sides[1], first != second else { return nil }
    let (left, right) = first ? (one, other) : (other, one)
    self.init(
      left: left,
      right: right.replacing { part in
        guard case .column(let index) = part.kind else { return nil }
        return BoundExpression(
          .column(index - leftWidth), type: part.type, position: part.position)
      })
  }
}

extension BoundExpression {
  /// Whether it reads only columns of a left side of this width.
  fileprivate func reads(onlyBelow width: Int) -> Bool {
    !contains { part in
      if case .column(let index) = part.kind { return index >= width }
      return part.kind == .rowtime
    }
  }

  /// Whether all columns are of the left side; nil if they are of both, or there are none.
  fileprivate func side(leftWidth: Int) -> Bool? {
    if contains({ $0.kind == .rowtime }) { return nil }
    let left = contains { part in
      if case .column(let index) = part.kind { return index < leftWidth }
      return false
    }
    let right = contains { part in
      if case .column(let index) = part.kind { return index >= leftWidth }
      return false
    }
    return left == right ? nil : left
  }
}

extension PlanNode {
  /// The inner join with an equality of WHERE as one more key; nil if it is none of it.
  func absorbing(_ conjunct: BoundExpression) -> PlanNode? {
    switch operation {
    case .join(let join) where join.kind == .inner:
      var (left, keys) = (join.left, join.keys)
      if let key = JoinKey(conjunct, leftWidth: left.output.columns.count) {
        keys.append(key)
      } else if conjunct.reads(onlyBelow: left.output.columns.count),
        let wider = left.absorbing(conjunct)
      {
        left = wider
      } else {
        return nil
      }
      let wider = StreamJoin(
        left: left, right: join.right, kind: join.kind, leftWindow: join.leftWindow,
        rightWindow: join.rightWindow, keys: keys, condition: join.condition)
      return PlanNode(id: id, operation: .join(wider), output: output, position: position)
    case .referenceJoin(let input, let join) where !join.preservesStream:
      guard let key = JoinKey(conjunct, leftWidth: input.output.columns.count) else { return nil }
      let wider = ReferenceJoin(
        table: join.table, preservesStream: false, keys: join.keys + [key],
        condition: join.condition)
      return PlanNode(
        id: id, operation: .referenceJoin(input, wider), output: output, position: position)
    default: return nil
    }
  }
}

extension FromClause {
  fileprivate func shifted(by width: Int) -> FromClause {
    var result = self
    for index in result.relations.indices {
      result.relations[index].columns = relations[index].columns.map { $0.shifted(by: width) }
      result.relations[index].rowtimeColumn = relations[index].rowtimeColumn.map { $0 + width }
    }
    return result
  }

  /// The columns of a side without window depend on the pair's ROWTIME as on their own row's, because
  /// the other side's rows are not later.
  fileprivate func joinedMonotonic(
    _ kind: StreamJoin.Kind, own: JoinWindow, other: JoinWindow, preserved: StreamJoin.Kind
  ) -> [MonotonicKey?] {
    let isLater: Bool
    if case .following = other { isLater = false } else { isLater = own == .currentRow }
    let keeps = isLater && (kind == .inner || kind == preserved)
    return keeps ? monotonic : Array(repeating: nil, count: monotonic.count)
  }
}

extension ScopeColumn {
  func shifted(by width: Int) -> ScopeColumn {
    ScopeColumn(
      name: name, index: index + width, type: type, isMetadata: isMetadata,
      fields: fields?.map { $0.shifted(by: width) }, offset: offset)
  }
}

extension ColumnDefinition {
  fileprivate var nullable: ColumnDefinition {
    ColumnDefinition(name: name, type: type, isNullable: true, role: role)
  }
}
