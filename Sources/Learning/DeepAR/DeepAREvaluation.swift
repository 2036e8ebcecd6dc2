public import LearnedModels

/// How well a network forecasts the withheld ends of test series.
public struct DeepAREvaluation: Sendable {
  /// The root of the mean squared error of the mean forecast.
  public private(set) var rootMeanSquare = 0.0
  /// The mean over the quantiles of the weighted quantile loss.
  public private(set) var meanWeightedQuantileLoss = 0.0
  /// The sum of the median's absolute errors over the sum of the absolute values.
  public private(set) var normalizedDeviation = 0.0
  /// The share of the values between the quantiles 0.1 and 0.9.
  public private(set) var coverage = 0.0
  /// The weighted quantile loss of each quantile.
  public private(set) var weightedQuantileLosses: [(quantile: Double, loss: Double)] = []
  /// The sum of the sizes of all values, by which the losses are divided.
  public private(set) var sizes = 0.0
  /// How many series were forecast.
  public private(set) var seriesCount = 0

  /// Withholds the last prediction length of every series and forecasts it.
  ///
  /// Series that are not longer than the prediction length are left out.
  ///
  /// - Throws: The first series that does not fit the model, that none can be withheld from, or that
  ///   it was cancelled.
  public init(
    _ model: DeepARModel, on test: [TimeSeries], samples: Int = 100,
    quantiles: [Double] = (1...9).map { Double($0) / 10 }, seed: UInt64,
    progress: TrainingProgress = .init()
  ) throws(TrainingError) {
    let horizon = model.configuration.predictionLength
    var scorer = DeepARScorer(model)
    var sums = Sums(quantiles: quantiles)
    for (index, series) in test.enumerated() where series.target.count > horizon {
      try progress.check()
      progress.report(
        TrainingStage(
          "test series \(index + 1) of \(test.count)",
          fraction: Double(index) / Double(test.count)))
      var history = series
      history.target.removeLast(horizon)
      do throws(DeepARError) {
        sums.add(
          try scorer.forecast(history, samples: samples, seed: seed &+ UInt64(index)),
          against: series.target.suffix(horizon).map { Double($0) })
      } catch {
        throw .data(
          DataError(
            place: series.place ?? "test series \(index + 1)", message: error.description))
      }
      seriesCount += 1
    }
    guard sums.values > 0 else {
      throw .data(
        DataError(
          message: "no test series has values beyond the prediction length, \(horizon)",
          hint: "give whole series: of each the last \(horizon) values are withheld"))
    }
    rootMeanSquare = (sums.squares / sums.values).squareRoot()
    coverage = sums.covered / sums.values
    sizes = sums.sizes
    guard sums.sizes > 0 else { return }
    normalizedDeviation = sums.deviations / sums.sizes
    weightedQuantileLosses = zip(quantiles, sums.losses).map { ($0, $1 / sums.sizes) }
    var sum = 0.0
    for (_, loss) in weightedQuantileLosses { sum += loss }
    meanWeightedQuantileLoss = sum / Double(quantiles.count)
  }

  /// The figures under SageMaker's names.
  func metrics(step: Int) -> [Metric] {
    [Metric("test:mean_wQuantileLoss", meanWeightedQuantileLoss, step: step)]
      + weightedQuantileLosses.map {
        Metric("test:wQuantileLoss[\($0.quantile)]", $0.loss, step: step)
      } + [
        Metric("test:RMSE", rootMeanSquare, step: step),
        Metric("test:ND", normalizedDeviation, step: step),
        Metric("test:coverage", coverage, step: step),
      ]
  }

  /// What all forecasts together are measured by.
  private struct Sums {
    let quantiles: [Double]
    /// By quantile.
    var losses: [Double]
    var squares = 0.0
    var sizes = 0.0
    var deviations = 0.0
    var covered = 0.0
    var values = 0.0

    init(quantiles: [Double]) {
      self.quantiles = quantiles
      losses = Array(repeating: 0, count: quantiles.count)
    }

    mutating func add(_ forecast: DeepARForecast, against actual: [Double]) {
      let mean = forecast.mean
      let found = forecast.quantiles(quantiles + [0.1, 0.5, 0.9])
      let (low, median, high) = (
        found[quantiles.count], found[quantiles.count + 1], found[quantiles.count + 2]
      )
      for (period, value) in actual.enumerated() where value == value {
        values += 1
        sizes += value.magnitude
        squares += (mean[period] - value) * (mean[period] - value)
        deviations += (median[period] - value).magnitude
        if value >= low[period], value <= high[period] { covered += 1 }
        for (place, quantile) in quantiles.enumerated() {
          let error = value - found[place][period]
          losses[place] += 2 * max(quantile * error, (quantile - 1) * error)
        }
      }
    }
  }
}
