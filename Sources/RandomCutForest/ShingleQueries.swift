/// Questions about shingled points of the caller's making, such as one with an anomaly taken out.
extension RandomCutForest {
  /// The point that `block` would complete.
  mutating func shingled(_ block: [Float]) -> [Float] {
    core.form(block.span, shingling: shingling, learned: false)
    return core.values
  }

  mutating func score(of point: [Float]) -> Double {
    guard isReady, hasShingle else { return 0 }
    core.set(point)
    return core.score()
  }

  mutating func attribution(of point: [Float]) -> Attribution {
    var high = [Double](repeating: 0, count: configuration.dimensions)
    var low = high
    guard isReady, hasShingle else { return Attribution(high: high, low: low) }
    core.set(point)
    var highSpan = high.mutableSpan
    var lowSpan = low.mutableSpan
    _ = core.attribute(high: &highSpan, low: &lowSpan)
    return Attribution(high: high, low: low)
  }

  mutating func imputed(_ point: [Float], missing: [Int]) -> [Float] {
    core.set(point)
    return estimateOfQuery(missing: missing).values
  }

  mutating func distanceScore(of point: [Float]) -> Double {
    guard isReady, hasShingle else { return 0 }
    core.set(point)
    return interpolationOfQuery().distanceScore
  }

  mutating func neighbours(of point: [Float]) -> [NearNeighbour] {
    guard isReady, hasShingle else { return [] }
    core.set(point)
    return neighboursOfQuery(maximumDistance: .infinity)
  }

  /// Learns the point that a block completes; its values are known to be usable.
  mutating func learn(_ block: [Float]) {
    let isComplete = hasShingle
    core.form(block.span, shingling: shingling, learned: true)
    if isComplete && !isSamplingPaused {
      core.prepareQuery()
      core.expect()
      core.offer(weight: 1, initialAcceptFraction: configuration.initialAcceptFraction)
    }
    totalUpdates += 1
  }

  /// Pushes a block into the shingle without learning the point.
  mutating func push(_ block: [Float]) {
    core.form(block.span, shingling: shingling, learned: true)
    totalUpdates += 1
  }
}

extension Attribution {
  /// Both directions together, per dimension.
  var sums: [Double] { high.indices.map { high[$0] + low[$0] } }
}
