import LearnedModels

/// What shall be tuned; with the data it determines the trials and the model.
public struct TuningRequest: Sendable {
  /// The algorithm, the hyperparameters that stay, and the seed of the search and of every trial.
  public var training: TrainingRequest
  /// How the next trial is chosen.
  public var strategy: TuningStrategy
  /// Ranges as they are written: `k=2:50`, `learning_rate=1e-4:1e-1:log`, `init_method=random|kmeans++`.
  public var ranges: [String]
  /// How many trials there are; nil for the whole grid.
  public var trials: Int?
  /// The metric that decides; nil for the algorithm's usual one.
  public var objective: String?
  /// Whether trials that do worse than the median end early.
  public var stopsEarly: Bool

  /// A request.
  public init(
    _ training: TrainingRequest, strategy: TuningStrategy, ranges: [String], trials: Int? = nil,
    objective: String? = nil, stopsEarly: Bool = false
  ) {
    self.training = training
    self.strategy = strategy
    self.ranges = ranges
    self.trials = trials
    self.objective = objective
    self.stopsEarly = stopsEarly
  }
}

/// One training of a tuning.
public struct Trial: Sendable, Equatable {
  /// How it ended.
  public enum Status: Sendable, Equatable {
    /// It ran through.
    case completed
    /// It did worse than the median and was ended early.
    case stopped
    /// Nothing was trained, for this reason.
    case failed(String)
  }

  /// Its number, from 1.
  public let number: Int
  /// The hyperparameters that were chosen, in the order of the ranges.
  public let chosen: [String]
  /// How it ended.
  public let status: Status
  /// The metric that decides; nil when it failed.
  public let objective: Double?
  /// All its metrics.
  public let metrics: [Metric]
}

/// How a tuning tells of itself and is stopped.
public struct TuningProgress {
  /// Asked for every mini-batch; true ends the tuning with what it has.
  public var isCancelled: () -> Bool
  /// Told of the trial at work and how far it is.
  public var report: (_ trial: Int, TrainingStage) -> Void
  /// Told of every trial when it has ended, and of the metric that decides.
  public var finished: (Trial, Objective) -> Void

  /// By default nobody listens and nothing is cancelled.
  public init(
    isCancelled: @escaping () -> Bool = { false },
    report: @escaping (_ trial: Int, TrainingStage) -> Void = { _, _ in },
    finished: @escaping (Trial, Objective) -> Void = { _, _ in }
  ) {
    self.isCancelled = isCancelled
    self.report = report
    self.finished = finished
  }
}

/// The trials of a tuning and the model of the best one.
public struct TuningResult: Sendable {
  /// The best trial's training with all its hyperparameters; training by it gives the same model.
  public let request: TrainingRequest
  /// The best trial's model and metrics.
  public let training: TrainingResult
  /// The best trial.
  public let best: Trial
  /// All trials in their order.
  public let trials: [Trial]
  /// The ranges in their order.
  public let ranges: [ParameterRange]
  /// The metric that decided.
  public let objective: Objective
  /// Whether the tuning was cancelled before its last trial.
  public let isCutShort: Bool
}

/// Trains with different hyperparameters and keeps the best model.
///
/// A trial that fails is recorded and the next one begins; three in a row that fail alike from the first
/// on end the tuning with their error.
///
/// - Throws: The first thing that is wrong with ranges or data, or that it was cancelled before the first
///   trial had ended.
public func tune(
  _ request: TuningRequest, on data: TrainingData, progress: TuningProgress = .init()
) throws(TrainingError) -> TuningResult {
  var tuner = try Tuner(request, data)
  return try tuner.run(on: data, progress)
}

/// The trials of one tuning.
private struct Tuner {
  /// Trials of a random or grid search, and of a Bayesian one, whose choices take ever longer.
  private static let trialLimits = (plain: 10_000, bayesian: 750)
  private static let rangeLimit = 30

  private let request: TuningRequest
  private let ranges: [ParameterRange]
  private let objective: Objective
  private let trialCount: Int
  private var search: TrialSearch
  private var median = MedianStop()
  private var trials: [Trial] = []
  private var errors: [TrainingError] = []
  private var best: (trial: Trial, request: TrainingRequest, result: TrainingResult)?

  init(_ request: TuningRequest, _ data: TrainingData) throws(TrainingError) {
    self.request = request
    let training = request.training
    let hasTest =
      switch data {
      case .rows(_, let test): test != nil
      case .series(_, let test): !test.isEmpty
      }
    objective = try Objective(named: request.objective, of: training.algorithm, hasTest: hasTest)
    do throws(HyperparameterError) {
      ranges = try Self.ranges(request, data)
      trialCount = try Self.trialCount(request, ranges)
    } catch {
      throw .hyperparameter(error)
    }
    guard !request.stopsEarly || training.algorithm.epochMetric != nil else {
      throw .data(
        DataError(
          message:
            "\(training.algorithm.rawValue) measures nothing before its end, so that no trial "
            + "can be stopped early", hint: "leave early stopping out"))
    }
    if request.stopsEarly, let range = ranges.first(where: { $0.name == "likelihood" }) {
      throw .hyperparameter(
        HyperparameterError(
          name: "likelihood in the ranges", value: range.text,
          range: "fixed where trials are stopped early: losses of different laws do not compare"))
    }
    search = TrialSearch(request.strategy, ranges, seed: training.seed)
  }

