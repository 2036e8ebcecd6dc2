import Transport

/// Alerts as CloudEvents 1.0 in structured mode.
///
/// Source: CloudEvents specification 1.0.2 and its JSON event format.
enum CloudEventsFormat {
  static func body(for group: AlertGroup) -> [UInt8] {
    let first = group.alerts[0]
    let isDigest = group.alerts.count + group.truncatedAlerts > 1
    let kind = isDigest ? "digest" : first.status == .firing ? "opened" : "closed"
    var text = JSONText(capacity: 1_024)
    text.object { text in
      text.member("specversion", "1.0")
      text.member("id", group.messageID)
      text.member("source", "/pipelines/\(encoded(first.pipeline))/rules/\(encoded(first.rule))")
      text.member("type", "io.cutbank.anomaly.\(kind)")
      if isDigest {
        text.member("subject", group.key)
      } else if !first.entity.isEmpty {
        text.member("subject", first.entity)
      }
      text.member("time", time: first.endsAt ?? first.startsAt)
      text.member("datacontenttype", "application/json")
      text.member("severitytext", first.severity)
      text.name("data")
      if isDigest { digest(group, to: &text) } else { first.write(to: &text) }
    }
    return text.bytes
  }

  private static func digest(_ group: AlertGroup, to text: inout JSONText) {
    text.object { text in
      text.member("groupKey", group.key)
      text.member("truncatedAlerts", group.truncatedAlerts)
      text.name("alerts")
      text.array { text in
        for alert in group.alerts { alert.write(to: &text) }
      }
    }
  }

  /// A path segment of a URI reference.
  private static func encoded(_ text: String) -> String {
    text.utf8.reduce(into: "") { result, byte in
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
        UInt8(ascii: "."), UInt8(ascii: "~"):
        result.unicodeScalars.append(Unicode.Scalar(byte))
      default: result += "%" + Hexadecimal.encode([byte]).uppercased()
      }
    }
  }
}
