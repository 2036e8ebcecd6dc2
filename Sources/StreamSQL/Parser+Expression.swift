/// How tightly operators bind, loosest first.
enum Precedence: Int, Comparable {
  case or
  case and
  case not
  case comparison
  case additive
  case multiplicative

  static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

  var next: Precedence { Precedence(rawValue: rawValue + 1) ?? .multiplicative }
}

extension Parser {
  /// The most operators within each other.
  static let expressionDepthLimit = 500

  /// An expression of operators that bind at least as tightly as `above`.
  mutating func expression(above: Precedence = .or) throws(SQLError) -> ExpressionSyntax {
    try nested { (parser) throws(SQLError) in try parser.operators(above: above) }
  }

  func node(
    _ form: ExpressionSyntax.Form, at offset: Int, _ children: [ExpressionSyntax] = []
  ) throws(SQLError) -> ExpressionSyntax {
    var depth = 0
    for child in children where child.depth > depth { depth = child.depth }
    guard depth < Self.expressionDepthLimit else {
      throw SQLError(
        "more than \(Self.expressionDepthLimit) operators within each other", at: offset,
        hint: "split the expression over a derived table")
    }
    return ExpressionSyntax(form: form, offset: offset, depth: depth + 1)
  }

  private mutating func operators(above: Precedence) throws(SQLError) -> ExpressionSyntax {
    var left = try prefix(above: above)
    while true {
      let place = offset
      switch current.kind {
      case .word("OR") where above <= .or:
        left = try chain("OR", left, operand: .and) { .or($0) }
      case .word("AND") where above <= .and:
        left = try chain("AND", left, operand: .not) { .and($0) }
      case .symbol(let symbol):
        guard let (precedence, make) = Self.binaryOperator(symbol), above <= precedence else {
          return left
        }
        advance()
        let operand: Precedence = precedence == .multiplicative ? .multiplicative : precedence.next
        let right =
          precedence == .multiplicative ? try unary() : try expression(above: operand)
        left = try node(make(left, right), at: place, [left, right])
      case .word where above <= .comparison:
        guard let test = try predicate(left) else { return left }
        left = test
      default: return left
      }
    }
  }

  private mutating func chain(
    _ word: String, _ first: ExpressionSyntax, operand: Precedence,
    _ make: ([ExpressionSyntax]) -> ExpressionSyntax.Form
  ) throws(SQLError) -> ExpressionSyntax {
    let place = first.offset
    var operands = [first]
    while accept(words: word) { operands.append(try expression(above: operand)) }
    return try node(make(operands), at: place, operands)
  }

  private static func binaryOperator(
    _ symbol: String
  ) -> (Precedence, (ExpressionSyntax, ExpressionSyntax) -> ExpressionSyntax.Form)? {
    if let comparison = ComparisonOperator(rawValue: symbol) {
      return (.comparison, { .comparison(comparison, $0, $1) })
    }
    switch symbol {
    case "+": return (.additive, { .arithmetic(.add, $0, $1) })
    case "-": return (.additive, { .arithmetic(.subtract, $0, $1) })
    case "||": return (.additive, { .concatenate($0, $1) })
    case "*": return (.multiplicative, { .arithmetic(.multiply, $0, $1) })
    case "/": return (.multiplicative, { .arithmetic(.divide, $0, $1) })
    case "%": return (.multiplicative, { .arithmetic(.remainder, $0, $1) })
    default: return nil
    }
  }

  private mutating func prefix(above: Precedence) throws(SQLError) -> ExpressionSyntax {
    let place = offset
    guard isAt(word: "NOT") else { return try unary() }
    guard above <= .not else { throw unexpected("an expression") }
    advance()
    let operand = try expression(above: .not)
    return try node(.not(operand), at: place, [operand])
  }

