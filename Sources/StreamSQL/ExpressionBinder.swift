internal import Columns

/// Resolves the expressions of one SELECT.
///
/// Aggregates, analytic functions and the produced row's ROWTIME become placeholders, which the query
/// binder replaces when the operators that compute them exist.
final class ExpressionBinder {
  let program: ProgramBinder
  var relations: [Relation]
  /// Names of select items, known in ORDER BY.
  var aliases: [(name: String, expression: BoundExpression)] = []
  /// Names of select items, for hints only.
  var aliasNames: [String] = []
  /// The WINDOW clause.
  let namedWindows: [(name: Name, specification: WindowSyntax)]

  /// Whether ROWTIME without qualifier is the produced row's (select list, HAVING, ORDER BY).
  var bindsProducedRowtime = false
  /// The clause that is bound, for messages; aggregates are allowed in some.
  var clause = Clause.selectList
  /// The aggregate or analytic call whose arguments are bound, if any.
  var enclosingCall: (name: String, isAnalytic: Bool)?

  private(set) var aggregates: [AggregateCall] = []
  private(set) var windows: [SlidingWindow] = []
  private(set) var analyticCalls: [WindowCall] = []
  /// Expressions within MONOTONIC(…).
  private(set) var asserted: [BoundExpression] = []
  /// Where the first aggregate stands.
  private(set) var firstAggregateOffset: Int?

  enum Clause: String {
    case selectList = "the select list"
    case filter = "WHERE"
    case join = "ON"
    case groupBy = "GROUP BY"
    case having = "HAVING"
    case orderBy = "ORDER BY"
    case functionBody = "a function's body"
    case window = "a window"
    case values = "VALUES"

    var allowsAggregates: Bool { self == .selectList || self == .having || self == .orderBy }
    var allowsAnalytics: Bool { self == .selectList || self == .orderBy }
  }

  init(
    _ program: ProgramBinder, relations: [Relation],
    namedWindows: [(name: Name, specification: WindowSyntax)] = []
  ) {
    self.program = program
    self.relations = relations
    self.namedWindows = namedWindows
  }

  // MARK: Results

  func make(_ kind: BoundExpression.Kind, _ type: ExpressionType, at offset: Int) -> BoundExpression
  {
    BoundExpression(kind, type: type, position: program.source.position(of: offset))
  }

  func make(_ kind: BoundExpression.Kind, _ type: ColumnType, at offset: Int) -> BoundExpression {
    make(kind, .column(type), at: offset)
  }

  func assertMonotonic(_ expression: BoundExpression) { asserted.append(expression) }

  /// The placeholder of an aggregate call; equal calls are computed once.
  func register(_ call: AggregateCall, at offset: Int) -> BoundExpression {
    if firstAggregateOffset == nil { firstAggregateOffset = offset }
    let number = aggregates.firstIndex { $0.computesSame(as: call) } ?? aggregates.count
    if number == aggregates.count { aggregates.append(call) }
    return make(.column(Placeholder.aggregate(number)), call.type, at: offset)
  }

  /// The placeholder of an analytic call; equal calls are computed once.
  func register(
    _ call: AggregateCall, over window: SlidingWindow, at offset: Int
  ) -> BoundExpression {
    let place = windows.firstIndex(of: window) ?? windows.count
    if place == windows.count { windows.append(window) }
    let number =
      analyticCalls.firstIndex { $0.window == place && $0.call.computesSame(as: call) }
      ?? analyticCalls.count
    if number == analyticCalls.count { analyticCalls.append(WindowCall(window: place, call: call)) }
    return make(.column(Placeholder.analytic(number)), call.type, at: offset)
  }

  // MARK: Expressions

