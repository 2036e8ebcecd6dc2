public import Dataflow

/// An alert webhook.
public struct WebhookSettings: Sendable {
  /// The form of the body.
  public enum Format: Hashable, Sendable {
    case alertmanager(externalURL: String)
    case alertmanagerAPI
    case pagerDuty(routingKey: String)
    case slack
    case cloudEvents
    /// A JSON text with places.
    case template(String)

    /// The name in files and messages.
    var name: String {
      switch self {
      case .alertmanager: "alertmanager"
      case .alertmanagerAPI: "alertmanager_api"
      case .pagerDuty: "pagerduty"
      case .slack: "slack"
      case .cloudEvents: "cloudevents"
      case .template: "template"
      }
    }
  }

  /// Alerts that go out together.
  public struct Group: Hashable, Sendable {
    /// The labels whose values they share.
    public var labels: [String] = []
    /// How long the first alert waits for others.
    public var waitMilliseconds: Int64 = 30_000
    /// The least time between two messages.
    public var intervalMilliseconds: Int64 = 300_000
    /// After this time a group that still fires is told again.
    public var repeatMilliseconds: Int64 = 14_400_000
    /// The most alerts of a message; 0 for all.
    public var maximumAlerts = 0
  }

  /// Hours of every week, in UTC, in which nobody is told.
  public struct Maintenance: Hashable, Sendable {
    /// The days on which it begins, 0 for Sunday.
    public var weekdays: Set<Int>
    /// The minute of the day at which it begins.
    public var startMinute: Int
    /// How long it lasts.
    public var lengthMinutes: Int
    /// Which alerts, such as `severity="warning"`; none for all.
    public var matchers: [String]
  }

  /// Names of an alert's values and the columns that give them.
  public struct NamedColumn: Hashable, Sendable {
    /// The name in the alert.
    public var name: String
    /// The column.
    public var column: String
  }

  /// The rule by which rows become episodes.
  public struct Rule: Hashable, Sendable {
    /// When an episode begins and ends.
    public var episode = EpisodeRule()
    /// The column that is compared with the threshold, or nil when every row counts.
    public var value: String?
    /// The column with the actual value, for deviations.
    public var actual: String?
    /// The column with the expected value.
    public var expected: String?
  }

  /// The receiver's URL.
  public var url: String
  /// The body's form.
  public var format = Format.alertmanager(externalURL: "")
  /// Signing secrets, the newest first.
  public var secrets: [String] = []
  /// Further headers, such as an authorization.
  public var headers: [(String, String)] = []
  /// Address ranges that are allowed although they are private or loopback.
  public var allow: [String] = []
  /// Labels added to every alert.
  public var labels: [(String, String)] = []
  /// The columns that say what an alert is about.
  public var entity: [String] = []
  /// Values under names that people know; the other columns keep their own.
  public var values: [NamedColumn] = []
  /// Where to look, with `{{COLUMN}}` for values; may be empty.
  public var link = ""
  /// How rows become episodes; nil sends every row.
  public var rule: Rule?
  /// Whether the end of an episode is told.
  public var sendsResolved = true
  /// How alerts are put together; nil sends each by itself.
  public var group: Group?
  /// When nobody is told.
  public var maintenance: [Maintenance] = []
  /// How long one attempt may take.
  public var timeoutMilliseconds: Int64 = 30_000

  /// Creates settings with the defaults.
  public init(url: String) { self.url = url }
}
