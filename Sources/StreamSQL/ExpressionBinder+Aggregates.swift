internal import Columns

extension ExpressionBinder {
  /// An aggregate or analytic call; nil if the name is neither.
  func bindAggregate(_ call: CallSyntax, at offset: Int) throws(SQLError) -> BoundExpression? {
    guard let family = AggregateFamily(rawValue: call.name.text) else { return nil }
    let isAnalytic = call.over != nil
    // An analytic function may run over the results of aggregation.
    if let outer = enclosingCall, isAnalytic || !outer.isAnalytic {
      throw SQLError(
        "\(call.name.text) within \(outer.name)", at: offset,
        hint: "compute the inner one in a derived table")
    }
    guard isAnalytic ? clause.allowsAnalytics : clause.allowsAggregates else {
      throw misplaced(call, at: offset)
    }
    if !isAnalytic, !family.worksWithoutWindow {
      throw SQLError(
        "\(call.name.text) needs OVER", at: offset,
        hint: "\(call.name.text)(…) OVER (PARTITION BY key RANGE INTERVAL '1' MINUTE PRECEDING)")
    }
    let outer = (enclosingCall, bindsProducedRowtime)
    enclosingCall = (call.name.text, isAnalytic)
    if !isAnalytic { bindsProducedRowtime = false }
    defer { (enclosingCall, bindsProducedRowtime) = outer }
    let bound = try aggregateCall(family, call, at: offset)
    guard let over = call.over else { return register(bound, at: offset) }
    return register(bound, over: try window(over, for: bound, at: offset), at: offset)
  }

  private func misplaced(_ call: CallSyntax, at offset: Int) -> SQLError {
    let name = call.name.text
    let hint: String? =
      switch clause {
      case .filter:
        call.over != nil
          ? "filter outside: SELECT … FROM (SELECT …, \(name)(…) OVER w AS n FROM s …) WHERE n > 1"
          : "conditions on aggregates stand in HAVING"
      case .having: "filter outside: SELECT … FROM (SELECT … OVER …) WHERE …"
      default: nil
      }
    return SQLError("\(name) is not possible in \(clause.rawValue)", at: offset, hint: hint)
  }

  private func aggregateCall(
    _ family: AggregateFamily, _ call: CallSyntax, at offset: Int
  ) throws(SQLError) -> AggregateCall {
    if call.isStar {
      guard family == .count, !call.isDistinct else {
        throw SQLError("only COUNT takes *", at: offset)
      }
      return AggregateCall(
        function: .countRows, arguments: [], type: .bigint,
        position: program.source.position(of: offset))
    }
    try checkDistinct(family, call, at: offset)
    if family.isPercentile { return try percentile(family, call, at: offset) }
    if family == .median || family == .approximatePercentile {
      return try plainPercentile(family, call, at: offset)
    }
    let counts = family.argumentCounts
    guard counts.contains(call.arguments.count) else {
      throw SQLError(
        "\(call.name.text) has \(counts.lowerBound)"
          + (counts.count > 1 ? " to \(counts.upperBound)" : "")
          + " argument\(counts.upperBound == 1 ? "" : "s"), not \(call.arguments.count)",
        at: offset, hint: FunctionCatalog.usage(call.name.text))
    }
    let first = try bind(call.arguments[0])
    let (function, arguments, type) = try resolved(family, call, first, at: offset)
    return AggregateCall(
      function: function, arguments: arguments, isDistinct: call.isDistinct,
      // Aggregates pass over NULLs; only with OVER are FIRST_VALUE and its like about rows.
      ignoresNulls: call.ignoresNulls ?? (family.isPositional && call.over == nil), type: type,
      position: program.source.position(of: offset))
  }

  private func checkDistinct(
    _ family: AggregateFamily, _ call: CallSyntax, at offset: Int
  ) throws(SQLError) {
    if family.isExtension, !program.options.extensions {
      throw extensionNeeded("\(call.name.text) is an extension", at: offset)
    }
    if call.ignoresNulls != nil, !family.isPositional {
      throw SQLError("\(call.name.text) passes over NULLs anyhow", at: offset)
    }
    guard call.isDistinct, !family.allowsDistinct, !program.options.extensions else { return }
    if call.over != nil {
      throw SQLError("\(call.name.text)(DISTINCT …) is not possible with OVER", at: offset)
    }
    throw SQLError(
      "\(call.name.text)(DISTINCT …) is not part of streaming aggregation", at: offset,
      hint: "TABLE(COUNT_DISTINCT_ITEMS_TUMBLING(CURSOR(…), 'column', seconds)) counts distinct "
        + "values, or begin the program with -- cutbank: extensions")
  }

