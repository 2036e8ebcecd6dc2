/// The three functions that turn a place in a tree into a score; each is given a depth and a mass.
public struct ScoreFunctions {
  /// Score of a point that equals a leaf of this depth and mass.
  public var seen: (_ depth: Double, _ mass: Double) -> Double
  /// Score of a point cut off above a node of this depth and mass.
  public var unseen: (_ depth: Double, _ mass: Double) -> Double
  /// Factor for a seen point, of the masses of its leaf and of the tree.
  public var damp: (_ leafMass: Double, _ treeMass: Double) -> Double

  /// Functions of a caller's own.
  public init(
    seen: @escaping (Double, Double) -> Double, unseen: @escaping (Double, Double) -> Double,
    damp: @escaping (Double, Double) -> Double
  ) {
    self.seen = seen
    self.unseen = unseen
    self.damp = damp
  }

  /// Expected inverse depth: what `score` computes, before it is normalised by log2(mass + 1).
  public static var inverseDepth: ScoreFunctions {
    ScoreFunctions(
      seen: { depth, mass in 1 / (depth + logarithm2(mass + 1)) },
      unseen: { depth, _ in 1 / (depth + 1) },
      damp: { leaf, tree in 1 - leaf / (2 * tree) })
  }

  /// Displacement: how many points a new one would push one level down.
  public static var displacement: ScoreFunctions {
    ScoreFunctions(
      seen: { _, mass in 1 / (1 + mass) }, unseen: { _, mass in mass },
      damp: { leaf, tree in 1 - leaf / (2 * tree) })
  }
}

extension RandomCutForest {
  /// Makes the point that `input` would complete the query; false when there is no answer yet.
  mutating func ask(_ input: Span<Float>) throws(ForestError) -> Bool {
    try check(input)
    guard isReady, hasShingle else { return false }
    core.form(input, shingling: shingling, learned: false)
    core.prepareQuery()
    return true
  }

  /// The score under functions of the caller's, mean over the trees, not normalised; 0 until ready.
  ///
  /// - Parameters:
  ///   - input: As for `score`.
  ///   - functions: The score of a place in a tree.
  ///   - ignoringLeafMass: Leaves that equal the point and have at most this mass are treated as if
  ///     they were not there.
  /// - Returns: The mean over the trees.
  /// - Throws: When the input has the wrong length or a value that cannot be used.
  public mutating func dynamicScore(
    _ input: Span<Float>, _ functions: ScoreFunctions, ignoringLeafMass: Int = 0
  ) throws(ForestError) -> Double {
    guard try ask(input) else { return 0 }
    var walk = ScoreWalk(dimensions: configuration.dimensions)
    var sum = 0.0
    for tree in 0..<configuration.numberOfTrees {
      sum += walk.score(core.view(tree), functions, ignoringLeafMass: ignoringLeafMass)
    }
    return sum / Double(configuration.numberOfTrees)
  }

  /// The fraction of the remembered points that the point would push down if it were inserted: 0
  /// until ready, 1 for a point that every tree would cut off first.
  public mutating func displacementScore(_ input: Span<Float>) throws(ForestError) -> Double {
    guard try ask(input) else { return 0 }
    var walk = ScoreWalk(dimensions: configuration.dimensions)
    var sum = 0.0
    for tree in 0..<configuration.numberOfTrees {
      let view = core.view(tree)
      sum +=
        walk.score(view, .displacement, ignoringLeafMass: 0) / Double(1 + view.mass)
    }
    return sum / Double(configuration.numberOfTrees)
  }

  /// The expected collusive displacement of the point if it were inserted: over its ancestors, the
  /// largest ratio of the points beside it to the points with it; 0 until ready.
  ///
  /// Where rrcf inserts the point once, this is the exact expectation over the cuts that would be
  /// drawn.
  public mutating func collusiveDisplacement(
    _ input: Span<Float>
  ) throws(ForestError) -> Double {
    guard try ask(input) else { return 0 }
    var walk = ScoreWalk(dimensions: configuration.dimensions)
    var sum = 0.0
    for tree in 0..<configuration.numberOfTrees {
      sum += walk.collusiveDisplacement(core.view(tree))
    }
    return sum / Double(configuration.numberOfTrees)
  }

