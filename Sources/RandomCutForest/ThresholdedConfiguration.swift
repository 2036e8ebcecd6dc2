/// What `ThresholdedForest` does with time and with gaps in it.
public enum ThresholdedMode: UInt8, CaseIterable, Sendable {
  /// Timestamps are only reported.
  case standard
  /// The time since the input before is one more coordinate of each input.
  case timeAugmented
  /// Steps missing between two timestamps are filled in.
  case streamingImpute
}

/// How missing inputs, and missing coordinates of inputs, are filled in.
public enum ImputationMethod: Equatable, Sendable {
  case zero
  /// One value per coordinate.
  case fixed([Double])
  case previous
  /// The input after the gap.
  case next
  /// A line across the gap.
  case linear
  /// What the forest holds most ordinary; `previous` until it is ready.
  case forest
}

/// Which score is turned into grades.
public enum ScoringStrategy: UInt8, CaseIterable, Sendable {
  /// The expected inverse depth.
  case score
  /// The expected distance to what a point is cut off from.
  case distance
  /// Both must agree: fewer false alarms.
  case precision
  /// Either suffices: fewer misses.
  case recall
}

/// Deviations from the expected value that are never alerted, per coordinate.
public struct Tolerance: Equatable, Sendable {
  /// In units of the input.
  public var absolute: Double
  /// As a fraction of the value observed.
  public var relative: Double

  /// A tolerance; either bound suffices.
  public init(absolute: Double = 0, relative: Double = 0) {
    self.absolute = absolute
    self.relative = relative
  }
}

/// The parameters of a thresholded forest.
public struct ThresholdedConfiguration: Equatable, Sendable {
  /// Coordinates of one input.
  public var inputDimensions: Int
  /// Shingle, sample and trees; its dimensions and shingling follow from the rest.
  public var forest: ForestConfiguration
  /// What is done with time.
  public var mode: ThresholdedMode
  /// How inputs are changed before they enter the forest.
  public var transform: TransformMethod
  /// Importance of each coordinate, then of time; empty means 1 for all.
  public var weights: [Double]
  /// Discount of the statistics of the transform.
  public var transformDecay: Double
  /// Added to the deviation in normalisation; nil takes 1 % of the mean, at most 1.
  ///
  /// AWS adds 1.
  public var normalizationFloor: Double?
  /// Inputs held back to begin the statistics with.
  public var startNormalization: Int
  /// How gaps are filled.
  public var imputation: ImputationMethod
  /// A point is learned only when a smaller fraction of its inputs was filled in.
  public var useImputedFraction: Double
  /// Which score is graded.
  public var scoring: ScoringStrategy
  /// Adapts the thresholds to the scores, suppresses what neighbours explain and what turns out to
  /// be drift.
  public var autoAdjust: Bool
  /// One alert per run of anomalies.
  public var alertOnce: Bool
  /// How many deviations above the mean a score must lie.
  public var zFactor: Double
  /// Discount of the steps between scores.
  public var anomalyRate: Double
  /// Scores below are never graded; nil adapts when `autoAdjust` is on.
  public var absoluteThreshold: Double?
  /// Deviations below the expected value that are never alerted; one for all coordinates or one
  /// each.
  public var ignoreBelow: [Tolerance]
  /// Deviations above the expected value that are never alerted.
  public var ignoreAbove: [Tolerance]

  /// A configuration whose defaults alert on what differs, by more than a twentieth, from what was
  /// to be expected.
  public init(
    inputDimensions: Int = 1, shingleSize: Int = 8, sampleSize: Int = 256, numberOfTrees: Int = 50,
    timeDecay: Double? = nil, outputAfter: Int? = nil, seed: UInt64 = 0,
    mode: ThresholdedMode = .standard, transform: TransformMethod = .none
  ) {
    let coordinates = max(1, inputDimensions) + (mode == .timeAugmented ? 1 : 0)
    self.inputDimensions = inputDimensions
    self.mode = mode
    self.transform = transform
    startNormalization = 10
    forest = ForestConfiguration(
      dimensions: coordinates * max(1, shingleSize), shingleSize: shingleSize,
      sampleSize: sampleSize, numberOfTrees: numberOfTrees, timeDecay: timeDecay,
      outputAfter: outputAfter, seed: seed)
    weights = []
    transformDecay = 1 / Double(max(1, sampleSize))
    imputation = .forest
    useImputedFraction = 0.5
    scoring = .score
    autoAdjust = true
    alertOnce = false
    zFactor = 3
    anomalyRate = 0.01
    let tolerance = Tolerance(absolute: 0, relative: 0.05)
    ignoreBelow = [tolerance]
    ignoreAbove = [tolerance]
  }

  /// Values of a step in the forest: the coordinates, then time where it is one.
  package var blockSize: Int { inputDimensions + (mode == .timeAugmented ? 1 : 0) }

  /// Whether the first inputs are held back.
  package var buffersStart: Bool {
    startNormalization > 0
      && (transform.needsStatistics || mode != .standard || imputation != .zero)
  }

  package func tolerance(_ list: [Tolerance], _ coordinate: Int) -> Tolerance {
    list.isEmpty ? Tolerance() : list[min(coordinate, list.count - 1)]
  }

  package func weight(_ coordinate: Int) -> Double {
    weights.isEmpty ? 1 : weights[coordinate]
  }

  /// Throws the first parameter that is out of range.
  public func validate() throws(ForestError) {
    try ForestError.check("inputDimensions", Double(inputDimensions), in: 1...32_768)
    try forest.validate()
    try ForestError.check(
      "forest.dimensions", count: forest.dimensions, is: blockSize * forest.shingleSize)
    guard forest.internalShingling, !forest.internalRotation else {
      throw .inconsistent(
        parameter: "forest.internalShingling", value: 0, hint: "shingles must slide inside")
    }
    try ForestError.check("transformDecay", transformDecay, in: 0...0.999_999)
    try ForestError.check("normalizationFloor", normalizationFloor ?? 0, in: 0...1e30)
    try ForestError.check("startNormalization", Double(startNormalization), in: 0...1000)
    try ForestError.check("useImputedFraction", useImputedFraction, in: 0...1)
    try ForestError.check("zFactor", zFactor, in: 2...100)
    try ForestError.check("anomalyRate", anomalyRate, in: 0...0.999_999)
    try ForestError.check("absoluteThreshold", absoluteThreshold ?? 0, in: 0...100)
    if !weights.isEmpty { try ForestError.check("weights", count: weights.count, is: blockSize) }
    for weight in weights { try ForestError.check("weight", weight, in: 0...1e9) }
    for tolerance in ignoreBelow + ignoreAbove {
      try ForestError.check("tolerance.absolute", tolerance.absolute, in: 0...1e30)
      try ForestError.check("tolerance.relative", tolerance.relative, in: 0...1e30)
    }
    if case .fixed(let values) = imputation {
      try ForestError.check("imputation.fixed", count: values.count, is: inputDimensions)
      for value in values { try ForestError.check("imputation.fixed", value, in: -1e30...1e30) }
    }
    guard mode != .streamingImpute || forest.shingleSize > 1 else {
      throw .inconsistent(
        parameter: "forest.shingleSize", value: 1, hint: "filling gaps needs shingles of at least 2"
      )
    }
  }
}
