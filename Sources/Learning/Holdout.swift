public import LearnedModels
import RandomCutForest

/// One figure per algorithm by which models are compared on data that none of them was trained on;
/// the smaller, the better.
///
/// - k-means, `msd`: the mean squared distance of rows to their closest centre, in the space of the
///   features.
/// - PCA, `reconstruction_error`: the mean squared distance of rows to their projection.
/// - Forests, `mean_score`: the mean score of up to 20,000 rows. A forest that has seen rows like these
///   finds them less unusual.
/// - DeepAR, `mean_wQuantileLoss`: the mean weighted quantile loss of the withheld ends of the series.
public enum Holdout {
  private static let scoredLimit = 20_000
  private static let blockSize = 4_096
  private static let noRows = DataError(message: "there are no rows to measure on")

  /// Measures a model.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - data: The rows or series of `train` are measured on; `test` is not looked at.
  ///   - role: Goes before the name of the figure: `holdout:msd`.
  ///   - seed: Seeds the sample paths of forecasts.
  ///   - progress: Told of stages.
  /// - Returns: The figure under the role and its name.
  /// - Throws: When the data do not fit the model.
  public static func measure(
    _ model: LearnedModel, on data: TrainingData, as role: String, seed: UInt64,
    progress: TrainingProgress = .init()
  ) throws(TrainingError) -> Metric {
    switch (model, data) {
    case (.deepAR(let model), .series(let series, _)):
      let found = try DeepAREvaluation(model, on: series, seed: seed, progress: progress)
      return Metric("\(role):mean_wQuantileLoss", found.meanWeightedQuantileLoss, step: 0)
    case (.deepAR, .rows):
      throw .data(DataError(message: "a deepar model is measured on series, not on rows"))
    case (_, .series):
      throw .data(DataError(message: "series measure a deepar model only"))
    case (.kMeans(let model), .rows(let rows, _)):
      let mean = try mean(over: rows, model.featureCount, role, progress) {
        row throws(ModelError) in
        let distance = Double(try model.closest(to: row).distance)
        guard let projection = model.projection else { return distance * distance }
        return distance * distance + (try squaredRest(row, projection))
      }
      return Metric("\(role):msd", mean, step: 0)
    case (.pca(let model), .rows(let rows, _)):
      let mean = try mean(over: rows, model.featureCount, role, progress) {
        row throws(ModelError) in
        try squaredRest(row, model)
      }
      return Metric("\(role):reconstruction_error", mean, step: 0)
    case (.randomCutForest(let frozen), .rows(let rows, _)):
      return Metric(
        "\(role):mean_score", try meanScore(frozen, rows, role, progress), step: 0)
    }
  }

  /// Measures a forecaster on several windows.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - windows: Each has series that end with the window; of each the last prediction length is
  ///     withheld.
  ///   - role: Goes before the name of the figure.
  ///   - seed: Seeds the sample paths of forecasts.
  ///   - progress: Told of stages.
  /// - Returns: The figure of each window with its number as the step, if there are several, then that of
  ///   all of them.
  /// - Throws: When the series do not fit the model.
  public static func measure(
    _ model: DeepARModel, onWindows windows: [[TimeSeries]], as role: String, seed: UInt64,
    progress: TrainingProgress = .init()
  ) throws(TrainingError) -> [Metric] {
    let name = "\(role):mean_wQuantileLoss"
    var metrics: [Metric] = []
    var (sum, sizes) = (0.0, 0.0)
    for (index, series) in windows.enumerated() {
      let found = try DeepAREvaluation(
        model, on: series, seed: seed &+ UInt64(index) &* 0x9E37_79B9, progress: progress)
      metrics.append(Metric(name, found.meanWeightedQuantileLoss, step: index + 1))
      sum += found.meanWeightedQuantileLoss * found.sizes
      sizes += found.sizes
    }
    if metrics.count == 1 { metrics = [] }
    return metrics + [Metric(name, sizes > 0 ? sum / sizes : 0, step: 0)]
  }

