internal import Columns

/// Binds the query of one pump to operators.
final class QueryBinder {
  let program: ProgramBinder
  private var nodeCount = 0

  init(_ program: ProgramBinder) {
    self.program = program
  }

  func node(_ operation: PlanNode.Operation, _ output: Schema, at offset: Int) -> PlanNode {
    defer { nodeCount += 1 }
    return PlanNode(
      id: nodeCount, operation: operation, output: output,
      position: program.source.position(of: offset))
  }

  /// A projection whose columns have these names.
  func projection(
    _ input: PlanNode, _ expressions: [BoundExpression], names: [String],
    rowtime: BoundExpression? = nil, at offset: Int
  ) -> PlanNode {
    let columns = zip(names, expressions).map { name, expression in
      ColumnDefinition(name: name, type: expression.type.columnType ?? .bigint)
    }
    return node(.project(input, expressions, rowtime: rowtime), Schema(columns), at: offset)
  }

  // MARK: Pumps

  func pump(_ syntax: CreatePump, isStarted: Bool, at offset: Int) throws(SQLError) -> Pump {
    let target = program.collecting { () throws(SQLError) in try self.target(syntax) }
    let relation = try query(syntax.query)
    guard let (index, stream) = target else { throw .reported }
    let root = try insertion(relation, syntax, into: stream)
    return Pump(
      name: syntax.name.text, target: index, root: root, isStarted: isStarted,
      position: program.source.position(of: offset))
  }

  private func target(_ syntax: CreatePump) throws(SQLError) -> (index: Int, stream: PlanStream) {
    let found = try program.stream(syntax.target)
    if case .source = found.stream.origin {
      throw SQLError(
        "\(syntax.target.quoted) is a source stream", at: syntax.target.offset,
        hint: "a pump feeds a stream of the program: CREATE OR REPLACE STREAM …")
    }
    return found
  }

  /// The query's columns converted to those of the target, by position.
  private func insertion(
    _ relation: BoundRelation, _ syntax: CreatePump, into stream: PlanStream
  ) throws(SQLError) -> PlanNode {
    let columns = stream.schema.columns
    let places = try self.places(syntax, in: stream)
    guard places.count == relation.columns.count else {
      throw countMismatch(relation, syntax, stream, expected: places.count)
    }
    var values: [BoundExpression?] = Array(repeating: nil, count: columns.count)
    var failed = false
    for (column, place) in zip(relation.columns, places) {
      let value = program.collecting { () throws(SQLError) in
        try self.value(column, of: relation.node, for: columns[place], in: stream)
      }
      failed = failed || value == nil
      values[place] = value
    }
    if failed { throw .reported }
    let position = program.source.position(of: syntax.query.offset)
    let complete = zip(values, columns).map { value, column in
      value ?? BoundExpression(.literal(.null), type: .column(column.type), position: position)
    }
    return merged(relation.node, complete, columns.map(\.name), at: syntax.query.offset)
  }

  /// A projection over the node, or into it if it is one.
  private func merged(
    _ input: PlanNode, _ expressions: [BoundExpression], _ names: [String], at offset: Int
  ) -> PlanNode {
    guard case .project(let inner, let inside, let rowtime) = input.operation else {
      return projection(input, expressions, names: names, at: offset)
    }
    let combined = expressions.map { expression in
      expression.substitutingColumns { inside[$0] }
    }
    let columns = zip(names, combined).map { name, expression in
      ColumnDefinition(name: name, type: expression.type.columnType ?? .bigint)
    }
    return PlanNode(
      id: input.id, operation: .project(inner, combined, rowtime: rowtime), output: Schema(columns),
      position: input.position)
  }

  private func places(_ syntax: CreatePump, in stream: PlanStream) throws(SQLError) -> [Int] {
    guard let names = syntax.columns else { return Array(stream.schema.columns.indices) }
    var places: [Int] = []
    for name in names {
      guard let index = stream.schema.index(of: name.text) else {
        throw SQLError(
          "stream \"\(stream.name)\" has no column \(name.quoted)", at: name.offset,
          hint: Spelling.hint(name, among: stream.schema.columns.map(\.name)))
      }
      if places.contains(index) {
        throw SQLError("column \(name.quoted) is named twice", at: name.offset)
      }
      places.append(index)
    }
    return places
  }

