/// An episode begins or ends.
public struct EpisodeTransition: Hashable, Sendable {
  /// Counts the transitions of the rule, from 0; the same in a replay.
  public let number: Int64
  /// The values of the entity's columns.
  public let entity: [String]
  /// False when the episode has ended.
  public let isFiring: Bool
  /// ROWTIME of the first anomalous row, milliseconds since 1970.
  public let startedAt: Int64
  /// ROWTIME of the transition.
  public let rowtime: Int64
  /// How many anomalous rows there were.
  public let points: Int64
  /// The value furthest on the anomalous side; nil without a threshold.
  public let peak: Double?
  /// What the row of the peak held, or the last anomalous row without a threshold.
  public let values: [EpisodeValue]
  /// Whether the entity has fired too often of late.
  public let isFlapping: Bool
}
