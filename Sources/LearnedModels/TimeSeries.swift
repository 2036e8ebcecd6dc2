/// One series of equally spaced values, as DeepAR learns and continues it.
public struct TimeSeries: Sendable, Equatable {
  /// The time of the first value: milliseconds since 1970, in no time zone.
  public var start: Int64
  /// The values; NaN where one is missing.
  public var target: [Float]
  /// The category of the series in each field, from 0.
  public var categories: [Int]
  /// Known features, each at least as long as `target`; longer by the prediction length to forecast.
  public var dynamicFeatures: [[Float]]

  /// A series; categories and features may be left out.
  public init(
    start: Int64, target: [Float], categories: [Int] = [], dynamicFeatures: [[Float]] = []
  ) {
    self.start = start
    self.target = target
    self.categories = categories
    self.dynamicFeatures = dynamicFeatures
  }
}
