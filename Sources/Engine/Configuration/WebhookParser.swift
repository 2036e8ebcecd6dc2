import Alerting
import Dataflow
import Transport
import Yams

/// Reads a `webhook:` of a pipeline file and checks what needs no SQL.
struct WebhookParser {
  let reader: ConfigurationReader

  private static let week: Int64 = 7 * 86_400_000
  private static let formats = [
    "alertmanager", "alertmanager_api", "pagerduty", "slack", "cloudevents", "template",
  ]

  func webhook(_ mapping: MappingReader) -> WebhookSettings {
    let format = mapping.choice("format", Self.formats.map { ($0, $0) }) ?? "alertmanager"
    // PagerDuty has one address for everybody.
    let standard = format == "pagerduty" ? "https://events.pagerduty.com/v2/enqueue" : nil
    let url = mapping.string("url") ?? standard ?? mapping.requiredString("url") ?? ""
    var settings = WebhookSettings(url: url)
    if !url.isEmpty, WebURL(url) == nil {
      // A user in the URL has a password beside it, which no message may show.
      let hasUser = url.contains("@")
      reader.report(
        hasUser ? "a webhook takes no user in its URL" : "'\(url)' is no URL of a webhook",
        at: mapping.value("url"),
        hint: hasUser
          ? "write headers: {Authorization: \"Basic …\"}" : "write https://host/path")
    }
    settings.format = self.format(format, mapping)
    settings.secrets = mapping.strings("secret").filter { !$0.isEmpty }
    if settings.secrets.contains(where: { WebhookSecret($0) == nil }) {
      reader.report(
        "a secret is not in the form whsec_<base64>", at: mapping.value("secret"),
        hint: "make one with: echo whsec_$(openssl rand -base64 32)")
    }
    settings.headers = headers(mapping)
    let addresses = OutputParser(reader: reader)
    settings.allow = addresses.addresses(mapping)
    if let parsed = WebURL(url) {
      addresses.checkAddress(parsed, settings.allow, at: mapping.value("url"), in: "webhook")
    }
    settings.labels = mapping.stringTable("labels")
    settings.entity = mapping.strings("entity")
    settings.values = mapping.stringTable("values").map {
      WebhookSettings.NamedColumn(name: $0.0, column: $0.1)
    }
    settings.link = mapping.string("link") ?? ""
    settings.rule = mapping.mapping("rule").map { RuleParser(reader: reader).rule($0) }
    settings.sendsResolved = mapping.boolean("send_resolved") ?? true
    settings.group = group(mapping)
    checkGroup(settings, mapping)
    settings.maintenance = mapping.mappings("maintenance").compactMap(maintenance)
    settings.timeoutMilliseconds =
      mapping.duration("timeout", in: 1_000...300_000) ?? settings.timeoutMilliseconds
    return settings
  }

  private func format(_ name: String, _ mapping: MappingReader) -> WebhookSettings.Format {
    let externalURL = mapping.string("external_url") ?? ""
    let routingKey = mapping.string("routing_key")
    let template = mapping.string("template")
    func refuse(_ key: String, _ needed: String) {
      guard mapping.value(key) != nil, name != needed else { return }
      reader.report(
        "\(mapping.path(to: key)) belongs to format: \(needed)", at: mapping.value(key),
        hint: "leave it out, or write format: \(needed)")
    }
    refuse("external_url", "alertmanager")
    refuse("routing_key", "pagerduty")
    refuse("template", "template")
    switch name {
    case "alertmanager_api": return .alertmanagerAPI
    case "pagerduty":
      if routingKey?.isEmpty != false {
        reader.report(
          "\(mapping.path(to: "routing_key")) is missing", at: mapping.node,
          hint: "PagerDuty shows it as the Integration Key of an Events API v2 integration")
      }
      return .pagerDuty(routingKey: routingKey ?? "")
    case "slack": return .slack
    case "cloudevents": return .cloudEvents
    case "template":
      check(template, mapping)
      return .template(template ?? "")
    default: return .alertmanager(externalURL: externalURL)
    }
  }

