import LearnedModels
import Learning
import RandomCutForest
import Testing

@Suite struct TuningTests {
  private func rows(_ blobs: Blobs, _ dimensions: Int) -> TrainingData {
    .rows(
      train: MemoryRows(blobs.rows, featureCount: dimensions),
      test: MemoryRows(Array(blobs.rows[..<(200 * dimensions)]), featureCount: dimensions))
  }

  private func tune(
    _ strategy: TuningStrategy, _ ranges: [String], trials: Int? = nil,
    _ fixed: [String: String] = ["mini_batch_size": "500"], algorithm: Algorithm = .kMeans,
    objective: String? = nil, seed: UInt64 = 0
  ) throws -> TuningResult {
    try Learning.tune(
      TuningRequest(
        TrainingRequest(algorithm: algorithm, hyperparameters: fixed, seed: seed),
        strategy: strategy, ranges: ranges, trials: trials, objective: objective),
      on: rows(Blobs(rowCount: 1_000, dimensions: 2, k: 8, seed: 2), 2))
  }

  @Test func theGridIsWalkedInOrder() throws {
    let result = try tune(.grid, ["k=2:4", "init_method=random|kmeans++"])
    #expect(
      result.trials.map { $0.chosen.joined(separator: " ") } == [
        "2 random", "2 kmeans++", "3 random", "3 kmeans++", "4 random", "4 kmeans++",
      ])
    #expect(result.trials.map(\.number) == Array(1...6))
    let best = result.trials.compactMap(\.objective).min()
    #expect(result.best.objective == best && result.objective.name == "test:msd")
    #expect(result.request.hyperparameters["k"] == "4")
  }

  @Test(arguments: TuningStrategy.allCases)
  func theSameSeedGivesTheSameTrialsAndModel(_ strategy: TuningStrategy) throws {
    let ranges = ["k=2:9", "local_lloyd_max_iter=1|3|300"]
    let trials = strategy == .grid ? nil : 10
    let one = try tune(strategy, ranges, trials: trials, seed: 5)
    let other = try tune(strategy, ranges, trials: trials, seed: 5)
    #expect(one.trials == other.trials)
    #expect(one.training.model.encode() == other.training.model.encode())
    // The request of the best trial gives its model.
    let again = try Learning.train(
      one.request, on: rows(Blobs(rowCount: 1_000, dimensions: 2, k: 8, seed: 2), 2))
    #expect(again.model.encode() == one.training.model.encode())
    #expect(Set(one.trials.map(\.chosen)).count == one.trials.count)
  }

  @Test func whenAllCombinationsHadTheirTurnTheSearchEnds() throws {
    #expect(try tune(.random, ["k=2:4"], trials: 50).trials.count == 3)
    #expect(try tune(.bayesian, ["k=2:6"], trials: 50).trials.count == 5)
  }

  @Test func aFailedTrialIsRecordedAndTheNextBegins() throws {
    let result = try tune(.grid, ["k=500|999999|600|3"])
    #expect(result.trials.map { $0.objective == nil } == [false, true, false, false])
    guard case .failed(let reason) = result.trials[1].status else {
      throw TrainingError.cancelled
    }
    #expect(reason.contains("k must be at most the number of rows"))
    #expect(throws: TrainingError.self) { try tune(.grid, ["k=999999|999998|999997"]) }
  }

  @Test func moreIsBetterWhereTheMetricIsAShare() throws {
    let blobs = Blobs(rowCount: 2_000, dimensions: 2, k: 1, seed: 4)
    var test = Array(blobs.rows[..<2_000])
    var labels = [Float](repeating: 0, count: 1_000)
    for index in 0..<5 {
      test += [Float(50 + index), 40]
      labels.append(1)
    }
    let result = try Learning.tune(
      TuningRequest(
        TrainingRequest(
          algorithm: .randomCutForest, hyperparameters: ["eval_metrics": "accuracy"]),
        strategy: .grid, ranges: ["num_samples_per_tree=2|64", "num_trees=50|51"]),
      on: .rows(
        train: MemoryRows(blobs.rows, featureCount: 2),
        test: MemoryRows(test, featureCount: 2, labels: labels)))
    #expect(result.objective.name == "test:f1" && result.objective.isMaximized)
    #expect(result.best.objective == result.trials.compactMap(\.objective).max())
    #expect(result.training.metrics.contains { $0.name == "test:accuracy" })
  }

  @Test func cancellingKeepsTheBestOfTheTrialsBefore() throws {
    let blobs = Blobs(rowCount: 1_000, dimensions: 2, k: 8, seed: 2)
    var ended = 0
    let result = try Learning.tune(
      TuningRequest(
        TrainingRequest(algorithm: .kMeans, hyperparameters: [:]), strategy: .random,
        ranges: ["k=2:90"], trials: 9),
      on: rows(blobs, 2),
      progress: TuningProgress(
        isCancelled: { ended == 4 }, finished: { _, _ in ended += 1 }))
    #expect(result.isCutShort && result.trials.count == 4)
    #expect(throws: TrainingError.cancelled) {
      try Learning.tune(
        TuningRequest(
          TrainingRequest(algorithm: .kMeans, hyperparameters: [:]), strategy: .random,
          ranges: ["k=2:90"], trials: 9),
        on: rows(blobs, 2), progress: TuningProgress(isCancelled: { true }))
    }
  }

  @Test func errorsNameValueAndRange() {
    let cases: [(TuningStrategy, [String], Int?, String?, String)] = [
      (.grid, ["x=1:2"], nil, nil, "hyperparameter x is '1:2', it must be left out of the ranges"),
      (.grid, ["k"], nil, nil, "a range is written name=min:max"),
      (.grid, ["k=5:2"], nil, nil, "k is '5:2', it must be a minimum below its maximum"),
      (
        .grid, ["k=0:2"], nil, nil,
        "k in the ranges is '0', it must be an integer from 1 to 1000000"
      ),
      (.grid, ["k=1.5:2"], nil, nil, "two integers with a colon between them"),
      (.grid, ["k=2:3:cubic"], nil, nil, "spread linear, log, reverse-log, not 'cubic'"),
      (.grid, ["k=2"], nil, nil, "from 2 to 30 different values"),
      (
        .grid, ["k=2:3", "init_method=random|fast"], nil, nil, "init_method in the ranges is 'fast'"
      ),
      (.grid, ["mini_batch_size=5:9"], nil, nil, "'5:9', it must be given once"),
      (.grid, ["k=2:3", "k=4:5"], nil, nil, "it must be given once"),
      (.grid, ["k=2:3", "local_lloyd_tol=0:1"], nil, nil, "it must be a list for a grid"),
      (.grid, ["local_lloyd_tol=0:1:log"], nil, nil, "above 0 to be spread by the logarithm"),
      (.grid, ["local_lloyd_tol=0:1:reverse-log"], nil, nil, "from 0 to below 1"),
      (.grid, ["k=2:9"], 3, nil, "trials is '3', it must be at least 8"),
      (.grid, ["k=2:900000"], nil, nil, "899999 combinations"),
      (.grid, [], nil, nil, "from 1 to 30, such as --ranges"),
      (.random, ["k=2:9"], nil, nil, "trials is required: an integer from 1 to 10000"),
      (.bayesian, ["k=2:9"], 3, nil, "trials is '3', it must be an integer from 4 to 750"),
      (.bayesian, ["k=2:9"], 3, "test:f1", "the objective 'test:f1' is not known for kmeans"),
    ]
    for (strategy, ranges, trials, objective, message) in cases {
      var text = ""
      do {
        _ = try tune(strategy, ranges, trials: trials, objective: objective)
      } catch { text = "\(error)" }
      #expect(text.contains(message), "\(ranges): \(text)")
    }
    #expect(throws: TrainingError.self) {
      try tune(.grid, ["num_components=1|2"], [:], algorithm: .pca)
    }
  }

  @Test func theMedianEndsTrialsThatDoWorseThanMostDid() {
    var rule = MedianStop()
    let earlier: [[Double]] = [[5, 3, 1], [6, 4, 2], [7, 5, 3]]
    for values in earlier {
      #expect(values.map { rule.isHopeless($0) } == [false, false, false])
      rule.finish()
    }
    // The running means of the middle one: 6, 5, 4.
    let mixed = [6, 5.1].map { rule.isHopeless($0) }
    #expect(mixed == [false, true])
    rule.finish()
    let broken = [Double.nan].map { rule.isHopeless($0) }
    #expect(broken == [true])
  }

  @Test func lossesOfDifferentLawsAreNotCompared() throws {
    let series = [TimeSeries(start: 0, target: (0..<100).map { Float($0) })]
    let error = #expect(throws: TrainingError.self) {
      try Learning.tune(
        TuningRequest(
          TrainingRequest(
            algorithm: .deepAR,
            hyperparameters: [
              "time_freq": "H", "context_length": "6", "prediction_length": "4", "epochs": "4",
            ]),
          strategy: .grid, ranges: ["likelihood=gaussian|student-T"], stopsEarly: true),
        on: .series(train: series, test: series))
    }
    #expect("\(try #require(error))".contains("likelihood in the ranges is 'gaussian|student-T'"))
  }

  @Test func epochsThatDoWorseThanTheMedianEndATrial() throws {
    let series = (0..<4).map { index in
      TimeSeries(
        start: 1_704_067_200_000,
        target: (0..<100).map { Float(index + 1) * (2 + Float($0 % 24) / 12) })
    }
    let result = try Learning.tune(
      TuningRequest(
        TrainingRequest(
          algorithm: .deepAR,
          hyperparameters: [
            "time_freq": "H", "context_length": "6", "prediction_length": "4", "epochs": "4",
            "num_cells": "8", "mini_batch_size": "8", "num_batches_per_epoch": "5",
            "num_eval_samples": "10",
          ]),
        strategy: .grid, ranges: ["learning_rate=0.05|0.02|0.01|0.00001"], stopsEarly: true),
      on: .series(train: series, test: series))
    #expect(result.objective.name == "test:mean_wQuantileLoss")
    #expect(result.trials[3].status == .stopped)
    #expect(result.trials[3].metrics.count { $0.name == "train:loss" } < 4)
    #expect(result.best.number < 4)
  }
}

