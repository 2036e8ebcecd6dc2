import RandomCutForest
import Testing

@Suite struct TransductiveScoreTests {
  private static func sides(_ low: [Double], _ high: [Double]) -> [Double] {
    zip(low, high).map { $1 - $0 }
  }

  /// Cuts the second dimension three times as often, and short sides oftener than in proportion.
  private static func skewed(_ low: [Double], _ high: [Double]) -> [Double] {
    zip(low, high).enumerated().map { j, side in
      (side.1 - side.0).squareRoot() * (j == 1 ? 3 : 1)
    }
  }

  private static func smallForest(
    _ points: [[Float]], trees: Int
  ) throws -> RandomCutForest {
    var forest = try RandomCutForest(
      ForestConfiguration(
        dimensions: 2, sampleSize: points.count, numberOfTrees: trees, timeDecay: 0,
        outputAfter: 1, seed: 8))
    for point in points { try forest.update(point.span) }
    return forest
  }

  /// The expected inverse depth of the query in trees of the points and it, by definition.
  private static func expected(
    _ points: [[Double]], _ query: [Double], _ weights: CutWeights, depth: Int = 0
  ) -> Double {
    if points.isEmpty || points.allSatisfy({ $0 == points[0] }) { return 1 / Double(depth + 1) }
    let all = points + [query]
    let low = query.indices.map { j in all.map { $0[j] }.min()! }
    let high = query.indices.map { j in all.map { $0[j] }.max()! }
    let weight = weights(low, high)
    let total = weight.reduce(0, +)
    var result = 0.0
    for j in query.indices {
      let ends = Array(Set(all.map { $0[j] })).sorted()
      for (from, to) in zip(ends, ends.dropFirst()) {
        let chance = weight[j] / total * (to - from) / (high[j] - low[j])
        let isLeft = query[j] <= from
        let mine = points.filter { ($0[j] <= from) == isLeft }
        result +=
          chance
          * (mine.isEmpty
            ? 1 / Double(depth + 1) : expected(mine, query, weights, depth: depth + 1))
      }
    }
    return result
  }

  @Test func theSidesGiveTheDynamicScore() throws {
    var forest = try RandomCutForest(ForestConfiguration(dimensions: 3, numberOfTrees: 20, seed: 1))
    let input = gaussians(seed: 2, count: 3 * 900)
    for t in 0..<800 { try forest.update(input.span.extracting(3 * t..<3 * t + 3)) }
    for t in 780..<900 {
      let point = input.span.extracting(3 * t..<3 * t + 3)
      let plain = try forest.dynamicScore(point, .inverseDepth)
      let same = try forest.transductiveScore(point, .inverseDepth, weights: Self.sides)
      let simulated = try forest.simulatedTransductiveScore(
        point, .inverseDepth, weights: Self.sides)
      #expect(abs(same - plain) < 1e-5 && abs(simulated - plain) < 1e-5, "point \(t)")
    }
  }

  @Test func simulatedScoresAreThoseOfTreesBuiltThatWay() throws {
    let points: [[Float]] = [[0, 0], [4, 1], [1, 5], [6, 3]]
    var forest = try Self.smallForest(points, trees: 10_000)
    for query in [[2, 2.5], [7, 0], [3, 9], [5, 2.25]] as [[Float]] {
      let score = try forest.simulatedTransductiveScore(
        query.span, .inverseDepth, weights: Self.skewed)
      let exact = Self.expected(
        points.map { $0.map(Double.init) }, query.map(Double.init), Self.skewed)
      #expect(abs(score / exact - 1) < 0.03, "\(query): \(score), exactly \(exact)")
    }
  }

  @Test func weightsAreChecked() throws {
    var forest = try Self.smallForest([[0, 0], [1, 1], [2, 0]], trees: 3)
    #expect(throws: ForestError.wrongLength(parameter: "weights", count: 1, expected: 2)) {
      _ = try forest.transductiveScore([5, 5].span, .inverseDepth) { _, _ in [1] }
    }
    for bad in [-1, Double.nan, .infinity] {
      #expect(throws: ForestError.self) {
        _ = try forest.simulatedTransductiveScore([5, 5].span, .inverseDepth) { _, _ in [1, bad] }
      }
    }
    // No dimension is cut: nothing separates.
    let none = try forest.transductiveScore([5, 5].span, .inverseDepth) { _, _ in [0, 0] }
    #expect(none.isFinite && none > 0)
  }
}