  private func extensionNeeded(_ message: String, at offset: Int) -> SQLError {
    SQLError(
      message, at: offset,
      hint: "begin the program with -- cutbank: extensions, or set sql: {extensions: true}")
  }

  private func resolved(
    _ family: AggregateFamily, _ call: CallSyntax, _ first: BoundExpression, at offset: Int
  ) throws(SQLError) -> (AggregateFunction, [BoundExpression], ColumnType) {
    guard case .column(let type) = first.type else {
      throw SQLError(
        "\(call.name.text) of an interval is not possible", at: call.arguments[0].offset,
        hint: "use TSDIFF(a, b), which gives milliseconds")
    }
    switch family {
    case .count: return (.count, [first], .bigint)
    case .minimum: return (.minimum, [first], type)
    case .maximum: return (.maximum, [first], type)
    case .firstValue: return (.firstValue, [first], type)
    case .lastValue: return (.lastValue, [first], type)
    case .approximateCountDistinct: return (.approximateCountDistinct, [first], .bigint)
    case .every, .any, .some:
      guard type == .boolean || first.isNullLiteral else {
        throw SQLError("\(call.name.text) needs a BOOLEAN, not \(type)", at: offset)
      }
      return (family == .every ? .every : .any, [first.retyped(.column(.boolean))], .boolean)
    case .nthValue:
      let n = try constant(call.arguments[1], "the number of NTH_VALUE", minimum: 1)
      return (.nthValue(n, fromLast: call.fromLast ?? false), [first], type)
    case .lag:
      let n =
        call.arguments.count > 1
        ? try constant(call.arguments[1], "the distance of LAG", minimum: 0) : 1
      return try lag(n, call, first, type)
    default: break
    }
    guard type.isNumeric else {
      throw SQLError(
        "\(call.name.text) needs a number, not \(type)", at: call.arguments[0].offset,
        hint: type.isCharacter ? "use CAST(… AS DOUBLE) if the text is a number" : nil)
    }
    return try numeric(family, call, first, type)
  }

  private func numeric(
    _ family: AggregateFamily, _ call: CallSyntax, _ first: BoundExpression, _ type: ColumnType
  ) throws(SQLError) -> (AggregateFunction, [BoundExpression], ColumnType) {
    let asDouble = [Conversions.converted(first, to: .double)]
    switch family {
    case .sum:
      if type.isInteger { return (.sum, [first], .bigint) }
      if type.isApproximate { return (.sum, asDouble, .double) }
      return (.sum, [first], .decimal(precision: Parser.precisionLimit, scale: type.scale))
    case .average:
      return type.isInteger ? (.average, [first], type) : (.average, asDouble, .double)
    case .populationDeviation: return (.populationDeviation, asDouble, .double)
    case .deviation, .sampleDeviation, .sampleDeviationAlias:
      return (.sampleDeviation, asDouble, .double)
    case .populationVariance: return (.populationVariance, asDouble, .double)
    case .sampleVariance: return (.sampleVariance, asDouble, .double)
    default:
      let halfLife = try bind(call.arguments[1])
      guard case .interval(let qualifier) = halfLife.type, !qualifier.isYearMonth,
        let length = halfLife.integerLiteral, length > 0
      else {
        throw SQLError(
          "the half-life of EXP_AVG must be a positive constant interval",
          at: call.arguments[1].offset, hint: "EXP_AVG(x, INTERVAL '10' SECOND) OVER w")
      }
      return (.exponentialAverage(halfLifeMilliseconds: length), asDouble, .double)
    }
  }

  private func lag(
    _ n: Int, _ call: CallSyntax, _ first: BoundExpression, _ type: ColumnType
  ) throws(SQLError) -> (AggregateFunction, [BoundExpression], ColumnType) {
    guard call.arguments.count > 2 else { return (.lag(n), [first], type) }
    let both = try unified(
      [first, try bind(call.arguments[2])], "the value and the default of LAG",
      at: call.arguments[2].offset)
    if both[1].isNullLiteral { return (.lag(n), [first], type) }
    return (.lag(n), both, both[0].type.columnType ?? type)
  }

  private func constant(
    _ syntax: ExpressionSyntax, _ what: String, minimum: Int64
  ) throws(SQLError) -> Int {
    let bound = try bind(syntax)
    guard bound.type.columnType?.isInteger == true, let value = bound.integerLiteral,
      value >= minimum, value <= 1_000_000
    else {
      throw SQLError(
        "\(what) must be a constant integer from \(minimum) to 1000000", at: syntax.offset)
    }
    return Int(value)
  }

