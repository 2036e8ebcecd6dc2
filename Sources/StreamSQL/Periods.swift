internal import Columns

/// A temporal predicate: how one period lies to another; an end does not belong to its period.
enum PeriodPredicate: String, CaseIterable {
  case contains = "CONTAINS"
  case overlaps = "OVERLAPS"
  case equals = "EQUALS"
  case precedes = "PRECEDES"
  case succeeds = "SUCCEEDS"
  case immediatelyPrecedes = "IMMEDIATELY PRECEDES"
  case immediatelySucceeds = "IMMEDIATELY SUCCEEDS"
  case strictlyContains = "STRICTLY CONTAINS"
  case strictlyPrecedes = "STRICTLY PRECEDES"
  case strictlySucceeds = "STRICTLY SUCCEEDS"

  /// Predicates that the original's reference shows by a picture only.
  static let pictured = [
    "LEADS", "LAGS", "STRICTLY OVERLAPS", "STRICTLY LEADS", "STRICTLY LAGS", "IMMEDIATELY LEADS",
    "IMMEDIATELY LAGS",
  ]
}

extension Parser {
  /// `[PERIOD] (start, end) predicate [PERIOD] (start, end) {predicate [PERIOD] (start, end)}`.
  ///
  /// - Returns: nil if no period begins here.
  mutating func period() throws(SQLError) -> ExpressionSyntax? {
    let start = index
    guard var left = try periodOperand() else {
      index = start
      return nil
    }
    var tests: [ExpressionSyntax] = []
    while true {
      let place = offset
      guard let predicate = periodPredicate() else { break }
      for _ in predicate.rawValue.split(separator: " ") { advance() }
      let right = try rightPeriod(predicate)
      let children = [left.start, left.end, right.start, right.end].compactMap { $0 }
      tests.append(
        try node(.period(predicate, left, right), at: place, children))
      left = right
    }
    if tests.isEmpty { try refusePicturedPredicate() }
    if tests.isEmpty {
      index = start
      return nil
    }
    return tests.count == 1 ? tests[0] : try node(.and(tests), at: tests[0].offset, tests)
  }

  /// `(start, end)`, where two expressions stand in parentheses; nil for anything else.
  private mutating func periodOperand() throws(SQLError) -> PeriodSyntax? {
    let place = offset
    let isNamed = accept(words: "PERIOD")
    guard isAt("("), !isQueryAhead(1), isNamed || isPairAhead() else { return nil }
    advance()
    let first = try expression()
    guard accept(",") else { return nil }
    let second = try expression()
    try expect(")")
    return PeriodSyntax(start: first, end: second, offset: place)
  }

  /// Whether a comma stands within the parenthesis under the cursor, on its own level.
  private func isPairAhead() -> Bool {
    var depth = 0
    for ahead in 0..<(tokens.count - index) {
      switch peek(ahead).kind {
      case .symbol("("): depth += 1
      case .symbol(")"):
        depth -= 1
        if depth == 0 { return false }
      case .symbol(","): if depth == 1 { return true }
      case .symbol(";"), .end: return false
      default: break
      }
    }
    return false
  }

  private mutating func rightPeriod(_ predicate: PeriodPredicate) throws(SQLError) -> PeriodSyntax {
    if let period = try periodOperand() { return period }
    guard predicate == .contains || predicate == .strictlyContains else {
      throw unexpected("a period", hint: "a period is (start, end)")
    }
    let place = offset
    return PeriodSyntax(start: try expression(above: .additive), end: nil, offset: place)
  }

  private func periodPredicate() -> PeriodPredicate? {
    PeriodPredicate.allCases.first { isAt(words: $0.rawValue) }
  }

  private func isAt(words: String) -> Bool {
    words.split(separator: " ").enumerated().allSatisfy { place, word in
      isAt(word: String(word), place)
    }
  }

  private func refusePicturedPredicate() throws(SQLError) {
    guard let words = PeriodPredicate.pictured.first(where: { isAt(words: $0) }) else { return }
    throw SQLError(
      "\(words) is not known", at: offset,
      hint: "the original's reference defines it by a picture only: compare the ends, as in "
        + "s1 < s2 AND e1 < e2")
  }
}

extension ExpressionBinder {
  func period(
    _ predicate: PeriodPredicate, _ left: PeriodSyntax, _ right: PeriodSyntax, at offset: Int
  ) throws(SQLError) -> BoundExpression {
    guard let end = left.end else {
      throw SQLError("a point in time precedes and contains nothing", at: left.offset)
    }
    let (s1, e1) = (try moment(left.start), try moment(end))
    let s2 = try moment(right.start)
    let e2 = try right.end.map { (syntax) throws(SQLError) in try moment(syntax) }
    let tests: [(ComparisonOperator, BoundExpression, BoundExpression)]
    switch (predicate, e2) {
    case (.contains, nil): tests = [(.lessOrEqual, s1, s2), (.less, s2, e1)]
    case (_, nil): tests = [(.less, s1, s2), (.less, s2, e1)]
    case (.contains, let e2?): tests = [(.lessOrEqual, s1, s2), (.lessOrEqual, e2, e1)]
    case (.strictlyContains, let e2?): tests = [(.less, s1, s2), (.less, e2, e1)]
    case (.overlaps, let e2?): tests = [(.less, s1, e2), (.less, s2, e1)]
    case (.equals, let e2?): tests = [(.equal, s1, s2), (.equal, e1, e2)]
    case (.precedes, _): tests = [(.lessOrEqual, e1, s2)]
    case (.strictlyPrecedes, _): tests = [(.less, e1, s2)]
    case (.immediatelyPrecedes, _): tests = [(.equal, e1, s2)]
    case (.succeeds, let e2?): tests = [(.greaterOrEqual, s1, e2)]
    case (.strictlySucceeds, let e2?): tests = [(.greater, s1, e2)]
    case (.immediatelySucceeds, let e2?): tests = [(.equal, s1, e2)]
    }
    var bound: [BoundExpression] = []
    for (sign, one, other) in tests {
      bound.append(try comparison(sign, one, other, at: offset))
    }
    return bound.count == 1 ? bound[0] : make(.and(bound), .boolean, at: offset)
  }

  private func moment(_ syntax: ExpressionSyntax) throws(SQLError) -> BoundExpression {
    let bound = try bind(syntax)
    guard bound.isNullLiteral || bound.type.columnType?.isDatetime == true else {
      throw SQLError("the ends of a period are times, not \(bound.type)", at: syntax.offset)
    }
    return bound
  }
}
