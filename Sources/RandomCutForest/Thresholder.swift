/// Turns a stream of scores into grades: how far a score lies above what the stream usually shows.
public struct Thresholder: Equatable, Sendable {
  /// What the thresholder must know of the forest whose scores it sees.
  public struct Setting: Equatable, Sendable {
    /// Whether points are shingles of several inputs.
    public var isShingled: Bool
    /// Whether inputs are differences.
    public var isDifferenced: Bool
    /// Whether inputs are transformed at all.
    public var isTransformed: Bool

    /// A setting.
    public init(isShingled: Bool, isDifferenced: Bool = false, isTransformed: Bool = false) {
      self.isShingled = isShingled
      self.isDifferenced = isDifferenced
      self.isTransformed = isTransformed
    }
  }

  /// How many deviations above the mean a score must lie; at least 2.
  public var zFactor: Double
  /// Scores below are never graded.
  public var absoluteThreshold: Double
  /// Lowers the absolute threshold for streams whose mean score is low.
  public var isAutomatic: Bool
  /// The threshold until enough scores have come.
  public var initialThreshold = 1.5
  /// How much the step from score to score counts beside the scores, 0...1.
  public var scoreDifferencing = 0.5
  /// Scores before the statistics are used.
  public var minimumScores = 10

  package var primary: Deviation
  package var secondary: Deviation
  /// Of how far scores lie below their mean.
  package var below: Deviation
  package var count = 0

  private static let lowestFactor = 2.0
  /// A mean score below this lowers factor and threshold in proportion.
  private static let ordinaryMean = 0.9

  /// A thresholder without history.
  ///
  /// - Parameters:
  ///   - discount: Of the scores; the forest's time decay.
  ///   - anomalyRate: Of the steps between scores.
  ///   - zFactor: As the property.
  ///   - absoluteThreshold: As the property.
  ///   - isAutomatic: As the property.
  public init(
    discount: Double, anomalyRate: Double = 0.01, zFactor: Double = 3,
    absoluteThreshold: Double = 0.8, isAutomatic: Bool = false
  ) {
    primary = Deviation(discount: discount)
    secondary = Deviation(discount: anomalyRate)
    below = Deviation(discount: discount / 2)
    self.zFactor = zFactor
    self.absoluteThreshold = absoluteThreshold
    self.isAutomatic = isAutomatic
  }

  /// Mean of the scores so far.
  public var mean: Double { primary.mean }
  /// Standard deviation of the scores so far.
  public var deviation: Double { primary.deviation }

  /// Whether the statistics are used.
  public var isReady: Bool {
    count >= minimumScores
      && (scoreDifferencing == 0 || secondary.count >= minimumScores)
  }

  /// From 0 to 1 while the statistics replace the initial threshold.
  private var transition: Double {
    if count < minimumScores { return 0 }
    if count > 2 * minimumScores { return 1 }
    return Double(count - minimumScores) / Double(minimumScores)
  }

  /// The threshold for the next score, and the grade that the score gets: 0 for none, 1 for the
  /// greatest.
  public func grade(_ score: Double, _ setting: Setting) -> (threshold: Double, grade: Double) {
    let mean = primary.mean
    var factor = zFactor
    if setting.isTransformed, mean < Self.ordinaryMean {
      factor = mean * zFactor / Self.ordinaryMean
    }
    factor = max(factor, Self.lowestFactor)
    let scaled = (factor - 1) * longTermDeviation(setting) + primary.deviation
    var absolute = absoluteThreshold
    if isAutomatic, transition >= 1, mean < Self.ordinaryMean {
      absolute = mean * absoluteThreshold / Self.ordinaryMean
    }
    let threshold =
      isReady
      ? max(absolute, transition * (mean + scaled) + (1 - transition) * initialThreshold)
      : max(initialThreshold, absolute)
    guard score >= threshold else { return (threshold, 0) }
    let excess: Double
    if isReady {
      let unit = scaled / factor
      excess = unit > 0 ? max(0, min(factor, (score - threshold) / unit) / factor) : 2
    } else {
      excess = min(1, max(0, (score - absoluteThreshold) / absoluteThreshold))
    }
    let grade = min(Double(Int(excess * 20)) / 16, 1)
    return grade > 0 ? (threshold, grade) : (score, 0)
  }

  private func longTermDeviation(_ setting: Setting) -> Double {
    let spread = primary.deviation
    let lower = 2.0.squareRoot() * below.deviation
    if !setting.isShingled && !setting.isDifferenced { return min(lower, spread) }
    let steps = secondary.deviation
    let first = min(spread, max(steps, lower))
    return scoreDifferencing * first + (1 - scoreDifferencing) * steps
  }

  /// Threshold and grade by mean and deviation alone: for scores without a natural scale.
  public func primaryGrade(_ score: Double) -> (threshold: Double, grade: Double) {
    let deviation = primary.deviation
    let threshold = primary.mean + zFactor * deviation
    guard isReady, deviation > 0 else { return (threshold, 0) }
    let excess = min(2 * zFactor, (score - primary.mean) / deviation) - zFactor
    return (threshold, max(0, excess / zFactor))
  }

  /// Takes in a score, and the score corrected for anomalies before it with its predecessor's; 0 as
  /// predecessor where points are not shingled.
  public mutating func update(_ score: Double, corrected: Double, previous: Double) {
    let bounded = min(score, 2)
    let shortfall = primary.mean - bounded
    if shortfall > 0 { below.update(shortfall) }
    primary.update(bounded)
    secondary.update(corrected - previous)
    count += 1
  }
}
