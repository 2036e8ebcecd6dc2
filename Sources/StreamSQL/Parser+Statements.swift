internal import Columns

extension Parser {
  mutating func statement() throws(SQLError) -> Statement {
    let start = offset
    guard case .word(let verb) = current.kind else { throw unexpected("a statement") }
    switch verb {
    case "CREATE": return Statement(form: try create(), offset: start)
    case "ALTER": return Statement(form: try alter(), offset: start)
    case "DROP": return Statement(form: try drop(), offset: start)
    case "DESCRIBE":
      advance()
      if case .word("STREAM") = current.kind, !isAt(";", 1) { advance() }
      return Statement(form: .describe(try name("the name of a stream")), offset: start)
    case "EXPLAIN":
      advance()
      if isAt(";") || isAtEnd { return Statement(form: .explain(nil), offset: start) }
      if case .word("PUMP") = current.kind, !isAt(";", 1) { advance() }
      return Statement(form: .explain(try name("the name of a pump")), offset: start)
    case "SHOW":
      advance()
      return Statement(form: .show(try showSubject()), offset: start)
    case "INSERT":
      throw SQLError(
        "INSERT stands outside a pump", at: start,
        hint: "put it into a pump: CREATE OR REPLACE PUMP \"P\" AS INSERT INTO …")
    case "SELECT":
      throw SQLError(
        "SELECT stands outside a pump", at: start,
        hint: "a query feeds a stream: CREATE OR REPLACE PUMP \"P\" AS INSERT INTO \"S\" SELECT …")
    default:
      throw unexpected(
        "a statement",
        hint: "statements begin with CREATE, ALTER or DROP and STREAM, PUMP or FUNCTION, or with "
          + "DESCRIBE, EXPLAIN or SHOW")
    }
  }

  private mutating func showSubject() throws(SQLError) -> String {
    for subject in ["STREAMS", "PUMPS", "FUNCTIONS"] where accept(words: subject) {
      return subject
    }
    throw unexpected("STREAMS, PUMPS or FUNCTIONS")
  }

  private mutating func create() throws(SQLError) -> Statement.Form {
    advance()
    let replaces = accept(words: "OR", "REPLACE")
    if accept(words: "STREAM") { return .createStream(try createStream(replaces)) }
    if accept(words: "PUMP") { return .createPump(try createPump(replaces)) }
    if accept(words: "FUNCTION") { return .createFunction(try createFunction(replaces)) }
    throw unexpected("STREAM, PUMP or FUNCTION", hint: hintForCreate())
  }

  private func hintForCreate() -> String {
    switch current.kind {
    case .word("TABLE"):
      (0..<200).contains { isAt(word: "WITH", $0) && isAt("(", $0 + 1) }
        ? Self.connectorHint : "reference tables are declared in the pipeline's file, under tables"
    case .word("SOURCE"), .word("SINK"), .word("CONNECTION"): Self.connectorHint
    case .word("VIEW"), .word("MATERIALIZED"): "create a stream and a pump that feeds it"
    case .word("SCHEMA"), .word("DATABASE"): "there are no schemas: leave it out"
    default: "CREATE [OR REPLACE] STREAM, PUMP or FUNCTION"
    }
  }

  private mutating func createStream(_ replaces: Bool) throws(SQLError) -> CreateStream {
    let name = try unreservedName("the name of a stream")
    try expect("(", hint: "list the columns: CREATE STREAM \"S\" (a INTEGER, b VARCHAR(16))")
    let columns = try columns()
    try description()
    if isAt(word: "WITH") { throw unexpected("';'", hint: Self.connectorHint) }
    return CreateStream(name: name, replaces: replaces, columns: columns)
  }

  /// The columns up to `)`; what is wrong with several of them is told together.
  private mutating func columns() throws(SQLError) -> [ColumnSyntax] {
    var columns: [ColumnSyntax] = []
    var failure: SQLError?
    repeat {
      do throws(SQLError) {
        columns.append(try column())
        guard isAt(",") || isAt(")") else { throw unexpected("',' or ')'") }
      } catch {
        program.errors.append(error)
        failure = .reported
        skipColumn()
      }
    } while accept(",")
    if let failure { throw failure }
    try expect(")")
    return columns
  }

  /// Goes to the comma behind a column, or to the end of the list.
  private mutating func skipColumn() {
    var depth = 0
    while !isAtEnd, !isAt(";") {
      if depth == 0, isAt(",") || isAt(")") { return }
      if isAt("(") { depth += 1 } else if isAt(")") { depth -= 1 }
      advance()
    }
  }

  private static let connectorHint =
    "a topic is an input of the pipeline's file (inputs: - stream: NAME, kafka: {topic: TOPIC}, "
    + "columns: […]) or an output of it; CREATE STREAM makes a stream within the application"

