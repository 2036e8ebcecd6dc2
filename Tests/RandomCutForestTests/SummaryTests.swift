import Foundation
import RandomCutForest
import Testing

@Suite struct SummaryTests {
  /// Three groups around known centres, half, a third and a sixth of the points.
  private static func grouped(seed: UInt64) throws -> RandomCutForest {
    var forest = try RandomCutForest(ForestConfiguration(dimensions: 2, seed: seed))
    var noise = Gaussian(seed: seed)
    let centres: [[Double]] = [[0, 0], [30, 0], [0, 40]]
    for t in 0..<6000 {
      let centre = centres[[0, 1, 0, 2, 0, 1][t % 6]]
      let point = centre.map { Float($0 + noise.next()) }
      try forest.update(point.span)
    }
    return forest
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func clustersAreThoseOfTheData(seed: UInt64) throws {
    let forest = try Self.grouped(seed: seed)
    let summary = try forest.summarize()
    #expect(summary.weight > 10_000 && summary.weight <= 12_800)
    try #require(summary.clusters.count == 3, "\(summary.clusters.map(\.share))")
    let expected: [(centre: [Float], share: Double)] = [
      ([0, 0], 0.5), ([30, 0], 1 / 3), ([0, 40], 1 / 6),
    ]
    for (cluster, known) in zip(summary.clusters, expected) {
      #expect(abs(cluster.centre[0] - known.centre[0]) < 0.5)
      #expect(abs(cluster.centre[1] - known.centre[1]) < 0.5)
      #expect(abs(cluster.share - known.share) < 0.06)
      #expect(cluster.representatives.count == 1 && cluster.radius < 4)
    }
    #expect(abs(summary.mean[0] - 10) < 2 && abs(summary.deviation[0] - 14) < 2)
    #expect(try forest.summarize() == summary, "asking twice gives the same")
  }

  @Test func limitsHold() throws {
    let forest = try Self.grouped(seed: 1)
    for most in [1, 2, 5] {
      let summary = try forest.summarize(mostClusters: most, mostRepresentatives: 3)
      #expect(summary.clusters.count <= most)
      #expect(summary.clusters.allSatisfy { (1...3).contains($0.representatives.count) })
      #expect(abs(summary.clusters.reduce(0) { $0 + $1.share } - 1) < 1e-9)
    }
    #expect(throws: ForestError.outOfRange(parameter: "mostClusters", value: 0, range: 1...100)) {
      _ = try forest.summarize(mostClusters: 0)
    }
    let empty = try RandomCutForest(ForestConfiguration(dimensions: 2))
    #expect(try empty.summarize() == SampleSummary())
    var constant = try RandomCutForest(ForestConfiguration(dimensions: 1))
    for _ in 0..<500 { try constant.update([3].span) }
    let one = try constant.summarize()
    #expect(one.clusters.map(\.centre) == [[3]] && one.clusters[0].radius == 0)
  }

  @Test(arguments: [TransformMethod.none, .normalize, .difference, .normalizeDifference])
  func predictionsKnowTheOtherCoordinate(transform: TransformMethod) throws {
    var forest = try ThresholdedForest(
      ThresholdedConfiguration(inputDimensions: 2, shingleSize: 2, seed: 4, transform: transform))
    var random = SplitMix64(seed: 2)
    // The second coordinate is 100 or 200 as the first is low or high.
    func input(_ isHigh: Bool) -> [Double] {
      [(isHigh ? 20 : 5) + random.uniform(), (isHigh ? 200 : 100) + random.uniform()]
    }
    for t in 0..<2500 {
      let values = input(random.next() % 2 == 0)
      try forest.update(values.span, timestamp: Int64(t))
    }
    let before = forest.snapshot()
    for isHigh in [true, false] {
      let known = input(isHigh)
      let summary = try forest.predict(
        [known[0], 0].span, timestamp: 2500, missing: [1], centrality: 1)
      let median = Double(summary.estimate.values[0])
      #expect(abs(median - known[1]) < 25, "\(transform), \(isHigh): \(summary)")
      #expect(summary.clusters.count <= 5 && summary.estimate.lower[0] <= summary.estimate.upper[0])
    }
    #expect(forest.snapshot() == before, "asking changes nothing")
    #expect(throws: ForestError.self) {
      _ = try forest.predict([1, 2].span, timestamp: 2500, missing: [2])
    }
  }

  @Test func bothContinuationsOfAForkArePredicted() throws {
    var forest = try ThresholdedForest(ThresholdedConfiguration(shingleSize: 2, seed: 1))
    var random = SplitMix64(seed: 6)
    // After 0 comes 10 or -10, then 0 again.
    for t in 0..<2000 {
      let value = t % 2 == 0 ? 0.0 : random.next() % 2 == 0 ? 10 : -10
      try forest.update([value + 0.1 * random.uniform()].span, timestamp: Int64(t))
    }
    try forest.update([0.05].span, timestamp: 2000)
    let summary = try forest.predict([0.0].span, timestamp: 2001, missing: [0], centrality: 0)
    let centres = summary.clusters.map { $0.centre[0] }
    #expect(centres.contains { abs($0 - 10) < 1 } && centres.contains { abs($0 + 10) < 1 })
  }

  @Test func learningWithoutJudgingGivesTheSameScores() throws {
    var judged = try ThresholdedForest(ThresholdedConfiguration(seed: 3, transform: .normalize))
    var learned = try ThresholdedForest(ThresholdedConfiguration(seed: 3, transform: .normalize))
    let series = sine(seed: 5, count: 900)
    for (t, value) in series.enumerated() {
      if t > 200 {
        let score = try learned.score([Double(value)].span, timestamp: Int64(t))
        let detection = try judged.process([Double(value)].span, timestamp: Int64(t))
        #expect(score == detection.score, "step \(t)")
      } else {
        _ = try judged.process([Double(value)].span, timestamp: Int64(t))
      }
      try learned.update([Double(value)].span, timestamp: Int64(t))
    }
    let spike = [60.0]
    let attribution = try learned.attribution(spike.span, timestamp: 900)
    let score = try learned.score(spike.span, timestamp: 900)
    #expect(abs(attribution.total - score) < 1e-9 && attribution.high[7] > 0.5 * score)
    #expect(try learned.interpolation(spike.span, timestamp: 900).distanceScore > 1)
    #expect(try !learned.nearNeighbours([0.0].span, timestamp: 900).isEmpty)
  }
}
