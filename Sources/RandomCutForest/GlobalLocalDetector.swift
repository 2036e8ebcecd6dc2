/// Finds anomalies among values of any type that has a distance: keeps a time-decayed sample,
/// clusters it now and then, and scores a value by its distance to the nearest cluster, in units of
/// that cluster's own radius.
///
/// Thus a value far from everything (globally) and one just off a tight cluster (locally) both
/// stand out.
public struct GlobalLocalDetector<Element> {
  /// What the detector says of one value.
  public struct Result {
    /// Distance to the nearest cluster in radii of it, at most 10; 0 until there are clusters.
    public var score: Double
    /// 0 for an ordinary value, up to 1.
    public var grade: Double
    /// The score from which on values are graded.
    public var threshold: Double
    /// Members of the nearest clusters with their share in the score, nearest first.
    public var representatives: [(element: Element, share: Double)]
  }

  private struct Sample {
    var element: Element
    var key: Double
  }

  private struct Cluster {
    /// Up to five scattered members.
    var representatives: [Element]
    var weight: Double
    var radius: Double
  }

  /// Values kept.
  public let sampleSize: Int
  private let distance: (Element, Element) -> Double
  private let timeDecay: Double
  private var random: SplitMix64
  private var samples: [Sample] = []
  private var clusters: [Cluster] = []
  private var thresholder: Thresholder
  private var seen = 0
  private var clusteredAt = 0
  private var recentMean: Deviation
  private var meanAtClustering = 0.0

  private static var mostClusters: Int { 10 }
  private static var mostRepresentatives: Int { 5 }
  private static var largestScore: Double { 10 }

  /// A detector without history.
  ///
  /// - Parameters:
  ///   - sampleSize: Values kept, 16...4096.
  ///   - timeDecay: The fraction of its weight that a value loses at every later one, 0...1; nil
  ///     for 1
  ///     / (10 × sample size).
  ///   - zFactor: How many deviations above the mean a score must lie, 2...100.
  ///   - seed: Same seed and values give the same answers.
  ///   - distance: Symmetric, never negative, 0 for equal values.
  /// - Throws: The first parameter that is out of range.
  public init(
    sampleSize: Int = 256, timeDecay: Double? = nil, zFactor: Double = 3, seed: UInt64 = 0,
    distance: @escaping (Element, Element) -> Double
  ) throws(ForestError) {
    try ForestError.check("sampleSize", Double(sampleSize), in: 16...4096)
    let timeDecay = timeDecay ?? 1 / (10 * Double(sampleSize))
    try ForestConfiguration.validate(timeDecay: timeDecay)
    try ForestError.check("zFactor", zFactor, in: 2...100)
    self.sampleSize = sampleSize
    self.timeDecay = timeDecay
    self.distance = distance
    random = SplitMix64(seed: seed)
    thresholder = Thresholder(discount: timeDecay, zFactor: zFactor)
    recentMean = Deviation(discount: 2 / Double(sampleSize))
  }

  /// Scores a value, then learns it.
  public mutating func process(_ element: Element) -> Result {
    if clustersAreStale { recluster() }
    var result = score(element)
    if !clusters.isEmpty {
      let (threshold, grade) = thresholder.primaryGrade(result.score)
      result.threshold = max(1.2, threshold)
      result.grade = result.score >= 1.2 ? grade : 0
      thresholder.update(result.score, corrected: result.score, previous: 0)
      recentMean.update(result.score)
    }
    sample(element)
    return result
  }

  private var clustersAreStale: Bool {
    let since = seen - clusteredAt
    guard seen >= sampleSize / 2, since >= sampleSize / 2 else { return false }
    guard !clusters.isEmpty else { return true }
    let mean = recentMean.mean
    return (mean - meanAtClustering).magnitude > 0.1 || mean > 1.7 || since > 10 * sampleSize
  }

  /// A reservoir in which old values give way: the smallest keys stay.
  private mutating func sample(_ element: Element) {
    seen += 1
    // The keys of older values are moved in place of dividing the new one by an ever larger weight.
    for i in samples.indices { samples[i].key += timeDecay }
    let new = Sample(element: element, key: logarithm(-logarithm(random.openUniform())))
    guard samples.count == sampleSize else {
      samples.append(new)
      return
    }
    var last = 0
    for i in samples.indices where samples[i].key > samples[last].key { last = i }
    if new.key < samples[last].key { samples[last] = new }
  }

