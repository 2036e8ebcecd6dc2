internal import Columns

extension Parser {
  /// Expressions with a syntax of their own; nil if `word`, under the cursor, begins none.
  mutating func specialForm(_ word: String) throws(SQLError) -> ExpressionSyntax? {
    let place = offset
    switch word {
    case "NULL", "TRUE", "FALSE", "UNKNOWN":
      advance()
      return try node(word == "NULL" ? .null : .boolean(truth(word)), at: place)
    case "CASE":
      advance()
      return try conditional(at: place)
    case "INTERVAL":
      advance()
      return try interval(at: place)
    case "DATE", "TIME", "TIMESTAMP":
      guard case .string(let text) = peek().kind else { return nil }
      advance()
      advance()
      let type: ColumnType = word == "DATE" ? .date : word == "TIME" ? .time : .timestamp
      return try node(.datetime(type, text), at: place)
    case "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP",
      "CURRENT_ROW_TIMESTAMP":
      return try currentTime()
    default: break
    }
    guard isAt("(", 1) else { return nil }
    switch word {
    case "CAST", "FLOOR", "CEIL", "CEILING", "STEP", "EXTRACT", "SUBSTRING", "TRIM", "OVERLAY",
      "POSITION", "JSON_VALUE":
      advance()
      advance()
      let form = try functionForm(word, at: place)
      try expect(")")
      return form
    case "EXISTS":
      throw SQLError(
        "EXISTS is not possible on streams", at: place,
        hint: "join with the other stream or table instead")
    default: return nil
    }
  }

  private func truth(_ word: String) -> Bool? { word == "UNKNOWN" ? nil : word == "TRUE" }

  private mutating func currentTime() throws(SQLError) -> ExpressionSyntax {
    let place = offset
    let name = try name("a function")
    // Some programs write a precision or empty parentheses.
    if accept("(") {
      if case .integer = current.kind { advance() }
      try expect(")")
    }
    return try node(
      .call(CallSyntax(name: name, arguments: [], isStar: false, isDistinct: false)), at: place)
  }

  private mutating func functionForm(
    _ word: String, at place: Int
  ) throws(SQLError) -> ExpressionSyntax {
    switch word {
    case "CAST":
      let operand = try expression()
      try expect(word: "AS")
      return try node(.cast(operand, try typeName()), at: place, [operand])
    case "FLOOR", "CEIL", "CEILING": return try rounding(up: word != "FLOOR", at: place)
    case "STEP":
      let operand = try expression()
      try expect(word: "BY", hint: "STEP(s.ROWTIME BY INTERVAL '10' SECOND)")
      let step = try expression()
      return try node(.step(operand, by: step), at: place, [operand, step])
    case "EXTRACT":
      let unit = try unit()
      try expect(word: "FROM")
      let operand = try expression()
      return try node(.extract(unit, operand), at: place, [operand])
    case "SUBSTRING": return try substring(at: place)
    case "JSON_VALUE": return try jsonValue(at: place)
    case "TRIM": return try trim(at: place)
    case "OVERLAY":
      let text = try expression()
      try expect(word: "PLACING")
      let replacement = try expression()
      try expect(word: "FROM")
      let start = try expression()
      let length = accept(words: "FOR") ? try expression() : nil
      return try node(
        .overlay(text, replacement, from: start, length: length), at: place,
        [text, replacement, start] + (length.map { [$0] } ?? []))
    default:
      let needle = try expression(above: .additive)
      if isAt(",") { throw unexpected("IN", hint: "POSITION(needle IN text)") }
      try expect(word: "IN")
      let text = try expression()
      return try node(.position(needle, in: text), at: place, [needle, text])
    }
  }

  private mutating func rounding(
    up: Bool, at place: Int
  ) throws(SQLError) -> ExpressionSyntax {
    let operand = try expression()
    guard accept(words: "TO") else {
      return try node(.round(up: up, operand, to: nil), at: place, [operand])
    }
    let unit = try unit()
    guard isAt(")") else {
      let word = "\(unit)".uppercased()
      throw unexpected(
        "')'",
        hint: "FLOOR and CEIL know whole units only; windows of five minutes are "
          + "STEP(s.ROWTIME BY INTERVAL '5' \(word == "MINUTE" ? "MINUTE" : word))")
    }
    return try node(.round(up: up, operand, to: unit), at: place, [operand])
  }