  private mutating func column() throws(SQLError) -> ColumnSyntax {
    if isAt(")") { throw unexpected("a column", hint: "remove the comma before ')'") }
    if isAt(word: "WATERMARK"), isAt(word: "FOR", 1) {
      throw unexpected(
        "a column",
        hint: "event time is declared with the input in the pipeline's file, not by WATERMARK")
    }
    if isAt(word: "PRIMARY") || isAt(word: "CONSTRAINT"), !isAt(")", 2) {
      throw unexpected("a column", hint: "a stream has no keys: leave it out")
    }
    let name = try name("the name of a column")
    let type = try typeName()
    if case .interval = type.type {
      throw SQLError(
        "an interval cannot be the type of a column", at: type.offset,
        hint: "store milliseconds as BIGINT, for example with TSDIFF(a, b)")
    }
    var isNullable = true
    while true {
      if accept(words: "NOT", "NULL") {
        isNullable = false
      } else if !accept(words: "NULL") {
        break
      }
    }
    return ColumnSyntax(name: name, type: type, isNullable: isNullable)
  }

  private mutating func description() throws(SQLError) {
    guard accept(words: "DESCRIPTION") else { return }
    guard case .string = current.kind else { throw unexpected("a description in quotes") }
    advance()
  }

  private mutating func createPump(_ replaces: Bool) throws(SQLError) -> CreatePump {
    let name = try unreservedName("the name of a pump")
    var isStarted = true
    if accept(words: "STOPPED") { isStarted = false } else { _ = accept(words: "STARTED") }
    try description()
    try expect(word: "AS", hint: "CREATE PUMP name AS INSERT INTO stream SELECT STREAM …")
    try expect(word: "INSERT", hint: "a pump is CREATE PUMP name AS INSERT INTO stream SELECT …")
    _ = accept(words: "EXPEDITED")
    try expect(word: "INTO")
    let target = try unreservedName("the name of a stream")
    var columns: [Name]?
    if isAt("("), !isQueryAhead(1) {
      advance()
      columns = try list { (parser) throws(SQLError) in try parser.name("a column") }
      try expect(")")
    }
    return CreatePump(
      name: name, replaces: replaces, isStarted: isStarted, target: target, columns: columns,
      query: try query())
  }

  private mutating func createFunction(_ replaces: Bool) throws(SQLError) -> CreateFunction {
    let name = try unreservedName("the name of a function")
    try expect("(")
    var parameters: [(name: Name, type: TypeSyntax)] = []
    if !isAt(")") {
      parameters = try list { (parser) throws(SQLError) in
        (try parser.name("a parameter"), try parser.typeName())
      }
    }
    try expect(")")
    try expect(word: "RETURNS")
    let result = try typeName()
    var returnsNullOnNull = false
    while !accept(words: "RETURN") {
      if accept(words: "LANGUAGE", "SQL") || accept(words: "DETERMINISTIC")
        || accept(words: "NOT", "DETERMINISTIC") || accept(words: "CONTAINS", "SQL")
        || accept(words: "READS", "SQL", "DATA") || accept(words: "MODIFIES", "SQL", "DATA")
        || accept(words: "NO", "SQL")
      {
        continue
      }
      if accept(words: "SPECIFIC") {
        _ = try self.name("a name")
      } else if accept(words: "RETURNS", "NULL", "ON", "NULL", "INPUT") {
        returnsNullOnNull = true
      } else if accept(words: "CALLED", "ON", "NULL", "INPUT") {
        returnsNullOnNull = false
      } else {
        throw unexpected("RETURN", hint: "a function's body is RETURN expression")
      }
    }
    return CreateFunction(
      name: name, replaces: replaces, parameters: parameters, result: result,
      returnsNullOnNull: returnsNullOnNull, body: try expression())
  }

  private mutating func alter() throws(SQLError) -> Statement.Form {
    advance()
    try expect(word: "PUMP", hint: "only ALTER PUMP name START or STOP is known")
    let name = try unreservedName("the name of a pump")
    if accept(words: "START") { return .alterPump(name, start: true) }
    try expect(word: "STOP")
    return .alterPump(name, start: false)
  }

  private mutating func drop() throws(SQLError) -> Statement.Form {
    advance()
    let isPump = accept(words: "PUMP")
    let isFunction = !isPump && accept(words: "FUNCTION")
    if !isPump, !isFunction, !accept(words: "STREAM") {
      throw unexpected("PUMP, STREAM or FUNCTION")
    }
    let ifExists = accept(words: "IF", "EXISTS")
    let name = try unreservedName("a name")
    _ = accept(words: "CASCADE") || accept(words: "RESTRICT")
    if isPump { return .dropPump(name, ifExists: ifExists) }
    return isFunction
      ? .dropFunction(name, ifExists: ifExists) : .dropStream(name, ifExists: ifExists)
  }
}
