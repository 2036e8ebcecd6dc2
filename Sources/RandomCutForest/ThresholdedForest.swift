/// A forest that says which inputs are anomalies: transforms them, fills what is missing, grades
/// the scores and explains them by the value that was to be expected.
public struct ThresholdedForest: ~Copyable {
  /// As given.
  public let configuration: ThresholdedConfiguration
  /// The forest of the transformed points.
  public package(set) var forest: RandomCutForest
  package var preprocessor: Preprocessor
  package var corrector: PredictorCorrector

  /// An empty one; throws the first parameter that is out of range.
  public init(_ configuration: ThresholdedConfiguration) throws(ForestError) {
    try configuration.validate()
    let forest = try RandomCutForest(configuration.forest)
    self.configuration = configuration
    self.forest = forest
    preprocessor = Preprocessor(configuration)
    corrector = PredictorCorrector(configuration)
  }

  /// Grades an input, then learns it.
  ///
  /// - Parameters:
  ///   - values: `inputDimensions` values.
  ///   - timestamp: In any unit; must increase unless the mode is `standard`.
  ///   - missing: Coordinates without a value; what stands there is ignored but must be finite.
  /// - Returns: What is to be said of the input.
  /// - Throws: Before anything changes, when an array has the wrong length, a value cannot be used,
  ///   or time does not increase.
  public mutating func process(
    _ values: Span<Double>, timestamp: Int64, missing: [Int] = []
  ) throws(ForestError) -> Detection {
    guard let accepted = try accept(values, timestamp: timestamp, missing: missing) else {
      var detection = Detection()
      detection.input = values.indices.map { values[$0] }
      return detection
    }
    var detection = take(accepted.input, timestamp: timestamp, missing: missing)
    detection.imputedSteps = accepted.imputedSteps
    detection.isImputed = !missing.isEmpty
    return detection
  }

  /// Checks an input and fills in what is missing before and in it; nil when it was held back.
  mutating func accept(
    _ values: Span<Double>, timestamp: Int64, missing: [Int]
  ) throws(ForestError) -> (input: [Double], imputedSteps: Int)? {
    let input = try check(values, timestamp: timestamp, missing: missing)
    if configuration.buffersStart,
      preprocessor.seen + preprocessor.held.count < configuration.startNormalization
    {
      hold(input, timestamp: timestamp, missing: missing)
      return nil
    }
    var imputedSteps = 0
    if configuration.mode == .streamingImpute {
      imputedSteps = fillGap(before: timestamp, next: input)
    }
    return (completed(input, timestamp: timestamp, missing: missing), imputedSteps)
  }

  /// Grades and learns many inputs; the answers are those of as many calls of `process`.
  public mutating func processSequentially(
    _ values: Span<Double>, timestamps: Span<Int64>
  ) throws(ForestError) -> [Detection] {
    let size = configuration.inputDimensions
    try ForestError.check("values", count: values.count, is: timestamps.count * size)
    var detections: [Detection] = []
    detections.reserveCapacity(timestamps.count)
    for t in timestamps.indices {
      detections.append(
        try process(
          values.extracting(t * size..<(t + 1) * size), timestamp: timestamps[t]))
    }
    return detections
  }

  func check(
    _ values: Span<Double>, timestamp: Int64, missing: [Int]
  ) throws(ForestError) -> [Double] {
    try ForestError.check("values", count: values.count, is: configuration.inputDimensions)
    var input: [Double] = []
    for i in values.indices {
      guard values[i].magnitude <= Double(ForestError.largestMagnitude) else {
        throw .unusableValue(index: i, value: values[i])
      }
      input.append(values[i])
    }
    for coordinate in missing {
      try ForestError.check(
        "missing", Double(coordinate), in: 0...Double(configuration.inputDimensions - 1))
    }
    let last = preprocessor.held.last?.timestamp ?? preprocessor.previousTimestamp
    let isFirst = preprocessor.held.isEmpty && preprocessor.seen == 0
    guard isFirst || configuration.mode == .standard || timestamp > last else {
      throw .inconsistent(
        parameter: "timestamp", value: Double(timestamp), hint: "it must be later than \(last)")
    }
    return input
  }

