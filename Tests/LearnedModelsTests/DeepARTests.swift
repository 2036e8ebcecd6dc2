import LearnedModels
import RandomCutForest
import Testing

@Suite struct DeepARTests {
  @Test(arguments: [
    ("H", 40, 721), ("D", 30, 1_093), ("W", 18, 157), ("M", 16, 37), ("5min", 34, 1_153),
    ("B", 29, 781),
  ])
  func lagsFollowTheFrequency(_ text: String, _ count: Int, _ greatest: Int) throws {
    let lags = try #require(DeepARFrequency(text)).lags
    #expect(lags.count == count)
    #expect(lags.last == greatest)
    #expect(lags == lags.sorted())
  }

  @Test(arguments: ["min", "5min", "H", "D", "B", "W", "M", "3M"])
  func periodsStartWhereTheySay(_ text: String) throws {
    let frequency = try #require(DeepARFrequency(text))
    for period in [-700, -1, 0, 1, 5, 17, 666, 12_345] {
      #expect(frequency.period(of: frequency.start(of: period)) == period)
      #expect(frequency.period(of: frequency.start(of: period + 1) - 1) == period)
    }
  }

  private static let laws = [
    DeepARDistribution(likelihood: .studentT, first: 5, second: 10, third: 2),
    DeepARDistribution(likelihood: .gaussian, first: -3, second: 0.5),
    DeepARDistribution(likelihood: .negativeBinomial, first: 2.5, second: 30),
    DeepARDistribution(likelihood: .beta, first: 2, second: 5),
  ]

  @Test(arguments: laws)
  func quantilesInvertTheDistributionAndSamplesFollowIt(_ law: DeepARDistribution) {
    for probability in [0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.999] {
      let value = law.quantile(probability)
      if law.likelihood == .negativeBinomial {
        #expect(law.cumulative(value) >= probability && law.cumulative(value - 1) < probability)
      } else {
        #expect((law.cumulative(value) - probability).magnitude < 1e-9)
      }
    }
    var random = SplitMix64(seed: 5)
    let samples = (0..<20_000).map { _ in law.sample(&random) }
    var sum = 0.0
    for sample in samples { sum += sample }
    let spread = law.quantile(0.84) - law.quantile(0.16)
    #expect((sum / 20_000 - law.mean).magnitude < 0.02 * spread)
    let below = samples.count { $0 <= law.quantile(0.2) }
    let expected = law.cumulative(law.quantile(0.2)) * 20_000
    #expect((Double(below) - expected).magnitude < 250)
  }

  @Test func quantilesHaveTheValuesOfTheTables() {
    let student = DeepARDistribution(likelihood: .studentT, first: 5, second: 0, third: 1)
    #expect((student.quantile(0.975) - 2.570_581_835_636).magnitude < 1e-9)
    let gaussian = DeepARDistribution(likelihood: .gaussian, first: 0, second: 1)
    #expect((gaussian.quantile(0.975) - 1.959_963_984_540).magnitude < 1e-9)
    #expect((gaussian.tailProbability(1.959_963_984_540) ?? 0) - 0.05 < 1e-9)
  }

  private func model(_ likelihood: DeepARLikelihood = .studentT) throws -> DeepARModel {
    let shape = DeepARConfiguration(
      frequency: DeepARFrequency(unit: .hour), contextLength: 6, predictionLength: 4,
      likelihood: likelihood, cellCount: 9, cardinalities: [3], embeddingDimension: 2,
      maximumAge: 500)
    var random = SplitMix64(seed: 1)
    let weights = (0..<DeepARLayout(shape).weightCount).map { _ in
      Float(random.uniform() - 0.5)
    }
    return try DeepARModel(configuration: shape, weights: weights)
  }