  private mutating func unary() throws(SQLError) -> ExpressionSyntax {
    let place = offset
    if accept("+") { return try nested { (parser) throws(SQLError) in try parser.unary() } }
    guard accept("-") else { return try primary() }
    let operand = try nested { (parser) throws(SQLError) in try parser.unary() }
    return try node(.negate(operand), at: place, [operand])
  }

  // MARK: Predicates

  /// IS, BETWEEN, IN, LIKE and SIMILAR TO behind their first operand; nil if none follows.
  private mutating func predicate(
    _ left: ExpressionSyntax
  ) throws(SQLError) -> ExpressionSyntax? {
    let place = offset
    if accept(words: "IS") { return try isTest(left, at: place) }
    var negated = false
    if isAt(word: "NOT") {
      guard ["BETWEEN", "IN", "LIKE", "SIMILAR"].contains(where: { isAt(word: $0, 1) }) else {
        return nil
      }
      advance()
      negated = true
    }
    if accept(words: "BETWEEN") {
      let isSymmetric = accept(words: "SYMMETRIC")
      if !isSymmetric { _ = accept(words: "ASYMMETRIC") }
      let low = try expression(above: .additive)
      try expect(word: "AND")
      let high = try expression(above: .additive)
      return try node(
        .between(left, low, high, symmetric: isSymmetric, negated: negated), at: place,
        [left, low, high])
    }
    if accept(words: "IN") {
      if isAt("("), isQueryAhead(1) {
        throw SQLError(
          "IN with a query is not possible on streams", at: place,
          hint: "join with the other stream or table instead")
      }
      try expect("(")
      let values = try expressions()
      try expect(")")
      return try node(.inList(left, values, negated: negated), at: place, [left] + values)
    }
    let isSimilar = isAt(word: "SIMILAR")
    guard accept(words: "LIKE") || accept(words: "SIMILAR", "TO") else { return nil }
    let pattern = try expression(above: .additive)
    let escape = accept(words: "ESCAPE") ? try expression(above: .additive) : nil
    return try node(
      .like(left, pattern, escape: escape, similar: isSimilar, negated: negated), at: place,
      [left, pattern])
  }

  private mutating func isTest(
    _ left: ExpressionSyntax, at place: Int
  ) throws(SQLError) -> ExpressionSyntax {
    let negated = accept(words: "NOT")
    if accept(words: "NULL") { return try node(.isNull(left, negated: negated), at: place, [left]) }
    let truths: [(String, Bool?)] = [("TRUE", true), ("FALSE", false), ("UNKNOWN", nil)]
    for (word, value) in truths where accept(words: word) {
      return try node(.isTruth(left, value, negated: negated), at: place, [left])
    }
    guard accept(words: "DISTINCT", "FROM") else {
      throw unexpected("NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM")
    }
    let right = try expression(above: .additive)
    return try node(.isDistinct(left, right, negated: negated), at: place, [left, right])
  }

  // MARK: Primary expressions

  private mutating func primary() throws(SQLError) -> ExpressionSyntax {
    let place = offset
    switch current.kind {
    case .integer(let text): return try literal(.integer(text))
    case .decimal(let text): return try literal(.decimal(text))
    case .approximate(let text): return try literal(.approximate(text))
    case .string(let text): return try literal(.string(text))
    case .binary(let bytes): return try literal(.binary(bytes))
    case .unicodeString(let text): return try unicodeString(text)
    case .symbol("("):
      if let period = try period() { return period }
      return try parenthesized()
    case .quoted: return isAt("(", 1) ? try call() : try nameChain()
    case .word(let word):
      if word == "PERIOD", let period = try period() { return period }
      if let special = try specialForm(word) { return special }
      if isAt("(", 1) { return try call() }
      if Self.structuralWords.contains(word) { throw unexpected("an expression") }
      if ReservedWords.contains(word), !ReservedWords.columnNames.contains(word) {
        let written = source.text(current.range)
        throw SQLError(
          "\(word) is a reserved word", at: place,
          hint: "a column of this name must be quoted: \"\(written)\""
            + (written == word ? "" : " or \"\(word)\""))
      }
      return try nameChain()
    default: throw unexpected("an expression")
    }
  }

