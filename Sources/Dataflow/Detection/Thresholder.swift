import Columns

/// Mean and deviation of a stream in which older values count less and less.
struct DiscountedDeviation {
  private let discount: Double
  private var sum = 0.0
  private var squares = 0.0
  private var weight = 0.0
  /// How many values have come.
  private(set) var count: Int64 = 0

  /// Creates statistics; each new value takes `discount` off the weight of all before it.
  init(discount: Double) { self.discount = discount }

  mutating func update(_ value: Double) {
    let factor = 1 - discount
    sum = sum * factor + value
    squares = squares * factor + value * value
    weight = weight * factor + 1
    count += 1
  }

  /// Takes the place of a long past with this mean and deviation.
  mutating func settle(mean: Double, deviation: Double) {
    weight = discount > 0 ? 1 / discount : 1
    sum = mean * weight
    squares = (mean * mean + deviation * deviation) * weight
    count = Int64(min(weight, 0x1p40))
  }

  var mean: Double { weight > 0 ? sum / weight : 0 }

  var deviation: Double {
    guard weight > 0 else { return 0 }
    return max(0, squares / weight - mean * mean).squareRoot()
  }

  func save(into writer: inout SectionWriter) {
    writer.write([sum, squares, weight])
    writer.write(count)
  }

  mutating func restore(from reader: inout SectionReader) throws(StateError) {
    let values = try reader.doubles()
    guard values.count == 3 else { throw reader.failure("three sums are expected") }
    (sum, squares, weight) = (values[0], values[1], values[2])
    count = try reader.integer()
  }
}

/// Turns a stream of anomaly scores into grades from 0 to 1 by a threshold that follows the scores.
///
/// Source: `BasicThresholder` of AWS's random cut forest, as specified in spec/random-cut-forest.md §3.4,
/// without transforms.
struct Thresholder {
  private static let absoluteThreshold = 0.8
  private static let initialThreshold = 1.5
  private static let scoreDifferencing = 0.5
  private static let minimumScores = 10.0

  private let zFactor: Double
  private let isShingled: Bool
  private var primary: DiscountedDeviation
  private var secondary = DiscountedDeviation(discount: 0.01)
  private var below: DiscountedDeviation
  private var lastScore = 0.0

  /// Creates a thresholder for scores of a forest with this time decay.
  init(timeDecay: Double, zFactor: Double, isShingled: Bool) {
    self.zFactor = max(2, zFactor)
    self.isShingled = isShingled
    primary = DiscountedDeviation(discount: timeDecay)
    below = DiscountedDeviation(discount: timeDecay / 2)
  }

  /// How far statistics have replaced the initial threshold, 0 to 1.
  private var readiness: Double {
    let count = Double(primary.count)
    return min(1, max(0, (count - Self.minimumScores) / Self.minimumScores))
  }

  private var isReady: Bool {
    primary.count >= Int64(Self.minimumScores) && secondary.count >= Int64(Self.minimumScores)
  }

  /// The spread that a score must exceed.
  private var scaledDeviation: Double {
    let lower = 2.0.squareRoot() * below.deviation
    let longTerm: Double
    if isShingled {
      let first = min(primary.deviation, max(secondary.deviation, lower))
      longTerm =
        Self.scoreDifferencing * first + (1 - Self.scoreDifferencing) * secondary.deviation
    } else {
      longTerm = min(lower, primary.deviation)
    }
    return (zFactor - 1) * longTerm + primary.deviation
  }

  /// The threshold and grade of the next score; the statistics do not change.
  func grade(_ score: Double) -> (threshold: Double, grade: Double) {
    let scaled = scaledDeviation
    let base = Self.absoluteThreshold
    guard isReady else {
      let threshold = max(Self.initialThreshold, base)
      return (threshold, score < threshold ? 0 : Self.levels(min(1, max(0, (score - base) / base))))
    }
    let threshold = max(
      base, readiness * (primary.mean + scaled) + (1 - readiness) * Self.initialThreshold)
    guard score >= threshold else { return (threshold, 0) }
    let unit = scaled / zFactor
    let distance = unit > 0 ? min(zFactor, (score - threshold) / unit) / zFactor : 2
    return (threshold, Self.levels(max(0, distance)))
  }

  /// 21 levels; full at four fifths.
  private static func levels(_ distance: Double) -> Double {
    min(1, (20 * distance).rounded(.down) / 16)
  }

  /// Learns a score.
  mutating func update(_ score: Double) {
    let limited = min(score, 2)
    if primary.count > 0, score < primary.mean { below.update(primary.mean - score) }
    primary.update(limited)
    secondary.update(isShingled ? score - lastScore : score)
    if isShingled { lastScore = score }
  }

  /// Takes the place of a past of scores around a mean, spread as by the normal law: those below it
  /// lie 0.80 deviations away on average, with a deviation of 0.60 deviations.
  mutating func settle(mean: Double, deviation: Double) {
    primary.settle(mean: min(mean, 2), deviation: deviation)
    secondary.settle(mean: isShingled ? 0 : mean, deviation: deviation)
    below.settle(mean: 0.798 * deviation, deviation: 0.603 * deviation)
    lastScore = isShingled ? mean : 0
  }

  func save(into writer: inout SectionWriter) {
    primary.save(into: &writer)
    secondary.save(into: &writer)
    below.save(into: &writer)
    writer.write(lastScore)
  }

  mutating func restore(from reader: inout SectionReader) throws(StateError) {
    try primary.restore(from: &reader)
    try secondary.restore(from: &reader)
    try below.restore(from: &reader)
    lastScore = try reader.double()
  }
}
