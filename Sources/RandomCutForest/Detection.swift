/// Why a score above the threshold was, or was not, graded an anomaly.
public enum Correction: UInt8, CaseIterable, Sendable {
  /// Nothing was corrected.
  case none
  /// Values too small to tell from rounding.
  case noise
  /// Score and distance disagreed.
  case multiMode
  /// An anomaly before, still in the shingle, explains it.
  case anomalyInShingle
  /// The value lies as near to the expected one as noise would.
  case forecast
  /// Neighbours with the same past continued in the same way.
  case conditionalForecast
  /// The series has settled at a new level.
  case dataDrift
  /// The run of anomalies has been alerted already.
  case alertOnce
}

/// What `ThresholdedForest` says of one input.
public struct Detection: Equatable, Sendable {
  /// The anomaly score of the shingle; 0 until the forest is ready.
  public var score = 0.0
  /// 0 for an ordinary input, up to 1 for the greatest anomaly.
  public var grade = 0.0
  /// The score from which on inputs are graded.
  public var threshold = 0.0
  /// 0...1: how much the forest has seen, and how complete that was.
  public var confidence = 0.0
  /// The step that stands out: 0 the present one, negative one before it.
  public var relativeIndex = 0
  /// What each coordinate of that step contributes to the score; empty without grade.
  public var attribution: [Double] = []
  /// Part of the score that lies in the timing of that step.
  public var timeAttribution = 0.0
  /// The step that stands out, as it was.
  public var actualValues: [Double] = []
  /// What was to be expected in its place; empty where nothing single explains it.
  public var expectedValues: [Double] = []
  /// When the input was to be expected; only where time is a coordinate.
  public var expectedTimestamp: Int64?
  /// Why the grade is what it is.
  public var correction = Correction.none
  /// Whether this grade begins a run of anomalies.
  public var startsAnomaly = false
  /// Steps filled in before this one.
  public var imputedSteps = 0
  /// The input after missing coordinates were filled in.
  public var input: [Double] = []
  /// Whether any coordinate of the input was filled in.
  public var isImputed = false

  /// Nothing known.
  public init() {}
}
