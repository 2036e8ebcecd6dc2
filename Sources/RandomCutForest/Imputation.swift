/// A value for each dimension, with the range in which 80 % of what the trees proposed lies.
public struct Estimate: Equatable, Sendable {
  /// Weighted medians.
  public var values: [Float]
  /// 10 % quantiles.
  public var lower: [Float]
  /// 90 % quantiles.
  public var upper: [Float]

  /// An estimate from its three series, which have the same length.
  public init(values: [Float], lower: [Float], upper: [Float]) {
    self.values = values
    self.lower = lower
    self.upper = upper
  }
}

/// What one tree proposes in place of the missing coordinates.
package struct Candidate: Equatable, Sendable {
  /// Where the leaf's point begins in the store.
  package var position: Int
  /// L1 distance to the query over the known coordinates.
  package var distance: Double
  package var point: [Float]
  package var weight = 1.0
}

extension RandomCutForest {
  /// The point that `input` would complete with the coordinates `missing` filled in from what is
  /// remembered of the others.
  ///
  /// - Parameters:
  ///   - input: As for `score`; what stands at missing coordinates does not matter but must be
  ///     finite.
  ///   - missing: Dimensions of the shingled point, each from 0 up to `dimensions`.
  ///   - centrality: 1 takes the most ordinary completion of each tree, 0 a random one.
  /// - Returns: The whole point; the known coordinates are unchanged. Until ready, the query
  ///   itself.
  /// - Throws: When the input has the wrong length or a value that cannot be used, or a parameter
  ///   is out of range.
  public mutating func impute(
    _ input: Span<Float>, missing: [Int], centrality: Double = 1
  ) throws(ForestError) -> Estimate {
    try check(missing: missing, centrality: centrality)
    try check(input)
    core.form(input, shingling: shingling, learned: false)
    core.prepareQuery()
    return estimateOfQuery(missing: missing, centrality: centrality)
  }

  func check(missing: [Int], centrality: Double) throws(ForestError) {
    for dimension in missing {
      try ForestError.check(
        "missing", Double(dimension), in: 0...Double(configuration.dimensions - 1))
    }
    try ForestError.check("centrality", centrality, in: 0...1)
  }

  /// Completes the point at hand.
  mutating func estimateOfQuery(missing: [Int], centrality: Double = 1) -> Estimate {
    let query = core.values
    guard isReady, !missing.isEmpty else {
      return Estimate(values: query, lower: query, upper: query)
    }
    let candidates = candidatesOfQuery(missing: missing, centrality: centrality)
    var estimate = Estimate(values: query, lower: query, upper: query)
    for dimension in missing {
      let sorted = candidates.map { (value: $0.point[dimension], weight: $0.weight) }
        .sorted { $0.value < $1.value }
      estimate.lower[dimension] = weightedQuantile(sorted, 0.1)
      estimate.values[dimension] = weightedQuantile(sorted, 0.5)
      estimate.upper[dimension] = weightedQuantile(sorted, 0.9)
    }
    return estimate
  }

  /// One candidate per tree; those with the same point are one, with their weights added.
  mutating func candidatesOfQuery(missing: [Int], centrality: Double) -> [Candidate] {
    var isMissing = [Bool](repeating: false, count: configuration.dimensions)
    for dimension in missing { isMissing[dimension] = true }
    // Asking must not change the forest: the generator starts anew from its state.
    var random = SplitMix64(seed: configuration.seed &+ UInt64(truncatingIfNeeded: totalUpdates))
    var candidates: [Candidate] = []
    for number in 0..<configuration.numberOfTrees {
      var walk = ImputationWalk(
        tree: core.view(number), isMissing: isMissing, centrality: centrality, random: random)
      let found = walk.run()
      random = walk.random
      if let known = candidates.firstIndex(where: { $0.position == found.position }) {
        candidates[known].weight += 1
      } else {
        candidates.append(found)
      }
    }
    return candidates
  }
}

