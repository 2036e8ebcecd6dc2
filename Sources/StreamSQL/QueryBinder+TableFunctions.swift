internal import Columns

/// The arguments of a table function behind its cursor.
struct TableCall {
  let syntax: TableCallSyntax
  let name: TableFunctionName
  let cursor: BoundRelation
  let literals: [(value: BoundExpression, offset: Int)]
  let named: [(name: Name, value: BoundExpression)]

  /// The columns that can be named.
  var columns: [ScopeColumn] { cursor.columns.filter { !$0.isMetadata } }
}

extension TableFunctionName {
  var isWindow: Bool { self == .tumble || self == .hop || self == .session }
}

extension QueryBinder {
  func tableFunction(_ syntax: TableCallSyntax) throws(SQLError) -> BoundRelation {
    guard let name = TableFunctionName(rawValue: syntax.name.text) else {
      throw SQLError(
        "there is no table function \(syntax.name.quoted)", at: syntax.name.offset,
        hint: Spelling.hint(syntax.name, among: TableFunctionName.allCases.map(\.rawValue))
          ?? "the table functions are "
          + TableFunctionName.allCases.map(\.rawValue).joined(separator: ", "))
    }
    if name.isWindow { return try windowFunction(name, syntax) }
    let call = try arguments(syntax, name)
    let keys = try partitionKeys(call)
    switch name {
    case .randomCutForest, .randomCutForestWithExplanation:
      return try randomCutForest(call, keys)
    case .hotspots: return try hotspots(call, keys)
    case .topKItems, .countDistinctItems: return try items(call, keys)
    case .groupRank: return try groupRank(call, keys)
    case .detectAnomalies: return try detectAnomalies(call, keys)
    case .predict: return try predict(call, keys)
    case .forecast: return try forecast(call, keys)
    case .tumble, .hop, .session: preconditionFailure("windows are bound above")
    }
  }

  private func arguments(
    _ syntax: TableCallSyntax, _ name: TableFunctionName
  ) throws(SQLError) -> TableCall {
    guard let first = syntax.arguments.first else { throw missingCursor(syntax) }
    let cursor: BoundRelation
    switch first {
    case .cursor(let query, _): cursor = try self.query(query)
    case .table(let stream): cursor = try scan(stream)
    default: throw missingCursor(syntax)
    }
    let binder = ExpressionBinder(program, relations: [])
    binder.clause = .values
    var literals: [(value: BoundExpression, offset: Int)] = []
    var named: [(name: Name, value: BoundExpression)] = []
    for argument in syntax.arguments.dropFirst() {
      switch argument {
      case .expression(let expression):
        literals.append((try literal(expression, syntax, binder), expression.offset))
      case .named(let parameter, let expression):
        if named.contains(where: { $0.name.text == parameter.text }) {
          throw SQLError("\(parameter.text) is given twice", at: parameter.offset)
        }
        named.append((parameter, try literal(expression, syntax, binder)))
      case .cursor(_, let offset):
        throw SQLError("\(syntax.name.text) has one cursor", at: offset)
      case .table(let other), .descriptor(let other):
        throw SQLError("unexpected \(other.text)", at: other.offset, hint: usage(syntax))
      }
    }
    if let parameter = named.first, ![.detectAnomalies, .forecast].contains(name) {
      throw SQLError(
        "\(syntax.name.text) has positional parameters", at: parameter.name.offset,
        hint: usage(syntax))
    }
    return TableCall(syntax: syntax, name: name, cursor: cursor, literals: literals, named: named)
  }

  func usage(_ syntax: TableCallSyntax) -> String? {
    FunctionCatalog.usage(syntax.name.text).map { "TABLE(\($0))" }
  }

  private func missingCursor(_ syntax: TableCallSyntax) -> SQLError {
    SQLError(
      "the first argument of \(syntax.name.text) is CURSOR(SELECT STREAM …)",
      at: syntax.name.offset, hint: usage(syntax))
  }

  private func literal(
    _ expression: ExpressionSyntax, _ syntax: TableCallSyntax, _ binder: ExpressionBinder
  ) throws(SQLError) -> BoundExpression {
    if case .name(let parts) = expression.form {
      throw SQLError(
        "the parameters of \(syntax.name.text) are constants, not columns", at: expression.offset,
        hint: "a column is named in quotes: '\(parts.last?.text ?? "column")'")
    }
    let bound = try binder.bind(expression)
    guard case .literal = bound.kind else {
      throw SQLError(
        "the parameters of \(syntax.name.text) are constants", at: expression.offset,
        hint: usage(syntax))
    }
    return bound
  }