  /// `PERCENTILE_CONT(fraction) WITHIN GROUP (ORDER BY x)`.
  private func percentile(
    _ family: AggregateFamily, _ call: CallSyntax, at offset: Int
  ) throws(SQLError) -> AggregateCall {
    guard let order = call.withinGroup, call.arguments.count == 1 else {
      throw SQLError(
        "\(call.name.text) needs WITHIN GROUP", at: offset,
        hint: FunctionCatalog.usage(call.name.text))
    }
    let share = try fraction(call.arguments[0])
    let value = try bind(order.expression)
    return try percentile(
      order.isDescending ? 1 - share : share, of: value,
      isContinuous: family == .continuousPercentile, call, at: offset)
  }

  /// `MEDIAN(x)` and `APPROX_PERCENTILE(x, fraction)`, which here is exact.
  private func plainPercentile(
    _ family: AggregateFamily, _ call: CallSyntax, at offset: Int
  ) throws(SQLError) -> AggregateCall {
    let isMedian = family == .median
    guard call.arguments.count == (isMedian ? 1 : 2) else {
      throw SQLError(
        "\(call.name.text) has \(isMedian ? "1 argument" : "2 arguments"), not "
          + "\(call.arguments.count)", at: offset, hint: FunctionCatalog.usage(call.name.text))
    }
    let share = isMedian ? 0.5 : try fraction(call.arguments[1])
    return try percentile(
      share, of: try bind(call.arguments[0]), isContinuous: isMedian, call, at: offset)
  }

  private func fraction(_ syntax: ExpressionSyntax) throws(SQLError) -> Double {
    let fraction = Conversions.converted(try bind(syntax), to: .double)
    guard case .literal(.double(let share)) = fraction.kind, (0...1).contains(share) else {
      throw SQLError("the fraction is a constant from 0 to 1", at: syntax.offset)
    }
    return share
  }

  private func percentile(
    _ wanted: Double, of value: BoundExpression, isContinuous: Bool, _ call: CallSyntax,
    at offset: Int
  ) throws(SQLError) -> AggregateCall {
    guard let type = value.type.columnType, type.isNumeric || (type.isDatetime && !isContinuous)
    else {
      throw SQLError("\(call.name.text) needs numbers, not \(value.type)", at: offset)
    }
    return AggregateCall(
      function: isContinuous ? .continuousPercentile(wanted) : .discretePercentile(wanted),
      arguments: [isContinuous ? Conversions.converted(value, to: .double) : value],
      isDistinct: call.isDistinct, type: isContinuous ? .double : type,
      position: program.source.position(of: offset))
  }
}

/// The aggregate and analytic functions by name.
enum AggregateFamily: String {
  case count = "COUNT"
  case sum = "SUM"
  case average = "AVG"
  case minimum = "MIN"
  case maximum = "MAX"
  case populationDeviation = "STDDEV_POP"
  case sampleDeviation = "STDDEV_SAMP"
  case deviation = "STDDEV"
  case sampleDeviationAlias = "STD_DEV"
  case populationVariance = "VAR_POP"
  case sampleVariance = "VAR_SAMP"
  case every = "EVERY"
  case any = "ANY"
  case some = "SOME"
  case firstValue = "FIRST_VALUE"
  case lastValue = "LAST_VALUE"
  case nthValue = "NTH_VALUE"
  case lag = "LAG"
  case exponentialAverage = "EXP_AVG"
  case continuousPercentile = "PERCENTILE_CONT"
  case discretePercentile = "PERCENTILE_DISC"
  case approximateCountDistinct = "APPROX_COUNT_DISTINCT"
  case median = "MEDIAN"
  case approximatePercentile = "APPROX_PERCENTILE"

  /// Whether the original does not know it.
  var isExtension: Bool {
    isPercentile || [.approximateCountDistinct, .median, .approximatePercentile].contains(self)
  }

  var isPercentile: Bool { self == .continuousPercentile || self == .discretePercentile }

  /// Whether the result is the value of one row.
  var isPositional: Bool {
    [.firstValue, .lastValue, .nthValue, .lag].contains(self)
  }

  var worksWithoutWindow: Bool {
    ![.nthValue, .lag, .exponentialAverage].contains(self)
  }

  /// Whether the original allows DISTINCT, or it changes nothing.
  var allowsDistinct: Bool {
    switch self {
    case .populationDeviation, .sampleDeviation, .deviation, .sampleDeviationAlias,
      .populationVariance, .sampleVariance, .minimum, .maximum, .every, .any, .some:
      true
    default: false
    }
  }

  var argumentCounts: ClosedRange<Int> {
    switch self {
    case .lag: 1...3
    case .nthValue, .exponentialAverage: 2...2
    default: 1...1
    }
  }
}
