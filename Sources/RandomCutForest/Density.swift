/// What a forest knows about the points around a query, per dimension and direction.
///
/// - Source: the interpolation of AWS's implementation: averages, over the cuts that would separate
///   the query, of what lies on the other side.
public struct Interpolation: Equatable, Sendable {
  /// Probability of being cut off in this dimension and direction; sums to about 1.
  public var probabilityMass: Attribution
  /// Points on the other side of the cut.
  public var measure: Attribution
  /// Distance to the far end of the box on the other side.
  public var distances: Attribution
  /// Mean number of points per tree.
  public var sampleSize: Double

  /// The DISTANCE score: expected distance to what the query is cut off from.
  public var distanceScore: Double { distances.total }

  /// Points per unit of volume around the query.
  ///
  /// - Parameters:
  ///   - smoothing: Bounds the density where points coincide; the largest answer is its inverse.
  ///   - manifoldDimension: Dimension of the surface that the points lie on; nil for all of space.
  /// - Returns: 0 where nothing is known.
  public func density(smoothing: Double = 0.001, manifoldDimension: Double? = nil) -> Double {
    guard sampleSize > 0 else { return 0 }
    let points = measure.total / sampleSize
    guard points > 0 else { return 0 }
    let dimension = manifoldDimension ?? Double(measure.high.count)
    var volume = 0.0
    for j in measure.high.indices {
      let probability = probabilityMass.high[j] + probabilityMass.low[j]
      guard probability > 0 else { continue }
      let distance = (distances.high[j] + distances.low[j]) / probability
      volume += power(distance, dimension) * probability
    }
    return points / (smoothing * points + volume)
  }

  /// The density shared out over dimensions and directions as the points are.
  public func directionalDensity(
    smoothing: Double = 0.001, manifoldDimension: Double? = nil
  ) -> Attribution {
    let density = density(smoothing: smoothing, manifoldDimension: manifoldDimension)
    let total = measure.total
    let scale = total > 0 ? density / total : 0
    return Attribution(
      high: measure.high.map { $0 * scale }, low: measure.low.map { $0 * scale })
  }
}

extension RandomCutForest {
  /// What surrounds the point that `input` would complete; all zero until ready.
  public mutating func interpolation(_ input: Span<Float>) throws(ForestError) -> Interpolation {
    let isAnswered = try ask(input)
    return isAnswered ? interpolationOfQuery() : Interpolation(dimensions: configuration.dimensions)
  }

  mutating func interpolationOfQuery() -> Interpolation {
    var walk = InterpolationWalk(dimensions: configuration.dimensions)
    for tree in 0..<configuration.numberOfTrees { walk.add(core.view(tree)) }
    walk.sum.scale(by: 1 / Double(configuration.numberOfTrees))
    return walk.sum
  }

  /// Points per unit of volume around the point that `input` would complete.
  public mutating func density(_ input: Span<Float>) throws(ForestError) -> Double {
    try interpolation(input).density()
  }
}

extension Interpolation {
  init(dimensions: Int) {
    let zero = [Double](repeating: 0, count: dimensions)
    probabilityMass = Attribution(high: zero, low: zero)
    measure = probabilityMass
    distances = probabilityMass
    sampleSize = 0
  }

  mutating func scale(by factor: Double) {
    for j in measure.high.indices {
      probabilityMass.high[j] *= factor
      probabilityMass.low[j] *= factor
      measure.high[j] *= factor
      measure.low[j] *= factor
      distances.high[j] *= factor
      distances.low[j] *= factor
    }
    sampleSize *= factor
  }

  mutating func add(_ other: Interpolation) {
    for j in measure.high.indices {
      probabilityMass.high[j] += other.probabilityMass.high[j]
      probabilityMass.low[j] += other.probabilityMass.low[j]
      measure.high[j] += other.measure.high[j]
      measure.low[j] += other.measure.low[j]
      distances.high[j] += other.distances.high[j]
      distances.low[j] += other.distances.low[j]
    }
    sampleSize += other.sampleSize
  }
}

private struct InterpolationWalk {
  var sum: Interpolation
  private var one: Interpolation
  private var path = TreePath()
  private var gaps: Gaps
  private var shadow: ShadowBox
  private let dimensions: Int

  init(dimensions: Int) {
    self.dimensions = dimensions
    sum = Interpolation(dimensions: dimensions)
    one = sum
    gaps = Gaps(dimensions: dimensions)
    shadow = ShadowBox(dimensions: dimensions)
  }

  /// Adds the answer of one tree.
  mutating func add(_ tree: TreeView) {
    tree.descend(into: &path)
    let equal = tree.equalsQuery(path.leaf)
    let queryMass = equal ? 1 + Double(path.leafMass) : 1
    startAtLeaf(tree, equal: equal, mass: Double(path.leafMass) + 1)
    shadow.clear()
    for level in (0..<path.depth).reversed() {
      let node = path.nodes[level]
      if equal {
        shadow.widen(by: path.siblings[level], of: tree)
        gaps.measure(tree, shadow)
      } else {
        gaps.measure(tree, node)
      }
      guard gaps.sum > 0 else { break }
      let whole = equal ? tree.range(node) : tree.range(node) + gaps.sum
      let keep = 1 - gaps.sum / whole
      let mass = Double(path.masses[level]) + queryMass
      for j in 0..<dimensions {
        let range =
          equal
          ? Double(shadow.high[j]) - Double(shadow.low[j])
          : Double(tree.high(node, j)) - Double(tree.low(node, j))
        one.mix(
          j, high: gaps.high[j], low: gaps.low[j], whole: whole, keep: keep, mass: mass,
          range: range)
      }
    }
    one.sampleSize = Double(tree.mass)
    sum.add(one)
  }

  private mutating func startAtLeaf(_ tree: TreeView, equal: Bool, mass: Double) {
    one.scale(by: 0)
    if equal {
      let share = 0.5 / Double(dimensions)
      for j in 0..<dimensions {
        one.probabilityMass.high[j] = share
        one.probabilityMass.low[j] = share
        one.measure.high[j] = share * mass
        one.measure.low[j] = share * mass
      }
      return
    }
    gaps.measure(tree, path.leaf)
    for j in 0..<dimensions {
      one.mix(
        j, high: gaps.high[j], low: gaps.low[j], whole: gaps.sum, keep: 0, mass: mass, range: 0)
    }
  }
}

extension Interpolation {
  /// One step up in one dimension: what the cut at this level adds, and what is kept of the levels
  /// below.
  fileprivate mutating func mix(
    _ j: Int, high: Double, low: Double, whole: Double, keep: Double, mass: Double, range: Double
  ) {
    let highShare = high / whole
    let lowShare = low / whole
    probabilityMass.high[j] = highShare + keep * probabilityMass.high[j]
    probabilityMass.low[j] = lowShare + keep * probabilityMass.low[j]
    measure.high[j] = highShare * mass + keep * measure.high[j]
    measure.low[j] = lowShare * mass + keep * measure.low[j]
    distances.high[j] = highShare * (high > 0 ? high + range : 0) + keep * distances.high[j]
    distances.low[j] = lowShare * (low > 0 ? low + range : 0) + keep * distances.low[j]
  }
}