  /// Holds back the first inputs; with the last of them, all are taken in at once.
  private mutating func hold(_ input: [Double], timestamp: Int64, missing: [Int]) {
    preprocessor.held.append(
      Preprocessor.HeldInput(values: input, timestamp: timestamp, missing: missing))
    guard preprocessor.held.count == configuration.startNormalization else { return }
    let held = completedByLines(preprocessor.held)
    preprocessor.held = []
    for entry in held {
      preprocessor.update(entry.values, timestamp: entry.timestamp, missing: entry.missing)
    }
    // All are transformed with the statistics of all; only steps need what came before them.
    let scales = preprocessor.scales
    let seen = preprocessor.seen
    for (index, entry) in held.enumerated() {
      var own = scales
      if configuration.transform.isDifferenced {
        for i in own.indices {
          let before = index > 0 ? held[index - 1].values[i] : entry.values[i]
          own[i].shift += before - preprocessor.statistics[i].previous
        }
      }
      preprocessor.seen = index
      preprocessor.previousTimestamp = index > 0 ? held[index - 1].timestamp : entry.timestamp
      learn(preprocessor.block(entry.values, timestamp: entry.timestamp, scales: own))
    }
    preprocessor.seen = seen
    preprocessor.previousTimestamp = timestamp
  }

  /// Learns a transformed block, unless too much of the shingle was filled in.
  package mutating func learn(_ block: [Float]) {
    if preprocessor.isLearnable { forest.learn(block) } else { forest.push(block) }
  }

  private mutating func take(
    _ input: [Double], timestamp: Int64, missing: [Int]
  ) -> Detection {
    let scales = preprocessor.scales
    let block = preprocessor.block(input, timestamp: timestamp, scales: scales)
    var step = PredictorCorrector.Step(
      point: forest.shingled(block), scales: scales,
      stepDeviations: preprocessor.statistics.map { $0.step.deviation })
    if configuration.mode == .timeAugmented {
      step.scales.append(preprocessor.timeScale)
      step.stepDeviations.append(preprocessor.gap.deviation)
    }
    var detection = corrector.detect(step, &forest)
    detection.confidence = preprocessor.confidence
    detection.input = input
    describe(&detection, step)
    let previous = preprocessor.previousTimestamp
    let shifts = scales.map { $0.shift }
    preprocessor.imputedInShingle = max(0, preprocessor.imputedInShingle - 1)
    preprocessor.update(input, timestamp: timestamp, missing: missing)
    let changes = zip(preprocessor.scales, shifts).map { $0.shift - $1 }
    corrector.remember(detection, step, shiftChange: changes)
    splitTime(&detection, after: previous)
    learn(block)
    return detection
  }

  /// Adds the attribution of the step that stands out to a graded detection.
  private mutating func describe(
    _ detection: inout Detection, _ step: PredictorCorrector.Step
  ) {
    guard detection.grade > 0 else { return }
    let size = configuration.blockSize
    let sums = forest.attribution(of: step.point).sums
    let start = (configuration.forest.shingleSize - 1 + detection.relativeIndex) * size
    detection.attribution = Array(sums[start..<start + configuration.inputDimensions])
    if configuration.mode == .timeAugmented { detection.timeAttribution = sums[start + size - 1] }
  }

  /// Tells the time to be expected from the values to be expected.
  private func splitTime(_ detection: inout Detection, after previous: Int64) {
    guard configuration.mode == .timeAugmented, !detection.expectedValues.isEmpty else { return }
    let gap = detection.expectedValues.removeLast()
    detection.actualValues.removeLast()
    if detection.relativeIndex == 0 {
      detection.expectedTimestamp = previous + nearest(min(1e18, max(0, gap)))
    }
  }

  /// The threshold that the next score will be held against.
  public var threshold: Double { corrector.threshold }
}
