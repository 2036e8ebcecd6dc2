import RandomCutForest
import Testing

@Suite struct BeginStreamTests {
  /// A forest of trees with samples of their own around the origin.
  private func trained(seed: UInt64, sampleSize: Int = 64, held: Int = 64) throws -> RandomCutForest
  {
    var random = SplitMix64(seed: seed)
    var forest = try RandomCutForest(
      ForestConfiguration(
        dimensions: 2, sampleSize: sampleSize, numberOfTrees: 50, timeDecay: 0, outputAfter: 1,
        seed: seed))
    for tree in 0..<50 {
      for _ in 0..<held {
        try forest.learn([Float(random.uniform()), Float(random.uniform())].span, inTree: tree)
      }
    }
    return forest
  }

  /// Trained points give way as those of a long stream do: after n arrivals the share exp(-λn) is left.
  @Test(arguments: [(64, 0.0952), (320, 0.3935), (640, 0.6321), (1_920, 0.9502)])
  func trainedPointsFadeAsTheDecaySays(arrivals: Int, expected: Double) throws {
    var share = 0.0
    for seed in 0..<4 as Range<UInt64> {
      var forest = try trained(seed: seed)
      try forest.beginStream(timeDecay: 1.0 / 640)
      var random = SplitMix64(seed: seed + 100)
      for _ in 0..<arrivals {
        try forest.update([Float(1_000 + random.uniform()), 0].span)
      }
      share += forest.sampleMoments().mean[0] / 1_000 / 4
    }
    // The expectation is 1 - exp(-n / 640).
    #expect(abs(share - expected) < 0.03, "\(share) for \(expected)")
  }

  @Test func itScoresFromTheFirstPointOnAndSurvivesASnapshot() throws {
    var forest = try trained(seed: 5)
    try forest.beginStream(timeDecay: 1.0 / 640)
    let isReady = forest.isReady
    #expect(isReady)
    var copy = try RandomCutForest(snapshot: forest.snapshot().span)
    var random = SplitMix64(seed: 3)
    for _ in 0..<500 {
      let point = [Float(random.uniform()), Float(random.uniform())]
      let score = try forest.scoreAndUpdate(point.span)
      let again = try copy.scoreAndUpdate(point.span)
      #expect(score > 0 && score == again)
    }
  }

  /// Trees that are not full go on filling.
  @Test func aSmallSampleIsFilledUp() throws {
    var forest = try trained(seed: 6, held: 10)
    try forest.beginStream(timeDecay: 1.0 / 640)
    for step in 0..<54 { try forest.update([1_000, Float(step)].span) }
    let share = forest.sampleMoments().mean[0] / 1_000
    #expect(abs(share - 54.0 / 64) < 0.02)
    #expect(throws: ForestError.self) { try forest.beginStream(timeDecay: 2) }
  }
}
