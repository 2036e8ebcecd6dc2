import Transport

extension AlertGroup {
  /// Whether any alert fires.
  var isFiring: Bool { alerts.contains { $0.status == .firing } }

  /// What a person reads first.
  var summary: String {
    guard alerts.count + truncatedAlerts > 1, let first = alerts.first else {
      return alerts.first?.summary ?? ""
    }
    let count = alerts.count + truncatedAlerts
    return "\(first.rule): \(count) alerts \(isFiring ? "firing" : "resolved")"
  }
}

extension Alert {
  /// What a person reads first: the annotation `summary`, or rule, state and entity.
  var summary: String {
    if let text = annotations.first(where: { $0.name == "summary" })?.value { return text }
    let place = entity.isEmpty ? "" : " on \(entity)"
    return "\(rule) \(status.rawValue)\(place)"
  }

  /// What the alert is about: the label `entity`.
  var entity: String { label("entity") ?? "" }

  /// The label `severity` as one of PagerDuty's four.
  var severity: String {
    let known = ["critical", "error", "warning", "info"]
    return label("severity").flatMap { known.contains($0) ? $0 : nil } ?? "warning"
  }

  /// Writes the alert with all that it carries as a JSON object.
  func write(to text: inout JSONText) {
    text.object { text in
      text.member("id", id)
      text.member("pipeline", pipeline)
      text.member("rule", rule)
      text.member("status", status.rawValue)
      text.name("labels")
      Self.write(labels, to: &text)
      text.name("annotations")
      Self.write(annotations, to: &text)
      text.name("values")
      writeFields(to: &text)
      text.member("startsAt", time: startsAt)
      text.name("endsAt")
      if let endsAt { text.value(JSONText.rfc3339(endsAt)) } else { text.null() }
      text.member("generatorURL", generatorURL)
      text.member("fingerprint", fingerprint)
    }
  }

  /// Writes labels as a JSON object.
  static func write(_ labels: [Label], to text: inout JSONText) {
    text.object { text in
      for label in labels { text.member(label.name, label.value) }
    }
  }

  /// Writes the values as a JSON object.
  func writeFields(to text: inout JSONText) {
    text.object { text in
      for field in fields {
        text.name(field.name)
        field.value.write(to: &text)
      }
    }
  }
}

extension Alert.Value {
  /// Writes the value as JSON.
  func write(to text: inout JSONText) {
    switch self {
    case .number(let number): text.value(number)
    case .integer(let number): text.value(number)
    case .text(let string): text.value(string)
    case .boolean(let truth): text.value(truth)
    case .json(let json): text.fragment(json.utf8)
    case .null: text.null()
    }
  }
}