/// How a search does on functions whose least value is known.
@Suite struct TrialSearchTests {
  private static let tunable: [(name: String, kind: ParameterRange.Kind)] = [
    ("a", .number), ("b", .number), ("c", .number), ("n", .integer), ("kind", .text),
  ]

  private static let functions:
    [(name: String, ranges: [String], of: @Sendable ([Double]) -> Double)] =
      [
        (
          "branin", ["a=0:1:linear", "b=0:1"],
          { place in
            let (x, y) = (15 * place[0] - 5, 15 * place[1])
            let bend = y - 5.1 / 39.478 * x * x + 5 / 3.1416 * x - 6
            return bend * bend + 10 * (1 - 1 / 25.133) * cosine(x) + 10
          }
        ),
        (
          "bowl", ["a=0:1", "b=0:1", "c=0:1"],
          { $0.reduce(0) { $0 + ($1 - 0.3) * ($1 - 0.3) } }
        ),
        (
          "valley", ["a=0.00001:1:log", "b=0:1"],
          { place in
            let log = 5 + logarithm10(place[0])
            return (log - 2) * (log - 2) + 3 * (place[1] - 0.8) * (place[1] - 0.8)
          }
        ),
        (
          "steps", ["n=1:1000:log", "kind=x|y|z"],
          { place in
            let distance = logarithm10(place[0]) - 1.5
            return distance * distance + place[1]
          }
        ),
      ]

