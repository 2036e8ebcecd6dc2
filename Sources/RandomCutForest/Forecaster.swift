/// How the ranges of forecasts are fitted to the errors of earlier ones.
public enum Calibration: UInt8, CaseIterable, Sendable {
  /// Ranges as the forest gives them.
  case none
  /// Ranges widened to what earlier errors call for.
  case minimal
  /// Values moved by the mean of earlier errors too.
  case simple
}

/// A forecast in units of the input.
public struct Forecast: Equatable, Sendable {
  /// `horizon` steps of `inputDimensions` values, step after step.
  public var values: [Double]
  /// Below which an actual falls in about one of ten cases.
  public var lower: [Double]
  /// Above which an actual falls in about one of ten cases.
  public var upper: [Double]
  /// When the steps are to be expected.
  public var timestamps: [Int64]

  /// An empty forecast.
  public init() {
    values = []
    lower = []
    upper = []
    timestamps = []
  }
}

extension ThresholdedForest {
  /// The next `horizon` inputs, with the last anomaly taken out of the past they follow from.
  ///
  /// - Parameters:
  ///   - horizon: Steps ahead, 1...1000.
  ///   - correctsPast: Whether an anomaly within the last shingle is replaced by what was to be
  ///     expected.
  ///   - centrality: 1 follows the most ordinary continuation, 0 a random one.
  /// - Returns: Values and ranges; the last input, without a range, until the forest is ready.
  /// - Throws: When a parameter is out of range, or points are not shingled.
  public mutating func extrapolate(
    horizon: Int, correctsPast: Bool = true, centrality: Double = 1
  ) throws(ForestError) -> Forecast {
    try ForestError.check("horizon", Double(horizon), in: 1...1000)
    try ForestError.check("centrality", centrality, in: 0...1)
    guard configuration.forest.shingleSize > 1 else {
      throw .inconsistent(
        parameter: "shingleSize", value: 1, hint: "a forecast needs shingles of at least 2 inputs")
    }
    var shingle = forest.core.shingleValues
    if correctsPast { shingle = corrector.corrected(shingle) }
    let estimate = forest.extrapolate(
      from: shingle, nextSlot: 0, horizon: horizon, centrality: centrality)
    return inverted(estimate, horizon: horizon)
  }

  /// Back in units of the input: differences add up from the last input on.
  private func inverted(_ estimate: Estimate, horizon: Int) -> Forecast {
    var forecast = Forecast()
    var scales = preprocessor.scales
    let block = configuration.blockSize
    let isDifferenced = configuration.transform.isDifferenced
    let followsMean =
      configuration.transform == .normalize || configuration.transform == .subtractMovingAverage
    var time = Double(preprocessor.previousTimestamp)
    for step in 0..<horizon {
      for i in scales.indices {
        let at = step * block + i
        var value = scales[i].invert(estimate.values[at])
        if followsMean { value += Double(step + 1) * preprocessor.statistics[i].stepMean.mean }
        let down = scales[i].invert(estimate.values[at]) - scales[i].invert(estimate.lower[at])
        let up = scales[i].invert(estimate.upper[at]) - scales[i].invert(estimate.values[at])
        forecast.values.append(value)
        forecast.lower.append(value - max(0, down))
        forecast.upper.append(value + max(0, up))
        if isDifferenced { scales[i].shift += value - previous(i, step, forecast) }
      }
      var gap = preprocessor.gap.mean
      if configuration.mode == .timeAugmented {
        gap = preprocessor.timeScale.invert(estimate.values[step * block + block - 1])
      }
      time += max(0, gap)
      forecast.timestamps.append(nearest(min(9e18, max(-9e18, time))))
    }
    return forecast
  }

  /// The value of a coordinate one step before.
  private func previous(_ coordinate: Int, _ step: Int, _ forecast: Forecast) -> Double {
    step == 0
      ? preprocessor.statistics[coordinate].previous
      : forecast.values[(step - 1) * configuration.inputDimensions + coordinate]
  }
}

/// Detects anomalies and forecasts the next steps, with ranges that hold what comes as often as
/// they should: fitted to the errors of the forecasts before.
public struct Forecaster: ~Copyable {
  /// The detector whose forest the forecasts come from.
  public package(set) var detector: ThresholdedForest
  /// Steps ahead.
  public let horizon: Int
  /// How ranges are fitted.
  public let calibration: Calibration
  package var errors: ForecastErrors
  /// Bounds that no forecast leaves, per coordinate.
  public let limits: [ClosedRange<Double>]

  /// A forecaster without history.
  ///
  /// - Parameters:
  ///   - configuration: Of the detector; mode `standard` or `timeAugmented`, shingled.
  ///   - horizon: Steps ahead, 1...512.
  ///   - calibration: How ranges are fitted.
  ///   - limits: Bounds of each coordinate that no forecast leaves; empty for none.
  /// - Throws: The first parameter that is out of range.
  public init(
    _ configuration: ThresholdedConfiguration, horizon: Int, calibration: Calibration = .simple,
    limits: [ClosedRange<Double>] = []
  ) throws(ForestError) {
    try ForestError.check("horizon", Double(horizon), in: 1...512)
    try ForestError.check("shingleSize", Double(configuration.forest.shingleSize), in: 2...32_768)
    if !limits.isEmpty {
      try ForestError.check("limits", count: limits.count, is: configuration.inputDimensions)
    }
    let detector = try ThresholdedForest(configuration)
    self.detector = detector
    self.horizon = horizon
    self.calibration = calibration
    self.limits = limits
    errors = ForecastErrors(
      horizon: horizon, dimensions: configuration.inputDimensions,
      memory: min(1024, max(configuration.forest.sampleSize, 2 * horizon)))
  }

