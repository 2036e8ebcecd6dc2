/// What a weighted set of points looks like: per coordinate, and as a few clusters.
public struct SampleSummary: Equatable, Sendable {
  /// A group of points.
  public struct Cluster: Equatable, Sendable {
    /// The weighted median of the members, coordinate by coordinate.
    public var centre: [Float]
    /// Members that stand for it; several lie far from each other.
    public var representatives: [[Float]]
    /// The members' part of the whole weight, 0...1.
    public var share: Double
    /// Mean L1 distance of the members to the nearest representative.
    public var radius: Double
  }

  /// Sum of the weights; 0 where nothing is known, and then all else is empty.
  public var weight = 0.0
  /// Means per coordinate.
  public var mean: [Double] = []
  /// Standard deviations per coordinate.
  public var deviation: [Double] = []
  /// Medians with the 10 % and 90 % quantiles per coordinate.
  public var estimate = Estimate(values: [], lower: [], upper: [])
  /// The groups, heaviest first.
  public var clusters: [Cluster] = []

  /// Points that are clustered; of more, a sample.
  private static let mostClustered = 2000

  /// Nothing known.
  public init() {}

  /// Summarises points of equal length with one positive weight each.
  init(
    _ points: [[Float]], weights: [Double], mostClusters: Int, mostRepresentatives: Int,
    seed: UInt64
  ) {
    for one in weights { weight += one }
    guard weight > 0, let first = points.first else { return }
    for j in first.indices { describe(points.map { $0[j] }, weights: weights) }
    var random = SplitMix64(seed: seed)
    let (members, shares) = Self.thinned(points, weights, total: weight, &random)
    cluster(members, shares, mostClusters, mostRepresentatives, &random)
  }

  private mutating func describe(_ values: [Float], weights: [Double]) {
    var sum = 0.0
    for (value, weight) in zip(values, weights) { sum += weight * Double(value) }
    let mean = sum / weight
    var squares = 0.0
    for (value, weight) in zip(values, weights) {
      squares += weight * (Double(value) - mean) * (Double(value) - mean)
    }
    self.mean.append(mean)
    deviation.append((squares / weight).squareRoot())
    let sorted = zip(values, weights).map { (value: $0, weight: $1) }
      .sorted { $0.value < $1.value }
    estimate.lower.append(weightedQuantile(sorted, 0.1))
    estimate.values.append(weightedQuantile(sorted, 0.5))
    estimate.upper.append(weightedQuantile(sorted, 0.9))
  }

  /// Keeps what is heavy, and of the rest a sample that weighs the same on the mean.
  private static func thinned(
    _ points: [[Float]], _ weights: [Double], total: Double, _ random: inout SplitMix64
  ) -> ([[Float]], [Double]) {
    guard points.count > mostClustered else { return (points, weights) }
    let chance = Double(mostClustered) / Double(points.count)
    var kept: [[Float]] = []
    var shares: [Double] = []
    for (point, weight) in zip(points, weights) {
      if weight > 0.005 * total {
        kept.append(point)
        shares.append(weight)
      } else if random.uniform() < chance {
        kept.append(point)
        shares.append(weight / chance)
      }
    }
    return (kept, shares)
  }

  private mutating func cluster(
    _ points: [[Float]], _ weights: [Double], _ mostClusters: Int, _ mostRepresentatives: Int,
    _ random: inout SplitMix64
  ) {
    let clustering = Clustering(
      points, weights: weights, mostClusters: mostClusters,
      mostRepresentatives: mostRepresentatives, random: &random, distance: Self.distance)
    var whole = 0.0
    for weight in weights { whole += weight }
    for (number, found) in clustering.clusters.enumerated() where found.weight > 0 {
      let members = points.indices.filter { clustering.homes[$0] == number }
      let centre = found.representatives[0].indices.map { j in
        weightedQuantile(
          members.map { (value: points[$0][j], weight: weights[$0]) }
            .sorted { $0.value < $1.value }, 0.5)
      }
      clusters.append(
        Cluster(
          centre: centre, representatives: found.representatives, share: found.weight / whole,
          radius: found.radius))
    }
    clusters.sort { a, b in
      a.share != b.share ? a.share > b.share : a.centre.lexicographicallyPrecedes(b.centre)
    }
  }

  private static func distance(_ a: [Float], _ b: [Float]) -> Double {
    var sum = 0.0
    for j in a.indices { sum += (Double(a[j]) - Double(b[j])).magnitude }
    return sum
  }
}

extension RandomCutForest {
  /// What the forest remembers, in a few clusters; each point counts once for every tree that holds
  /// it.
  ///
  /// - Parameters:
  ///   - mostClusters: Most clusters found, 1...100; similar ones are merged.
  ///   - mostRepresentatives: Most members that stand for a cluster, 1...10: 1 finds round groups,
  ///     more of them long ones, and is slower to merge.
  /// - Returns: Of points as the forest keeps them: shingled.
  /// - Throws: When a parameter is out of range.
  public func summarize(
    mostClusters: Int = 10, mostRepresentatives: Int = 1
  ) throws(ForestError) -> SampleSummary {
    try ForestError.check("mostClusters", Double(mostClusters), in: 1...100)
    try ForestError.check("mostRepresentatives", Double(mostRepresentatives), in: 1...10)
    var points: [[Float]] = []
    var weights: [Double] = []
    for start in 0..<core.store.end where core.store.references[start] > 0 {
      let first = start * core.store.block
      points.append((first..<first + configuration.dimensions).map { core.store.floats[$0] })
      weights.append(Double(core.store.references[start]))
    }
    return SampleSummary(
      points, weights: weights, mostClusters: mostClusters,
      mostRepresentatives: mostRepresentatives,
      seed: configuration.seed &+ UInt64(truncatingIfNeeded: totalUpdates))
  }
}
