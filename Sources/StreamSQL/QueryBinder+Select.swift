internal import Columns

/// An item of a select list: one column, or several of a record.
struct BoundItem {
  let name: String
  let expression: BoundExpression
  let offset: Int
  /// The fields of a record; `expression` is then the first.
  var fields: [(name: String, expression: BoundExpression)]?
}

/// What the clauses of a SELECT compute, before operators exist.
struct BoundClauses {
  var condition: BoundExpression?
  var items: [BoundItem] = []
  /// `expression AS ROWTIME`.
  var rowtime: BoundExpression?
  var grouping: BoundGrouping?
  var having: BoundExpression?
  var order: [(expression: BoundExpression, isDescending: Bool, offset: Int)] = []
}

extension QueryBinder {
  func select(
    _ syntax: SelectSyntax, orderBy: [OrderItem]
  ) throws(SQLError) -> BoundRelation {
    var from = try self.from(syntax)
    let binder = ExpressionBinder(
      program, relations: from.relations, namedWindows: syntax.windows)
    var clauses = try clauses(syntax, orderBy, binder, &from)
    if let condition = clauses.condition { filter(&from, condition, at: syntax.fromOffset) }
    let stage = try aggregated(from, &clauses, binder, syntax)
    return try finished(stage, clauses, syntax)
  }

  /// Binds the clauses and reports the errors of all of them.
  private func clauses(
    _ syntax: SelectSyntax, _ orderBy: [OrderItem], _ binder: ExpressionBinder,
    _ from: inout FromClause
  ) throws(SQLError) -> BoundClauses {
    var clauses = BoundClauses()
    var failed = false
    func collect(_ body: () throws(SQLError) -> Void) {
      if program.collecting(body) == nil { failed = true }
    }
    binder.aliasNames = syntax.items.compactMap { item in
      if case .expression(_, let alias) = item { return alias?.text }
      return nil
    }
    binder.clause = .filter
    if let condition = syntax.condition {
      collect { () throws(SQLError) in
        clauses.condition = try binder.condition(condition, "the condition of WHERE")
      }
    }
    binder.clause = .groupBy
    if let grouping = syntax.grouping {
      collect { () throws(SQLError) in
        clauses.grouping = try self.grouping(grouping, binder, from)
      }
    }
    binder.bindsProducedRowtime = true
    binder.clause = .selectList
    var records = RecordParses()
    for item in syntax.items {
      collect { () throws(SQLError) in
        try bind(item, binder, from, &clauses, &records)
      }
    }
    binder.clause = .having
    if let having = syntax.having {
      collect { () throws(SQLError) in
        clauses.having = try binder.condition(having, "the condition of HAVING")
      }
    }
    binder.clause = .orderBy
    if !failed {
      binder.aliases = clauses.items.map { ($0.name, $0.expression) }
      for item in orderBy {
        collect { () throws(SQLError) in
          let key = try orderKey(item.expression, clauses.items, binder)
          clauses.order.append((key, item.isDescending, item.expression.offset))
        }
      }
    }
    if failed { throw .reported }
    if let rowtime = clauses.rowtime {
      clauses.items = clauses.items.map { $0.replacingProducedRowtime(rowtime) }
    }
    from.records = records
    return clauses
  }

  private func bind(
    _ item: SelectItem, _ binder: ExpressionBinder, _ from: FromClause,
    _ clauses: inout BoundClauses, _ records: inout RecordParses
  ) throws(SQLError) {
    switch item {
    case .star(let offset):
      for relation in from.relations { clauses.items += star(relation, binder, at: offset) }
    case .qualifiedStar(let name):
      guard let relation = binder.relation(name) else {
        throw SQLError("there is no stream or alias \(name.quoted) in FROM", at: name.offset)
      }
      clauses.items += star(relation, binder, at: name.offset)
    case .expression(let syntax, let alias):
      if case .call(let call) = syntax.form, let function = RecordFunction(name: call.name.text),
        !program.functionNames.contains(call.name.text)
      {
        let name = alias?.text ?? "EXPR$\(clauses.items.count)"
        clauses.items.append(
          try record(function, call, name: name, binder, from, &records, at: syntax.offset))
        return
      }
      if let item = recordReference(syntax, alias, binder) {
        clauses.items.append(item)
        return
      }
      let bound = try binder.bind(syntax)
      guard bound.type.columnType != nil else {
        throw SQLError(
          "an interval cannot be a column", at: syntax.offset,
          hint: "use TSDIFF(a, b), EXTRACT(…) or CAST(… AS VARCHAR(n))")
      }
      if alias?.text == "ROWTIME", bound.kind != .column(Placeholder.producedRowtime) {
        guard bound.type == .column(.timestamp) else {
          throw SQLError("ROWTIME is a TIMESTAMP, not \(bound.type)", at: syntax.offset)
        }
        clauses.rowtime = bound
        return
      }
      let name = alias?.text ?? syntax.columnName ?? "EXPR$\(clauses.items.count)"
      clauses.items.append(BoundItem(name: name, expression: bound, offset: syntax.offset))
    }
  }

  private func star(
    _ relation: Relation, _ binder: ExpressionBinder, at offset: Int
  ) -> [BoundItem] {
    relation.columns.filter { !$0.isMetadata }.map { column in
      item(column, name: column.name, binder, at: offset)
    }
  }

  private func item(
    _ column: ScopeColumn, name: String, _ binder: ExpressionBinder, at offset: Int
  ) -> BoundItem {
    let fields = column.fields?.map { field in
      (name: field.name, expression: binder.make(.column(field.index), field.type, at: offset))
    }
    return BoundItem(
      name: name, expression: binder.make(.column(column.index), column.type, at: offset),
      offset: offset, fields: fields)
  }