  /// The ranges, each valid at its ends for this algorithm.
  private static func ranges(
    _ request: TuningRequest, _ data: TrainingData
  ) throws(HyperparameterError) -> [ParameterRange] {
    let training = request.training
    var ranges: [ParameterRange] = []
    for text in request.ranges {
      let range = try ParameterRange(text, tunable: training.algorithm.tunable)
      guard training.hyperparameters[range.name] == nil,
        !ranges.contains(where: { $0.name == range.name })
      else {
        throw HyperparameterError(
          name: range.name, value: String(text.dropFirst(range.name.count + 1)),
          range: "given once, as a value or as a range")
      }
      ranges.append(range)
    }
    guard (1...rangeLimit).contains(ranges.count) else {
      throw HyperparameterError(
        name: "ranges", value: "\(ranges.count) of them",
        range: "from 1 to \(rangeLimit), such as --ranges k=2:50")
    }
    let featureCount =
      switch data {
      case .rows(let train, _): train.featureCount
      case .series: 1
      }
    var usual = training.hyperparameters
    for range in ranges { usual[range.name] = range.extremes[0] }
    for range in ranges {
      for text in range.extremes {
        var texts = usual
        texts[range.name] = text
        do {
          try training.algorithm.check(texts, featureCount: featureCount)
        } catch {
          guard error.name == range.name else { throw error }
          throw HyperparameterError(
            name: "\(range.name) in the ranges", value: text, range: error.range)
        }
      }
    }
    return ranges
  }

  private static func trialCount(
    _ request: TuningRequest, _ ranges: [ParameterRange]
  ) throws(HyperparameterError) -> Int {
    func wrong(_ range: String) -> HyperparameterError {
      HyperparameterError(name: "trials", value: request.trials.map { "\($0)" }, range: range)
    }
    switch request.strategy {
    case .grid:
      guard let combinations = TrialSearch.combinations(ranges) else {
        let range = ranges.first { $0.count == nil }
        throw HyperparameterError(
          name: "\(range?.name ?? "") in the ranges", value: range?.text ?? "",
          range: "a list for a grid: a|b|c")
      }
      guard combinations <= trialLimits.plain else {
        throw HyperparameterError(
          name: "ranges", value: "\(combinations) combinations",
          range: "at most \(trialLimits.plain) for a grid; narrow them, or search at random")
      }
      guard request.trials ?? combinations >= combinations else {
        throw wrong("at least \(combinations), the combinations of the grid, or left out")
      }
      return combinations
    case .random:
      guard let trials = request.trials, (1...trialLimits.plain).contains(trials) else {
        throw wrong("an integer from 1 to \(trialLimits.plain)")
      }
      return trials
    case .bayesian:
      let least = TrialSearch.firstCount(ranges) + 1
      guard let trials = request.trials, (least...trialLimits.bayesian).contains(trials) else {
        throw wrong(
          "an integer from \(least) to \(trialLimits.bayesian): \(least - 1) trials are needed before "
            + "the first one can be chosen; with fewer, search at random")
      }
      return trials
    }
  }

  mutating func run(
    on data: TrainingData, _ progress: TuningProgress
  ) throws(TrainingError) -> TuningResult {
    var isCutShort = false
    while trials.count < trialCount, let chosen = search.propose() {
      do {
        try runTrial(chosen, on: data, progress)
      } catch .cancelled {
        isCutShort = true
        break
      } catch {
        record(chosen, failed: error)
        progress.finished(trials[trials.count - 1], objective)
        if trials.count == 3, errors.count == 3, errors.allSatisfy({ $0 == error }) { throw error }
      }
    }
    guard let best else { throw isCutShort ? .cancelled : errors.last ?? .cancelled }
    return TuningResult(
      request: best.request, training: best.result, best: best.trial, trials: trials,
      ranges: ranges, objective: objective, isCutShort: isCutShort)
  }

  private mutating func runTrial(
    _ chosen: [String], on data: TrainingData, _ progress: TuningProgress
  ) throws(TrainingError) {
    var training = request.training
    for (range, text) in zip(ranges, chosen) { training.hyperparameters[range.name] = text }
    var measured = training
    measured.hyperparameters = objective.measuring(
      training.hyperparameters, of: training.algorithm)
    let number = trials.count + 1
    let watched = request.stopsEarly ? training.algorithm.epochMetric : nil
    var rule = median
    var wasStopped = false
    let result = try train(
      measured, on: data,
      progress: TrainingProgress(
        isCancelled: progress.isCancelled, report: { progress.report(number, $0) },
        measured: { metric in
          guard metric.name == watched, rule.isHopeless(metric.value) else { return true }
          wasStopped = true
          return false
        }))
    rule.finish()
    median = rule
    guard let value = result.metrics.last(where: { $0.name == objective.name })?.value,
      value.isFinite
    else {
      throw .diverged(
        reason: "\(objective.name) is not a number", hint: "look at the range of its values")
    }
    let trial = Trial(
      number: number, chosen: chosen, status: wasStopped ? .stopped : .completed,
      objective: value, metrics: result.metrics)
    trials.append(trial)
    search.record(loss: objective.loss(value))
    if best.map({ objective.loss(value) < objective.loss($0.trial.objective ?? .infinity) }) ?? true
    {
      best = (trial, measured, result)
    }
    progress.finished(trial, objective)
  }

  private mutating func record(_ chosen: [String], failed error: TrainingError) {
    errors.append(error)
    trials.append(
      Trial(
        number: trials.count + 1, chosen: chosen, status: .failed(error.description),
        objective: nil, metrics: []))
    search.record(loss: nil)
  }
}
