/// How alerts of a receiver are put together into messages.
///
/// Source of meaning and defaults: Prometheus Alertmanager, "Configuration", `route`.
public struct Grouping: Hashable, Sendable {
  /// The labels by whose values alerts belong together; empty puts all into one group.
  public var labels: [String]
  /// How long the first alert of a group waits for others: 30 s.
  public var waitMilliseconds: Int64
  /// The least time between two messages of a group: 5 min.
  public var intervalMilliseconds: Int64
  /// After this time a group that still fires is told again: 4 h.
  public var repeatMilliseconds: Int64
  /// The most alerts of one message, zero for all.
  ///
  /// Those that fire come first, of these the highest grade or score; the rest is counted.
  public var maximumAlerts: Int

  /// Creates a grouping.
  public init(
    by labels: [String], waitMilliseconds: Int64 = 30_000,
    intervalMilliseconds: Int64 = 300_000, repeatMilliseconds: Int64 = 14_400_000,
    maximumAlerts: Int = 0
  ) {
    self.labels = labels
    self.waitMilliseconds = waitMilliseconds
    self.intervalMilliseconds = intervalMilliseconds
    self.repeatMilliseconds = repeatMilliseconds
    self.maximumAlerts = maximumAlerts
  }

  /// The labels of the group that an alert belongs to.
  func labels(of alert: Alert) -> [Alert.Label] {
    alert.labels.filter { labels.contains($0.name) }
  }
}
