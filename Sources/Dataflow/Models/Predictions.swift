import LearnedModels

/// What a model says about a run of points.
enum Predictions {
  case clusters([Int32], distances: [Float])
  case scores([Double])
  /// `width` numbers for each point.
  case projections([Float], width: Int)

  /// For how many points.
  var count: Int {
    switch self {
    case .clusters(let clusters, _): clusters.count
    case .scores(let scores): scores.count
    case .projections(let values, let width): width == 0 ? 0 : values.count / width
    }
  }

  /// Whether a point's result can be used.
  func isFinite(_ index: Int) -> Bool {
    switch self {
    case .clusters(_, let distances): distances[index].isFinite
    case .scores(let scores): scores[index].isFinite
    case .projections(let values, let width):
      values[index * width..<(index + 1) * width].allSatisfy(\.isFinite)
    }
  }

  /// How unusual a point is, as far as the model says so; 0 for projections.
  func magnitude(_ index: Int) -> Double {
    switch self {
    case .clusters(_, let distances): Double(distances[index])
    case .scores(let scores): scores[index]
    case .projections: 0
    }
  }
}
