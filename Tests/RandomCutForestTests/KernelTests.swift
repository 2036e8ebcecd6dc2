import RandomCutForest
import Testing

/// The kernels against plain recursions over the same trees, at every width that has code of its
/// own, and just beside.
@Suite struct KernelTests {
  static let widths = [1, 2, 3, 4, 5, 8, 9, 16, 17, 24, 40, 48, 90, 96, 100]

  /// A value now and then repeats, so that points lie on the sides of boxes and twice in trees.
  private static func input(dimensions: Int, count: Int) -> [Float] {
    var values = gaussians(seed: UInt64(dimensions), count: dimensions * count)
    for t in stride(from: 7, to: count, by: 5) {
      for j in 0..<dimensions { values[t * dimensions + j] = values[(t - 7) * dimensions + j] }
    }
    return values
  }

  @Test(arguments: widths) func scoresAreThoseOfTheRecursion(dimensions: Int) throws {
    var forest = try RandomCutForest(
      ForestConfiguration(
        dimensions: dimensions, sampleSize: 100, numberOfTrees: 12, timeDecay: 0.01, seed: 3))
    let input = Self.input(dimensions: dimensions, count: 500)
    for t in 0..<450 {
      try forest.update(input.span.extracting(t * dimensions..<(t + 1) * dimensions))
    }
    let normaliser = logarithm2(101)
    for t in 380..<500 {
      let point = input.span.extracting(t * dimensions..<(t + 1) * dimensions)
      let score = try forest.score(point)
      let plain = try forest.dynamicScore(point, .inverseDepth) * normaliser
      #expect(abs(score - plain) < 1e-5 * plain, "point \(t)")
    }
    #expect(StructureTests.problems(forest).isEmpty)
  }

  @Test(arguments: widths) func invariantsHoldAfterEveryBatch(dimensions: Int) throws {
    var forest = try RandomCutForest(
      ForestConfiguration(
        dimensions: dimensions, sampleSize: 24, numberOfTrees: 5, timeDecay: 0.05, seed: 1))
    let input = Self.input(dimensions: dimensions, count: 600)
    var scores = [Double](repeating: 0, count: 30)
    for start in stride(from: 0, to: 600, by: 30) {
      var span = scores.mutableSpan
      try forest.scoreAndUpdate(
        points: input.span.extracting(start * dimensions..<(start + 30) * dimensions), count: 30,
        into: &span)
      let problems = StructureTests.problems(forest)
      try #require(problems.isEmpty, "after \(start + 30) points: \(problems)")
    }
  }

  /// A way through a tree that leads by the node that a departing point takes along: with few
  /// points per tree that is every other time.
  @Test(arguments: [1, 2, 3, 5], 0..<5 as Range<UInt64>)
  func smallTreesReplaceTheirPoints(sampleSize: Int, seed: UInt64) throws {
    var forest = try RandomCutForest(
      ForestConfiguration(
        dimensions: 2, sampleSize: sampleSize, numberOfTrees: 13, timeDecay: 0.4, seed: seed))
    var random = SplitMix64(seed: seed)
    for step in 0..<400 {
      let point = [Float(random.next() % 4), Float(random.next() % 4)]
      let score = try forest.scoreAndUpdate(point.span)
      #expect(score.isFinite)
      let problems = StructureTests.problems(forest)
      try #require(problems.isEmpty, "step \(step): \(problems)")
    }
  }
}
