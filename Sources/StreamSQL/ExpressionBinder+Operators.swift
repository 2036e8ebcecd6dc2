internal import Columns

extension ExpressionBinder {
  func bindOperator(_ syntax: ExpressionSyntax) throws(SQLError) -> BoundExpression {
    let offset = syntax.offset
    switch syntax.form {
    case .not(let operand):
      return make(.not(try condition(operand, "the operand of NOT")), .boolean, at: offset)
    case .and(let operands):
      return make(.and(try conditions(operands, "AND")), .boolean, at: offset)
    case .or(let operands):
      return make(.or(try conditions(operands, "OR")), .boolean, at: offset)
    case .negate(let operand): return try negated(try bind(operand), at: offset)
    case .comparison(let sign, let left, let right):
      return try comparison(sign, try bind(left), try bind(right), at: offset)
    case .arithmetic(let sign, let left, let right):
      return try arithmetic(sign, try bind(left), try bind(right), at: offset)
    case .concatenate(let left, let right):
      return try concatenated(try bind(left), try bind(right), at: offset)
    case .between(let operand, let low, let high, let symmetric, let negated):
      let value = try bind(operand)
      let (one, other) = (try bind(low), try bind(high))
      var test = try between(value, one, other, at: offset)
      if symmetric {
        test = make(
          .or([test, try between(value, other, one, at: offset)]), .boolean, at: offset)
      }
      return not(test, if: negated)
    case .inList(let operand, let values, let negated):
      return not(try inList(operand, values, at: offset), if: negated)
    case .like(let text, let pattern, let escape, let similar, let negated):
      return not(try like(text, pattern, escape, similar, at: offset), if: negated)
    case .isNull(let operand, let negated):
      return not(try isNull(operand, at: offset), if: negated)
    case .isTruth(let operand, let value, let negated):
      let bound = try condition(operand, "the operand of IS")
      let test: BoundExpression.Kind = value.map { .isBoolean(bound, $0) } ?? .isNull(bound)
      return not(make(test, .boolean, at: offset), if: negated)
    case .isDistinct(let left, let right, let negated):
      let operands = try comparable(try bind(left), try bind(right), at: offset)
      let same = make(.isNotDistinct(operands.0, operands.1), .boolean, at: offset)
      return not(same, if: !negated)
    case .intervalOf(let operand, let qualifier):
      return try difference(operand, qualifier, at: offset)
    default: preconditionFailure("only operators are passed on")
    }
  }

  /// Binds conditions and reports the errors of all of them.
  private func conditions(
    _ operands: [ExpressionSyntax], _ word: String
  ) throws(SQLError) -> [BoundExpression] {
    var bound: [BoundExpression] = []
    for operand in operands {
      let one = program.collecting { () throws(SQLError) in
        try condition(operand, "an operand of \(word)")
      }
      if let one { bound.append(one) }
    }
    guard bound.count == operands.count else { throw .reported }
    return bound
  }

  private func between(
    _ value: BoundExpression, _ low: BoundExpression, _ high: BoundExpression, at offset: Int
  ) throws(SQLError) -> BoundExpression {
    let lower = try comparison(.greaterOrEqual, value, low, at: offset)
    let upper = try comparison(.lessOrEqual, value, high, at: offset)
    return make(.and([lower, upper]), .boolean, at: offset)
  }

  private func not(_ expression: BoundExpression, if negated: Bool) -> BoundExpression {
    guard negated else { return expression }
    return BoundExpression(
      .not(expression), type: .column(.boolean), position: expression.position)
  }

  /// `x IS NULL`; a record is NULL if all of its fields are.
  private func isNull(_ syntax: ExpressionSyntax, at offset: Int) throws(SQLError)
    -> BoundExpression
  {
    if case .name(let parts) = syntax.form, let record = record(parts) {
      let tests = (record.fields ?? []).map { field in
        make(
          .isNull(make(.column(field.index), field.type, at: offset)), .boolean, at: offset)
      }
      return tests.count == 1 ? tests[0] : make(.and(tests), .boolean, at: offset)
    }
    return make(.isNull(try bind(syntax)), .boolean, at: offset)
  }

