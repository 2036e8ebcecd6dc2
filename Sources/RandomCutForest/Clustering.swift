/// Groups weighted values of any type that has a distance: starts from many centres and merges,
/// from the lightest cluster on, while clusters overlap or are too many.
struct Clustering<Element> {
  struct Cluster {
    /// Scattered members, far from each other.
    var representatives: [Element]
    /// Sum of the weights of its members.
    var weight: Double
    /// Mean distance of its members to the nearest representative.
    var radius: Double
  }

  private(set) var clusters: [Cluster] = []
  /// The cluster of each member.
  private(set) var homes: [Int]
  private let members: [Element]
  private let weights: [Double]
  private let distance: (Element, Element) -> Double
  private let mostRepresentatives: Int
  /// Of each cluster: the distance of every member to its nearest representative.
  private var gaps: [[Double]] = []

  /// How far, in sums of radii, clusters lie apart that stay two.
  private static var overlap: Double { 0.8 }

  /// Clusters `members`; without a positive weight there are none.
  ///
  /// - Parameters:
  ///   - members: What is clustered.
  ///   - weights: One per member, none negative.
  ///   - mostClusters: Most clusters that remain.
  ///   - mostRepresentatives: Most members that stand for a cluster.
  ///   - random: Picks the first centres.
  ///   - distance: Symmetric, never negative, 0 for equal values.
  init(
    _ members: [Element], weights: [Double], mostClusters: Int, mostRepresentatives: Int,
    random: inout SplitMix64, distance: @escaping (Element, Element) -> Double
  ) {
    self.members = members
    self.weights = weights
    self.distance = distance
    self.mostRepresentatives = mostRepresentatives
    homes = [Int](repeating: 0, count: members.count)
    for centre in Self.picks(3 * mostClusters, from: weights, &random) {
      if clusters.contains(where: { distance($0.representatives[0], members[centre]) == 0 }) {
        continue
      }
      add(Cluster(representatives: [members[centre]], weight: 0, radius: 0))
    }
    assign()
    while mergeOne(mostClusters: mostClusters) { assign() }
  }

  /// Members drawn in proportion to their weights; some may come twice.
  private static func picks(
    _ count: Int, from weights: [Double], _ random: inout SplitMix64
  ) -> [Int] {
    var sums: [Double] = []
    var total = 0.0
    for weight in weights {
      total += weight
      sums.append(total)
    }
    guard total > 0 else { return [] }
    return (0..<min(count, weights.count)).map { _ in
      let target = random.uniform() * total
      return sums.firstIndex { $0 > target } ?? weights.count - 1
    }
  }

  private mutating func add(_ cluster: Cluster) {
    clusters.append(cluster)
    gaps.append(
      members.map { member in
        var least = Double.infinity
        for representative in cluster.representatives {
          least = min(least, distance(member, representative))
        }
        return least
      })
  }

  /// Weights and radii from the cluster nearest to each member.
  private mutating func assign() {
    for i in clusters.indices {
      clusters[i].weight = 0
      clusters[i].radius = 0
    }
    guard !clusters.isEmpty else { return }
    for member in members.indices {
      var nearest = 0
      for other in clusters.indices where gaps[other][member] < gaps[nearest][member] {
        nearest = other
      }
      homes[member] = nearest
      clusters[nearest].weight += weights[member]
      clusters[nearest].radius += weights[member] * gaps[nearest][member]
    }
    for i in clusters.indices where clusters[i].weight > 0 {
      clusters[i].radius /= clusters[i].weight
    }
  }

  /// Merges the lightest cluster that has to be with its neighbour; false when all may stay.
  private mutating func mergeOne(mostClusters: Int) -> Bool {
    guard clusters.count > 1 else { return false }
    let order = clusters.indices.sorted { a, b in
      clusters[a].weight != clusters[b].weight ? clusters[a].weight < clusters[b].weight : a < b
    }
    for light in order {
      let (other, gap) = neighbour(of: light)
      let reach = clusters[light].radius + clusters[other].radius
      guard clusters.count > mostClusters || gap == 0 || reach > Self.overlap * gap else {
        continue
      }
      merge(light, other)
      return true
    }
    return false
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

  /// Keeps, of the representatives of both, those farthest from each other.
  private mutating func merge(_ a: Int, _ b: Int) {
    let all = clusters[b].representatives + clusters[a].representatives
    var kept = [all[0]]
    while kept.count < min(all.count, mostRepresentatives) {
      var farthest = (element: all[0], gap: -1.0)
      for candidate in all {
        var gap = Double.infinity
        for other in kept { gap = min(gap, distance(candidate, other)) }
        if gap > farthest.gap { farthest = (candidate, gap) }
      }
      if farthest.gap <= 0 { break }
      kept.append(farthest.element)
    }
    for index in [max(a, b), min(a, b)] {
      clusters.remove(at: index)
      gaps.remove(at: index)
    }
    add(Cluster(representatives: kept, weight: 0, radius: 0))
  }
}
