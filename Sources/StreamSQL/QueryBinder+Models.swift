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
}
