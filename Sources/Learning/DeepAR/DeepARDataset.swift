package import LearnedModels
package import RandomCutForest

/// The series of a training, checked, without gaps, and how windows are drawn from them.
package struct DeepARDataset {
  /// One series from its first observed value on.
  struct Item {
    var series: TimeSeries
    /// Whether each value was observed; empty when all were.
    var observed: [Bool]
    /// The period of the first value.
    var firstPeriod: Int
  }

  /// A piece of a series: the first value to be predicted beyond the context is at `split`.
  package struct Window {
    var item: Int
    var split: Int
  }

  let items: [Item]
  package let configuration: DeepARConfiguration
  /// Sums of the items' chances, for draws by scale; empty for passes in random order.
  private let cumulative: [Double]
  var order: [Int]
  var next = 0

  /// Checks the series and fills their gaps.
  ///
  /// - Parameters:
  ///   - series: The series, of which those that are too short are left out.
  ///   - parameters: What shall be trained.
  ///   - note: Told of series that are left out.
  /// - Throws: The first thing that is wrong with the series.
  package init(
    _ series: [TimeSeries], _ parameters: DeepARHyperparameters,
    note: (String) -> Void = { _ in }
  ) throws(TrainingError) {
    var shape = try Self.shape(series, parameters)
    let frequency = parameters.frequency
    var items: [Item] = []
    var observations = 0
    for (index, one) in series.enumerated() {
      var one = one
      if shape.cardinalities.isEmpty { one.categories = [] }
      if shape.dynamicFeatureCount == 0 { one.dynamicFeatures = [] }
      do throws(DeepARError) {
        try one.check(
          cardinalities: shape.cardinalities, dynamicFeatureCount: shape.dynamicFeatureCount,
          dynamicLength: one.target.count, likelihood: shape.likelihood)
      } catch {
        throw .data(
          DataError(place: one.place ?? "series \(index + 1)", message: error.description))
      }
      let filled = one.filled(frequency)
      let missing = one.target.contains { $0.isNaN }
      observations += one.target.count { !$0.isNaN }
      guard filled.target.count > shape.predictionLength else { continue }
      items.append(
        Item(
          series: filled,
          observed: missing ? one.target.suffix(filled.target.count).map { !$0.isNaN } : [],
          firstPeriod: frequency.period(of: filled.start)))
    }
    guard observations >= 300, !items.isEmpty else {
      throw .data(Self.tooLittle(observations, isLongEnough: !items.isEmpty, shape))
    }
    if items.count < series.count {
      note(
        "\(series.count - items.count) of \(series.count) series are left out: they are not longer "
          + "than the prediction length, \(shape.predictionLength)")
    }
    shape.maximumAge = items.map(\.series.target.count).max() ?? 1
    (shape.logScaleMean, shape.logScaleDeviation) = Self.scales(items, shape.contextLength)
    var sum = 0.0
    cumulative =
      parameters.scaleSamplingExponent > 0
      ? items.map { item in
        sum += power(Self.meanSize(item.series.target[...]), parameters.scaleSamplingExponent)
        return sum
      } : []
    self.items = items
    configuration = shape
    order = Array(items.indices)
    next = order.count
  }

  private static func tooLittle(
    _ observations: Int, isLongEnough: Bool, _ shape: DeepARConfiguration
  ) -> DataError {
    DataError(
      message: observations == 0
        ? "all values of all series are missing"
        : isLongEnough
          ? "there are \(observations) observations; DeepAR needs at least 300"
          : "no series is longer than the prediction length, \(shape.predictionLength)",
      hint: "give more or longer series, or a shorter prediction_length")
  }

  private static func shape(
    _ series: [TimeSeries], _ parameters: DeepARHyperparameters
  ) throws(TrainingError) -> DeepARConfiguration {
    let fields = series.first?.categories.count ?? 0
    let cardinalities: [Int]
    switch parameters.cardinality {
    case .ignored: cardinalities = []
    case .given(let sizes): cardinalities = sizes
    case .fromData:
      cardinalities = (0..<fields).map { field in
        1 + (series.map { field < $0.categories.count ? $0.categories[field] : 0 }.max() ?? 0)
      }
      guard cardinalities.allSatisfy({ (1...1_000_000).contains($0) }) else {
        throw .data(
          DataError(
            message: "'cat' has a category of \((cardinalities.max() ?? 1) - 1)",
            hint: "number the categories of each field from 0"))
      }
    }
    return DeepARConfiguration(
      frequency: parameters.frequency, contextLength: parameters.contextLength,
      predictionLength: parameters.predictionLength, likelihood: parameters.likelihood,
      layerCount: parameters.layerCount, cellCount: parameters.cellCount,
      cardinalities: cardinalities, embeddingDimension: parameters.embeddingDimension,
      dynamicFeatureCount: parameters.dynamicFeatureCount ?? series.first?.dynamicFeatures.count
        ?? 0)
  }

  static func meanSize(_ values: ArraySlice<Float>) -> Double {
    var sum = 0.0
    for value in values { sum += Double(value.magnitude) }
    return values.isEmpty ? 0 : sum / Double(values.count)
  }

  /// Mean and deviation of the logarithm of the scale over contexts side by side.
  private static func scales(_ items: [Item], _ length: Int) -> (mean: Double, deviation: Double) {
    var count = 0.0
    var sum = 0.0
    var squares = 0.0
    for item in items {
      let target = item.series.target
      for start in stride(from: 0, to: target.count, by: length) {
        let size = meanSize(target[start..<min(target.count, start + length)])
        guard size > 0 else { continue }
        let value = logarithm(size)
        count += 1
        sum += value
        squares += value * value
      }
    }
    guard count > 0 else { return (0, 1) }
    let mean = sum / count
    return (mean, max(0.1, max(0, squares / count - mean * mean).squareRoot()))
  }

  /// Draws a window: every series once in each pass, or series by their scale.
  package mutating func draw(_ random: inout SplitMix64) -> Window {
    var item = 0
    if cumulative.isEmpty {
      if next == order.count {
        for index in stride(from: order.count - 1, to: 0, by: -1) {
          order.swapAt(index, Int(random.next() % UInt64(index + 1)))
        }
        next = 0
      }
      item = order[next]
      next += 1
    } else {
      let place = random.uniform() * (cumulative.last ?? 0)
      var low = 0
      var high = cumulative.count - 1
      while low < high {
        let middle = (low + high) / 2
        if cumulative[middle] > place { high = middle } else { low = middle + 1 }
      }
      item = low
    }
    let last = items[item].series.target.count - configuration.predictionLength
    return Window(item: item, split: 1 + Int(random.next() % UInt64(last)))
  }

  /// The scale of a window: the mean size of its context.
  func scale(_ window: Window) -> Double {
    let first = max(0, window.split - configuration.contextLength)
    let size = Self.meanSize(items[window.item].series.target[first..<window.split])
    return size > 0 ? size : exponential(configuration.logScaleMean)
  }
}