  /// A condition: a BOOLEAN.
  func condition(_ syntax: ExpressionSyntax, _ what: String) throws(SQLError) -> BoundExpression {
    let bound = try bind(syntax)
    if bound.isNullLiteral { return bound.retyped(.column(.boolean)) }
    guard bound.type == .column(.boolean) else {
      throw SQLError(
        "\(what) must be BOOLEAN, not \(bound.type)", at: syntax.offset,
        hint: bound.type.columnType?.isNumeric == true ? "compare it: … > 0" : nil)
    }
    return bound
  }

  func bind(_ syntax: ExpressionSyntax) throws(SQLError) -> BoundExpression {
    let offset = syntax.offset
    switch syntax.form {
    case .name(let parts): return try resolve(parts)
    case .null: return make(.literal(.null), .varchar(1), at: offset)
    case .boolean(let value):
      return make(.literal(value.map { .integer($0 ? 1 : 0) } ?? .null), .boolean, at: offset)
    case .integer(let text):
      let (type, value) = Literals.integer(text)
      return make(.literal(value), type, at: offset)
    case .decimal(let text):
      let (type, value) = Literals.decimal(text)
      return make(.literal(value), type, at: offset)
    case .approximate(let text):
      return make(.literal(.double(Double(text) ?? .infinity)), .double, at: offset)
    case .string(let text):
      let bytes = Array(text.utf8)
      return make(.literal(.bytes(bytes)), .varchar(max(1, bytes.count)), at: offset)
    case .binary(let bytes):
      return make(.literal(.bytes(bytes)), .varbinary(max(1, bytes.count)), at: offset)
    case .datetime(let type, let text): return try datetime(type, text, at: offset)
    case .interval(let text, let isNegative, let qualifier):
      return try interval(text, isNegative, qualifier, at: offset)
    case .cast(let operand, let type): return try cast(operand, type, at: offset)
    case .conditional(let operand, let branches, let otherwise):
      return try conditional(operand, branches, otherwise, at: offset)
    case .call(let call): return try bindCall(call, at: offset)
    case .negate, .not, .and, .or, .comparison, .arithmetic, .concatenate, .between, .inList, .like,
      .isNull, .isTruth, .isDistinct, .intervalOf:
      return try bindOperator(syntax)
    case .period(let predicate, let left, let right):
      return try period(predicate, left, right, at: offset)
    case .jsonValue(let call): return try jsonValue(call, at: offset)
    case .extract, .round, .step, .substring, .substringSimilar, .trim, .overlay, .position:
      return try bindSpecialFunction(syntax)
    }
  }

  private func datetime(
    _ type: ColumnType, _ text: String, at offset: Int
  ) throws(SQLError) -> BoundExpression {
    guard let value = Literals.datetime(text, type) else {
      let form =
        type == .date
        ? "yyyy-mm-dd" : type == .time ? "hh:mm:ss[.fff]" : "yyyy-mm-dd hh:mm:ss[.fff]"
      throw SQLError(
        "'\(text)' is not a \(type)", at: offset, hint: "write \(type) '\(form)'")
    }
    return make(.literal(.integer(value)), type, at: offset)
  }

  private func interval(
    _ text: String, _ isNegative: Bool, _ qualifier: IntervalQualifier, at offset: Int
  ) throws(SQLError) -> BoundExpression {
    guard let (value, exceeds) = Literals.interval(text, qualifier) else {
      throw SQLError(
        "'\(text)' does not fit \(ExpressionType.interval(qualifier))", at: offset,
        hint: "for example INTERVAL '3 4' DAY TO HOUR, INTERVAL '59:59.999' MINUTE TO SECOND")
    }
    if exceeds {
      let unit = "\(qualifier.first)".uppercased()
      let error = SQLError(
        "'\(text)' has more than \(qualifier.leadingPrecision) digits of \(unit)", at: offset,
        hint: "by the book it is \(unit)(\(text.prefix { $0.isNumber }.count))")
      if program.options.strict { throw error }
      program.warn(error)
    }
    return make(.literal(.integer(isNegative ? -value : value)), .interval(qualifier), at: offset)
  }