  /// The score from as many trees as it takes to be sure: the walk over the trees ends when 1 /
  /// `precision` of them have confirmed what the running mean says.
  ///
  /// - Parameters:
  ///   - input: As for `score`.
  ///   - precision: 0.01...1; smaller asks more trees.
  ///   - highIsCritical: Whether high scores are what matters; trees that say more count as
  ///     confirming.
  /// - Returns: The mean over the trees asked, and their number.
  /// - Throws: When the input has the wrong length or a value that cannot be used, or `precision`
  ///   is out of range.
  public mutating func approximateScore(
    _ input: Span<Float>, precision: Double = 0.1, highIsCritical: Bool = true
  ) throws(ForestError) -> (score: Double, trees: Int) {
    try ForestError.check("precision", precision, in: 0.01...1)
    guard try ask(input) else { return (0, 0) }
    let sign = highIsCritical ? 1.0 : -1.0
    var scores: [Double] = []
    var sum = 0.0
    var squares = 0.0
    var witnesses = 0
    for tree in 0..<configuration.numberOfTrees {
      if tree == scores.count { core.scores(from: tree, into: &scores) }
      let value = scores[tree]
      sum += value
      squares += value * value
      let count = Double(tree + 1)
      let mean = sum / count
      let deviation = max(0, squares / count - mean * mean).squareRoot()
      if tree >= 5, sign * (value - mean) + 1e-6 > 0.5 * deviation { witnesses += 1 }
      if Double(witnesses) >= 1 / precision { return (mean, tree + 1) }
    }
    return (sum / Double(configuration.numberOfTrees), configuration.numberOfTrees)
  }
}

/// The recursions over the path of a query whose functions are the caller's.
struct ScoreWalk {
  private var path = TreePath()
  private var gaps: Gaps
  private var shadow: ShadowBox

  init(dimensions: Int) {
    gaps = Gaps(dimensions: dimensions)
    shadow = ShadowBox(dimensions: dimensions)
  }

  mutating func score(
    _ tree: TreeView, _ functions: ScoreFunctions, ignoringLeafMass: Int
  ) -> Double {
    tree.descend(into: &path)
    let depth = path.depth
    let leafMass = Double(path.leafMass)
    let equal = tree.equalsQuery(path.leaf)
    if equal && path.leafMass > ignoringLeafMass {
      return functions.damp(leafMass, Double(tree.mass)) * functions.seen(Double(depth), leafMass)
    }
    var score = functions.unseen(Double(depth), leafMass)
    shadow.clear()
    for level in (0..<depth).reversed() {
      let separation: Double
      if ignoringLeafMass > 0 {
        shadow.widen(by: path.siblings[level], of: tree)
        gaps.measure(tree, shadow)
        let range = shadow.range
        separation = range <= 0 ? 1 : gaps.sum / (range + gaps.sum)
      } else {
        gaps.measure(tree, path.nodes[level])
        if gaps.sum == 0 { return score }
        separation = gaps.sum / (tree.range(path.nodes[level]) + gaps.sum)
      }
      let unseen = functions.unseen(Double(level), Double(path.masses[level]))
      score = separation * unseen + (1 - separation) * score
    }
    return score
  }

  mutating func collusiveDisplacement(_ tree: TreeView) -> Double {
    tree.descend(into: &path)
    let depth = path.depth
    // largest[i]: over the nodes above level i, with the point among those that follow the path.
    var largest = [0.0]
    for level in 0..<depth {
      let below = level + 1 < depth ? path.masses[level + 1] : path.leafMass
      let ratio = Double(path.masses[level] - below) / Double(below + 1)
      largest.append(max(largest[level], ratio))
    }
    if tree.equalsQuery(path.leaf) { return largest[depth] }
    var expected = max(largest[depth], Double(path.leafMass))
    for level in (0..<depth).reversed() {
      gaps.measure(tree, path.nodes[level])
      if gaps.sum == 0 { break }
      let separation = gaps.sum / (tree.range(path.nodes[level]) + gaps.sum)
      let separated = max(largest[level], Double(path.masses[level]))
      expected = separation * separated + (1 - separation) * expected
    }
    return expected
  }
}
