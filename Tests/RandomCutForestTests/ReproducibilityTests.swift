import RandomCutForest
import Testing

/// A configuration and an input of its point length.
struct Workload: Sendable, CustomTestStringConvertible {
  let name: String
  let configuration: ForestConfiguration
  var testDescription: String { name }

  static let all: [Workload] = [
    Workload(
      name: "sine, shingle 8",
      configuration: ForestConfiguration(dimensions: 8, shingleSize: 8, seed: 1)),
    Workload(name: "gauss 3", configuration: ForestConfiguration(dimensions: 3, seed: 2)),
    Workload(
      name: "two inputs, shingle 5, strong decay",
      configuration: ForestConfiguration(
        dimensions: 10, shingleSize: 5, sampleSize: 64, numberOfTrees: 20, timeDecay: 0.05, seed: 3)
    ),
    Workload(
      name: "rotating, slow start",
      configuration: ForestConfiguration(
        dimensions: 6, shingleSize: 3, sampleSize: 100, numberOfTrees: 11,
        initialAcceptFraction: 0.125, seed: 4, internalRotation: true)),
    Workload(
      name: "no decay, some boxes",
      configuration: ForestConfiguration(
        dimensions: 20, shingleSize: 1, sampleSize: 33, numberOfTrees: 9, timeDecay: 0, seed: 5,
        boundingBoxCacheFraction: 0.5)),
    Workload(
      name: "one tree of one point",
      configuration: ForestConfiguration(dimensions: 2, sampleSize: 1, numberOfTrees: 1, seed: 6)),
  ]

  /// Rounded values, so that duplicates occur.
  func input(count: Int) -> [Float] {
    gaussians(seed: configuration.seed + 100, count: count * configuration.pointLength).map {
      ($0 * 8).rounded() / 8
    }
  }
}

@Suite struct ReproducibilityTests {
  static func pointScores(_ forest: inout RandomCutForest, _ input: [Float]) throws -> [Double] {
    let length = forest.configuration.pointLength
    return try stride(from: 0, to: input.count, by: length).map { start in
      try forest.scoreAndUpdate(input.span.extracting(start..<start + length))
    }
  }

  @Test(arguments: Workload.all, [1, 7, 64, 1000])
  func aBatchGivesTheScoresOfItsPoints(_ work: Workload, batch: Int) throws {
    let input = work.input(count: 2000)
    let length = work.configuration.pointLength
    var pointwise = try RandomCutForest(work.configuration)
    let expected = try Self.pointScores(&pointwise, input)
    var batched = try RandomCutForest(work.configuration)
    var scores: [Double] = []
    var start = 0
    while start < 2000 {
      let count = min(batch, 2000 - start)
      var part = [Double](repeating: -1, count: count)
      var span = part.mutableSpan
      try batched.scoreAndUpdate(
        points: input.span.extracting(start * length..<(start + count) * length), count: count,
        into: &span)
      scores += part
      start += count
    }
    #expect(scores == expected)
    #expect(batched.snapshot() == pointwise.snapshot())
  }

  @Test(arguments: Workload.all, [0, 1, 50, 700])
  func aRestoredForestContinuesBitIdentically(_ work: Workload, after: Int) throws {
    let input = work.input(count: 1500)
    let split = after * work.configuration.pointLength
    var forest = try RandomCutForest(work.configuration)
    _ = try Self.pointScores(&forest, Array(input[..<split]))
    let bytes = forest.snapshot()
    var restored = try RandomCutForest(snapshot: bytes.span)
    #expect(restored.snapshot() == bytes)
    let expected = try Self.pointScores(&forest, Array(input[split...]))
    #expect(try Self.pointScores(&restored, Array(input[split...])) == expected)
    #expect(restored.snapshot() == forest.snapshot())
  }

  @Test(arguments: Workload.all)
  func attributionSumsToTheScore(_ work: Workload) throws {
    let input = work.input(count: 600)
    let length = work.configuration.pointLength
    var forest = try RandomCutForest(work.configuration)
    _ = try Self.pointScores(&forest, Array(input[..<(500 * length)]))
    for t in 500..<600 {
      let point = input.span.extracting(t * length..<(t + 1) * length)
      let score = try forest.score(point)
      let attribution = try forest.attribution(point)
      #expect(abs(attribution.total - score) <= 1e-12 * max(1, score))
    }
  }
}