  private func check(_ template: String?, _ mapping: MappingReader) {
    guard let template, !template.isEmpty else {
      reader.report(
        "\(mapping.path(to: "template")) is missing", at: mapping.node,
        hint: #"template: '{"text": "{{summary}}"}'"#)
      return
    }
    do {
      _ = try AlertTemplate(template)
    } catch {
      reader.report(
        "\(mapping.path(to: "template")), character \(error.column): \(error.message)",
        at: mapping.value("template"), hint: error.hint)
    }
  }

  /// Reports labels of a group that no alert has.
  private func checkGroup(_ settings: WebhookSettings, _ mapping: MappingReader) {
    let known =
      ["alertname", "pipeline"] + (settings.entity.isEmpty ? [] : ["entity"]) + settings.entity
      + settings.labels.map(\.0)
    for label in settings.group?.labels ?? [] where !known.contains(label) {
      reader.report(
        "alerts have no label '\(label)' to group by", at: mapping.value("group"),
        hint: MappingReader.nearest(label, in: known).map { "did you mean \($0)?" }
          ?? "labels: \(known.joined(separator: ", "))")
    }
  }

  private func headers(_ mapping: MappingReader) -> [(String, String)] {
    let headers = mapping.stringTable("headers")
    for (name, value) in headers {
      let isToken = name.utf8.allSatisfy { byte in
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
          || byte == 45 || byte == 95
      }
      let lower = name.lowercased()
      let isOurs =
        lower.hasPrefix("webhook-")
        || ["content-type", "content-length", "host", "user-agent"].contains(lower)
      guard !isToken || name.isEmpty || isOurs || value.utf8.contains(where: { $0 < 32 }) else {
        continue
      }
      reader.report(
        "the header '\(name)' cannot be set", at: mapping.value("headers"),
        hint:
          "names have letters, digits, - and _; webhook-*, content-type and host are set for you")
    }
    return headers
  }

  private func group(_ mapping: MappingReader) -> WebhookSettings.Group? {
    guard let group = mapping.mapping("group") else { return nil }
    defer { group.finish() }
    var settings = WebhookSettings.Group()
    settings.labels = group.strings("by")
    settings.waitMilliseconds =
      group.duration("wait", in: 0...86_400_000) ?? settings.waitMilliseconds
    settings.intervalMilliseconds =
      group.duration("interval", in: 1_000...86_400_000) ?? settings.intervalMilliseconds
    settings.repeatMilliseconds =
      group.duration("repeat", in: 1_000...(4 * Self.week)) ?? settings.repeatMilliseconds
    settings.maximumAlerts = Int(group.integer("max_alerts", in: 0...10_000) ?? 0)
    return settings
  }

  private func maintenance(_ window: MappingReader) -> WebhookSettings.Maintenance? {
    defer { window.finish() }
    let names = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
    var days: Set<Int> = []
    for day in window.strings("days") {
      if let index = names.firstIndex(of: String(day.lowercased().prefix(3))) {
        days.insert(index)
      } else {
        reader.report(
          "'\(day)' is no day of the week", at: window.value("days"),
          hint: "write mon, tue, wed, thu, fri, sat or sun")
      }
    }
    if window.value("days") == nil { days = Set(0...6) }
    if window.value("length") == nil { _ = window.required("length") }
    let length = window.duration("length", in: 60_000...86_400_000) ?? 3_600_000
    let matchers = window.strings("matchers")
    for text in matchers where Matcher(parsing: text) == nil {
      reader.report(
        "'\(text)' is no condition on a label", at: window.value("matchers"),
        hint: #"write severity="warning", host=~"web.*", host!=a or host!~b"#)
    }
    let from = window.requiredString("from") ?? "00:00"
    let parts = from.split(separator: ":").map { Int($0) }
    guard parts.count == 2, let hour = parts[0], let minute = parts[1], (0...23).contains(hour),
      (0...59).contains(minute)
    else {
      reader.report(
        "'\(from)' is no time of day", at: window.value("from"), hint: #"write "22:30", in UTC"#)
      return nil
    }
    return WebhookSettings.Maintenance(
      weekdays: days, startMinute: hour * 60 + minute, lengthMinutes: Int(length / 60_000),
      matchers: matchers)
  }
}
