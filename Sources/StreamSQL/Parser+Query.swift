extension Parser {
  /// Whether a query begins at a parenthesis or word so far ahead.
  func isQueryAhead(_ ahead: Int) -> Bool {
    var ahead = ahead
    while isAt("(", ahead), ahead < 2 * Self.depthLimit { ahead += 1 }
    return isAt(word: "SELECT", ahead) || isAt(word: "VALUES", ahead)
  }

  mutating func query() throws(SQLError) -> QuerySyntax {
    try nested { (parser) throws(SQLError) in try parser.queryBody() }
  }

  private mutating func queryBody() throws(SQLError) -> QuerySyntax {
    let start = offset
    var terms = [try queryTerm()]
    while isAt(word: "UNION") || isAt(word: "INTERSECT") || isAt(word: "EXCEPT") {
      let place = offset
      guard accept(words: "UNION", "ALL") else {
        throw SQLError(
          "streams can only be combined by UNION ALL", at: place,
          hint: "UNION ALL keeps duplicates; SELECT DISTINCT over it removes them per window")
      }
      terms.append(try queryTerm())
    }
    let order = try orderBy()
    if terms.count > 1 {
      return QuerySyntax(body: .unionAll(terms), orderBy: order, offset: start)
    }
    if order.isEmpty { return terms[0] }
    if terms[0].orderBy.isEmpty {
      return QuerySyntax(body: terms[0].body, orderBy: order, offset: start)
    }
    return QuerySyntax(body: .nested(terms[0]), orderBy: order, offset: start)
  }

  private mutating func queryTerm() throws(SQLError) -> QuerySyntax {
    let start = offset
    if accept("(") {
      let inner = try query()
      try expect(")")
      return inner
    }
    if accept(words: "VALUES") {
      return QuerySyntax(body: .values(try rows()), orderBy: [], offset: start)
    }
    return QuerySyntax(body: .select(try select()), orderBy: [], offset: start)
  }

  private mutating func rows() throws(SQLError) -> [[ExpressionSyntax]] {
    try list { (parser) throws(SQLError) in
      guard parser.accept("(") else { return [try parser.expression()] }
      let values = try parser.expressions()
      try parser.expect(")")
      return values
    }
  }

  mutating func expressions() throws(SQLError) -> [ExpressionSyntax] {
    try list { (parser) throws(SQLError) in try parser.expression() }
  }

  private mutating func orderBy() throws(SQLError) -> [OrderItem] {
    guard accept(words: "ORDER", "BY") else { return [] }
    return try list { (parser) throws(SQLError) in try parser.orderItem() }
  }

  mutating func orderItem() throws(SQLError) -> OrderItem {
    let expression = try expression()
    let isDescending = accept(words: "DESC")
    if !isDescending { _ = accept(words: "ASC") }
    if accept(words: "NULLS") {
      let place = offset
      let first = accept(words: "FIRST")
      if !first { try expect(word: "LAST") }
      guard first == isDescending else {
        throw SQLError(
          "NULL is sorted as the largest value", at: place,
          hint: "sort by CASE WHEN x IS NULL THEN 0 ELSE 1 END before x")
      }
    }
    return OrderItem(expression: expression, isDescending: isDescending)
  }

  private mutating func select() throws(SQLError) -> SelectSyntax {
    let start = offset
    if !isAt(word: "SELECT") { throw unexpected("SELECT") }
    advance()
    _ = accept(words: "STREAM")
    var isDistinct = false
    if accept(words: "DISTINCT") { isDistinct = true } else { _ = accept(words: "ALL") }
    _ = accept(words: "STREAM")
    let items = try list { (parser) throws(SQLError) in try parser.selectItem() }
    let fromOffset = offset
    guard accept(words: "FROM") else {
      throw unexpected("FROM", hint: hintForSelectList())
    }
    let from = try tables()
    let condition = accept(words: "WHERE") ? try expression() : nil
    let grouping = try grouping()
    let having = accept(words: "HAVING") ? try expression() : nil
    var windows: [(name: Name, specification: WindowSyntax)] = []
    if accept(words: "WINDOW") {
      windows = try list { (parser) throws(SQLError) in
        let name = try parser.name("the name of a window")
        try parser.expect(word: "AS")
        return (name, try parser.windowSpecification())
      }
    }
    return SelectSyntax(
      isDistinct: isDistinct, items: items, from: from, condition: condition, grouping: grouping,
      having: having, windows: windows, offset: start, fromOffset: fromOffset)
  }

  private func hintForSelectList() -> String? {
    if case .word(let word) = current.kind, ReservedWords.contains(word) {
      return "\(word) is a reserved word: as a name or an alias without AS it must be quoted"
    }
    return "a query reads a stream: SELECT STREAM … FROM \"SOURCE_SQL_STREAM_001\""
  }

  private mutating func selectItem() throws(SQLError) -> SelectItem {
    let start = offset
    if accept("*") { return .star(offset: start) }
    if isAt(".", 1), isAt("*", 2) {
      let name = try name("a stream or an alias")
      advance()
      advance()
      return .qualifiedStar(name)
    }
    if isAt(word: "FROM") {
      throw unexpected("an expression", hint: "remove the comma before FROM")
    }
    let expression = try expression()
    return .expression(expression, alias: try alias())
  }

  private mutating func grouping() throws(SQLError) -> GroupingSyntax? {
    let start = offset
    if accept(words: "GROUP", "BY") {
      return .groupBy(try expressions(), offset: start)
    }
    guard accept(words: "WINDOWED", "BY") else { return nil }
    try expect(
      word: "STAGGER", hint: "WINDOWED BY STAGGER (PARTITION BY key RANGE INTERVAL '1' MINUTE)")
    try expect("(")
    let keys = try partitionBy()
    try expect(word: "RANGE")
    let length = try expression()
    _ = accept(words: "PRECEDING")
    try expect(")")
    return .stagger(partitionBy: keys, length: length, offset: start)
  }

  mutating func partitionBy() throws(SQLError) -> [ExpressionSyntax] {
    guard accept(words: "PARTITION", "BY") else { return [] }
    return try expressions()
  }

  // MARK: FROM

  private mutating func tables() throws(SQLError) -> TableSyntax {
    var left = try joined()
    while true {
      let place = offset
      guard accept(",") else { return left }
      let right = try joined()
      left = TableSyntax(
        form: .join(left, .inner, right, on: nil, isComma: true), window: nil, alias: nil,
        columnAliases: [], offset: place)
    }
  }

  private mutating func joined() throws(SQLError) -> TableSyntax {
    var left = try tableReference()
    while true {
      let place = offset
      guard let (kind, needsCondition) = try joinKind() else { return left }
      let right = try tableReference()
      var condition: ExpressionSyntax?
      if needsCondition {
        if isAt(word: "USING") {
          throw unexpected("ON", hint: "write ON a.column = b.column")
        }
        try expect(word: "ON", hint: "a join needs ON a.x = b.x")
        condition = try expression()
      }
      left = TableSyntax(
        form: .join(left, kind, right, on: condition, isComma: false), window: nil, alias: nil,
        columnAliases: [], offset: place)
    }
  }

  private mutating func joinKind() throws(SQLError) -> (StreamJoin.Kind, Bool)? {
    if accept(words: "JOIN") || accept(words: "INNER", "JOIN") { return (.inner, true) }
    if accept(words: "CROSS", "JOIN") { return (.inner, false) }
    let kinds: [(String, StreamJoin.Kind)] = [("LEFT", .left), ("RIGHT", .right), ("FULL", .full)]
    for (word, kind) in kinds where accept(words: word) {
      _ = accept(words: "OUTER")
      try expect(word: "JOIN")
      return (kind, true)
    }
    if isAt(word: "NATURAL") {
      throw unexpected("JOIN", hint: "NATURAL JOIN is not known: write JOIN … ON a.x = b.x")
    }
    return nil
  }

  private mutating func tableReference() throws(SQLError) -> TableSyntax {
    try nested { (parser) throws(SQLError) in try parser.tableReferenceBody() }
  }

  private mutating func tableReferenceBody() throws(SQLError) -> TableSyntax {
    let start = offset
    let form = try tableForm()
    // KDA programs write the window before the alias; some write it behind.
    var window = try over()
    var alias = try self.alias()
    var columns: [Name] = []
    if alias != nil, accept("(") {
      columns = try list { (parser) throws(SQLError) in try parser.name("a column") }
      try expect(")")
    }
    if window == nil {
      window = try over()
      if alias == nil { alias = try self.alias() }
    }
    return TableSyntax(
      form: form, window: window, alias: alias, columnAliases: columns, offset: start)
  }

  private mutating func tableForm() throws(SQLError) -> TableSyntax.Form {
    if isAt("(") {
      if isAt(word: "VALUES", 1) {
        advance()
        advance()
        let values = try rows()
        try expect(")")
        return .values(values)
      }
      if isQueryAhead(1) {
        advance()
        let inner = try query()
        try expect(")")
        return .derived(inner)
      }
      advance()
      let inner = try tables()
      try expect(")")
      guard case .join = inner.form else {
        throw SQLError("parentheses around a single stream", at: inner.offset)
      }
      return inner.form
    }
    if isAt(word: "TABLE"), isAt("(", 1) {
      advance()
      advance()
      let call = try tableCall()
      try expect(")")
      return .function(call)
    }
    if isAt(word: "LATERAL") || isAt(word: "UNNEST") {
      throw unexpected(
        "a stream",
        hint: "arrays are flattened by the input's mapping: a column with path $.items[0:].x")
    }
    let name = try unreservedName("the name of a stream")
    if isAt("(") { throw misplacedFunction(name) }
    if isAt(".") {
      throw SQLError(
        "a stream's name has no qualifier", at: offset, hint: "write the stream's name alone")
    }
    return .named(name)
  }

  /// `FROM s, STEP(s.ROWTIME BY …)` and `FROM RANDOM_CUT_FOREST(…)`.
  private func misplacedFunction(_ name: Name) -> SQLError {
    if TableFunctionName(rawValue: name.text) != nil {
      return SQLError(
        "\(name.text) must stand within TABLE(…)", at: name.offset,
        hint: "FROM TABLE(\(name.text)(CURSOR(SELECT STREAM … FROM …), …))")
    }
    return SQLError(
      "expected a stream in FROM, found the function \(name.text)", at: name.offset,
      hint: "windows belong to GROUP BY: SELECT STREAM … FROM s GROUP BY key, "
        + "STEP(s.ROWTIME BY INTERVAL '60' SECOND)")
  }

  private mutating func tableCall() throws(SQLError) -> TableCallSyntax {
    let name = try name("a table function")
    try expect("(")
    var arguments: [TableCallSyntax.Argument] = []
    var partition: [ExpressionSyntax] = []
    while !isAt(")") {
      arguments.append(try tableArgument())
      if isAt(word: "PARTITION") {
        // The list of keys ends where a literal or `name =>` begins.
        advance()
        try expect(word: "BY")
        partition.append(try expression())
        while isAt(","), isPartitionKeyAhead() {
          advance()
          partition.append(try expression())
        }
      }
      guard accept(",") else { break }
    }
    try expect(")")
    return TableCallSyntax(name: name, arguments: arguments, partitionBy: partition)
  }

  private func isPartitionKeyAhead() -> Bool {
    switch peek(1).kind {
    case .quoted: !isAt("=>", 2)
    case .word(let word): !isAt("=>", 2) && !["TRUE", "FALSE", "NULL", "INTERVAL"].contains(word)
    default: false
    }
  }

  private mutating func tableArgument() throws(SQLError) -> TableCallSyntax.Argument {
    let start = offset
    if accept(words: "CURSOR") {
      let parenthesized = accept("(")
      let query = try query()
      if parenthesized { try expect(")") }
      return .cursor(query, offset: start)
    }
    if accept(words: "TABLE") {
      let parenthesized = accept("(")
      let name = try name("the name of a stream")
      if parenthesized { try expect(")") }
      return .table(name)
    }
    if isAt(word: "DESCRIPTOR") {
      advance()
      try expect("(")
      let name = try name("a column")
      try expect(")")
      return .descriptor(name)
    }
    if isAt("=>", 1) {
      let name = try name("a parameter")
      advance()
      if case .word("DESCRIPTOR") = current.kind { return try tableArgument() }
      if case .word("TABLE") = current.kind { return try tableArgument() }
      return .named(name, try expression())
    }
    return .expression(try expression())
  }

  // MARK: Windows

  mutating func over() throws(SQLError) -> OverSyntax? {
    guard accept(words: "OVER") else { return nil }
    if isAt("(") { return .inline(try windowSpecification()) }
    return .named(try name("a window"))
  }

  private mutating func windowSpecification() throws(SQLError) -> WindowSyntax {
    let start = offset
    try expect("(")
    let partition = try partitionBy()
    let order = try orderBy()
    let frame = try frame()
    try expect(")", hint: "a window is (PARTITION BY key RANGE INTERVAL '1' MINUTE PRECEDING)")
    return WindowSyntax(partitionBy: partition, orderBy: order, frame: frame, offset: start)
  }

  private mutating func frame() throws(SQLError) -> WindowSyntax.Frame? {
    let start = offset
    let isRows = accept(words: "ROWS")
    guard isRows || accept(words: "RANGE") else { return nil }
    if accept(words: "BETWEEN") {
      let first = try bound()
      try expect(word: "AND")
      return WindowSyntax.Frame(isRows: isRows, start: first, end: try bound(), offset: start)
    }
    return WindowSyntax.Frame(isRows: isRows, start: try bound(), end: nil, offset: start)
  }

  private mutating func bound() throws(SQLError) -> WindowSyntax.Bound {
    if accept(words: "CURRENT", "ROW") { return .currentRow }
    if accept(words: "UNBOUNDED") {
      if accept(words: "PRECEDING") { return .unboundedPreceding }
      try expect(word: "FOLLOWING")
      return .unboundedFollowing
    }
    // AND separates the two bounds, so only what binds tighter may stand here.
    let amount = try expression(above: .additive)
    if accept(words: "PRECEDING") { return .preceding(amount) }
    if accept(words: "FOLLOWING") { return .following(amount) }
    throw unexpected("PRECEDING", hint: "RANGE INTERVAL '1' MINUTE PRECEDING, or ROWS 10 PRECEDING")
  }
}
