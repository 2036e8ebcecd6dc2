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

  struct Sample {
    var element: Element
    var key: Double
  }

  /// Values kept.
  public let sampleSize: Int
  private let distance: (Element, Element) -> Double
  private let timeDecay: Double
  var random: SplitMix64
  var samples: [Sample] = []
  var clusters: [Clustering<Element>.Cluster] = []
  var thresholder: Thresholder
  var seen = 0
  var clusteredAt = 0
  var recentMean: Deviation
  var meanAtClustering = 0.0

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

  private mutating func recluster() {
    clusteredAt = seen
    meanAtClustering = recentMean.mean
    let light = 0.005 * Double(samples.count)
    clusters =
      Clustering(
        samples.map { $0.element }, weights: samples.map { _ in 1 },
        mostClusters: Self.mostClusters, mostRepresentatives: Self.mostRepresentatives,
        random: &random, distance: distance
      ).clusters.filter { $0.weight >= light }
    let floor = smallestRadius
    for i in clusters.indices { clusters[i].radius = max(clusters[i].radius, floor) }
  }

  /// A cluster of equal values has a radius all the same: a hundredth of the mean one, or next to
  /// none.
  private var smallestRadius: Double {
    var sum = 0.0
    for cluster in clusters { sum += cluster.radius }
    return max(0.01 * sum / Double(max(1, clusters.count)), 1e-9)
  }
}
