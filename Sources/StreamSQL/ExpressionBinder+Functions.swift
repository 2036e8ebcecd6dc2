internal import Columns

extension ExpressionBinder {
  /// Functions with keywords between their arguments.
  func bindSpecialFunction(_ syntax: ExpressionSyntax) throws(SQLError) -> BoundExpression {
    let offset = syntax.offset
    switch syntax.form {
    case .extract(let unit, let operand): return try extract(unit, operand, at: offset)
    case .round(let up, let operand, let unit):
      if let unit { return try rounded(up, try bind(operand), to: unit, at: offset) }
      return try roundedNumber(up, try bind(operand), at: offset)
    case .step(let operand, let by):
      return try step(try bind(operand), by: by, at: offset)
    case .substring(let text, let start, let length, let usesCommas):
      return try substring(text, start, length, usesCommas, at: offset)
    case .substringSimilar(let text, let pattern, let escape):
      let arguments = [
        try character(text, "the text"), try character(pattern, "the pattern"),
        try character(escape, "the escape character"),
      ]
      try program.checkPattern(
        .substringSimilar, pattern: arguments[1], escape: arguments[2], at: pattern.offset)
      return make(.call(.substringSimilar, arguments), varchar(arguments[0]), at: offset)
    case .trim(let side, let sign, let text):
      let bound = try character(text, "the text of TRIM")
      let removed =
        try sign.map { (syntax) throws(SQLError) in try character(syntax, "the sign to remove") }
        ?? make(.literal(.bytes([0x20])), .varchar(1), at: offset)
      if let literal = removed.textLiteral, literal.unicodeScalars.count != 1 {
        throw SQLError("TRIM removes one character", at: sign?.offset ?? offset)
      }
      return make(.call(.trim(side), [bound, removed]), varchar(bound), at: offset)
    case .overlay(let text, let replacement, let start, let length):
      return try overlay(text, replacement, start, length, at: offset)
    case .position(let needle, let text):
      let arguments = [
        try character(needle, "the text to find"), try character(text, "the text to search"),
      ]
      return make(.call(.position, arguments), .integer, at: offset)
    default: preconditionFailure("only special functions are passed on")
    }
  }

  /// The VARCHAR type that holds all values of a text.
  private func varchar(_ text: BoundExpression) -> ColumnType {
    .varchar(max(1, text.type.columnType?.length ?? 1))
  }

  private func extract(
    _ unit: DatetimeUnit, _ syntax: ExpressionSyntax, at offset: Int
  ) throws(SQLError) -> BoundExpression {
    let operand = try bind(syntax)
    let isAllowed =
      switch operand.type {
      case .interval(let qualifier): qualifier.isYearMonth == (unit <= .month)
      case .column(.timestamp): true
      case .column(.date): unit <= .day
      case .column(.time): unit >= .hour
      default: false
      }
    guard isAllowed else {
      throw SQLError("\(operand.type) has no \("\(unit)".uppercased())", at: syntax.offset)
    }
    let type: ColumnType = unit == .second ? .decimal(precision: 5, scale: 3) : .bigint
    return make(.call(.extract(unit), [operand]), type, at: offset)
  }

  func rounded(
    _ up: Bool, _ operand: BoundExpression, to unit: DatetimeUnit, at offset: Int
  ) throws(SQLError) -> BoundExpression {
    let isAllowed =
      switch operand.type {
      case .interval(let qualifier): !qualifier.isYearMonth && unit >= .day
      case .column(let type): type.isDatetime
      }
    guard isAllowed else {
      throw SQLError(
        "\(up ? "CEIL" : "FLOOR") TO \("\(unit)".uppercased()) needs a time, not \(operand.type)",
        at: offset)
    }
    return make(.call(up ? .ceilingTo(unit) : .floorTo(unit), [operand]), operand.type, at: offset)
  }

  private func roundedNumber(
    _ up: Bool, _ operand: BoundExpression, at offset: Int
  ) throws(SQLError) -> BoundExpression {
    let name = up ? "CEIL" : "FLOOR"
    guard let type = operand.type.columnType, type.isNumeric else {
      throw SQLError(
        "\(name) needs a number, not \(operand.type)", at: offset,
        hint: operand.type.columnType?.isDatetime == true
          ? "give a unit: \(name)(t TO MINUTE)" : nil)
    }
    return make(.call(up ? .ceiling : .floor, [operand]), type, at: offset)
  }

