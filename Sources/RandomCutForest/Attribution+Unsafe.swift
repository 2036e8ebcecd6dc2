import CKernels

/// How much each coordinate of a point contributes to its score.
public struct Attribution: Equatable, Sendable {
  /// Contribution of lying above what the forest knows; one per dimension of the shingled point.
  public var high: [Double]
  /// Contribution of lying below.
  public var low: [Double]

  /// Contributions per dimension.
  public init(high: [Double], low: [Double]) {
    self.high = high
    self.low = low
  }

  /// The sum over all coordinates: the score, up to rounding.
  public var total: Double {
    var sum = 0.0
    for index in high.indices { sum += high[index] + low[index] }
    return sum
  }
}

extension RandomCutForest {
  /// What each dimension of the point that `input` would complete contributes to its score.
  ///
  /// A dimension counts by how far the point lies above or below the boxes that it would be cut off
  /// from. The contributions sum to the score.
  public mutating func attribution(_ input: Span<Float>) throws(ForestError) -> Attribution {
    var high = [Double](repeating: 0, count: configuration.dimensions)
    var low = high
    var highSpan = high.mutableSpan
    var lowSpan = low.mutableSpan
    _ = try attribution(input, high: &highSpan, low: &lowSpan)
    return Attribution(high: high, low: low)
  }

  /// The same without allocating: fills `high` and `low`, one element per dimension, and returns
  /// the score.
  public mutating func attribution(
    _ input: Span<Float>, high: inout MutableSpan<Double>, low: inout MutableSpan<Double>
  ) throws(ForestError) -> Double {
    try check(input)
    try ForestError.check("high", count: high.count, is: configuration.dimensions)
    try ForestError.check("low", count: low.count, is: configuration.dimensions)
    guard isReady, hasShingle else {
      for index in high.indices {
        high[index] = 0
        low[index] = 0
      }
      return 0
    }
    core.form(input, shingling: shingling, learned: false)
    core.prepareQuery()
    return core.attribute(high: &high, low: &low)
  }
}

extension ForestCore {
  /// The attribution of `query`.
  package func attribute(
    high: inout MutableSpan<Double>, low: inout MutableSpan<Double>
  ) -> Double {
    let half = lanes / 2
    return withUnsafeTemporaryAllocation(of: Double.self, capacity: lanes) { sums in
      sums.initialize(repeating: 0)
      guard let start = sums.baseAddress else { return 0 }
      let score = rcf_attribution(forest, query, start) / Double(numberOfTrees)
      var total = 0.0
      for i in 0..<lanes { total += sums[i] }
      let scale = total > 0 ? score / total : 0
      for i in 0..<dimensions {
        high[i] = sums[i] * scale
        low[i] = sums[half + i] * scale
      }
      return score
    }
  }
}