  private func cast(
    _ syntax: ExpressionSyntax, _ target: TypeSyntax, at offset: Int
  ) throws(SQLError) -> BoundExpression {
    let operand = try bind(syntax)
    if operand.isNullLiteral { return operand.retyped(target.type) }
    if operand.type == .column(.time), target.type == .column(.timestamp) {
      return onCurrentDate(operand, at: offset)
    }
    guard Conversions.canCast(operand.type, to: target.type) else {
      let isTime = target.type == .column(.timestamp) && operand.type.columnType?.isNumeric == true
      let isNumber =
        operand.type == .column(.timestamp) && target.type.columnType?.isNumeric == true
      throw SQLError(
        "\(operand.type) cannot be cast to \(target.type)", at: offset,
        hint: isTime
          ? "TO_TIMESTAMP(x) takes milliseconds since 1970"
          : isNumber ? "UNIX_TIMESTAMP(t) gives milliseconds since 1970" : nil)
    }
    if operand.type == target.type { return operand }
    return make(.cast(operand), target.type, at: offset)
  }

  /// A TIME as a TIMESTAMP: that time on CURRENT_DATE.
  private func onCurrentDate(_ time: BoundExpression, at offset: Int) -> BoundExpression {
    let now = make(.call(.queryStartTimestamp, []), .timestamp, at: offset)
    let today = Conversions.converted(Conversions.converted(now, to: .date), to: .timestamp)
    let elapsed = time.retyped(.interval(IntervalQualifier(first: .day, last: .second)))
    return make(.arithmetic(.add, today, elapsed), .timestamp, at: offset)
  }

  private func conditional(
    _ operand: ExpressionSyntax?,
    _ branches: [(when: [ExpressionSyntax], then: ExpressionSyntax)],
    _ otherwise: ExpressionSyntax?, at offset: Int
  ) throws(SQLError) -> BoundExpression {
    let subject = try operand.map { (syntax) throws(SQLError) in try bind(syntax) }
    var conditions: [BoundExpression] = []
    var results: [BoundExpression] = []
    for branch in branches {
      var tests: [BoundExpression] = []
      for when in branch.when {
        if let subject {
          tests.append(try comparison(.equal, subject, try bind(when), at: when.offset))
        } else {
          tests.append(try condition(when, "the condition of WHEN"))
        }
      }
      conditions.append(tests.count == 1 ? tests[0] : make(.or(tests), .boolean, at: offset))
      results.append(try bind(branch.then))
    }
    if let otherwise {
      results.append(try bind(otherwise))
    } else {
      results.append(make(.literal(.null), .varchar(1), at: offset))
    }
    results = try unified(results, "the results of CASE", at: offset)
    let type = results[0].type
    let bound = zip(conditions, results).map { BoundExpression.Branch(condition: $0, result: $1) }
    return make(.conditional(bound, otherwise: results[results.count - 1]), type, at: offset)
  }

  /// The expressions converted to the type that they have in common.
  func unified(
    _ expressions: [BoundExpression], _ what: String, at offset: Int
  ) throws(SQLError) -> [BoundExpression] {
    var type: ExpressionType?
    for expression in expressions where !expression.isNullLiteral {
      guard let found = type else {
        type = expression.type
        continue
      }
      guard let common = Conversions.common(found, expression.type) else {
        throw SQLError(
          "\(what) have different types: \(found) and \(expression.type)", at: offset,
          hint: "use CAST to give them one type")
      }
      type = common
    }
    guard let type else { return expressions }
    return expressions.map { expression in
      if expression.isNullLiteral { return expression.retyped(type) }
      guard let target = type.columnType else { return expression.retyped(type) }
      return Conversions.converted(expression, to: target)
    }
  }
}

extension AggregateCall {
  /// Whether both give the same result, wherever they stand.
  func computesSame(as other: Self) -> Bool {
    function == other.function && arguments == other.arguments && isDistinct == other.isDistinct
      && ignoresNulls == other.ignoresNulls && type == other.type
  }
}