  /// A record of a derived table, passed on as a whole.
  private func recordReference(
    _ syntax: ExpressionSyntax, _ alias: Name?, _ binder: ExpressionBinder
  ) -> BoundItem? {
    guard case .name(let parts) = syntax.form, parts.count <= 2, let name = parts.last else {
      return nil
    }
    let columns =
      parts.count == 2
      ? binder.relation(parts[0])?.columns ?? [] : binder.relations.flatMap(\.columns)
    guard let column = columns.first(where: { $0.name == name.text && $0.fields != nil }) else {
      return nil
    }
    return item(column, name: alias?.text ?? name.text, binder, at: syntax.offset)
  }

  // MARK: Filter

  /// A filter over FROM; equalities between the sides of an inner join become its keys.
  private func filter(_ from: inout FromClause, _ condition: BoundExpression, at offset: Int) {
    var rest: [BoundExpression] = []
    for conjunct in condition.conjuncts {
      if let join = from.node.absorbing(conjunct) {
        from.node = join
      } else {
        rest.append(conjunct)
      }
    }
    guard let predicate = BoundExpression.conjunction(rest) else { return }
    from.node = node(
      .filter(from.node, predicate: predicate), from.node.output, at: offset)
  }

  // MARK: Projection

  /// Projection, DISTINCT and ORDER BY over the last computing operator.
  private func finished(
    _ stage: Stage, _ clauses: BoundClauses, _ syntax: SelectSyntax
  ) throws(SQLError) -> BoundRelation {
    var expressions: [BoundExpression] = []
    var names: [String] = []
    var columns: [ScopeColumn] = []
    for item in clauses.items {
      let index = expressions.count
      var column = ScopeColumn(
        name: item.name, index: index, type: item.expression.type.columnType ?? .bigint,
        offset: item.offset)
      if let fields = item.fields {
        column.fields = fields.enumerated().map { number, field in
          ScopeColumn(
            name: field.name, index: index + number,
            type: field.expression.type.columnType ?? .varchar(1), offset: item.offset)
        }
        expressions += fields.map(\.expression)
        names += fields.map { "\(item.name).\($0.name)" }
      } else {
        expressions.append(item.expression)
        names.append(item.name)
      }
      columns.append(column)
    }
    let visible = expressions.count
    let order = clauses.order.map { key in
      if let index = expressions.firstIndex(of: key.expression) { return index }
      expressions.append(key.expression)
      names.append("ORDER$\(expressions.count - 1 - visible)")
      return expressions.count - 1
    }
    let keys = expressions.map { expression in
      stage.monotonicKey(of: expression, rowtime: clauses.rowtime)
    }
    var top = projection(
      stage.node, expressions, names: names, rowtime: clauses.rowtime, at: syntax.offset)
    if syntax.isDistinct {
      top = try distinct(top, keys, visible: visible, syntax)
    }
    guard let leading = order.first else {
      return BoundRelation(node: top, columns: columns, monotonic: keys)
    }
    let key = try leadingKey(keys[leading], clauses.order[0], stage)
    let sortKeys = zip(order, clauses.order).map { index, item in
      SortKey(column: index, isDescending: item.isDescending)
    }
    top = node(.orderBy(top, key: key, keys: sortKeys), top.output, at: clauses.order[0].offset)
    let kept: [MonotonicKey?] =
      key == .rowtime(MonotonicFunction())
      ? keys : Array(repeating: nil, count: keys.count)
    if expressions.count > visible {
      let position = program.source.position(of: syntax.offset)
      let shown = (0..<visible).map { index in
        BoundExpression(.column(index), type: expressions[index].type, position: position)
      }
      top = projection(top, shown, names: Array(names[..<visible]), at: syntax.offset)
    }
    return BoundRelation(node: top, columns: columns, monotonic: Array(kept[..<visible]))
  }

  private func distinct(
    _ input: PlanNode, _ keys: [MonotonicKey?], visible: Int, _ syntax: SelectSyntax
  ) throws(SQLError) -> PlanNode {
    // ROWTIME itself is not compared: rows are duplicates until another monotonic column changes.
    let compared = (0..<visible).filter { keys[$0] != .rowtime(MonotonicFunction()) }
    let places = compared + Array(0..<visible)
    guard let place = places.first(where: { keys[$0] != nil }), let key = keys[place] else {
      throw SQLError(
        "SELECT DISTINCT without a monotonic column based on ROWTIME", at: syntax.offset,
        hint: "duplicates are removed per run of it: SELECT STREAM DISTINCT "
          + "FLOOR(s.ROWTIME TO MINUTE), …")
    }
    return node(
      .distinct(input, columns: compared, key: key, keyColumn: key == .asserted ? place : nil),
      input.output, at: syntax.offset)
  }
}

extension BoundItem {
  fileprivate func replacingProducedRowtime(_ rowtime: BoundExpression) -> BoundItem {
    let replaced = expression.replacing { part in
      part.kind == .column(Placeholder.producedRowtime) ? rowtime : nil
    }
    return BoundItem(name: name, expression: replaced, offset: offset, fields: fields)
  }
}

extension ExpressionSyntax {
  /// The name of a column that is selected without alias.
  fileprivate var columnName: String? {
    if case .name(let parts) = form { return parts.last?.text }
    return nil
  }
}

extension BoundExpression {
  /// The operands of the outermost ANDs.
  var conjuncts: [BoundExpression] {
    if case .and(let operands) = kind { return operands.flatMap(\.conjuncts) }
    return [self]
  }

  /// All of these; nil if there are none.
  static func conjunction(_ operands: [BoundExpression]) -> BoundExpression? {
    guard let first = operands.first else { return nil }
    if operands.count == 1 { return first }
    return BoundExpression(.and(operands), type: .column(.boolean), position: first.position)
  }
}