  private func record(_ parts: [Name]) -> ScopeColumn? {
    let columns =
      parts.count == 2 ? relation(parts[0])?.columns ?? [] : relations.flatMap(\.columns)
    guard parts.count <= 2, let name = parts.last else { return nil }
    return columns.first { $0.name == name.text && $0.fields != nil }
  }

  private func negated(
    _ operand: BoundExpression, at offset: Int
  ) throws(SQLError) -> BoundExpression {
    switch operand.type {
    case .interval: break
    case .column(let type):
      guard type.isNumeric || operand.isNullLiteral else {
        throw SQLError("'-' needs a number, not \(type)", at: offset)
      }
    }
    switch operand.kind {
    case .literal(.integer(let value)):
      return make(.literal(.integer(0 &- value)), operand.type, at: offset)
    case .literal(.double(let value)):
      return make(.literal(.double(-value)), operand.type, at: offset)
    default: return make(.negate(operand), operand.type, at: offset)
    }
  }

  // MARK: Comparison

  func comparison(
    _ sign: ComparisonOperator, _ left: BoundExpression, _ right: BoundExpression, at offset: Int
  ) throws(SQLError) -> BoundExpression {
    let operands = try comparable(left, right, at: offset)
    return make(.comparison(sign, operands.0, operands.1), .boolean, at: offset)
  }

  /// Both operands with the same representation.
  func comparable(
    _ left: BoundExpression, _ right: BoundExpression, at offset: Int
  ) throws(SQLError) -> (BoundExpression, BoundExpression) {
    if left.isNullLiteral { return (left.retyped(right.type), right) }
    if right.isNullLiteral { return (left, right.retyped(left.type)) }
    switch (left.type, right.type) {
    case (.interval(let one), .interval(let other)) where one.isYearMonth == other.isYearMonth:
      return (left, right)
    case (.column(let one), .column(let other)):
      if one.isPadded || other.isPadded, one.isCharacter, other.isCharacter {
        return (unpadded(left), unpadded(right))
      }
      if one == other || (one.isInteger && other.isInteger)
        || (one.isCharacter && other.isCharacter) || (one.isBinary && other.isBinary)
        || (one.isApproximate && other.isApproximate)
      {
        return (left, right)
      }
      if one == .date, other == .timestamp {
        return (Conversions.converted(left, to: .timestamp), right)
      }
      if one == .timestamp, other == .date {
        return (left, Conversions.converted(right, to: .timestamp))
      }
      if one.isNumeric, other.isNumeric, let common = Conversions.common(one, other) {
        return (
          Conversions.converted(left, to: common), Conversions.converted(right, to: common)
        )
      }
    default: break
    }
    throw SQLError(
      "\(left.type) cannot be compared with \(right.type)", at: offset,
      hint: comparisonHint(left, right))
  }

  /// CHAR is filled up with blanks, which do not count in comparisons.
  private func unpadded(_ text: BoundExpression) -> BoundExpression {
    let type = ExpressionType.column(.varchar(max(1, text.type.columnType?.length ?? 1)))
    if case .literal(.bytes(let bytes)) = text.kind {
      let end = bytes.lastIndex { $0 != 0x20 }.map { $0 + 1 } ?? 0
      return BoundExpression(
        .literal(.bytes(Array(bytes[..<end]))), type: type, position: text.position)
    }
    let blank = BoundExpression(
      .literal(.bytes([0x20])), type: .column(.varchar(1)), position: text.position)
    return BoundExpression(
      .call(.trim(.trailing), [text, blank]), type: type, position: text.position)
  }

  private func comparisonHint(_ left: BoundExpression, _ right: BoundExpression) -> String {
    for (one, other) in [(left, right), (right, left)] {
      if let type = one.type.columnType, type.isDatetime, let text = other.textLiteral {
        return "write \(type) '\(text)'"
      }
    }
    return "use CAST to give both one type"
  }

  private func inList(
    _ operand: ExpressionSyntax, _ values: [ExpressionSyntax], at offset: Int
  ) throws(SQLError) -> BoundExpression {
    var all = [try bind(operand)]
    for value in values {
      let bound = try bind(value)
      _ = try comparable(all[0], bound, at: value.offset)
      all.append(bound)
    }
    if all.contains(where: { $0.type.columnType?.isPadded == true }) { all = all.map(unpadded) }
    all = try unified(all, "the values of IN", at: offset)
    return make(.inList(all[0], Array(all.dropFirst())), .boolean, at: offset)
  }

