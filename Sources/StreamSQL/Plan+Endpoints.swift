extension Plan {
  /// The endpoints that the started pumps ask, each once, in byte order.
  public var endpoints: [String] {
    let all = Set(pumps.filter(\.isStarted).flatMap { $0.root.endpoints })
    return all.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
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
}