  private func score(_ element: Element) -> Result {
    var nearest: [(element: Element, ratio: Double)] = []
    for cluster in clusters {
      var best: (element: Element, distance: Double)?
      for candidate in cluster.representatives {
        let gap = distance(element, candidate)
        if best.map({ gap < $0.distance }) ?? true { best = (candidate, gap) }
      }
      guard let best else { continue }
      let ratio = best.distance == 0 ? 0 : best.distance / cluster.radius
      nearest.append((best.element, min(Self.largestScore, ratio)))
    }
    nearest.sort { $0.ratio < $1.ratio }
    guard let first = nearest.first else {
      return Result(score: 0, grade: 0, threshold: 0, representatives: [])
    }
    var total = 0.0
    let shares = nearest.prefix(Self.mostRepresentatives).map { entry in
      (entry.element, exponential(first.ratio * first.ratio - entry.ratio * entry.ratio))
    }
    for share in shares { total += share.1 }
    return Result(
      score: first.ratio, grade: 0, threshold: 0,
      representatives: shares.map { ($0.0, $0.1 / total) })
  }

  /// Clusters the sample: many centres, merged from the lightest on while clusters overlap or are
  /// too many.
  private mutating func recluster() {
    clusteredAt = seen
    meanAtClustering = recentMean.mean
    clusters = []
    let wanted = min(samples.count, 3 * Self.mostClusters)
    for _ in 0..<wanted {
      let picked = samples[Int(random.next() % UInt64(samples.count))].element
      if clusters.contains(where: { distance($0.representatives[0], picked) == 0 }) { continue }
      clusters.append(Cluster(representatives: [picked], weight: 0, radius: 0))
    }
    assign()
    var settled = 0
    while settled < clusters.count, clusters.count > 1 {
      clusters.sort { $0.weight < $1.weight }
      let (other, gap) = neighbour(of: settled)
      let overlap = clusters[settled].radius + clusters[other].radius
      if clusters.count > Self.mostClusters || gap == 0 || overlap > 0.8 * gap {
        merge(settled, into: other)
        assign()
        settled = 0
      } else {
        settled += 1
      }
    }
    let light = 0.005 * Double(samples.count)
    let floor = smallestRadius
    clusters = clusters.filter { $0.weight >= light }
    for i in clusters.indices { clusters[i].radius = max(clusters[i].radius, floor) }
  }

  /// A cluster of equal values has a radius all the same: a hundredth of the mean one, or next to
  /// none.
  private var smallestRadius: Double {
    var sum = 0.0
    for cluster in clusters { sum += cluster.radius }
    return max(0.01 * sum / Double(max(1, clusters.count)), 1e-9)
  }

  private func neighbour(of cluster: Int) -> (index: Int, gap: Double) {
    var best = (index: cluster == 0 ? 1 : 0, gap: Double.infinity)
    for other in clusters.indices where other != cluster {
      for a in clusters[cluster].representatives {
        for b in clusters[other].representatives {
          let gap = distance(a, b)
          if gap < best.gap { best = (other, gap) }
        }
      }
    }
    return best
  }

  /// Keeps, of the members of both, those farthest from each other.
  private mutating func merge(_ a: Int, into b: Int) {
    let all = clusters[b].representatives + clusters[a].representatives
    var kept = [all[0]]
    while kept.count < min(all.count, Self.mostRepresentatives) {
      var farthest = (element: all[0], gap: -1.0)
      for candidate in all {
        let gap = kept.map { distance($0, candidate) }.min() ?? 0
        if gap > farthest.gap { farthest = (candidate, gap) }
      }
      if farthest.gap <= 0 { break }
      kept.append(farthest.element)
    }
    clusters[b].representatives = kept
    clusters.remove(at: a)
  }

  /// Weights and radii from the cluster nearest to each value.
  private mutating func assign() {
    for i in clusters.indices {
      clusters[i].weight = 0
      clusters[i].radius = 0
    }
    for sample in samples {
      var best = (index: 0, gap: Double.infinity)
      for (index, cluster) in clusters.enumerated() {
        for candidate in cluster.representatives {
          let gap = distance(sample.element, candidate)
          if gap < best.gap { best = (index, gap) }
        }
      }
      clusters[best.index].weight += 1
      clusters[best.index].radius += best.gap
    }
    for i in clusters.indices where clusters[i].weight > 0 {
      clusters[i].radius /= clusters[i].weight
    }
  }
}