  /// Grades and learns an input, and forecasts what follows it.
  ///
  /// - Parameters:
  ///   - values: `inputDimensions` values.
  ///   - timestamp: As for the detector.
  /// - Returns: What is to be said of the input; the forecast is empty until the forest is ready.
  /// - Throws: As the detector.
  public mutating func process(
    _ values: Span<Double>, timestamp: Int64
  ) throws(ForestError) -> (detection: Detection, forecast: Forecast) {
    let detection = try detector.process(values, timestamp: timestamp)
    guard detector.forest.isReady, detector.forest.hasShingle else {
      return (detection, Forecast())
    }
    errors.update(detection.input)
    var forecast = try detector.extrapolate(horizon: horizon)
    errors.remember(forecast)
    let deviations = detector.preprocessor.statistics.map { $0.step.deviation }
    if calibration != .none {
      errors.calibrate(&forecast, movesValues: calibration == .simple, deviations: deviations)
    }
    keepWithinLimits(&forecast)
    return (detection, forecast)
  }

  private func keepWithinLimits(_ forecast: inout Forecast) {
    guard !limits.isEmpty else { return }
    for i in forecast.values.indices {
      let limit = limits[i % limits.count]
      func clamped(_ value: Double) -> Double {
        min(limit.upperBound, max(limit.lowerBound, value))
      }
      forecast.values[i] = clamped(forecast.values[i])
      forecast.lower[i] = clamped(forecast.lower[i])
      forecast.upper[i] = clamped(forecast.upper[i])
    }
  }

  /// How often the ranges held what came, per step ahead and coordinate: nominally 0.8.
  public var hitRates: [Double] { errors.hits.map { $0.mean } }
}

/// The errors of earlier forecasts, per step ahead and coordinate.
package struct ForecastErrors: Equatable, Sendable {
  package let horizon: Int
  package let dimensions: Int
  /// The last `horizon` forecasts as the forest gave them, and as they were published.
  package var raw: [Forecast] = []
  package var published: [Forecast] = []
  package var hits: [Deviation]
  package var above: [Deviation]
  package var below: [Deviation]
  package var count = 0

  private static let nominal = 0.8
  /// Deviations that hold 80 % of a normal distribution.
  private static let width = 1.2816

  package init(horizon: Int, dimensions: Int, memory: Int) {
    self.horizon = horizon
    self.dimensions = dimensions
    let empty = [Deviation](
      repeating: Deviation(discount: 1 / Double(memory)), count: horizon * dimensions)
    hits = empty
    above = empty
    below = empty
  }

  /// Compares an input with every forecast made of it.
  package mutating func update(_ actual: [Double]) {
    for (age, forecast) in raw.enumerated() {
      // The newest forecast, at the end, was made one step ago.
      let lead = raw.count - 1 - age
      for j in 0..<dimensions {
        let at = lead * dimensions + j
        let error = actual[j] - forecast.values[at]
        above[at].update(max(0, error))
        below[at].update(min(0, error))
        guard age < published.count else { continue }
        let range = published[age]
        hits[at].update(range.lower[at] <= actual[j] && actual[j] <= range.upper[at] ? 1 : 0)
      }
    }
    count += 1
  }

  package mutating func remember(_ forecast: Forecast) {
    if raw.count == horizon { raw.removeFirst() }
    raw.append(forecast)
    if published.count == horizon { published.removeFirst() }
    published.append(forecast)
  }

  /// Moves values by the mean error, and widens ranges to the spread of the errors; early on the
  /// spread of the data stands in for it.
  package mutating func calibrate(
    _ forecast: inout Forecast, movesValues: Bool, deviations: [Double]
  ) {
    let known = Double(count) / Double(10 * horizon)
    for at in forecast.values.indices {
      let mean = above[at].mean + below[at].mean
      var spread = Self.spread(above[at], below[at])
      if known < 1 {
        spread = deviations[at % dimensions]
      } else if known < 2 {
        spread = (2 - known) * deviations[at % dimensions] + (known - 1) * spread
      }
      if hits[at].count >= 10, hits[at].mean < Self.nominal {
        spread *= max(1, 1 / (hits[at].mean + 0.1))
      }
      let center = forecast.values[at]
      if movesValues && known >= 1 { forecast.values[at] += mean }
      let shift = known >= 1 ? mean : 0
      let half = Self.width * spread
      if known < 1 {
        forecast.upper[at] = max(forecast.upper[at], center + half)
        forecast.lower[at] = min(forecast.lower[at], center - half)
      } else {
        forecast.upper[at] = max(forecast.values[at], center + shift + half)
        forecast.lower[at] = min(forecast.values[at], center + shift - half)
      }
    }
    if !published.isEmpty { published[published.count - 1] = forecast }
  }

  /// The standard deviation of errors whose positive and negative parts are known.
  private static func spread(_ above: Deviation, _ below: Deviation) -> Double {
    guard above.weight > 0 else { return 0 }
    let mean = above.mean + below.mean
    let squares = (above.squares + below.squares) / above.weight
    return max(0, squares - mean * mean).squareRoot()
  }
}
