import RandomCutForest

/// A trained DeepAR network.
///
/// - Source: Salinas, Flunkert, Gasthaus, Januschowski, "DeepAR: Probabilistic forecasting with
///   autoregressive recurrent networks", International Journal of Forecasting 36, 2020; the inputs are
///   those of GluonTS' implementation.
public struct DeepARModel: Hashable, Sendable {
  /// The shape of the network.
  public let configuration: DeepARConfiguration
  /// All weights, as laid out by the configuration.
  public let weights: [Float]
  package let layout: DeepARLayout

  /// Puts a network together.
  ///
  /// - Throws: `DeepARError` for a wrong number of weights or a weight that is not finite.
  public init(configuration: DeepARConfiguration, weights: [Float]) throws(DeepARError) {
    let layout = DeepARLayout(configuration)
    guard weights.count == layout.weightCount else {
      throw DeepARError(
        "the model has \(weights.count) weights where its shape needs \(layout.weightCount)")
    }
    guard weights.allSatisfy(\.isFinite) else {
      throw DeepARError("the model has a weight that is not finite")
    }
    self.configuration = configuration
    self.weights = weights
    self.layout = layout
  }

  /// How many values of the past the network can use.
  public var historyLength: Int {
    layout.lags[layout.lags.count - 1] + configuration.contextLength
  }

  /// The scale of a series of which nothing but zeros is known.
  package var usualScale: Double { exponential(configuration.logScaleMean) }

  /// Throws when a series does not fit the network, or a dynamic feature has less than `length` values.
  package func check(_ series: TimeSeries, length: Int) throws(DeepARError) {
    try series.check(
      cardinalities: configuration.cardinalities,
      dynamicFeatureCount: configuration.dynamicFeatureCount, dynamicLength: length,
      likelihood: configuration.likelihood)
  }
}

/// What does not fit, in words for the user.
public struct DeepARError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong and what would be right.
  public let description: String

  package init(_ description: String) { self.description = description }
}

extension TimeSeries {
  /// The series from its first observed value on, every gap filled with the value before it.
  package func filled(_ frequency: DeepARFrequency) -> TimeSeries {
    let leading = target.prefix { $0.isNaN }.count
    var series = self
    if leading > 0 {
      series.start = frequency.start(of: frequency.period(of: start) + leading)
      series.target.removeFirst(leading)
      for index in series.dynamicFeatures.indices {
        series.dynamicFeatures[index].removeFirst(
          min(leading, series.dynamicFeatures[index].count))
      }
    }
    for index in series.target.indices where series.target[index].isNaN {
      series.target[index] = series.target[index - 1]
    }
    return series
  }

  package func check(
    cardinalities: [Int], dynamicFeatureCount: Int, dynamicLength: Int,
    likelihood: DeepARLikelihood
  ) throws(DeepARError) {
    guard categories.count == cardinalities.count else {
      throw DeepARError(
        "'cat' has \(categories.count) categories where the model has \(cardinalities.count)")
    }
    for (index, category) in categories.enumerated()
    where !(0..<cardinalities[index]).contains(category) {
      throw DeepARError(
        "category \(category) of field \(index) of 'cat' is not in 0...\(cardinalities[index] - 1), "
          + "the categories seen in training")
    }
    guard dynamicFeatures.count == dynamicFeatureCount else {
      throw DeepARError(
        "'dynamic_feat' has \(dynamicFeatures.count) series where the model has "
          + "\(dynamicFeatureCount)")
    }
    for (index, feature) in dynamicFeatures.enumerated() {
      guard feature.count >= dynamicLength else {
        throw DeepARError(
          "series \(index) of 'dynamic_feat' has \(feature.count) values, needed: \(dynamicLength)")
      }
      guard feature.allSatisfy(\.isFinite) else {
        throw DeepARError(
          "series \(index) of 'dynamic_feat' has a missing value; only 'target' may have gaps")
      }
    }
    for (index, value) in target.enumerated() {
      try likelihood.check(value, index: index)
    }
  }
}

extension DeepARLikelihood {
  /// Throws when a value, which stands at `index` from 0, cannot come from this law.
  func check(_ value: Float, index: Int) throws(DeepARError) {
    guard value == value else { return }
    guard value.isFinite else {
      throw DeepARError(
        "value \(index + 1) of 'target' is not finite; write null for a missing one")
    }
    switch self {
    case .negativeBinomial:
      guard value >= 0, value == Float(flooring(Double(value))) else {
        throw DeepARError(
          "value \(index + 1) of 'target' is \(value), but the likelihood negative-binomial is for "
            + "counts: whole numbers from 0; use student-T or gaussian")
      }
    case .beta:
      guard value >= 0, value <= 1 else {
        throw DeepARError(
          "value \(index + 1) of 'target' is \(value), but the likelihood beta is for values from 0 to "
            + "1; use student-T or gaussian")
      }
    case .studentT, .gaussian, .deterministicL1: break
    }
  }
}