  /// Columns of the cursor behind PARTITION BY.
  private func partitionKeys(_ call: TableCall) throws(SQLError) -> [Int] {
    let binder = ExpressionBinder(
      program, relations: [Relation(name: nil, columns: call.cursor.columns)])
    binder.clause = .window
    var keys: [Int] = []
    for key in call.syntax.partitionBy {
      guard case .column(let index) = try binder.bind(key).kind else {
        throw SQLError(
          "PARTITION BY names columns of the cursor", at: key.offset,
          hint: "compute the key in the cursor: CURSOR(SELECT STREAM a || b AS key, … FROM s)")
      }
      keys.append(index)
    }
    return keys
  }

  /// The node with the cursor's columns and more.
  func appending(
    _ added: [(name: String, type: ColumnType)], _ function: TableFunction, _ call: TableCall,
    _ keys: [Int]
  ) -> BoundRelation {
    let node = call.cursor.node
    let width = node.output.columns.count
    let definitions = added.map { ColumnDefinition(name: $0.name, type: $0.type) }
    let offset = call.syntax.name.offset
    let columns = added.enumerated().map { number, column in
      ScopeColumn(name: column.name, index: width + number, type: column.type, offset: offset)
    }
    return BoundRelation(
      node: self.node(
        .tableFunction(node, function, partitionBy: keys),
        Schema(node.output.columns + definitions), at: offset),
      columns: call.cursor.columns + columns,
      monotonic: call.cursor.monotonic + Array(repeating: nil, count: added.count))
  }

  /// The node with other columns than the cursor's.
  private func replacing(
    _ columns: [(name: String, type: ColumnType)], _ function: TableFunction, _ call: TableCall,
    _ keys: [Int]
  ) -> BoundRelation {
    let offset = call.syntax.name.offset
    let kept = keys.map { call.cursor.node.output.columns[$0] }
    let definitions = kept + columns.map { ColumnDefinition(name: $0.name, type: $0.type) }
    let scope = definitions.enumerated().map { number, column in
      ScopeColumn(name: column.name, index: number, type: column.type, offset: offset)
    }
    return BoundRelation(
      node: node(
        .tableFunction(call.cursor.node, function, partitionBy: keys), Schema(definitions),
        at: offset),
      columns: scope, monotonic: Array(repeating: nil, count: scope.count))
  }

  // MARK: Functions

  private func randomCutForest(_ call: TableCall, _ keys: [Int]) throws(SQLError) -> BoundRelation {
    let explains = call.name == .randomCutForestWithExplanation
    let limit = explains ? 5 : 4
    guard call.literals.count <= limit else {
      let isBoolean = call.literals[limit].value.type == .column(.boolean)
      throw SQLError(
        "\(call.name.rawValue) has a cursor and at most \(limit) parameters",
        at: call.literals[limit].offset,
        hint: !explains && isBoolean
          ? "withDirectionality belongs to RANDOM_CUT_FOREST_WITH_EXPLANATION; remove it, or use "
            + "that function" : usage(call.syntax))
    }
    // The errors of all parameters are reported.
    func integer(_ place: Int, _ what: String, _ range: ClosedRange<Int>, _ usual: Int) -> Int? {
      program.collecting { () throws(SQLError) in try call.integer(place, what, range) ?? usual }
    }
    let trees = integer(0, "numberOfTrees", 1...1_000, 100)
    let sample = integer(1, "subSampleSize", 10...1_000, 256)
    let decay = integer(2, "timeDecay", 1...2_147_483_647, 100_000)
    let shingle = integer(3, "shingleSize", 1...(program.options.strict ? 30 : 512), 1)
    guard let trees, let sample, let decay, let shingle else { throw .reported }
    guard sample < decay || !program.options.strict else {
      throw SQLError(
        "subSampleSize (\(sample)) must be less than timeDecay (\(decay))",
        at: call.literals[1].offset)
    }
    var explanation = RandomCutForestParameters.Explanation.none
    if explains {
      explanation = try call.boolean(4, "withDirectionality") == true ? .directional : .attribution
    }
    let features = try features(call, keys)
    let parameters = RandomCutForestParameters(
      features: features, numberOfTrees: trees, subSampleSize: sample, timeDecay: decay,
      shingleSize: shingle, explanation: explanation)
    var added: [(name: String, type: ColumnType)] = [("ANOMALY_SCORE", .double)]
    if explains { added.append(("ANOMALY_EXPLANATION", .varchar(Parser.lengthLimit))) }
    if !keys.isEmpty { added.append(("STATUS", .varchar(16))) }
    return appending(added, .randomCutForest(parameters), call, keys)
  }