  /// Words that begin or end a clause: where an expression is missing they are not taken for names.
  private static let structuralWords: Set<String> = [
    "SELECT", "FROM", "WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "UNION", "INTERSECT", "EXCEPT",
    "ON", "JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "OVER", "AS", "AND", "OR", "IS", "IN",
    "LIKE", "BETWEEN", "SIMILAR", "THEN", "ELSE", "END", "WHEN", "INTO", "CREATE", "INSERT", "BY",
    "PRECEDING", "FOLLOWING", "ASC", "DESC", "WINDOWED",
  ]

  private mutating func literal(
    _ form: ExpressionSyntax.Form
  ) throws(SQLError) -> ExpressionSyntax {
    defer { advance() }
    return try node(form, at: offset)
  }

  private mutating func parenthesized() throws(SQLError) -> ExpressionSyntax {
    let place = offset
    if isQueryAhead(1) {
      throw SQLError(
        "a query is not possible within an expression", at: place,
        hint: "join with the other stream or table, or use an analytic function with OVER")
    }
    advance()
    let inner = try expression()
    if isAt(",") {
      throw unexpected(
        "')'",
        hint: "row values are not known: compare column by column; a period is followed by "
          + "CONTAINS, OVERLAPS, PRECEDES and the like")
    }
    try expect(")")
    if isAt("."), case .name(let parts) = inner.form { return try nameChain(parts, at: place) }
    guard case .word(let word) = current.kind, ReservedWords.contains(word), unitAhead() != nil
    else { return inner }
    let qualifier = try qualifier()
    return try node(.intervalOf(inner, qualifier), at: place, [inner])
  }

  private mutating func nameChain() throws(SQLError) -> ExpressionSyntax {
    let place = offset
    return try nameChain([try name("a name")], at: place)
  }

  /// The parts of a name behind the first; a record may stand in parentheses: `(t.r).COLUMN1`.
  private mutating func nameChain(
    _ first: [Name], at place: Int
  ) throws(SQLError) -> ExpressionSyntax {
    var parts = first
    while isAt("."), parts.count < 4 {
      advance()
      if isAt("*") { throw unexpected("the name of a column") }
      parts.append(try name("the name of a column"))
    }
    return try node(.name(parts), at: place)
  }

  private mutating func unicodeString(_ text: String) throws(SQLError) -> ExpressionSyntax {
    let place = offset
    advance()
    var escape: Character = "\\"
    if accept(words: "UESCAPE") {
      guard case .string(let sign) = current.kind, let character = sign.first, sign.count == 1
      else { throw unexpected("one character in quotes") }
      escape = character
      advance()
    }
    return try node(
      .string(try Self.unescape(text, escape: escape, at: place)), at: place)
  }

  /// Undoes `\XXXX`, `\+XXXXXX` and the doubled escape character.
  private static func unescape(
    _ text: String, escape: Character, at place: Int
  ) throws(SQLError) -> String {
    let characters = Array(text)
    var result = ""
    var index = 0
    while index < characters.count {
      guard characters[index] == escape else {
        result.append(characters[index])
        index += 1
        continue
      }
      if index + 1 < characters.count, characters[index + 1] == escape {
        result.append(escape)
        index += 2
        continue
      }
      let isLong = index + 1 < characters.count && characters[index + 1] == "+"
      let start = index + (isLong ? 2 : 1)
      let end = start + (isLong ? 6 : 4)
      guard end <= characters.count,
        let value = UInt32(String(characters[start..<end]), radix: 16),
        let scalar = UnicodeScalar(value)
      else {
        throw SQLError(
          "bad escape in a Unicode string", at: place,
          hint: "write \(escape)0009: four hexadecimal digits, or \(escape)+ and six")
      }
      result.unicodeScalars.append(scalar)
      index = end
    }
    return result
  }
}