  private func step(
    _ operand: BoundExpression, by syntax: ExpressionSyntax, at offset: Int
  ) throws(SQLError) -> BoundExpression {
    let step = try bind(syntax)
    switch (operand.type, step.type) {
    case (.column(let type), .interval(let qualifier)) where type == .timestamp || type == .date:
      guard let length = step.integerLiteral else {
        throw SQLError(
          "the length of STEP must be constant", at: syntax.offset,
          hint: "STEP(t BY INTERVAL '10' SECOND)")
      }
      guard length > 0 else {
        throw SQLError("the length of STEP must be positive", at: syntax.offset)
      }
      let time = Conversions.converted(operand, to: .timestamp)
      let function: FunctionID =
        qualifier.isYearMonth ? .stepMonths(length) : .stepMilliseconds(length)
      return make(.call(function, [time]), .timestamp, at: offset)
    case (.column(let one), .column(let other))
    where one.isNumeric && other.isNumeric && !one.isApproximate && !other.isApproximate:
      if one.isInteger && other.isInteger {
        return make(.call(.stepNumber, [operand, step]), .bigint, at: offset)
      }
      let type = ColumnType.decimal(
        precision: Parser.precisionLimit, scale: max(one.scale, other.scale))
      let arguments = [operand, step].map { Conversions.converted($0, to: type) }
      return make(.call(.stepNumber, arguments), type, at: offset)
    default:
      throw SQLError(
        "STEP is not defined for \(operand.type) BY \(step.type)", at: offset,
        hint: "STEP(t BY INTERVAL '10' SECOND) or STEP(n BY 5)")
    }
  }

  private func substring(
    _ text: ExpressionSyntax, _ start: ExpressionSyntax, _ length: ExpressionSyntax?,
    _ usesCommas: Bool, at offset: Int
  ) throws(SQLError) -> BoundExpression {
    let bound = try character(text, "the text of SUBSTRING")
    let first = try bind(start)
    if first.type.columnType?.isCharacter == true, !first.isNullLiteral, length == nil, !usesCommas
    {
      try program.checkPattern(.substringRegex, pattern: first, escape: nil, at: start.offset)
      return make(.call(.substringRegex, [bound, first]), varchar(bound), at: offset)
    }
    var arguments = [bound, try integer(first, "the start", at: start.offset)]
    if let length {
      arguments.append(try integer(try bind(length), "the length", at: length.offset))
    }
    return make(
      .call(usesCommas ? .substringComma : .substringFrom, arguments), varchar(bound), at: offset)
  }

  private func overlay(
    _ text: ExpressionSyntax, _ replacement: ExpressionSyntax, _ start: ExpressionSyntax,
    _ length: ExpressionSyntax?, at offset: Int
  ) throws(SQLError) -> BoundExpression {
    let bound = try character(text, "the text of OVERLAY")
    let inserted = try character(replacement, "the replacement")
    let first = try integer(try bind(start), "the start", at: start.offset)
    let count =
      try length.map { (syntax) throws(SQLError) in
        try integer(try bind(syntax), "the length", at: syntax.offset)
      } ?? make(.call(.characterLength, [inserted]), .integer, at: offset)
    let size = min(
      (bound.type.columnType?.length ?? 0) + (inserted.type.columnType?.length ?? 0),
      Parser.lengthLimit)
    return make(
      .call(.overlay, [bound, inserted, first, count]), .varchar(max(1, size)), at: offset)
  }

  /// A number converted to an integer.
  func integer(
    _ expression: BoundExpression, _ what: String, at offset: Int
  ) throws(SQLError) -> BoundExpression {
    if expression.isNullLiteral { return expression.retyped(.column(.integer)) }
    guard let type = expression.type.columnType, type.isNumeric else {
      throw SQLError("\(what) must be an integer, not \(expression.type)", at: offset)
    }
    return type.isInteger ? expression : Conversions.converted(expression, to: .bigint)
  }

  // MARK: Calls

