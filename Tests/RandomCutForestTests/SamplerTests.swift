import RandomCutForest
import Testing

/// The time-decayed reservoir against AWS's, and against what theory says of it.
@Suite struct SamplerTests {
  /// Forest of numbers that are their arrival times.
  static func clockForest(
    _ seed: UInt64, timeDecay: Double, initialAcceptFraction: Double = 1
  ) throws -> RandomCutForest {
    try RandomCutForest(
      ForestConfiguration(
        dimensions: 1, numberOfTrees: 10, timeDecay: timeDecay,
        initialAcceptFraction: initialAcceptFraction, seed: seed))
  }

  static func samples(_ tree: TreeDescription?) -> [Float] {
    switch tree {
    case .leaf(let point, let mass)?: [Float](repeating: point[0], count: mass)
    case .node(_, _, let left, let right)?: samples(left) + samples(right)
    case nil: []
    }
  }

  @Test(.enabled(if: Fixtures.isPresent), arguments: [0, 1.0 / 2560, 1.0 / 256])
  func acceptanceAndAges(timeDecay: Double) throws {
    let name = [0: "0.000000", 1.0 / 2560: "0.000391", 1.0 / 256: "0.003906"][timeDecay]!
    var rates: [Double] = []
    var means: [Double] = []
    var medians: [Double] = []
    for seed in 1...20 as ClosedRange<UInt64> {
      var forest = try Self.clockForest(seed, timeDecay: timeDecay)
      var accepted = 0
      for t in 0..<20_000 {
        if t >= 10_000 {
          for tree in 0..<10
          where forest.core.nextAcceptance[tree] == forest.core.clock.arrivals + 1 {
            accepted += 1
          }
        }
        try forest.update([Float(t)].span)
      }
      rates.append(Double(accepted) / 100_000)
      // AWS's figures are of one sampler per seed.
      let ages = Self.samples(forest.describe(tree: 0)).map { 20_000 - Double($0) }.sorted()
      #expect(ages.count == 256)
      means.append(ages.reduce(0, +) / 256)
      medians.append(ages[128])
    }
    let experiment = "sampler_cap256_lambda_\(name)"
    try StatisticsTests.expect(rates, like: experiment, "accept_rate_t10000_20000")
    try StatisticsTests.expect(means, like: experiment, "mean_age_at_20000")
    try StatisticsTests.expect(medians, like: experiment, "median_age_at_20000")
  }

  @Test(.enabled(if: Fixtures.isPresent)) func slowStart() throws {
    var sizes: [Int: [Double]] = [:]
    for seed in 1...20 as ClosedRange<UInt64> {
      var forest = try Self.clockForest(
        seed, timeDecay: 1.0 / 2560, initialAcceptFraction: 0.125)
      for t in 1...1024 {
        try forest.update([Float(t)].span)
        if [32, 64, 128, 256, 512, 1024].contains(t) {
          let total = (0..<10).reduce(0) { $0 + forest.core.mass(ofTree: $1) }
          sizes[t, default: []].append(Double(total) / 10)
        }
      }
    }
    for (t, values) in sizes.sorted(by: { $0.key < $1.key }) {
      try StatisticsTests.expect(
        values, like: "sampler_initialAcceptFraction_0.125", "size_after_\(t)")
    }
  }

  @Test func skippingEqualsTryingEveryArrival() throws {
    // Waiting times drawn by the closed form against Bernoulli trials with the same probabilities.
    let clock = SamplerClock(timeDecay: 0.01)
    let largestKey: Float = -3
    var random = SplitMix64(seed: 7)
    var skipped = 0.0
    var tried = 0.0
    let runs = 20_000
    for _ in 0..<runs {
      let exponent = -logarithm(random.openUniform())
      skipped += Double(
        clock.next(largestKey: largestKey, elapsed: 0.5, exponent: exponent).skipped)
      var step = 1.0
      while random.uniform() >= 1
        - exponential(-exponential(Double(largestKey) + 0.5 + 0.01 * step))
      {
        step += 1
      }
      tried += step
    }
    // Both have a standard error below 0.5 % of the mean.
    #expect(abs(skipped / tried - 1) < 0.025, "\(skipped / Double(runs)), \(tried / Double(runs))")
  }

  @Test func acceptedKeysLieBelowTheLargest() throws {
    var clock = SamplerClock(timeDecay: 1.0 / 2560)
    clock.arrivals = 1000
    var random = SplitMix64(seed: 8)
    for _ in 0..<2000 {
      let key = Float(-3 * random.uniform())
      let next = clock.next(
        largestKey: key, elapsed: clock.elapsed, exponent: -logarithm(random.openUniform()))
      #expect(next.skipped >= 1)
      #expect(next.key <= key + 1e-5)
    }
  }

  @Test func aWeightStandsForThatManyPoints() throws {
    var heavy = 0
    for seed in 0..<20 as Range<UInt64> {
      var forest = try RandomCutForest(
        ForestConfiguration(
          dimensions: 1, sampleSize: 64, numberOfTrees: 10, timeDecay: 0, seed: seed))
      for t in 0..<2000 { try forest.update([Float(t)].span, weight: t % 4 == 0 ? 3 : 1) }
      for tree in 0..<10 {
        heavy += Self.samples(forest.describe(tree: tree)).count { Int($0) % 4 == 0 }
      }
    }
    // 3 of 6 parts of the weight; 12,800 samples.
    #expect(abs(Double(heavy) / 12_800 - 0.5) < 0.02)
  }

  @Test func decayCanChangeLive() throws {
    var forest = try Self.clockForest(3, timeDecay: 0)
    for t in 0..<5000 { try forest.update([Float(t)].span) }
    let before = Self.samples(forest.describe(tree: 0))
    #expect(before.reduce(0, +) / 256 < 3200)
    try forest.setTimeDecay(0.02)
    for t in 5000..<7000 { try forest.update([Float(t)].span) }
    let after = Self.samples(forest.describe(tree: 0))
    #expect(after.min()! > 5500)
    #expect(throws: ForestError.outOfRange(parameter: "timeDecay", value: -1, range: 0...1)) {
      try forest.setTimeDecay(-1)
    }
  }
}
