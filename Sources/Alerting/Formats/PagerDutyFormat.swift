import Crypto
import Foundation
import Transport

/// Events of PagerDuty's Events API v2.
///
/// Source: PagerDuty developer documentation, "Send an Event"; limits of 1,024 characters for the
/// summary and 512 kB for the event.
enum PagerDutyFormat {
  private static let summaryLimit = 1_024
  private static let eventLimit = 512_000
  /// What the routing key and its name take, at most.
  private static let routingKeyAllowance = 100

  /// The event for a group, without its routing key.
  static func body(for group: AlertGroup) -> [UInt8] {
    let full = event(for: group, hasDetails: true)
    guard full.count + routingKeyAllowance > eventLimit else { return full }
    return event(for: group, hasDetails: false)
  }

  private static func event(for group: AlertGroup, hasDetails: Bool) -> [UInt8] {
    let first = group.alerts[0]
    let key = group.alerts.count == 1 ? first.orderingKey : group.key
    let digest = SHA256.hash(data: Array("\(first.pipeline)|\(first.rule)|\(key)".utf8))
    var text = JSONText(capacity: 1_024)
    text.object { text in
      text.member("event_action", group.isFiring ? "trigger" : "resolve")
      text.member("dedup_key", Hexadecimal.encode(digest))
      text.name("payload")
      text.object { text in
        text.member("summary", String(group.summary.prefix(summaryLimit)))
        text.member("source", first.entity.isEmpty ? first.pipeline : first.entity)
        text.member("severity", first.severity)
        text.member("timestamp", time: first.startsAt)
        text.member("component", first.rule)
        text.member("group", first.pipeline)
        text.member("class", "anomaly")
        if hasDetails { details(of: group, to: &text) }
      }
      text.member("client", "Cutbank")
      if !first.generatorURL.isEmpty {
        text.member("client_url", first.generatorURL)
        text.name("links")
        text.array { text in
          text.object { text in
            text.member("href", first.generatorURL)
            text.member("text", "Look at it")
          }
        }
      }
    }
    return text.bytes
  }

  private static func details(of group: AlertGroup, to text: inout JSONText) {
    text.name("custom_details")
    guard group.alerts.count + group.truncatedAlerts > 1 else {
      return group.alerts[0].write(to: &text)
    }
    text.object { text in
      text.name("alerts")
      text.array { text in
        for alert in group.alerts { alert.write(to: &text) }
      }
      text.member("truncated", group.truncatedAlerts)
    }
  }

  /// The event with its routing key.
  static func completed(_ body: [UInt8], routingKey: String) -> [UInt8] {
    var text = JSONText()
    text.member("routing_key", routingKey)
    return [UInt8(ascii: "{")] + text.bytes + [UInt8(ascii: ",")] + body.dropFirst()
  }
}