  func bindCall(_ call: CallSyntax, at offset: Int) throws(SQLError) -> BoundExpression {
    if let function = try program.function(call.name) {
      return try inlined(function, call, at: offset)
    }
    if let aggregate = try bindAggregate(call, at: offset) { return aggregate }
    guard call.over == nil else {
      throw SQLError("\(call.name.text) is not an analytic function", at: offset)
    }
    if RecordFunction(name: call.name.text) != nil {
      throw SQLError(
        "\(call.name.text) gives a record", at: offset,
        hint: "select it in a derived table and name its fields outside: SELECT STREAM t.r.COLUMN1 "
          + "FROM (SELECT STREAM \(call.name.text)(…) AS r FROM s) AS t")
    }
    if let bound = try bindNumericFunction(call, at: offset) { return bound }
    if let bound = try bindTextFunction(call, at: offset) { return bound }
    if let bound = try bindTimeFunction(call, at: offset) { return bound }
    if let place = Placeholder.windowBound(call.name.text) {
      return make(.column(place), .timestamp, at: offset)
    }
    throw unknownFunction(call.name)
  }

  private func unknownFunction(_ name: Name) -> SQLError {
    let hint: String? =
      switch name.text {
      case "IFNULL", "NVL", "ISNULL": "write COALESCE(x, y)"
      case "LENGTH", "LEN": "write CHAR_LENGTH(text)"
      case "SUBSTR": "write SUBSTRING(text, start, length)"
      case "CONCAT": "write a || b"
      case "NOW", "GETDATE": "write CURRENT_ROW_TIMESTAMP or ROWTIME"
      case "ROUND": "write CAST(x AS DECIMAL(10, 2)), which rounds"
      case "ROW_NUMBER", "RANK", "DENSE_RANK", "LEAD", "NTILE":
        "a row comes out before the rows behind it are known; TABLE(GROUP_RANK(…)) ranks the rows "
          + "of one ROWTIME, TABLE(TOP_K_ITEMS_TUMBLING(…)) finds the most frequent values"
      case "IF": "write CASE WHEN condition THEN a ELSE b END"
      default:
        TableFunctionName(rawValue: name.text) != nil
          ? "it is a table function: FROM TABLE(\(name.text)(CURSOR(SELECT STREAM …), …))"
          : Spelling.nearest(name.text, among: FunctionCatalog.names + program.functionNames)
            .map { "did you mean \($0)?" }
      }
    return SQLError("there is no function \(name.text)", at: name.offset, hint: hint)
  }

  /// The call's arguments, if there are as many as it takes.
  private func arguments(
    _ call: CallSyntax, _ counts: ClosedRange<Int>
  ) throws(SQLError) -> [BoundExpression] {
    guard !call.isStar, !call.isDistinct, counts.contains(call.arguments.count) else {
      let count =
        counts.count == 1 ? "\(counts.lowerBound)" : "\(counts.lowerBound) to \(counts.upperBound)"
      throw SQLError(
        "\(call.name.text) has \(count) argument\(counts.upperBound == 1 ? "" : "s"), not "
          + "\(call.arguments.count)", at: call.name.offset,
        hint: FunctionCatalog.usage(call.name.text))
    }
    var bound: [BoundExpression] = []
    for argument in call.arguments { bound.append(try bind(argument)) }
    return bound
  }

  private func number(_ call: CallSyntax, _ index: Int, _ bound: [BoundExpression]) throws(SQLError)
    -> ColumnType
  {
    if bound[index].isNullLiteral { return .double }
    guard let type = bound[index].type.columnType, type.isNumeric else {
      throw SQLError(
        "\(call.name.text) needs a number, not \(bound[index].type)",
        at: call.arguments[index].offset, hint: "use CAST(… AS DOUBLE) if the text is a number")
    }
    return type
  }