  private static func cosine(_ x: Double) -> Double {
    var rest = x
    while rest > 3.141_592_653_589_793 { rest -= 6.283_185_307_179_586 }
    while rest < -3.141_592_653_589_793 { rest += 6.283_185_307_179_586 }
    var (sum, term) = (1.0, 1.0)
    for index in 1...15 {
      term *= -rest * rest / Double((2 * index - 1) * 2 * index)
      sum += term
    }
    return sum
  }

  private static func logarithm10(_ x: Double) -> Double {
    var (value, power) = (x, 0.0)
    while value < 1 { (value, power) = (value * 10, power - 1) }
    while value >= 10 { (value, power) = (value / 10, power + 1) }
    var step = 0.5
    while step > 1e-12 {
      value *= value
      if value >= 10 { (value, power) = (value / 10, power + step) }
      step /= 2
    }
    return power
  }

  private func best(
    _ strategy: TuningStrategy, _ texts: [String], trials: Int, seed: UInt64,
    _ function: ([Double]) -> Double
  ) throws -> Double {
    let ranges = try texts.map { try ParameterRange($0, tunable: Self.tunable) }
    var search = TrialSearch(strategy, ranges, seed: seed)
    var least = Double.infinity
    for _ in 0..<trials {
      guard let chosen = search.propose() else { break }
      let value = function(chosen.map { Double($0) ?? ["x": 1, "y": 0, "z": 0.5][$0] ?? 9 })
      least = min(least, value)
      search.record(loss: value)
    }
    return least
  }

  /// On average over the seeds the Bayesian search ends far below the random one.
  @Test(arguments: 0..<4) func theBayesianSearchBeatsTheRandomOne(index: Int) throws {
    let (name, ranges, function) = Self.functions[index]
    let floor = name == "branin" ? 0.397887 : 0
    var sums = (random: 0.0, bayesian: 0.0)
    for seed in 0..<8 as Range<UInt64> {
      sums.random += try best(.random, ranges, trials: 25, seed: seed, function) - floor
      sums.bayesian += try best(.bayesian, ranges, trials: 25, seed: seed, function) - floor
    }
    #expect(sums.bayesian < 0.1 * sums.random, "\(name): \(sums)")
  }

  @Test func failuresAreTakenForTheWorst() throws {
    // Everything below one half fails; the search must leave it.
    let ranges = [try ParameterRange("a=0:1", tunable: Self.tunable)]
    var search = TrialSearch(.bayesian, ranges, seed: 3)
    var failures = 0
    for trial in 0..<20 {
      let chosen = search.propose()
      let value = Double(try #require(chosen)[0]) ?? 0
      if value < 0.5, trial >= 10 { failures += 1 }
      search.record(loss: value < 0.5 ? nil : (value - 0.7) * (value - 0.7))
    }
    #expect(failures <= 3)
  }
}
