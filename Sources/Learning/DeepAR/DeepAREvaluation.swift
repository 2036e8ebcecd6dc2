public import LearnedModels

/// How well a network forecasts the withheld ends of test series.
public struct DeepAREvaluation: Sendable, Equatable {
  /// The root of the mean squared error of the mean forecast.
  public private(set) var rootMeanSquare = 0.0
  /// The mean over the quantiles of the weighted quantile loss.
  public private(set) var meanWeightedQuantileLoss = 0.0
  /// The sum of the median's absolute errors over the sum of the absolute values.
  public private(set) var normalizedDeviation = 0.0
  /// The share of the values between the quantiles 0.1 and 0.9.
  public private(set) var coverage = 0.0
  /// How many series were forecast.
  public private(set) var seriesCount = 0

  /// Withholds the last prediction length of every series and forecasts it.
  ///
  /// Series that are not longer than the prediction length are left out.
  ///
  /// - Throws: The first series that does not fit the model, or that it was cancelled.
  public init(
    _ model: DeepARModel, on test: [TimeSeries], samples: Int = 100,
    quantiles: [Double] = (1...9).map { Double($0) / 10 }, seed: UInt64,
    progress: TrainingProgress = .init()
  ) throws(TrainingError) {
    let horizon = model.configuration.predictionLength
    var scorer = DeepARScorer(model)
    var losses = [Double](repeating: 0, count: quantiles.count)
    var (squares, sizes, deviations, covered, values) = (0.0, 0.0, 0.0, 0.0, 0.0)
    for (index, series) in test.enumerated() where series.target.count > horizon {
      try progress.check()
      var history = series
      history.target.removeLast(horizon)
      if model.configuration.cardinalities.isEmpty { history.categories = [] }
      if model.configuration.dynamicFeatureCount == 0 { history.dynamicFeatures = [] }
      let forecast: DeepARForecast
      do throws(DeepARError) {
        forecast = try scorer.forecast(history, samples: samples, seed: seed &+ UInt64(index))
      } catch {
        throw .data(DataError(place: "test series \(index + 1)", message: error.description))
      }
      seriesCount += 1
      let mean = forecast.mean
      let found = forecast.quantiles(quantiles + [0.1, 0.5, 0.9])
      let (low, median, high) = (
        found[quantiles.count], found[quantiles.count + 1], found[quantiles.count + 2]
      )
      for period in 0..<horizon {
        let value = Double(series.target[series.target.count - horizon + period])
        guard value == value else { continue }
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
    guard values > 0 else { return }
    rootMeanSquare = (squares / values).squareRoot()
    coverage = covered / values
    guard sizes > 0 else { return }
    normalizedDeviation = deviations / sizes
    var sum = 0.0
    for loss in losses { sum += loss / sizes }
    meanWeightedQuantileLoss = sum / Double(quantiles.count)
  }

  /// The figures under SageMaker's names.
  func metrics(step: Int) -> [Metric] {
    [
      Metric("test:mean_wQuantileLoss", meanWeightedQuantileLoss, step: step),
      Metric("test:RMSE", rootMeanSquare, step: step),
      Metric("test:ND", normalizedDeviation, step: step),
      Metric("test:coverage", coverage, step: step),
    ]
  }
}
