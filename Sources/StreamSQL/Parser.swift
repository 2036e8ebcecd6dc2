/// A program as statements, with what could not be read.
struct ParsedProgram {
  var statements: [Statement] = []
  var errors: [SQLError] = []
  var warnings: [SQLError] = []
  /// Streams whose definition could not be read: uses of them are not reported again.
  var brokenStreams: Set<String> = []
}

/// Reads a program by recursive descent; after an error it goes on behind the next semicolon.
struct Parser {
  /// The most parentheses, subqueries and operators within each other.
  static let depthLimit = 200

  let source: SourceText
  let tokens: [Token]
  var index = 0
  var nesting = 0
  var program = ParsedProgram()

  /// A parser of a part of a program.
  init(fragment source: SourceText) {
    self.source = source
    let (tokens, errors) = Lexer.tokens(of: source)
    self.tokens = tokens
    program.errors = errors
  }

  /// Reads the statements of `source`.
  static func parse(_ source: SourceText) -> ParsedProgram {
    var parser = Parser(fragment: source)
    // Where characters could not be read, what follows from it would only distract.
    if !parser.program.errors.isEmpty { return parser.program }
    while !parser.isAtEnd {
      if parser.accept(";") { continue }
      let start = parser.index
      do throws(SQLError) {
        parser.program.statements.append(try parser.statement())
        if !parser.isAtEnd { try parser.expectEndOfStatement() }
      } catch {
        parser.program.errors.append(error)
        parser.noteBrokenStream(from: start)
        parser.skipStatement(from: start)
      }
    }
    return parser.program
  }

  // MARK: Tokens

  var current: Token { tokens[index] }
  var offset: Int { current.range.lowerBound }
  var isAtEnd: Bool { current.kind == .end }

  func peek(_ ahead: Int = 1) -> Token { tokens[min(index + ahead, tokens.count - 1)] }

  mutating func advance() {
    if index < tokens.count - 1 { index += 1 }
  }

  func isAt(_ symbol: String, _ ahead: Int = 0) -> Bool { peek(ahead).kind == .symbol(symbol) }

  func isAt(word: String, _ ahead: Int = 0) -> Bool { peek(ahead).kind == .word(word) }

  mutating func accept(_ symbol: String) -> Bool {
    guard isAt(symbol) else { return false }
    advance()
    return true
  }

  /// Takes all of these words or none.
  mutating func accept(words: String...) -> Bool {
    for (ahead, word) in words.enumerated() where !isAt(word: word, ahead) { return false }
    for _ in words { advance() }
    return true
  }

  mutating func expect(_ symbol: String, hint: String? = nil) throws(SQLError) {
    guard accept(symbol) else { throw unexpected("'\(symbol)'", hint: hint) }
  }

  mutating func expect(word: String, hint: String? = nil) throws(SQLError) {
    guard accept(words: word) else { throw unexpected(word, hint: hint) }
  }

  func unexpected(_ expectation: String, hint: String? = nil) -> SQLError {
    SQLError("expected \(expectation), found \(description(of: current))", at: offset, hint: hint)
  }

  func description(of token: Token) -> String {
    token.kind == .end ? "the end of the program" : "'\(source.text(token.range))'"
  }

  private mutating func expectEndOfStatement() throws(SQLError) {
    guard accept(";") else {
      throw unexpected("';' or the end of the statement", hint: hintForTrailing())
    }
  }

  private func hintForTrailing() -> String? {
    guard case .word(let word) = current.kind else { return nil }
    switch word {
    case "CREATE", "INSERT", "SELECT": return "end the statement before it with ';'"
    case "LIMIT", "FETCH", "OFFSET": return "a stream has no end and so no LIMIT"
    case "QUALIFY": return "filter the analytic function in a derived table's WHERE"
    case "EMIT": return "results come out once, when they are complete"
    default: return nil
    }
  }

  private mutating func skipStatement(from start: Int) {
    if index == start { advance() }
    while !isAtEnd, !isAt(";") { advance() }
  }

  /// Remembers the name in `CREATE … STREAM name` of a statement that failed.
  private mutating func noteBrokenStream(from start: Int) {
    for position in start..<min(start + 6, tokens.count - 1)
    where tokens[position].kind == .word("STREAM") {
      switch tokens[position + 1].kind {
      case .word(let name), .quoted(let name): program.brokenStreams.insert(name)
      default: break
      }
      return
    }
  }

  // MARK: Names

  /// A name where no keyword can stand: reserved words are accepted.
  mutating func name(_ what: String) throws(SQLError) -> Name {
    switch current.kind {
    case .word(let text):
      defer { advance() }
      return Name(text: text, isQuoted: false, offset: offset)
    case .quoted(let text):
      defer { advance() }
      return Name(text: text, isQuoted: true, offset: offset)
    default: throw unexpected(what)
    }
  }

  /// A name where a keyword could stand: reserved words must be quoted.
  mutating func unreservedName(_ what: String) throws(SQLError) -> Name {
    if case .word(let text) = current.kind, ReservedWords.contains(text),
      !ReservedWords.columnNames.contains(text)
    {
      let written = source.text(current.range)
      throw SQLError(
        "expected \(what), found the reserved word \(text)", at: offset,
        hint: "if it is meant as a name, quote it: \"\(written)\""
          + (written == text ? "" : " or \"\(text)\""))
    }
    return try name(what)
  }

  /// An alias behind AS, or without it a word that is not reserved.
  mutating func alias() throws(SQLError) -> Name? {
    if accept(words: "AS") { return try name("an alias") }
    switch current.kind {
    case .quoted: return try name("an alias")
    case .word(let text):
      if ReservedWords.contains(text) || Self.clauseWords.contains(text) { return nil }
      return try name("an alias")
    default: return nil
    }
  }

  /// Words that begin a clause and are not in the list of reserved words.
  private static let clauseWords: Set<String> = [
    "WINDOWED", "QUALIFY", "EMIT", "OFFSET", "OVER", "ASC", "DESC",
  ]

  mutating func nested<Result>(
    _ body: (inout Self) throws(SQLError) -> Result
  ) throws(SQLError) -> Result {
    guard nesting < Self.depthLimit else {
      throw SQLError(
        "more than \(Self.depthLimit) levels of nesting", at: offset,
        hint: "split the statement: one pump can read the stream of another")
    }
    nesting += 1
    defer { nesting -= 1 }
    return try body(&self)
  }

  /// `element {, element}`.
  mutating func list<Element>(
    _ element: (inout Self) throws(SQLError) -> Element
  ) throws(SQLError) -> [Element] {
    var elements = [try element(&self)]
    while accept(",") { elements.append(try element(&self)) }
    return elements
  }
}
