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
