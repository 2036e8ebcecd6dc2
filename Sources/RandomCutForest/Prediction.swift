extension ThresholdedForest {
  /// Learns an input without judging it: for histories, and where only answers are wanted.
  ///
  /// - Parameters:
  ///   - values: As for `process`.
  ///   - timestamp: As for `process`.
  ///   - missing: As for `process`.
  /// - Throws: As `process`.
  public mutating func update(
    _ values: Span<Double>, timestamp: Int64, missing: [Int] = []
  ) throws(ForestError) {
    guard let complete = try accept(values, timestamp: timestamp, missing: missing)?.input else {
      return
    }
    corrector.clock += 1
    let block = preprocessor.block(
      complete, timestamp: timestamp, scales: preprocessor.scales)
    preprocessor.imputedInShingle = max(0, preprocessor.imputedInShingle - 1)
    preprocessor.update(complete, timestamp: timestamp, missing: missing)
    learn(block)
  }

  /// What the missing coordinates of an input could be, given the others and the inputs before;
  /// nothing is learned.
  ///
  /// - Parameters:
  ///   - values: `inputDimensions` values; what stands at missing coordinates is ignored but must
  ///     be finite.
  ///   - timestamp: When the input comes.
  ///   - missing: Coordinates to be predicted.
  ///   - mostClusters: Most distinct answers, 1...100.
  ///   - centrality: 1 asks each tree for its most ordinary completion and drops those whose known
  ///     coordinates lie far off, 0 takes a random one of each tree.
  /// - Returns: The coordinates `missing`, in their order and in units of the input; empty until
  ///   the forest is ready.
  /// - Throws: When an array has the wrong length, a value cannot be used, or a parameter is out of
  ///   range.
  public mutating func predict(
    _ values: Span<Double>, timestamp: Int64, missing: [Int], mostClusters: Int = 5,
    centrality: Double = 0.5
  ) throws(ForestError) -> SampleSummary {
    try ForestError.check("mostClusters", Double(mostClusters), in: 1...100)
    try ForestError.check("centrality", centrality, in: 0...1)
    var input = try check(values, timestamp: timestamp, missing: missing)
    guard forest.isReady, forest.hasShingle, !missing.isEmpty else { return SampleSummary() }
    for coordinate in missing { input[coordinate] = preprocessor.statistics[coordinate].previous }
    let scales = preprocessor.scales
    let point = forest.shingled(
      preprocessor.block(input, timestamp: timestamp, scales: scales))
    let start = point.count - configuration.blockSize
    forest.core.set(point)
    let candidates = typical(
      forest.candidatesOfQuery(missing: missing.map { start + $0 }, centrality: centrality),
      centrality: centrality)
    return SampleSummary(
      candidates.map { candidate in
        missing.map { Float(scales[$0].invert(candidate.point[start + $0])) }
      },
      weights: candidates.map { $0.weight }, mostClusters: mostClusters, mostRepresentatives: 1,
      seed: configuration.forest.seed)
  }

  /// The candidates near enough: the farther from the typical distance, the less `centrality`
  /// tolerates them.
  private func typical(_ candidates: [Candidate], centrality: Double) -> [Candidate] {
    let distant = candidates.filter { $0.distance > 0 }.sorted { $0.distance < $1.distance }
    guard let farthest = distant.last else { return candidates }
    let middle = weightedQuantile(
      distant.map { (value: Float($0.distance), weight: $0.weight) }, 0.5)
    let limit = centrality * Double(middle) + (1 - centrality) * farthest.distance
    // The quantile is single precision.
    return candidates.filter { $0.distance <= limit * (1 + 1e-6) }
  }

  /// The anomaly score that an input would have; nothing is learned.
  public mutating func score(
    _ values: Span<Double>, timestamp: Int64
  ) throws(ForestError) -> Double {
    forest.score(of: try point(values, timestamp: timestamp))
  }

  /// What each coordinate of the shingle that an input would complete contributes to its score,
  /// oldest input first; nothing is learned.
  public mutating func attribution(
    _ values: Span<Double>, timestamp: Int64
  ) throws(ForestError) -> Attribution {
    forest.attribution(of: try point(values, timestamp: timestamp))
  }

  /// What surrounds the shingle that an input would complete, in units of the transformed inputs;
  /// nothing is learned.
  public mutating func interpolation(
    _ values: Span<Double>, timestamp: Int64
  ) throws(ForestError) -> Interpolation {
    let point = try point(values, timestamp: timestamp)
    guard forest.isReady, forest.hasShingle else {
      return Interpolation(dimensions: configuration.forest.dimensions)
    }
    forest.core.set(point)
    return forest.interpolationOfQuery()
  }

  /// The shingles remembered nearest to the one that an input would complete, in units of the
  /// transformed inputs; nothing is learned.
  public mutating func nearNeighbours(
    _ values: Span<Double>, timestamp: Int64
  ) throws(ForestError) -> [NearNeighbour] {
    forest.neighbours(of: try point(values, timestamp: timestamp))
  }

  private mutating func point(
    _ values: Span<Double>, timestamp: Int64
  ) throws(ForestError) -> [Float] {
    let input = try check(values, timestamp: timestamp, missing: [])
    return forest.shingled(
      preprocessor.block(input, timestamp: timestamp, scales: preprocessor.scales))
  }
}
