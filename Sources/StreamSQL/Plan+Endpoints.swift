internal import Columns

extension Plan {
  /// The endpoints that the started pumps ask or begin with, each once, in byte order.
  public var endpoints: [String] {
    let started = pumps.filter(\.isStarted)
    let all = Set(started.flatMap { $0.root.endpoints } + started.compactMap(\.forestSeed))
    return all.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
  }

  /// The names of the columns that each ML_PREDICT of the started pumps gives an endpoint.
  public func features(ofEndpoint name: String) -> [[String]] {
    pumps.filter(\.isStarted).flatMap { $0.root.features(ofEndpoint: name) }
  }

  /// The started pumps with a table function that keeps forests.
  public var forestPumps: [String] {
    pumps.filter { $0.isStarted && $0.root.hasForest }.map(\.name)
  }

  /// Lets the forests of a pump begin with the model of an endpoint.
  public mutating func seedForests(ofPump name: String, from endpoint: String) {
    for index in pumps.indices where pumps[index].name == name {
      pumps[index].forestSeed = endpoint
    }
  }

  /// The names of the categories and dynamic features that each ML_FORECAST of the started pumps gives
  /// an endpoint.
  public func seriesColumns(
    ofEndpoint name: String
  ) -> [(categories: [String], dynamicFeatures: [String])] {
    pumps.filter(\.isStarted).flatMap { $0.root.seriesColumns(ofEndpoint: name) }
  }
}

extension PlanNode {
  fileprivate var hasForest: Bool {
    switch operation {
    case .tableFunction(_, .randomCutForest, _), .tableFunction(_, .detectAnomalies, _): true
    default: inputs.contains(where: \.hasForest)
    }
  }

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

  fileprivate func seriesColumns(
    ofEndpoint name: String
  ) -> [(categories: [String], dynamicFeatures: [String])] {
    let below = inputs.flatMap { $0.seriesColumns(ofEndpoint: name) }
    guard case .tableFunction(let cursor, .forecast(let parameters), _) = operation,
      parameters.endpoint == name
    else { return below }
    let names = cursor.output.columns.map(\.name)
    return below + [
      (parameters.categories.map { names[$0] }, parameters.dynamicFeatures.map { names[$0] })
    ]
  }
}
