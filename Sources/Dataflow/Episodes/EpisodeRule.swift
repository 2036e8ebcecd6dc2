/// When rows of an entity begin and end an episode of alerts; times are ROWTIME.
public struct EpisodeRule: Hashable, Sendable {
  /// A number of rows or a time.
  public enum Extent: Hashable, Sendable {
    /// So many rows in a row.
    case points(Int)
    /// So many milliseconds.
    case milliseconds(Int64)
  }

  /// On which side of the threshold a value is anomalous.
  public enum Side: Hashable, Sendable {
    /// At or above the threshold.
    case above
    /// At or below it.
    case below
  }

  /// Which deviations of the actual from the expected value count.
  public enum Direction: String, Hashable, Sendable {
    /// Both.
    case both
    /// The actual value is higher.
    case up
    /// The actual value is lower.
    case down
  }

  /// Begins an episode; nil takes every row for anomalous.
  public var threshold: Double?
  /// Ends it: the value must pass this, which lies beyond `threshold`; nil for `threshold`.
  public var release: Double?
  /// On which side of the thresholds values are anomalous.
  public var side = Side.above
  /// How long the condition must hold before the episode fires.
  public var hold = Extent.points(1)
  /// How long it fires on after the last anomalous row.
  public var keep = Extent.points(1)
  /// Without any row for this long, an episode ends: 5 min.
  public var quietMilliseconds: Int64 = 300_000
  /// After an episode no other one fires for this long.
  public var cooldownMilliseconds: Int64 = 0
  /// So many firings within `flapMilliseconds` are flapping; 0 turns it off.
  ///
  /// The episode then lasts until it was quiet for that time.
  public var flapCount = 0
  /// The time over which firings are counted.
  public var flapMilliseconds: Int64 = 3_600_000
  /// Which deviations count.
  public var direction = Direction.both
  /// The least absolute deviation of actual from expected.
  public var leastDeviation: Double = 0
  /// The least deviation as a share of the expected value.
  public var leastShare: Double = 0
  /// The most entities with an episode at once; rows of further ones are counted as suppressed.
  public var entityLimit = 100_000

  /// A rule under which every row is anomalous and fires at once.
  public init() {}

  /// What one row says.
  public enum Condition: Hashable, Sendable {
    /// It begins or continues an episode.
    case anomalous
    /// Between the two thresholds: it continues an episode and begins none.
    case between
    /// It lets an episode end.
    case normal
  }

  /// What a row says; a missing value is normal.
  ///
  /// - Parameters:
  ///   - value: What is compared with the thresholds.
  ///   - actual: The actual value, when deviations count.
  ///   - expected: The expected value, when deviations count.
  /// - Returns: Its condition.
  public func condition(value: Double?, actual: Double?, expected: Double?) -> Condition {
    guard deviates(actual: actual, expected: expected) else { return .normal }
    guard let threshold else { return .anomalous }
    guard let value else { return .normal }
    switch side {
    case .above:
      if value >= threshold { return .anomalous }
      return release.map { value >= $0 } == true ? .between : .normal
    case .below:
      if value <= threshold { return .anomalous }
      return release.map { value <= $0 } == true ? .between : .normal
    }
  }

  private var countsDeviations: Bool {
    direction != .both || leastDeviation > 0 || leastShare > 0
  }

  private func deviates(actual: Double?, expected: Double?) -> Bool {
    guard countsDeviations else { return true }
    guard let actual, let expected else { return false }
    let deviation = actual - expected
    guard abs(deviation) >= leastDeviation, abs(deviation) >= leastShare * abs(expected) else {
      return false
    }
    return switch direction {
    case .both: true
    case .up: deviation > 0
    case .down: deviation < 0
    }
  }
}