  @Test func aStateIsTheSameFromItsSnapshotAndFollowsTheHistory() throws {
    var scorer = DeepARScorer(try model())
    let values = (0..<60).map { Float(10 + $0 % 24) }
    var state = try scorer.makeState(TimeSeries(start: 0, target: [], categories: [2]))
    for (hour, value) in values.enumerated() {
      let score = try scorer.step(
        hour == 30 ? nil : Double(value), at: Int64(hour) * 3_600_000, state: &state)
      #expect((score.tailProbability == nil) == (hour == 30))
      #expect(try scorer.makeState(from: state.snapshot) == state)
    }
    var whole = values
    whole[30] = .nan
    let again = try scorer.makeState(TimeSeries(start: 0, target: whole, categories: [2]))
    #expect(again.snapshot.values == state.snapshot.values)
    #expect(again.nextPeriod == state.nextPeriod)
    #expect(throws: DeepARError.self) { try scorer.step(1, at: 0, state: &state) }
  }

  private func featured() throws -> DeepARModel {
    let shape = DeepARConfiguration(
      frequency: DeepARFrequency(unit: .hour), contextLength: 6, predictionLength: 4, cellCount: 9,
      cardinalities: [3], embeddingDimension: 2, dynamicFeatureCount: 2, maximumAge: 500)
    var random = SplitMix64(seed: 1)
    let weights = (0..<DeepARLayout(shape).weightCount).map { _ in
      Float(random.uniform() - 0.5)
    }
    return try DeepARModel(configuration: shape, weights: weights)
  }

  /// Step by step, by a snapshot, and in one go from arrays: the laws are the same.
  @Test func dynamicFeaturesCountStepByStepAsTheyDoInForecasts() throws {
    var scorer = DeepARScorer(try featured())
    let values = (0..<70).map { Float(10 + $0 % 24) }
    let features = [(0..<71).map { Float($0 % 5) / 5 }, (0..<71).map { Float($0 % 7) / 7 }]
    func series(_ count: Int, known: Int) -> TimeSeries {
      TimeSeries(
        start: 0, target: Array(values[..<count]), categories: [2],
        dynamicFeatures: features.map { Array($0[..<known]) })
    }
    var state = scorer.emptyState(categories: [2])
    #expect(!state.isNextKnown)
    for hour in 0..<70 {
      let row = features.map { $0[hour] }
      func score(_ from: DeepARState) throws -> DeepARScore {
        var from = from
        return try scorer.step(
          Double(values[hour]), at: Int64(hour) * 3_600_000, features: row, state: &from)
      }
      let found = try score(state)
      #expect(try score(scorer.makeState(from: state.snapshot)) == found)
      let whole = try score(scorer.makeState(series(hour, known: hour)))
      #expect(whole.distribution == scorer.state(filled: series(hour, known: hour + 1)).next)
      // The context is read anew after every fourth value from the first on.
      if hour % 4 == 1 { #expect(whole == found) }
      _ = try scorer.step(
        Double(values[hour]), at: Int64(hour) * 3_600_000, features: row, state: &state)
    }
    let time = Int64(70) * 3_600_000
    var other = state
    var third = state
    let calm = try scorer.step(5, at: time, features: [0, 0], state: &state)
    #expect(try scorer.step(5, at: time, features: [1, 0], state: &other) != calm)
    #expect(throws: DeepARError.self) { try scorer.step(5, at: time, state: &third) }
  }

  @Test func theFirstForecastFollowsTheLawOfTheState() throws {
    var scorer = DeepARScorer(try model())
    let history = TimeSeries(
      start: 0, target: (0..<50).map { Float(5 + $0 % 7) }, categories: [1])
    let state = try scorer.makeState(history)
    let forecast = try scorer.forecast(history, samples: 4_000, seed: 9)
    #expect(forecast.length == 4 && forecast.pathCount == 4_000)
    let middle = forecast.quantiles([0.5])[0][0]
    #expect((state.next.cumulative(middle) - 0.5).magnitude < 0.04)
    #expect(try scorer.forecast(history, samples: 4_000, seed: 9) == forecast)
  }
}
