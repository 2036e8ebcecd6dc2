extension RandomCutForest {
  /// The next `horizon` inputs, as the forest would complete the series one step after the other.
  ///
  /// Ranges are those of each step given the medians of the steps before it; they do not grow with
  /// the horizon. `Forecaster` calibrates them.
  ///
  /// - Parameters:
  ///   - horizon: Steps ahead, 1...1000.
  ///   - centrality: 1 follows the most ordinary continuation of each tree, 0 a random one.
  /// - Returns: `horizon` × `inputDimensions` values, step after step; the last input until ready.
  /// - Throws: When a parameter is out of range, or the forest does not form shingles itself.
  public mutating func extrapolate(
    horizon: Int, centrality: Double = 1
  ) throws(ForestError) -> Estimate {
    try ForestError.check("horizon", Double(horizon), in: 1...1000)
    guard configuration.internalShingling, configuration.shingleSize > 1 else {
      throw .inconsistent(
        parameter: "shingleSize", value: Double(configuration.shingleSize),
        hint: "a forecast needs internal shingling of at least 2 inputs")
    }
    try check(missing: [], centrality: centrality)
    return extrapolate(
      from: core.shingleValues, nextSlot: totalUpdates % configuration.shingleSize,
      horizon: horizon, centrality: centrality)
  }

  /// Continues a shingle of the caller's.
  mutating func extrapolate(
    from shingle: [Float], nextSlot: Int, horizon: Int, centrality: Double
  ) -> Estimate {
    let block = configuration.inputDimensions
    let last = configuration.dimensions - block
    var query = shingle
    var result = Estimate(values: [], lower: [], upper: [])
    var slot = nextSlot
    for _ in 0..<horizon {
      var start = last
      if configuration.internalRotation {
        start = slot * block
        slot = (slot + 1) % configuration.shingleSize
      } else {
        // The missing block begins with the values before it, where the forest is not ready.
        query = Array(query[block...]) + query[last...]
      }
      core.set(query)
      let missing = Array(start..<start + block)
      let estimate = estimateOfQuery(missing: missing, centrality: centrality)
      result.values += estimate.values[start..<start + block]
      result.lower += estimate.lower[start..<start + block]
      result.upper += estimate.upper[start..<start + block]
      query = estimate.values
    }
    return result
  }
}