  private mutating func substring(at place: Int) throws(SQLError) -> ExpressionSyntax {
    let text = try expression(above: .additive)
    if accept(words: "SIMILAR") {
      let pattern = try expression()
      try expect(word: "ESCAPE")
      let escape = try expression()
      return try node(
        .substringSimilar(text, pattern: pattern, escape: escape), at: place,
        [text, pattern, escape])
    }
    let usesCommas = isAt(",")
    if !accept(words: "FROM"), !accept(",") {
      throw unexpected("FROM", hint: "SUBSTRING(text FROM 1 FOR 3) or SUBSTRING(text, 1, 3)")
    }
    let start = try expression()
    let length = (usesCommas ? accept(",") : accept(words: "FOR")) ? try expression() : nil
    return try node(
      .substring(text, from: start, length: length, usesCommas: usesCommas), at: place,
      [text, start] + (length.map { [$0] } ?? []))
  }

  private mutating func trim(at place: Int) throws(SQLError) -> ExpressionSyntax {
    var side: FunctionID.TrimSide = .both
    var needsFrom = true
    if accept(words: "LEADING") {
      side = .leading
    } else if accept(words: "TRAILING") {
      side = .trailing
    } else {
      needsFrom = accept(words: "BOTH")
    }
    if needsFrom, accept(words: "FROM") {
      let text = try expression()
      return try node(.trim(side, nil, text), at: place, [text])
    }
    let first = try expression()
    if needsFrom || isAt(word: "FROM") {
      try expect(word: "FROM")
      let text = try expression()
      return try node(.trim(side, first, text), at: place, [first, text])
    }
    return try node(.trim(side, nil, first), at: place, [first])
  }

  private mutating func conditional(at place: Int) throws(SQLError) -> ExpressionSyntax {
    let operand = isAt(word: "WHEN") ? nil : try expression()
    var branches: [(when: [ExpressionSyntax], then: ExpressionSyntax)] = []
    while accept(words: "WHEN") {
      let when = try operand == nil ? [expression()] : expressions()
      try expect(word: "THEN")
      branches.append((when, try expression()))
    }
    if branches.isEmpty { throw unexpected("WHEN") }
    let otherwise = accept(words: "ELSE") ? try expression() : nil
    try expect(word: "END", hint: "CASE ends with END")
    var children = branches.flatMap { $0.when + [$0.then] }
    if let operand { children.append(operand) }
    if let otherwise { children.append(otherwise) }
    return try node(.conditional(operand, branches, otherwise: otherwise), at: place, children)
  }

  private mutating func interval(at place: Int) throws(SQLError) -> ExpressionSyntax {
    var isNegative = false
    if accept("-") { isNegative = true } else { _ = accept("+") }
    guard case .string(let text) = current.kind else {
      throw unexpected("the interval's value in quotes", hint: "INTERVAL '10' SECOND")
    }
    advance()
    return try node(
      .interval(text, isNegative: isNegative, try qualifier(of: text)), at: place)
  }

  // MARK: Calls

  mutating func call() throws(SQLError) -> ExpressionSyntax {
    let place = offset
    let name = try name("a function")
    try expect("(")
    if isAt(word: "CURSOR") || isQueryAhead(0) {
      throw SQLError(
        "\(name.text) with a query is a table function", at: place,
        hint: "FROM TABLE(\(name.text)(CURSOR(SELECT STREAM … FROM …), …))")
    }
    var call = CallSyntax(name: name, arguments: [], isStar: false, isDistinct: false)
    if isAt("*"), isAt(")", 1) {
      advance()
      call = CallSyntax(name: name, arguments: [], isStar: true, isDistinct: false)
    } else if !isAt(")") {
      let isDistinct = accept(words: "DISTINCT")
      if !isDistinct { _ = accept(words: "ALL") }
      call = CallSyntax(
        name: name, arguments: try expressions(), isStar: false, isDistinct: isDistinct)
    }
    try expect(")")
    try modifiers(&call)
    return try node(.call(call), at: place, call.arguments)
  }

  private mutating func modifiers(_ call: inout CallSyntax) throws(SQLError) {
    if call.name.text == "NTH_VALUE" {
      if accept(words: "FROM", "FIRST") {
        call.fromLast = false
      } else if accept(words: "FROM", "LAST") {
        call.fromLast = true
      }
    }
    if accept(words: "RESPECT", "NULLS") {
      call.ignoresNulls = false
    } else if accept(words: "IGNORE", "NULLS") {
      call.ignoresNulls = true
    }
    if accept(words: "WITHIN", "GROUP") {
      try expect("(")
      try expect(word: "ORDER")
      try expect(word: "BY")
      call.withinGroup = try orderItem()
      try expect(")")
    }
    if isAt(word: "FILTER"), isAt("(", 1) {
      throw unexpected(
        "an expression", hint: "put the condition inside: SUM(CASE WHEN condition THEN x END)")
    }
    call.over = try over()
    if call.over != nil, isAt(word: "IGNORE") || isAt(word: "RESPECT") {
      throw SQLError(
        "IGNORE NULLS stands behind OVER", at: offset,
        hint: "write it before: LAG(x, 1) IGNORE NULLS OVER w")
    }
  }
}
