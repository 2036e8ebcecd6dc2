import Transport

/// The webhook body of Prometheus Alertmanager, version 4.
///
/// Source: prometheus/alertmanager, `notify/webhook/webhook.go` and `template/template.go`.
struct AlertmanagerFormat {
  /// The time that Go prints for no time.
  private static let noTime = "0001-01-01T00:00:00Z"

  /// The body for a group of alerts, which is not empty.
  static func body(for group: AlertGroup, receiver: String, externalURL: String) -> [UInt8] {
    let alerts = group.alerts
    let isFiring = alerts.contains { $0.status == .firing }
    let groupLabels = fragment(group.labels)
    let isOne = alerts.count == 1
    let labels = alerts.map { $0.labels == group.labels ? groupLabels : fragment($0.labels) }
    let annotations = alerts.map(annotations)
    let fragments = annotations.map(fragment)
    var text = JSONText(capacity: 512 + 1_024 * alerts.count)
    text.object { text in
      text.member("version", "4")
      text.member("groupKey", group.key)
      text.member("truncatedAlerts", group.truncatedAlerts)
      text.member("status", (isFiring ? Alert.Status.firing : .resolved).rawValue)
      text.member("receiver", receiver)
      text.name("groupLabels")
      text.fragment(groupLabels)
      text.name("commonLabels")
      text.fragment(isOne ? labels[0] : fragment(common(alerts.map(\.labels))))
      text.name("commonAnnotations")
      text.fragment(isOne ? fragments[0] : fragment(common(annotations)))
      text.member("externalURL", externalURL)
      text.name("alerts")
      text.array { text in
        for (index, alert) in alerts.enumerated() {
          write(alert, labels[index], fragments[index], to: &text)
        }
      }
    }
    return text.bytes
  }

  private static func write(
    _ alert: Alert, _ labels: [UInt8], _ annotations: [UInt8], to text: inout JSONText
  ) {
    text.object { text in
      text.member("status", alert.status.rawValue)
      text.name("labels")
      text.fragment(labels)
      text.name("annotations")
      text.fragment(annotations)
      text.member("startsAt", time: alert.startsAt)
      if let endsAt = alert.endsAt {
        text.member("endsAt", time: endsAt)
      } else {
        text.member("endsAt", noTime)
      }
      text.member("generatorURL", alert.generatorURL)
      text.member("fingerprint", alert.fingerprint)
    }
  }

  /// The alerts of a group as Alertmanager's API takes them.
  ///
  /// A firing alert ends in the far future, since its end is told: without an end Alertmanager
  /// would resolve it after five minutes.
  static func alerts(of group: AlertGroup) -> [UInt8] {
    var text = JSONText(capacity: 512 * (1 + group.alerts.count))
    text.array { text in
      for alert in group.alerts {
        text.object { text in
          text.name("labels")
          text.fragment(fragment(alert.labels))
          text.name("annotations")
          text.fragment(fragment(annotations(alert)))
          text.member("startsAt", time: alert.startsAt)
          text.member("endsAt", alert.endsAt.map(JSONText.rfc3339) ?? "9999-12-31T23:59:59Z")
          text.member("generatorURL", alert.generatorURL)
        }
      }
    }
    return text.bytes
  }

  private static func fragment(_ labels: [Alert.Label]) -> [UInt8] {
    var text = JSONText(capacity: 64 * (1 + labels.count))
    text.object { text in
      for label in labels { text.member(label.name, label.value) }
    }
    return text.bytes
  }

  /// Annotations and values together, since this format knows texts only; annotations win.
  static func annotations(_ alert: Alert) -> [Alert.Label] {
    let values = alert.fields.compactMap { field in
      field.value == .null ? nil : Alert.Label(field.name, field.value.description)
    }
    return Alert.sorted(values + alert.annotations)
  }

  /// What all lists hold with the same value.
  static func common(_ lists: [[Alert.Label]]) -> [Alert.Label] {
    guard let first = lists.first else { return [] }
    return first.filter { label in lists.dropFirst().allSatisfy { $0.contains(label) } }
  }
}