  private func like(
    _ text: ExpressionSyntax, _ pattern: ExpressionSyntax, _ escape: ExpressionSyntax?,
    _ similar: Bool, at offset: Int
  ) throws(SQLError) -> BoundExpression {
    let name = similar ? "SIMILAR TO" : "LIKE"
    var arguments = [
      try character(text, "the left side of \(name)"), try character(pattern, "the pattern"),
    ]
    if let escape {
      let bound = try character(escape, "the escape character")
      if let literal = bound.textLiteral, literal.unicodeScalars.count != 1 {
        throw SQLError("ESCAPE needs one character", at: escape.offset)
      }
      arguments.append(bound)
    }
    try program.checkPattern(
      similar ? .similarTo : .like, pattern: arguments[1], escape: arguments.dropFirst(2).first,
      at: pattern.offset)
    return make(.call(similar ? .similarTo : .like, arguments), .boolean, at: offset)
  }

  /// An expression that must be text.
  func character(_ syntax: ExpressionSyntax, _ what: String) throws(SQLError) -> BoundExpression {
    let bound = try bind(syntax)
    guard bound.type.columnType?.isCharacter == true else {
      throw SQLError(
        "\(what) must be text, not \(bound.type)", at: syntax.offset,
        hint: "use CAST(… AS VARCHAR(n))")
    }
    return bound
  }

  private func concatenated(
    _ left: BoundExpression, _ right: BoundExpression, at offset: Int
  ) throws(SQLError) -> BoundExpression {
    for operand in [left, right] {
      guard let type = operand.type.columnType, type.isCharacter || type.isBinary else {
        throw SQLError(
          "'||' joins texts, not \(operand.type)", at: offset,
          hint: "use CAST(… AS VARCHAR(n)) || …")
      }
    }
    let length = (left.type.columnType?.length ?? 0) + (right.type.columnType?.length ?? 0)
    let isBinary = left.type.columnType?.isBinary == true
    guard isBinary == (right.type.columnType?.isBinary == true) else {
      throw SQLError("'||' cannot join text and binary", at: offset)
    }
    let limited = min(length, Parser.lengthLimit)
    return make(
      .call(.concatenate, [left, right]), isBinary ? .varbinary(limited) : .varchar(limited),
      at: offset)
  }

  // MARK: Arithmetic

  func arithmetic(
    _ sign: ArithmeticOperator, _ left: BoundExpression, _ right: BoundExpression, at offset: Int
  ) throws(SQLError) -> BoundExpression {
    let left = left.isNullLiteral ? left.retyped(numeric(right.type)) : left
    let right = right.isNullLiteral ? right.retyped(numeric(left.type)) : right
    switch (left.type, right.type) {
    case (.column(let one), .column(let other)):
      if one.isNumeric && other.isNumeric {
        return numbers(sign, left, one, right, other, at: offset)
      }
      if sign == .subtract, one.isDatetime, other.isDatetime {
        let operands = try comparable(left, right, at: offset)
        let type = IntervalQualifier(first: .day, last: .second)
        return make(.arithmetic(.subtract, operands.0, operands.1), .interval(type), at: offset)
      }
    case (.column(let one), .interval(let other)):
      if one.isDatetime, sign == .add || sign == .subtract, one != .time || !other.isYearMonth {
        let operand =
          one == .date && other.last > .day ? Conversions.converted(left, to: .timestamp) : left
        return make(.arithmetic(sign, operand, right), operand.type, at: offset)
      }
      if one.isNumeric, sign == .multiply {
        return scaled(.multiply, right, left, one, at: offset)
      }
    case (.interval(let one), .column(let other)):
      if other.isDatetime, sign == .add, other != .time || !one.isYearMonth {
        return try arithmetic(.add, right, left, at: offset)
      }
      if other.isNumeric, sign == .multiply || sign == .divide {
        return scaled(sign, left, right, other, at: offset)
      }
    case (.interval(let one), .interval(let other)):
      if one.isYearMonth == other.isYearMonth, sign == .add || sign == .subtract,
        let type = Conversions.common(left.type, right.type)
      {
        return make(.arithmetic(sign, left, right), type, at: offset)
      }
    }
    throw SQLError(
      "'\(sign.rawValue)' is not defined for \(left.type) and \(right.type)", at: offset,
      hint: arithmeticHint(left.type, right.type))
  }

