internal import Columns

extension QueryBinder {
  /// A key of ORDER BY: an ordinal, an alias or an expression.
  func orderKey(
    _ syntax: ExpressionSyntax, _ items: [BoundItem], _ binder: ExpressionBinder
  ) throws(SQLError) -> BoundExpression {
    if case .integer(let digits) = syntax.form {
      guard let place = Int(digits), place >= 1, place <= items.count else {
        throw SQLError(
          "there is no column \(digits) in the select list", at: syntax.offset,
          hint: "it has \(items.count)")
      }
      return items[place - 1].expression
    }
    let bound = try binder.bind(syntax)
    guard bound.type.columnType != nil else {
      throw SQLError("rows cannot be sorted by an interval", at: syntax.offset)
    }
    return bound
  }

  /// The key by which ORDER BY cuts the stream into runs.
  func leadingKey(
    _ key: MonotonicKey?, _ item: (expression: BoundExpression, isDescending: Bool, offset: Int),
    _ stage: Stage
  ) throws(SQLError) -> MonotonicKey {
    // The results of one tumbling window share their ROWTIME, which may stay.
    if case .column(let index) = item.expression.kind, index == stage.tumblingColumn {
      return .rowtime(MonotonicFunction())
    }
    if let key { return key }
    throw SQLError(
      "ORDER BY whose leading expression is not monotonic and based on ROWTIME", at: item.offset,
      hint:
        "a stream has no end, so it is sorted run by run: ORDER BY FLOOR(s.ROWTIME TO SECOND), …")
  }

  /// ORDER BY over the result of a query.
  func ordered(
    _ relation: BoundRelation, _ items: [OrderItem], at offset: Int
  ) throws(SQLError) -> BoundRelation {
    if items.isEmpty { return relation }
    let binder = ExpressionBinder(
      program, relations: [Relation(name: nil, columns: relation.columns)])
    binder.clause = .orderBy
    let columns = relation.columns.map { column in
      BoundItem(
        name: column.name, expression: binder.make(.column(column.index), column.type, at: offset),
        offset: column.offset)
    }
    var expressions = relation.node.output.columns.enumerated().map { index, column in
      binder.make(.column(index), column.type, at: offset)
    }
    let visible = expressions.count
    var sortKeys: [SortKey] = []
    var leading: MonotonicKey?
    let stage = Stage(node: relation.node, monotonic: relation.monotonic, asserted: [])
    for item in items {
      let bound = try orderKey(item.expression, columns, binder)
      if sortKeys.isEmpty {
        let key = stage.monotonicKey(of: bound, rowtime: nil)
        leading = try leadingKey(key, (bound, item.isDescending, item.expression.offset), stage)
      }
      let place = expressions.firstIndex(of: bound) ?? expressions.count
      if place == expressions.count { expressions.append(bound) }
      sortKeys.append(SortKey(column: place, isDescending: item.isDescending))
    }
    guard let leading else { return relation }
    var result = relation
    let names = relation.node.output.columns.map(\.name)
    if expressions.count > visible {
      let hidden = (visible..<expressions.count).map { "ORDER$\($0 - visible)" }
      result.node = projection(result.node, expressions, names: names + hidden, at: offset)
    }
    result.node = node(
      .orderBy(result.node, key: leading, keys: sortKeys), result.node.output, at: offset)
    if expressions.count > visible {
      result.node = projection(
        result.node, Array(expressions[..<visible]), names: names, at: offset)
    }
    if leading != .rowtime(MonotonicFunction()) {
      result.monotonic = Array(repeating: nil, count: result.monotonic.count)
    }
    return result
  }
}
