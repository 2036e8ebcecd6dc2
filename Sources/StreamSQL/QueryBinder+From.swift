internal import Columns

/// What FROM reads, as one node with the relations that expressions can name.
struct FromClause {
  var node: PlanNode
  var relations: [Relation]
  /// For each column of the node how it depends on the row's ROWTIME.
  var monotonic: [MonotonicKey?]
  var groupWindow: GroupWindowFunction?
  var records = RecordParses()
  let offset: Int
}

/// One side of a FROM before it is joined.
enum FromSide {
  case stream(FromClause, window: OverSyntax?)
  /// A reference table.
  case table(Int, Relation, offset: Int)
}

extension QueryBinder {
  func from(_ select: SelectSyntax) throws(SQLError) -> FromClause {
    switch try side(select.from, select) {
    case .stream(let clause, let window):
      if window != nil {
        program.warn(
          SQLError(
            "a window behind a single stream has no effect", at: select.from.offset,
            hint: "windows of analytic functions stand behind the function: COUNT(*) OVER (…)"))
      }
      return clause
    case .table(let index, _, let offset):
      throw SQLError(
        "a query reads at least one stream, \"\(program.tables[index].name)\" is a table",
        at: offset, hint: "join a stream with it: FROM s JOIN table AS t ON s.k = t.k")
    }
  }

  private func side(_ syntax: TableSyntax, _ select: SelectSyntax) throws(SQLError) -> FromSide {
    switch syntax.form {
    case .join(let left, let kind, let right, let condition, _):
      return try joined(
        try side(left, select), kind, try side(right, select), on: condition, select,
        at: syntax.offset)
    case .named(let name): return try named(name, syntax)
    case .derived(let query): return .stream(try derived(query, syntax), window: syntax.window)
    case .function(let call):
      let bound = try tableFunction(call)
      return .stream(
        try clause(bound, syntax, defaultName: nil), window: syntax.window)
    case .values(let rows): return try values(rows, syntax)
    }
  }

  private func named(_ name: Name, _ syntax: TableSyntax) throws(SQLError) -> FromSide {
    if let table = program.table(name),
      !program.streams.contains(where: { $0.name == name.text })
    {
      if syntax.window != nil {
        throw SQLError("a reference table has no window", at: syntax.offset)
      }
      return .table(
        table, try tableRelation(table, syntax, defaultName: name.text), offset: syntax.offset)
    }
    return .stream(
      try clause(try scan(name), syntax, defaultName: name.text), window: syntax.window)
  }

  /// A stream's rows.
  func scan(_ name: Name) throws(SQLError) -> BoundRelation {
    let (index, stream) = try program.stream(name)
    let columns = stream.schema.columns.enumerated().map { number, column in
      ScopeColumn(
        name: column.name, index: number, type: column.type,
        isMetadata: column.role == .metadata, offset: name.offset)
    }
    return BoundRelation(
      node: node(.scan(stream: index), stream.schema, at: name.offset), columns: columns,
      monotonic: Array(repeating: nil, count: columns.count))
  }

  private func derived(
    _ query: QuerySyntax, _ syntax: TableSyntax
  ) throws(SQLError) -> FromClause {
    try clause(try self.query(query), syntax, defaultName: nil)
  }

  private func clause(
    _ bound: BoundRelation, _ syntax: TableSyntax, defaultName: String?
  ) throws(SQLError) -> FromClause {
    var relation = Relation(
      name: syntax.alias?.text ?? defaultName, columns: bound.columns)
    if syntax.alias != nil { relation.hiddenName = defaultName }
    try rename(&relation.columns, syntax)
    if bound.groupWindow != nil {
      relation.columns += [
        ScopeColumn(
          name: "WINDOW_START", index: Placeholder.windowStart, type: .timestamp,
          isMetadata: true),
        ScopeColumn(
          name: "WINDOW_END", index: Placeholder.windowEnd, type: .timestamp, isMetadata: true),
      ]
    }
    return FromClause(
      node: bound.node, relations: [relation], monotonic: bound.monotonic,
      groupWindow: bound.groupWindow, offset: syntax.offset)
  }

  /// `AS alias (a, b, …)`.
  private func rename(_ columns: inout [ScopeColumn], _ syntax: TableSyntax) throws(SQLError) {
    guard let first = syntax.columnAliases.first else { return }
    let visible = columns.indices.filter { !columns[$0].isMetadata }
    guard visible.count == syntax.columnAliases.count else {
      throw SQLError(
        "\(syntax.columnAliases.count) names for \(visible.count) columns", at: first.offset)
    }
    for (place, name) in zip(visible, syntax.columnAliases) {
      let old = columns[place]
      columns[place] = ScopeColumn(
        name: name.text, index: old.index, type: old.type, isMetadata: false, fields: old.fields,
        offset: old.offset)
    }
  }

  private func tableRelation(
    _ table: Int, _ syntax: TableSyntax, defaultName: String?
  ) throws(SQLError) -> Relation {
    var columns = program.tables[table].schema.columns.enumerated().map { number, column in
      ScopeColumn(name: column.name, index: number, type: column.type, offset: syntax.offset)
    }
    try rename(&columns, syntax)
    var relation = Relation(
      name: syntax.alias?.text ?? defaultName, columns: columns, hasRowtime: false)
    if syntax.alias != nil { relation.hiddenName = defaultName }
    return relation
  }

  /// A list of constant rows: a reference table of the program's own.
  private func values(
    _ rows: [[ExpressionSyntax]], _ syntax: TableSyntax
  ) throws(SQLError) -> FromSide {
    let binder = ExpressionBinder(program, relations: [])
    binder.clause = .values
    var bound: [[BoundExpression]] = []
    for row in rows {
      var values: [BoundExpression] = []
      for value in row { values.append(try binder.bind(value)) }
      guard values.count == bound.first?.count ?? values.count else {
        throw SQLError("the rows of VALUES have different lengths", at: row[0].offset)
      }
      bound.append(values)
    }
    var columns: [ColumnDefinition] = []
    var table: [[SQLValue]] = Array(repeating: [], count: bound.count)
    for place in bound[0].indices {
      let unified = try binder.unified(
        bound.map { $0[place] }, "the values of a column", at: rows[0][place].offset)
      guard let type = unified[0].type.columnType else {
        throw SQLError("an interval cannot be a column", at: rows[0][place].offset)
      }
      columns.append(ColumnDefinition(name: "EXPR$\(place)", type: type))
      for (number, value) in unified.enumerated() {
        guard case .literal(let literal) = value.kind else {
          throw SQLError("VALUES holds constants only", at: rows[number][place].offset)
        }
        table[number].append(literal)
      }
    }
    let index = program.add(
      PlanTable(name: "VALUES$\(program.tables.count)", schema: Schema(columns), rows: table))
    return .table(
      index, try tableRelation(index, syntax, defaultName: nil), offset: syntax.offset)
  }
}
