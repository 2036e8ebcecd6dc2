import Transport

/// Messages of a Slack incoming webhook, with one attachment per alert.
///
/// Source: Slack API documentation, "Sending messages using incoming webhooks", "Legacy attachments".
enum SlackFormat {
  private static let attachmentLimit = 10
  private static let fieldLimit = 20
  private static let valueLimit = 500

  static func body(for group: AlertGroup) -> [UInt8] {
    var text = JSONText(capacity: 1_024)
    let shown = group.alerts.prefix(attachmentLimit)
    let more = group.alerts.count - shown.count + group.truncatedAlerts
    let state = group.isFiring ? "FIRING" : "RESOLVED"
    text.object { text in
      let tail = more > 0 ? " (+\(more) more)" : ""
      text.member("text", "[\(state)] \(escaped(group.summary))\(tail)")
      text.name("attachments")
      text.array { text in
        for alert in shown { attachment(alert, to: &text) }
      }
    }
    return text.bytes
  }

  private static func attachment(_ alert: Alert, to text: inout JSONText) {
    text.object { text in
      text.member("color", color(of: alert))
      text.member("fallback", escaped(alert.summary))
      text.member("title", escaped(alert.entity.isEmpty ? alert.rule : alert.entity))
      if !alert.generatorURL.isEmpty { text.member("title_link", alert.generatorURL) }
      text.member("text", escaped(alert.summary))
      text.name("fields")
      text.array { text in
        for field in alert.fields.filter({ $0.value != .null }).prefix(fieldLimit) {
          text.object { text in
            text.member("title", escaped(field.name))
            text.member("value", escaped(String(field.value.description.prefix(valueLimit))))
            text.name("short")
            text.value(true)
          }
        }
      }
      text.member("footer", escaped("\(alert.pipeline) · \(alert.rule)"))
      text.member("ts", (alert.endsAt ?? alert.startsAt) / 1_000)
    }
  }

  private static func color(of alert: Alert) -> String {
    guard alert.status == .firing else { return "good" }
    return alert.severity == "critical" || alert.severity == "error" ? "danger" : "warning"
  }

  /// What Slack would take for markup, as entities.
  private static func escaped(_ value: String) -> String {
    value.reduce(into: "") { text, character in
      switch character {
      case "&": text += "&amp;"
      case "<": text += "&lt;"
      case ">": text += "&gt;"
      default: text.append(character)
      }
    }
  }
}