  /// The loss of repeating the value of one season before, which forecasters must beat.
  ///
  /// A point forecast's mean weighted quantile loss over 0.1, …, 0.9 is its normalized deviation.
  /// - Returns: nil when no series has a value in its withheld end.
  public static func seasonalNaive(
    for model: DeepARModel, on series: [TimeSeries], as role: String
  ) -> Metric? {
    let horizon = model.configuration.predictionLength
    let season = model.configuration.frequency.season
    var (deviations, sizes) = (0.0, 0.0)
    for series in series where series.target.count > horizon {
      let split = series.target.count - horizon
      for period in split..<series.target.count {
        let value = Double(series.target[period])
        var source = period - season
        while source >= split { source -= season }
        if source < 0 { source = split - 1 }
        let forecast = Double(series.target[source])
        guard value == value, forecast == forecast else { continue }
        deviations += (value - forecast).magnitude
        sizes += value.magnitude
      }
    }
    guard sizes > 0 else { return nil }
    return Metric("\(role):mean_wQuantileLoss", deviations / sizes, step: 0)
  }

  /// The squared distance of a row to its projection: the directions are orthonormal.
  private static func squaredRest(
    _ row: Span<Float>, _ model: PCAModel
  ) throws(ModelError) -> Double {
    var rest = 0.0
    for index in 0..<row.count {
      let difference = Double(row[index]) - model.mean[index]
      rest += difference * difference
    }
    for value in try model.project(row) { rest -= Double(value) * Double(value) }
    return max(0, rest)
  }

  private static func check(
    _ rows: any RowSource, _ featureCount: Int
  ) throws(TrainingError) {
    guard rows.featureCount == featureCount else {
      throw .data(
        DataError(
          message: "the rows have \(rows.featureCount) features, the model was trained on "
            + "\(featureCount)"))
    }
  }

  private static func mean(
    over source: any RowSource, _ featureCount: Int, _ role: String, _ progress: TrainingProgress,
    _ value: (Span<Float>) throws(ModelError) -> Double
  ) throws(TrainingError) -> Double {
    try check(source, featureCount)
    var rows = try RowPass(source, "measuring \(role)", progress: progress)
    var sum = 0.0
    while try rows.next(limit: blockSize) {
      for row in 0..<rows.block.count {
        let start = row * featureCount
        do {
          sum += try value(rows.block.values.span.extracting(start..<start + featureCount))
        } catch {
          throw .data(DataError(place: "row \(row + 1)", message: "\(error)"))
        }
      }
    }
    guard rows.rowsRead > 0 else { throw .data(noRows) }
    return sum / Double(rows.rowsRead)
  }

  /// Evenly spread rows, when there are too many to score all.
  private static func meanScore(
    _ frozen: FrozenForest, _ source: any RowSource, _ role: String, _ progress: TrainingProgress
  ) throws(TrainingError) -> Double {
    try check(source, frozen.featureCount)
    let width = frozen.featureCount
    let step = max(1, (source.rowCount ?? 0) / scoredLimit)
    var rows = try RowPass(source, "measuring \(role)", progress: progress)
    var (sum, count, number) = (0.0, 0, 0)
    do {
      var forest = try frozen.makeForest()
      while count < scoredLimit, try rows.next(limit: blockSize) {
        for row in 0..<rows.block.count {
          number += 1
          guard number % step == 0 else { continue }
          sum += try forest.score(
            rows.block.values.span.extracting(row * width..<(row + 1) * width))
          count += 1
        }
      }
    } catch let error as TrainingError {
      throw error
    } catch {
      throw .data(DataError(message: "the forest refuses a row: \(error)"))
    }
    guard count > 0 else { throw .data(noRows) }
    return sum / Double(count)
  }
}

extension DeepARFrequency {
  /// After how many periods a pattern usually comes again: a day of hours, a week of days.
  fileprivate var season: Int {
    let periods =
      switch unit {
      case .minute: 1_440
      case .hour: 24
      case .day: 7
      case .businessDay: 5
      case .week: 52
      case .month: 12
      }
    return max(1, periods / multiple)
  }
}