  private func bindNumericFunction(
    _ call: CallSyntax, at offset: Int
  ) throws(SQLError) -> BoundExpression? {
    let toDouble: [String: FunctionID] = [
      "EXP": .exponential, "LN": .naturalLogarithm, "LOG10": .decimalLogarithm,
      "SQRT": .squareRoot, "POWER": .power,
    ]
    let name = call.name.text
    if let function = toDouble[name] {
      let count = function == .power ? 2 : 1
      var bound = try arguments(call, count...count)
      for index in bound.indices {
        _ = try number(call, index, bound)
        bound[index] = Conversions.converted(bound[index], to: .double)
      }
      return make(.call(function, bound), .double, at: offset)
    }
    switch name {
    case "ABS":
      let bound = try arguments(call, 1...1)
      if case .interval = bound[0].type {
        return make(.call(.absolute, bound), bound[0].type, at: offset)
      }
      let type = try number(call, 0, bound)
      return make(.call(.absolute, [Conversions.converted(bound[0], to: type)]), type, at: offset)
    case "MOD":
      let bound = try arguments(call, 2...2)
      for index in 0...1 { _ = try number(call, index, bound) }
      return try arithmetic(.remainder, bound[0], bound[1], at: offset)
    case "MONOTONIC":
      let bound = try arguments(call, 1...1)
      assertMonotonic(bound[0])
      return bound[0]
    case "COALESCE":
      let bound = try unified(
        try arguments(call, 1...64), "the arguments of COALESCE", at: offset)
      return bound.count == 1 ? bound[0] : make(.coalesce(bound), bound[0].type, at: offset)
    case "NULLIF":
      let bound = try arguments(call, 2...2)
      let equal = try comparison(.equal, bound[0], bound[1], at: offset)
      let null = make(.literal(.null), bound[0].type, at: offset)
      return make(
        .conditional(
          [BoundExpression.Branch(condition: equal, result: null)], otherwise: bound[0]),
        bound[0].type, at: offset)
    default: return nil
    }
  }

  private func bindTextFunction(
    _ call: CallSyntax, at offset: Int
  ) throws(SQLError) -> BoundExpression? {
    func texts(_ count: Int) throws(SQLError) -> [BoundExpression] {
      let bound = try arguments(call, count...count)
      for (index, argument) in bound.enumerated() where index < 3 {
        guard argument.type.columnType?.isCharacter == true else {
          throw SQLError(
            "\(call.name.text) needs text, not \(argument.type)", at: call.arguments[index].offset,
            hint: "use CAST(… AS VARCHAR(n))")
        }
      }
      return bound
    }
    switch call.name.text {
    case "LOWER", "UPPER", "INITCAP":
      let bound = try texts(1)
      let function: FunctionID =
        call.name.text == "LOWER" ? .lower : call.name.text == "UPPER" ? .upper : .initialCapitals
      return make(.call(function, bound), varchar(bound[0]), at: offset)
    case "CHAR_LENGTH", "CHARACTER_LENGTH":
      return make(.call(.characterLength, try texts(1)), .integer, at: offset)
    case "REGEX_REPLACE":
      var bound = try texts(5)
      for index in 3...4 {
        bound[index] = try integer(
          bound[index], index == 3 ? "the start" : "the occurrence",
          at: call.arguments[index].offset)
      }
      try program.checkPattern(
        .regexReplace, pattern: bound[1], escape: nil, at: call.arguments[1].offset)
      return make(.call(.regexReplace, bound), .varchar(Parser.lengthLimit), at: offset)
    default: return nil
    }
  }

  private func bindTimeFunction(
    _ call: CallSyntax, at offset: Int
  ) throws(SQLError) -> BoundExpression? {
    let name = call.name.text
    switch name {
    case "CURRENT_TIMESTAMP", "LOCALTIMESTAMP", "CURRENT_DATE", "CURRENT_TIME", "LOCALTIME":
      _ = try arguments(call, 0...0)
      let now = make(.call(.queryStartTimestamp, []), .timestamp, at: offset)
      if name == "CURRENT_DATE" { return Conversions.converted(now, to: .date) }
      return name.hasSuffix("TIMESTAMP") ? now : Conversions.converted(now, to: .time)
    case "CURRENT_ROW_TIMESTAMP":
      _ = try arguments(call, 0...0)
      return make(.call(.currentRowTimestamp, []), .timestamp, at: offset)
    case "UNIX_TIMESTAMP":
      let bound = try timestamps(call, 1)
      return make(.call(.unixTimestamp, bound), .bigint, at: offset)
    case "TSDIFF":
      return make(.call(.timestampDifference, try timestamps(call, 2)), .bigint, at: offset)
    case "TO_TIMESTAMP":
      let bound = try arguments(call, 1...1)
      guard !bound[0].type.isText || bound[0].isNullLiteral else {
        throw SQLError(
          "TO_TIMESTAMP needs milliseconds since 1970, not text", at: offset,
          hint: "CHAR_TO_TIMESTAMP('yyyy-MM-dd HH:mm:ss', text) reads text")
      }
      let value = try integer(bound[0], "the argument", at: call.arguments[0].offset)
      return make(.call(.toTimestamp, [value]), .timestamp, at: offset)
    case "CHAR_TO_TIMESTAMP", "CHAR_TO_DATE", "CHAR_TO_TIME":
      let bound = try patternAndValue(call)
      guard bound[1].type.isText else {
        throw SQLError(
          "\(name) needs text, not \(bound[1].type)", at: call.arguments[1].offset,
          hint: FunctionCatalog.usage(name))
      }
      if name.hasSuffix("STAMP") {
        return make(.call(.charToTimestamp, bound), .timestamp, at: offset)
      }
      return name.hasSuffix("DATE")
        ? make(.call(.charToDate, bound), .date, at: offset)
        : make(.call(.charToTime, bound), .time, at: offset)
    case "TIMESTAMP_TO_CHAR", "DATE_TO_CHAR", "TIME_TO_CHAR":
      let bound = try patternAndValue(call)
      guard bound[1].isNullLiteral || bound[1].type.columnType?.isDatetime == true else {
        throw SQLError(
          "\(name) needs a time, not \(bound[1].type)", at: call.arguments[1].offset,
          hint: FunctionCatalog.usage(name))
      }
      return make(.call(.datetimeToChar, bound), .varchar(1_024), at: offset)
    default: return nil
    }
  }