  private func numeric(_ type: ExpressionType) -> ExpressionType {
    if let column = type.columnType, column.isNumeric { return type }
    return .column(.bigint)
  }

  private func arithmeticHint(_ left: ExpressionType, _ right: ExpressionType) -> String? {
    let types = [left.columnType, right.columnType]
    if types.contains(where: { $0?.isDatetime == true }),
      types.contains(where: { $0?.isNumeric == true })
    {
      return "add an interval: t + INTERVAL '5' SECOND, or t + n * INTERVAL '1' SECOND"
    }
    if types.contains(where: { $0?.isCharacter == true }) {
      return "use CAST to make a number of the text; '||' joins texts"
    }
    return nil
  }

  private func numbers(
    _ sign: ArithmeticOperator, _ left: BoundExpression, _ one: ColumnType,
    _ right: BoundExpression, _ other: ColumnType, at offset: Int
  ) -> BoundExpression {
    if one.isInteger && other.isInteger {
      return make(.arithmetic(sign, left, right), .bigint, at: offset)
    }
    // Quotients of decimals have no exact scale: DOUBLE keeps most of them.
    let isDouble = one.isApproximate || other.isApproximate || sign == .divide
    if isDouble {
      return make(
        .arithmetic(
          sign, Conversions.converted(left, to: .double), Conversions.converted(right, to: .double)),
        .double, at: offset)
    }
    let precision = Parser.precisionLimit
    if sign == .multiply {
      let operands = [(left, one), (right, other)].map { operand, type in
        Conversions.converted(operand, to: .decimal(precision: precision, scale: type.scale))
      }
      // More digits would leave too few before the point.
      let scale = min(one.scale + other.scale, 12)
      return make(
        .arithmetic(.multiply, operands[0], operands[1]),
        .decimal(precision: precision, scale: scale), at: offset)
    }
    let type = ColumnType.decimal(precision: precision, scale: max(one.scale, other.scale))
    return make(
      .arithmetic(
        sign, Conversions.converted(left, to: type), Conversions.converted(right, to: type)),
      type, at: offset)
  }

  private func scaled(
    _ sign: ArithmeticOperator, _ interval: BoundExpression, _ factor: BoundExpression,
    _ type: ColumnType, at offset: Int
  ) -> BoundExpression {
    let number = type.isInteger ? factor : Conversions.converted(factor, to: .double)
    return make(.arithmetic(sign, interval, number), interval.type, at: offset)
  }

  /// `(a - b) qualifier`.
  private func difference(
    _ syntax: ExpressionSyntax, _ qualifier: IntervalQualifier, at offset: Int
  ) throws(SQLError) -> BoundExpression {
    let operand = try bind(syntax)
    if operand.isNullLiteral { return operand.retyped(.interval(qualifier)) }
    guard case .interval(let found) = operand.type else {
      throw SQLError(
        "a unit of time behind \(operand.type)", at: offset,
        hint: "it belongs behind a difference of times: (t1 - t2) SECOND")
    }
    if qualifier.isYearMonth, !found.isYearMonth,
      case .arithmetic(.subtract, let left, let right) = operand.kind, left.type.columnType != nil
    {
      let times = [left, right].map { Conversions.converted($0, to: .timestamp) }
      let months = make(.call(.monthsBetween, times), .interval(qualifier), at: offset)
      return qualifier.last == .year
        ? make(.cast(months), .interval(qualifier), at: offset) : months
    }
    guard qualifier.isYearMonth == found.isYearMonth else {
      throw SQLError("\(operand.type) has no \(qualifier.last)", at: offset)
    }
    if qualifier.last == .second { return operand.retyped(.interval(qualifier)) }
    return make(.cast(operand), .interval(qualifier), at: offset)
  }
}
