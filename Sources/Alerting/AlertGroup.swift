/// Alerts that one message tells about.
public struct AlertGroup: Hashable, Sendable {
  /// What the alerts have in common by the receiver's `group_by`.
  public let labels: [Alert.Label]
  /// The alerts in their order.
  public let alerts: [Alert]
  /// How many more there are that the message leaves out.
  public let truncatedAlerts: Int
  /// What names the message of a group for good; the alert's id for a single alert.
  public let messageID: String

  /// A group of one alert, by all its labels.
  public init(_ alert: Alert) {
    self.init(labels: alert.labels, alerts: [alert], messageID: alert.id)
  }

  /// Creates a group.
  public init(
    labels: [Alert.Label], alerts: [Alert], truncatedAlerts: Int = 0, messageID: String = ""
  ) {
    self.labels = labels
    self.alerts = alerts
    self.truncatedAlerts = truncatedAlerts
    self.messageID = messageID
  }

  /// A stable name of the group as Alertmanager writes it: `{}:{alertname="a", host="b"}`.
  public var key: String {
    var key = "{}:{"
    for (index, label) in labels.enumerated() {
      if index > 0 { key += ", " }
      key += label.name
      key += "=\""
      key += Self.escaped(label.value)
      key += "\""
    }
    key += "}"
    return key
  }

  private static func escaped(_ value: String) -> String {
    guard value.utf8.contains(where: { $0 == 0x22 || $0 == 0x5C || $0 == 0x0A }) else {
      return value
    }
    return value.reduce(into: "") { text, character in
      switch character {
      case "\"", "\\": text += "\\\(character)"
      case "\n": text += "\\n"
      default: text.append(character)
      }
    }
  }
}
