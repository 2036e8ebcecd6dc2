/// How likely each dimension of a box is to be cut: one weight per dimension, none negative; given
/// the lower and the upper corner.
///
/// Random cut trees are built with the lengths of the sides.
public typealias CutWeights = (_ low: [Double], _ high: [Double]) -> [Double]

extension RandomCutForest {
  /// The score in trees that would be built of the remembered points and the asked one with other
  /// weights of dimensions than these were.
  ///
  /// Each tree counts by how likely its own cuts would be then, so that the mean over many trees is
  /// that over trees built that way. The fewer the trees and the more the weights differ from the
  /// sides, the more it varies.
  ///
  /// - Parameters:
  ///   - input: As for `score`.
  ///   - functions: The score of a place in a tree; not normalised.
  ///   - weights: What the trees would be built with.
  /// - Returns: The mean over the trees; 0 until ready.
  /// - Throws: When the input has the wrong length or a value that cannot be used, or `weights`
  ///   does not return one usable weight per dimension.
  public mutating func simulatedTransductiveScore(
    _ input: Span<Float>, _ functions: ScoreFunctions, weights: @escaping CutWeights
  ) throws(ForestError) -> Double {
    try transductiveScore(input, functions, weights: weights, built: nil)
  }

  /// The score in trees that were built with `weights` of their points, if they were built anew
  /// with the asked one among them.
  ///
  /// With the lengths of the sides as weights this is `dynamicScore`.
  ///
  /// - Parameters:
  ///   - input: As for `score`.
  ///   - functions: The score of a place in a tree; not normalised.
  ///   - weights: What the trees are taken to have been built with.
  /// - Returns: The mean over the trees; 0 until ready.
  /// - Throws: As `simulatedTransductiveScore`.
  public mutating func transductiveScore(
    _ input: Span<Float>, _ functions: ScoreFunctions, weights: @escaping CutWeights
  ) throws(ForestError) -> Double {
    try transductiveScore(input, functions, weights: weights, built: weights)
  }

  private mutating func transductiveScore(
    _ input: Span<Float>, _ functions: ScoreFunctions, weights: @escaping CutWeights,
    built: CutWeights?
  ) throws(ForestError) -> Double {
    guard try ask(input) else { return 0 }
    var walk = TransductiveWalk(
      dimensions: configuration.dimensions, functions: functions, weights: weights, built: built)
    var sum = 0.0
    for tree in 0..<configuration.numberOfTrees { sum += try walk.score(core.view(tree)) }
    return sum / Double(configuration.numberOfTrees)
  }
}

/// The recursion over the path of a query under weights of the caller's.
private struct TransductiveWalk {
  private let functions: ScoreFunctions
  private let weights: CutWeights
  /// What the trees were built with; nil for the sides.
  private let built: CutWeights?
  private var path = TreePath()
  private var low: [Double]
  private var high: [Double]
  private var wideLow: [Double]
  private var wideHigh: [Double]

  init(
    dimensions: Int, functions: ScoreFunctions, weights: @escaping CutWeights, built: CutWeights?
  ) {
    self.functions = functions
    self.weights = weights
    self.built = built
    low = [Double](repeating: 0, count: dimensions)
    high = low
    wideLow = low
    wideHigh = low
  }

  mutating func score(_ tree: TreeView) throws(ForestError) -> Double {
    tree.descend(into: &path)
    let depth = path.depth
    let leafMass = Double(path.leafMass)
    let equal = tree.equalsQuery(path.leaf)
    var score =
      equal
      ? functions.damp(leafMass, Double(tree.mass)) * functions.seen(Double(depth), leafMass)
      : functions.unseen(Double(depth), leafMass)
    // Where the trees have the weights asked for, nothing changes inside a box, nor above it.
    if equal && built != nil { return score }
    for level in (0..<depth).reversed() {
      let node = path.nodes[level]
      let isInside = measure(tree, node)
      if isInside && built != nil { return score }
      let (separation, stay) = try chances(cutting: tree.dimension(node))
      let unseen = functions.unseen(Double(level), Double(path.masses[level]))
      score = separation * unseen + stay * score
    }
    return score
  }

  /// Takes the box of a node, and the box widened by the query; whether they are the same.
  private mutating func measure(_ tree: TreeView, _ node: TreeReference) -> Bool {
    var isInside = true
    for j in low.indices {
      low[j] = Double(tree.low(node, j))
      high[j] = Double(tree.high(node, j))
      wideLow[j] = min(low[j], Double(tree.query(j)))
      wideHigh[j] = max(high[j], Double(tree.query(j)))
      isInside = isInside && wideLow[j] == low[j] && wideHigh[j] == high[j]
    }
    return isInside
  }

  /// The chance that a cut of the widened box separates the query, and how many times likelier the
  /// node's own cut is there than where it was made.
  private func chances(
    cutting cut: Int
  ) throws(ForestError) -> (separation: Double, stay: Double) {
    let wide = try checked(weights(wideLow, wideHigh))
    var total = 0.0
    var separating = 0.0
    for j in low.indices {
      let side = wideHigh[j] - wideLow[j]
      guard side > 0 else { continue }
      total += wide[j]
      separating += wide[j] * (side - (high[j] - low[j])) / side
    }
    guard total > 0 else { return (0, 1) }
    var own: [Double]?
    if let built { own = try checked(built(low, high)) }
    var ownTotal = 0.0
    for j in low.indices where high[j] > low[j] { ownTotal += own?[j] ?? (high[j] - low[j]) }
    // Densities of this very cut: weight over all weights, spread over the side.
    let density = wide[cut] / total / (wideHigh[cut] - wideLow[cut])
    let ownWeight = own?[cut] ?? (high[cut] - low[cut])
    guard ownWeight > 0 else { return (separating / total, 0) }
    let ownDensity = ownWeight / ownTotal / (high[cut] - low[cut])
    return (separating / total, density / ownDensity)
  }

  private func checked(_ weights: [Double]) throws(ForestError) -> [Double] {
    try ForestError.check("weights", count: weights.count, is: low.count)
    for weight in weights { try ForestError.check("weight", weight, in: 0...1e300) }
    return weights
  }
}
