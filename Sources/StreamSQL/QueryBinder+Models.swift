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
    var categories: [ScopeColumn] = []
    var features: [ScopeColumn] = []
    var lower = 0.1
    var upper = 0.9
    for (name, value) in call.named {
      switch name.text {
      case "TIME": time = try timeColumn(call, name, value)
      case "TARGET": target = (try namedColumn(call, name, value).index, name.offset)
      case "CATEGORIES":
        categories = try namedColumns(call, name, value)
        try require(categories, are: "integer", at: name.offset) { $0.type.isInteger }
      case "DYNAMIC_FEATURES":
        features = try namedColumns(call, name, value)
        try require(features, are: "numeric", at: name.offset) {
          $0.type.isInteger || $0.type.isApproximate
        }
      case "LOWER": lower = try probability(name, value)
      case "UPPER": upper = try probability(name, value)
      default:
        throw SQLError(
          "ML_FORECAST has no option \(name.text.lowercased())", at: name.offset,
          hint: "the options are target, time, categories, dynamic_features, lower and upper")
      }
    }
    guard lower < upper else {
      throw SQLError(
        "lower (\(lower)) must be less than upper (\(upper))", at: call.syntax.name.offset)
    }
    let others = (categories + features).map(\.index)
    if let twice = others.first(where: { index in others.count { $0 == index } > 1 }) {
      let name = call.columns.first { $0.index == twice }?.name ?? ""
      throw SQLError("the column '\(name)' is named twice", at: call.syntax.name.offset)
    }
    let parameters = ForecastParameters(
      target: try self.target(target, call, keys + others, time), timeColumn: time,
      categories: categories.map(\.index), dynamicFeatures: features.map(\.index),
      endpoint: endpoint, lower: lower, upper: upper)
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

  /// The columns of `'A, B'`.
  private func namedColumns(
    _ call: TableCall, _ name: Name, _ value: BoundExpression
  ) throws(SQLError) -> [ScopeColumn] {
    let names = (value.textLiteral ?? "").split(separator: ",", omittingEmptySubsequences: false)
      .map { part in
        String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
      }
    guard !names.isEmpty, !names.contains("") else {
      throw SQLError(
        "\(name.text.lowercased()) => names columns in one pair of quotes", at: name.offset,
        hint: "write \(name.text.lowercased()) => 'A' or 'A, B', in the order of training")
    }
    var columns: [ScopeColumn] = []
    for text in names { columns.append(try call.column(named: text, at: name.offset)) }
    return columns
  }

  private func require(
    _ columns: [ScopeColumn], are kind: String, at offset: Int, _ isRight: (ScopeColumn) -> Bool
  ) throws(SQLError) {
    guard let wrong = columns.first(where: { !isRight($0) }) else { return }
    throw SQLError(
      "'\(wrong.name)' is \(wrong.type), the columns named here are \(kind)", at: offset,
      hint: kind == "integer"
        ? "number the categories from 0, as in training" : "CAST it to DOUBLE in the cursor")
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
        "target => names a numeric column outside PARTITION BY, categories and features",
        at: offset,
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