  /// The pattern first; programs that give it last are told.
  private func patternAndValue(_ call: CallSyntax) throws(SQLError) -> [BoundExpression] {
    let bound = try arguments(call, 2...2)
    guard bound[0].type.isText else {
      throw SQLError(
        "the first argument of \(call.name.text) is the pattern", at: call.arguments[0].offset,
        hint: FunctionCatalog.usage(call.name.text))
    }
    return bound
  }

  private func timestamps(_ call: CallSyntax, _ count: Int) throws(SQLError) -> [BoundExpression] {
    let bound = try arguments(call, count...count)
    var times: [BoundExpression] = []
    for (index, argument) in bound.enumerated() {
      let type = argument.type.columnType
      guard argument.isNullLiteral || type == .timestamp || type == .date else {
        throw SQLError(
          "\(call.name.text) needs a TIMESTAMP, not \(argument.type)",
          at: call.arguments[index].offset)
      }
      times.append(Conversions.converted(argument, to: .timestamp))
    }
    return times
  }

  /// A function of the program: its body with the arguments in the places of the parameters.
  private func inlined(
    _ function: UserFunction, _ call: CallSyntax, at offset: Int
  ) throws(SQLError) -> BoundExpression {
    guard call.over == nil else {
      throw SQLError("\(call.name.text) is not an analytic function", at: offset)
    }
    let count = function.parameters.count
    let given = try arguments(call, count...count)
    var values: [BoundExpression] = []
    for (index, argument) in given.enumerated() {
      let type = function.parameters[index].type
      guard let value = Conversions.implicit(argument, to: type) else {
        throw SQLError(
          "parameter \(function.parameters[index].name) of \(call.name.text) is \(type), not "
            + "\(argument.type)", at: call.arguments[index].offset, hint: "use CAST(… AS \(type))")
      }
      values.append(value)
    }
    let body = try function.body.replacing { (part) throws(SQLError) in
      if case .column(let index) = part.kind { return values[index] }
      return nil
    }
    if body.size > ExpressionBinder.sizeLimit {
      throw SQLError(
        "calls of functions within functions make this too large", at: offset,
        hint: "compute the inner value in a derived table")
    }
    guard function.returnsNullOnNull, !values.isEmpty else { return body }
    let tests = values.map { make(.isNull($0), .boolean, at: offset) }
    let isNull = tests.count == 1 ? tests[0] : make(.or(tests), .boolean, at: offset)
    let null = make(.literal(.null), body.type, at: offset)
    return make(
      .conditional([BoundExpression.Branch(condition: isNull, result: null)], otherwise: body),
      body.type, at: offset)
  }

  /// The most parts of an expression after functions are put in.
  static let sizeLimit = 20_000
}

extension ExpressionType {
  /// Whether it is CHAR or VARCHAR.
  var isText: Bool { columnType?.isCharacter == true }
}

extension BoundExpression {
  /// How many parts it has.
  var size: Int { children.reduce(1) { $0 + $1.size } }
}
