internal import Columns

extension Plan {
  /// The endpoints that the started pumps ask, each once, in byte order.
  public var endpoints: [String] {
    let all = Set(pumps.filter(\.isStarted).flatMap { $0.root.endpoints })
    return all.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
  }

  /// The names of the columns that each ML_PREDICT of the started pumps gives an endpoint.
  public func features(ofEndpoint name: String) -> [[String]] {
    pumps.filter(\.isStarted).flatMap { $0.root.features(ofEndpoint: name) }
  }
}

extension PlanNode {
  fileprivate var endpoints: [String] {
    let below = inputs.flatMap(\.endpoints)
    switch operation {
    case .tableFunction(_, .predict(let parameters), _): return below + [parameters.endpoint]
    case .tableFunction(_, .forecast(let parameters), _): return below + [parameters.endpoint]
    default: return below
    }
  }

  fileprivate func features(ofEndpoint name: String) -> [[String]] {
    let below = inputs.flatMap { $0.features(ofEndpoint: name) }
    guard case .tableFunction(let cursor, .predict(let parameters), _) = operation,
      parameters.endpoint == name
    else { return below }
    return below + [parameters.features.map { cursor.output.columns[$0].name }]
  }
}