  /// The numeric columns of the cursor.
  func features(
    _ call: TableCall, _ keys: [Int], except time: Int? = nil
  ) throws(SQLError) -> [Int] {
    let columns = call.columns.filter { column in
      (column.type.isInteger || column.type.isApproximate) && !keys.contains(column.index)
        && column.index != time && column.fields == nil
    }
    guard !columns.isEmpty else {
      let hasDecimal = call.columns.contains { $0.type.isNumeric }
      throw SQLError(
        "\(call.name.rawValue) finds no numeric column in its cursor", at: call.syntax.name.offset,
        hint: hasDecimal
          ? "DECIMAL is not supported: CAST(x AS DOUBLE)"
          : "it works on TINYINT to BIGINT, REAL and DOUBLE columns")
    }
    guard columns.count <= 30 else {
      throw SQLError(
        "\(call.name.rawValue) works on at most 30 numeric columns, the cursor has \(columns.count)",
        at: call.syntax.name.offset, hint: "select the columns that matter in the cursor")
    }
    if columns.count > 1, let suspect = columns.first(where: \.looksLikeIdentifier) {
      program.warn(
        SQLError(
          "column \"\(suspect.name)\" enters the model of \(call.name.rawValue)",
          at: call.syntax.name.offset,
          hint: "an identifier or a time says nothing about anomalies: leave it out of the cursor, "
            + "or CAST it to VARCHAR to pass it through"))
    }
    return columns.map(\.index)
  }

  private func hotspots(_ call: TableCall, _ keys: [Int]) throws(SQLError) -> BoundRelation {
    try call.requireCount(3, usage(call.syntax))
    let limit = program.options.strict ? 1_000 : 100_000
    let size = try call.integer(0, "windowSize", 100...limit) ?? 100
    let radius = try call.number(1, "scanRadius")
    let points = try call.integer(2, "minimumNumberOfPointsInAHotspot", 2...size) ?? 2
    let function = TableFunction.hotspots(
      features: try features(call, keys), windowSize: size, scanRadius: radius,
      minimumPoints: points)
    var added: [(name: String, type: ColumnType)] = [
      ("HOTSPOTS_RESULT", .varchar(Parser.lengthLimit))
    ]
    if !keys.isEmpty { added.append(("STATUS", .varchar(16))) }
    return appending(added, function, call, keys)
  }

  private func items(_ call: TableCall, _ keys: [Int]) throws(SQLError) -> BoundRelation {
    let isTopK = call.name == .topKItems
    try call.requireCount(isTopK ? 3 : 2, usage(call.syntax))
    let column = try call.column(0)
    let seconds = try call.integer(isTopK ? 2 : 1, "windowSize in seconds", 1...3_600) ?? 1
    let window = Int64(seconds) * 1_000
    guard isTopK else {
      return replacing(
        [("NUMBER_OF_DISTINCT_ITEMS", .bigint)],
        .countDistinctItems(column: column.index, windowMilliseconds: window), call, keys)
    }
    let k = try call.integer(1, "K", 1...100_000) ?? 1
    return replacing(
      [("ITEM", .varchar(1_024)), ("ITEM_COUNT", .bigint)],
      .topKItems(column: column.index, k: k, windowMilliseconds: window), call, keys)
  }

  private func groupRank(_ call: TableCall, _ keys: [Int]) throws(SQLError) -> BoundRelation {
    guard (2...6).contains(call.literals.count) else {
      throw SQLError(
        "GROUP_RANK has a cursor and 2 to 6 parameters", at: call.syntax.name.offset,
        hint: usage(call.syntax))
    }
    let column = try call.column(0)
    guard let rank = call.literals[1].value.textLiteral else {
      throw SQLError(
        "the second parameter names the rank's column in quotes", at: call.literals[1].offset)
    }
    let parameters = GroupRankParameters(
      rankBy: column.index, ranksDescending: try call.isDescending(2),
      outputDescending: try call.isDescending(3),
      maximumIdleMilliseconds: Int64(try call.integer(4, "maxIdle", 0...86_400_000) ?? 0),
      outputLimit: try call.integer(5, "outputMax", 0...1_000_000) ?? 0)
    return appending([(rank, .integer)], .groupRank(parameters), call, keys)
  }
}

extension ScopeColumn {
  /// Whether the name is that of an identifier or of a time.
  fileprivate var looksLikeIdentifier: Bool {
    guard type == .integer || type == .bigint else { return false }
    let lower = name.lowercased()
    return lower == "id" || lower.hasSuffix("_id") || name.hasSuffix("Id")
      || lower.contains("epoch")
      || lower.contains("timestamp") || lower.hasSuffix("time")
  }
}
