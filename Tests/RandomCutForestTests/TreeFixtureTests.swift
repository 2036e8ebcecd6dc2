import Foundation
import RandomCutForest
import Testing

/// Every answer from AWS's own trees, to 1e-5.
@Suite(.enabled(if: Fixtures.isPresent)) struct TreeFixtureTests {
  private static func withEvery(
    _ body: (inout RandomCutForest, TreeFixture, TreeFixture.Query) throws -> Void
  ) throws {
    let fixtures = try TreeFixture.all()
    #expect(fixtures.count == 8)
    for fixture in fixtures {
      var forest = try RandomCutForest(fixture.tree.description, dimensions: fixture.dimensions)
      for query in fixture.queries { try body(&forest, fixture, query) }
    }
  }

  @Test func scores() throws {
    try Self.withEvery { forest, _, query in
      #expect(abs(try forest.score(query.q.span) - query.score) < 1e-5 * query.score)
      let ignoring = try forest.dynamicScore(
        query.q.span, .inverseDepth, ignoringLeafMass: 1)
      #expect(abs(ignoring - query.scoreRaw_ignoreMass1) < 1e-5)
      let plain = try forest.dynamicScore(query.q.span, .inverseDepth)
      #expect(
        abs(plain * logarithm2(Double(forest.describe(tree: 0)!.mass + 1)) - query.score) < 1e-5)
      let displacement = try forest.dynamicScore(query.q.span, .displacement)
      #expect(worstDifference([displacement], [query.displacementRaw]) < 1e-5)
    }
  }

  @Test func attributions() throws {
    try Self.withEvery { forest, _, query in
      let attribution = try forest.attribution(query.q.span)
      #expect(worstDifference(attribution.high, query.attrHigh) < 1e-4)
      #expect(worstDifference(attribution.low, query.attrLow) < 1e-4)
    }
  }

  @Test func interpolations() throws {
    try Self.withEvery { forest, _, query in
      let around = try forest.interpolation(query.q.span)
      #expect(worstDifference(around.measure.high, query.measureHigh) < 1e-4)
      #expect(worstDifference(around.measure.low, query.measureLow) < 1e-4)
      #expect(worstDifference(around.distances.high, query.distHigh) < 1e-4)
      #expect(worstDifference(around.distances.low, query.distLow) < 1e-4)
      #expect(worstDifference(around.probabilityMass.high, query.probMassHigh) < 1e-4)
      #expect(worstDifference(around.probabilityMass.low, query.probMassLow) < 1e-4)
    }
  }

  @Test func imputations() throws {
    try Self.withEvery { forest, _, query in
      let estimate = try forest.impute(query.q.span, missing: query.missing)
      #expect(estimate.values == query.imputePoint)
    }
  }

  @Test func boxesAreThoseOfTheTree() throws {
    for fixture in try TreeFixture.all() {
      let forest = try RandomCutForest(fixture.tree.description, dimensions: fixture.dimensions)
      #expect(forest.describe(tree: 0) == fixture.tree.description)
      var pending = [(fixture.tree, forest.core.view(0).root)]
      let view = forest.core.view(0)
      while let (node, reference) = pending.popLast() {
        guard let left = node.left, let right = node.right else { continue }
        for j in 0..<fixture.dimensions {
          #expect(view.high(reference, j) == node.max![j])
          #expect(view.low(reference, j) == node.min![j])
        }
        pending.append((left, view.left(reference)))
        pending.append((right, view.right(reference)))
      }
    }
  }
}

/// Scores that do not depend on the cuts drawn.
@Suite struct AnalyticScoreTests {
  static func score(_ points: [(Float, Int)], _ query: Float) throws -> Double {
    let count = points.reduce(0) { $0 + $1.1 }
    var forest = try RandomCutForest(
      ForestConfiguration(dimensions: 1, sampleSize: count, numberOfTrees: 10, outputAfter: 1))
    for (value, copies) in points { for _ in 0..<copies { try forest.update([value].span) } }
    return try forest.score([query].span)
  }

  @Test func ofIdenticalPoints() throws {
    #expect(abs(try Self.score([(3, 100)], 3) - 0.5) < 1e-12)
    #expect(abs(try Self.score([(3, 100)], 4) - 6.6582114827517955) < 1e-9)
  }

  static let twoPlaces: [(query: Float, expected: Double)] = [
    (2, 4.018164003463562), (0, 0.5623714483590372), (1, 1.0512232062150841),
    (0.5, 2.678776002309042), (-3, 4.687858004040823),
  ]

  @Test(arguments: twoPlaces)
  func ofPointsInTwoPlaces(_ test: (query: Float, expected: Double)) throws {
    #expect(abs(try Self.score([(0, 30), (1, 10)], test.query) - test.expected) < 1e-6)
  }
}