/// The first value at which the running weight reaches the fraction of the whole.
func weightedQuantile(_ sorted: [(value: Float, weight: Double)], _ fraction: Double) -> Float {
  var total = 0.0
  for entry in sorted { total += entry.weight }
  var running = 0.0
  for entry in sorted {
    running += entry.weight
    if running >= fraction * total { return entry.value }
  }
  return sorted.last?.value ?? 0
}

/// The walk of a query with missing coordinates: where a node cuts one of them, both ways are gone.
package struct ImputationWalk {
  private let tree: TreeView
  private let isMissing: [Bool]
  private let centrality: Double
  package private(set) var random: SplitMix64

  package init(tree: TreeView, isMissing: [Bool], centrality: Double, random: SplitMix64) {
    self.tree = tree
    self.isMissing = isMissing
    self.centrality = centrality
    self.random = random
  }

  private struct Branch {
    var leaf: TreeReference
    var distance: Double
    var rank: Double
    var adjusted: Double
    /// Whether a box has contained the completed query already.
    var isInside = false
  }

  /// The candidate of this tree.
  package mutating func run() -> Candidate {
    let best = best(below: tree.root, depth: 0, mass: tree.mass)
    let point = (0..<tree.dimensions).map { completed($0, best.leaf) }
    return Candidate(position: tree.position(best.leaf), distance: best.distance, point: point)
  }

  private func completed(_ dimension: Int, _ leaf: TreeReference) -> Float {
    isMissing[dimension] ? tree.value(leaf, dimension) : tree.query(dimension)
  }

  /// The better of the leaves below; trees of duplicates are deep, but no deeper than their
  /// samples.
  private mutating func best(below node: TreeReference, depth: Int, mass: Int) -> Branch {
    if node.isLeaf { return start(at: node, depth: depth, mass: mass) }
    let leftMass = tree.leftMass(node)
    let dimension = tree.dimension(node)
    var branch: Branch
    if isMissing[dimension] {
      let left = best(below: tree.left(node), depth: depth + 1, mass: leftMass)
      let right = best(below: tree.right(node), depth: depth + 1, mass: mass - leftMass)
      branch = right.adjusted < left.adjusted ? right : left
    } else if tree.query(dimension) <= tree.cut(node) {
      branch = best(below: tree.left(node), depth: depth + 1, mass: leftMass)
    } else {
      branch = best(below: tree.right(node), depth: depth + 1, mass: mass - leftMass)
    }
    climb(&branch, to: node, depth: depth)
    return branch
  }

  private mutating func start(at leaf: TreeReference, depth: Int, mass: Int) -> Branch {
    var distance = 0.0
    for j in 0..<tree.dimensions where !isMissing[j] {
      distance += Double((tree.query(j) - tree.value(leaf, j)).magnitude)
    }
    var rank = 1 / Double(depth + 1)
    if distance <= 0 { rank = depth == 0 ? 0 : 1 / (Double(depth) + tree.log2(mass + 1)) }
    let chance = centrality < 1 ? random.uniform() : 0
    return Branch(
      leaf: leaf, distance: distance, rank: rank,
      adjusted: (1 - centrality) * chance + centrality * rank)
  }

  private func climb(_ branch: inout Branch, to node: TreeReference, depth: Int) {
    guard !branch.isInside else { return }
    var gap = 0.0
    for j in 0..<tree.dimensions {
      let value = completed(j, branch.leaf)
      gap += Double(max(0, value - tree.high(node, j)) + max(0, tree.low(node, j) - value))
    }
    guard gap > 0 else {
      branch.isInside = true
      return
    }
    let separation = gap / (tree.range(node) + gap)
    let chance = branch.adjusted - centrality * branch.rank
    branch.rank = separation / Double(depth + 1) + (1 - separation) * branch.rank
    branch.adjusted = chance + centrality * branch.rank
  }
}
