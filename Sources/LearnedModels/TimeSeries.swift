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
  /// Where it was read, such as `sales.jsonl:7`, for errors.
  public var place: String?

  /// A series; categories, features and its place may be left out.
  public init(
    start: Int64, target: [Float], categories: [Int] = [], dynamicFeatures: [[Float]] = [],
    place: String? = nil
  ) {
    self.start = start
    self.target = target
    self.categories = categories
    self.dynamicFeatures = dynamicFeatures
    self.place = place
  }
}
