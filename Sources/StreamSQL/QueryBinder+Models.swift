internal import Columns

extension QueryBinder {
  /// `ML_PREDICT(CURSOR(…) [PARTITION BY …], 'endpoint')`.
  func predict(_ call: TableCall, _ keys: [Int]) throws(SQLError) -> BoundRelation {
    let endpoint = try endpoint(call)
    let parameters = PredictParameters(features: try features(call, keys), endpoint: endpoint)
    let added: [(name: String, type: ColumnType)] = [
      ("CLOSEST_CLUSTER", .integer), ("DISTANCE_TO_CLUSTER", .double), ("SCORE", .double),
      ("PROJECTION", .varchar(Parser.lengthLimit)),
    ]
    return appending(added + Self.served, .predict(parameters), call, keys)
  }

  /// `ML_FORECAST(CURSOR(…) [PARTITION BY …], 'endpoint', name => value, …)`.
  func forecast(_ call: TableCall, _ keys: [Int]) throws(SQLError) -> BoundRelation {
    let endpoint = try endpoint(call)
    var time: Int?
    var target: (index: Int, offset: Int)?
    var lower = 0.1
    var upper = 0.9
    for (name, value) in call.named {
      switch name.text {
      case "TIME": time = try timeColumn(call, name, value)
      case "TARGET": target = (try namedColumn(call, name, value).index, name.offset)
      case "LOWER": lower = try probability(name, value)
      case "UPPER": upper = try probability(name, value)
      default:
        throw SQLError(
          "ML_FORECAST has no option \(name.text.lowercased())", at: name.offset,
          hint: "the options are target, time, lower and upper")
      }
    }
    guard lower < upper else {
      throw SQLError(
        "lower (\(lower)) must be less than upper (\(upper))", at: call.syntax.name.offset)
    }
    let parameters = ForecastParameters(
      target: try self.target(target, call, keys, time), timeColumn: time, endpoint: endpoint,
      lower: lower, upper: upper)
    let added: [(name: String, type: ColumnType)] = [
      ("EXPECTED", .double), ("LOWER", .double), ("UPPER", .double),
      ("TAIL_PROBABILITY", .double), ("NEXT_EXPECTED", .double), ("NEXT_LOWER", .double),
      ("NEXT_UPPER", .double),
    ]
    return appending(added + Self.served, .forecast(parameters), call, keys)
  }

  /// Which model has served a row, and whether one has.
  private static let served: [(name: String, type: ColumnType)] = [
    ("MODEL_VERSION", .varchar(160)), ("VARIANT", .varchar(64)), ("STATUS", .varchar(16)),
  ]

  private func endpoint(_ call: TableCall) throws(SQLError) -> String {
    guard call.literals.count == 1, let name = call.literals[0].value.textLiteral, !name.isEmpty
    else {
      throw SQLError(
        "\(call.name.rawValue) has a cursor and the name of an endpoint in quotes",
        at: call.literals.first?.offset ?? call.syntax.name.offset, hint: usage(call.syntax))
    }
    return name
  }

  private func namedColumn(
    _ call: TableCall, _ name: Name, _ value: BoundExpression
  ) throws(SQLError) -> ScopeColumn {
    guard let text = value.textLiteral else {
      throw SQLError("\(name.text.lowercased()) => names a column in quotes", at: name.offset)
    }
    return try call.column(named: text, at: name.offset)
  }

  private func probability(_ name: Name, _ value: BoundExpression) throws(SQLError) -> Double {
    guard value.type.columnType?.isNumeric == true,
      case .literal(.double(let number)) = Conversions.converted(value, to: .double).kind,
      number > 0, number < 1
    else {
      throw SQLError(
        "\(name.text.lowercased()) is a probability between 0 and 1", at: name.offset)
    }
    return number
  }

  /// The one numeric column of the cursor, unless one is named.
  private func target(
    _ named: (index: Int, offset: Int)?, _ call: TableCall, _ keys: [Int], _ time: Int?
  ) throws(SQLError) -> Int {
    let candidates = call.columns.filter { column in
      (column.type.isInteger || column.type.isApproximate) && !keys.contains(column.index)
        && column.index != time && column.fields == nil
    }.map(\.index)
    if let (index, offset) = named {
      if candidates.contains(index) { return index }
      throw SQLError(
        "target => names a numeric column outside PARTITION BY", at: offset,
        hint: "DECIMAL is not supported: CAST(x AS DOUBLE)")
    }
    guard candidates.count != 1 else { return candidates[0] }
    guard candidates.isEmpty else {
      throw SQLError(
        "ML_FORECAST finds \(candidates.count) numeric columns in its cursor",
        at: call.syntax.name.offset, hint: "say which one is forecast: target => 'column'")
    }
    // The general error about cursors without a number.
    return try features(call, keys, except: time)[0]
  }
}