  private func countMismatch(
    _ relation: BoundRelation, _ syntax: CreatePump, _ stream: PlanStream, expected: Int
  ) -> SQLError {
    let given = relation.columns.count
    let wanted = stream.schema.columns.map(\.name).joined(separator: ", ")
    let place =
      given > expected ? relation.columns[expected].offset : syntax.query.offset
    return SQLError(
      "\(syntax.columns == nil ? "stream \"\(stream.name)\" has" : "the list names") \(expected) "
        + "column\(expected == 1 ? "" : "s"), the query gives \(given)",
      at: place,
      hint: "values go to columns by position: \(wanted)")
  }

  private func value(
    _ column: ScopeColumn, of node: PlanNode, for target: ColumnDefinition, in stream: PlanStream
  ) throws(SQLError) -> BoundExpression {
    if let fields = column.fields {
      throw SQLError(
        "\(column.name) is a record and cannot be stored", at: column.offset,
        hint: "select its fields from a derived table: t.\(column.name).\(fields[0].name)")
    }
    var value = BoundExpression(
      .column(column.index), type: .column(column.type),
      position: program.source.position(of: column.offset))
    if case .project(_, let expressions, _) = node.operation,
      expressions[column.index].isNullLiteral
    {
      value = expressions[column.index]
    }
    guard let converted = Conversions.implicit(value, to: target.type) else {
      throw SQLError(
        "column \"\(target.name)\" of \"\(stream.name)\" is \(target.type), the value is "
          + "\(column.type)", at: column.offset, hint: "use CAST(… AS \(target.type))")
    }
    return converted
  }

  // MARK: Queries

  func query(_ syntax: QuerySyntax) throws(SQLError) -> BoundRelation {
    switch syntax.body {
    case .select(let select): return try self.select(select, orderBy: syntax.orderBy)
    case .nested(let inner):
      return try ordered(try query(inner), syntax.orderBy, at: syntax.offset)
    case .unionAll(let terms):
      let union = try unionAll(terms, at: syntax.offset)
      return try ordered(union, syntax.orderBy, at: syntax.offset)
    case .values:
      throw SQLError(
        "VALUES is no stream", at: syntax.offset,
        hint: "join a stream with it: FROM s JOIN (VALUES ('a', 1)) AS t(k, v) ON s.k = t.k")
    }
  }

  private func unionAll(_ terms: [QuerySyntax], at offset: Int) throws(SQLError) -> BoundRelation {
    var relations: [BoundRelation] = []
    for term in terms {
      if let bound = program.collecting({ () throws(SQLError) in try query(term) }) {
        relations.append(bound)
      }
    }
    guard relations.count == terms.count else { throw .reported }
    let first = relations[0]
    var types = first.columns.map(\.type)
    for (relation, term) in zip(relations, terms) {
      guard relation.columns.count == types.count else {
        throw SQLError(
          "the queries of UNION ALL have \(types.count) and \(relation.columns.count) columns",
          at: term.offset)
      }
      for (index, column) in relation.columns.enumerated() {
        guard let common = unionType(types[index], first, column, relation, index) else {
          throw SQLError(
            "column \(index + 1) of UNION ALL is \(types[index]) and \(column.type)",
            at: column.offset, hint: "use CAST to give both one type")
        }
        types[index] = common
      }
    }
    let names = first.columns.map(\.name)
    let inputs = relations.map { relation in aligned(relation, to: types, names, at: offset) }
    let schema = inputs[0].output
    let columns = zip(names, types).enumerated().map { index, column in
      ScopeColumn(
        name: column.0, index: index, type: column.1, offset: first.columns[index].offset)
    }
    let keys = columns.indices.map { index in
      let keys = relations.map { $0.monotonic[$0.columns[index].index] }
      return keys.allSatisfy { $0 == keys[0] } ? keys[0] : nil
    }
    return BoundRelation(
      node: node(.unionAll(inputs), schema, at: offset), columns: columns, monotonic: keys)
  }

  /// The common type of a column; NULL fits every type.
  private func unionType(
    _ type: ColumnType, _ first: BoundRelation, _ column: ScopeColumn, _ relation: BoundRelation,
    _ index: Int
  ) -> ColumnType? {
    if column.fields != nil || first.columns[index].fields != nil { return nil }
    if relation.isNull(column) { return type }
    if first.isNull(first.columns[index]), type == first.columns[index].type { return column.type }
    return Conversions.common(type, column.type)
  }

  private func aligned(
    _ relation: BoundRelation, to types: [ColumnType], _ names: [String], at offset: Int
  ) -> PlanNode {
    let values = zip(relation.columns, types).map { column, type in
      let value = BoundExpression(
        .column(column.index), type: .column(column.type), position: relation.node.position)
      if relation.isNull(column) {
        return BoundExpression(
          .literal(.null), type: .column(type), position: relation.node.position)
      }
      return Conversions.converted(value, to: type)
    }
    return merged(relation.node, values, names, at: offset)
  }
}

extension BoundRelation {
  /// Whether a column is the constant NULL.
  func isNull(_ column: ScopeColumn) -> Bool {
    guard case .project(_, let expressions, _) = node.operation else { return false }
    return expressions.indices.contains(column.index) && expressions[column.index].isNullLiteral
  }
}

extension BoundExpression {
  /// The expression with columns replaced; types stay.
  func substitutingColumns(_ value: (Int) -> BoundExpression) -> BoundExpression {
    replacing { part in
      guard case .column(let index) = part.kind else { return nil }
      let found = value(index)
      if found.isNullLiteral { return found.retyped(part.type) }
      guard found.type != part.type, let type = part.type.columnType else { return found }
      return Conversions.converted(found, to: type)
    }
  }
}
