/// The body that a receiver expects.
public enum AlertFormat: Hashable, Sendable {
  /// Prometheus Alertmanager's webhook, version 4.
  case alertmanager(externalURL: String)
  /// The alerts that Alertmanager's own API takes, `POST /api/v2/alerts`.
  case alertmanagerAPI
  /// PagerDuty's Events API v2.
  case pagerDuty(routingKey: String)
  /// A Slack incoming webhook.
  case slack
  /// One CloudEvent 1.0 in structured mode.
  case cloudEvents
  /// A template of the user's.
  case template(AlertTemplate)

  /// The value of `Content-Type`.
  public var contentType: String {
    switch self {
    case .cloudEvents: "application/cloudevents+json"
    case .alertmanager, .alertmanagerAPI, .pagerDuty, .slack, .template: "application/json"
    }
  }

  /// The body for a group of alerts, which is not empty; secrets are not in it yet.
  public func body(for group: AlertGroup, receiver: String) -> [UInt8] {
    switch self {
    case .alertmanager(let externalURL):
      AlertmanagerFormat.body(for: group, receiver: receiver, externalURL: externalURL)
    case .alertmanagerAPI: AlertmanagerFormat.alerts(of: group)
    case .pagerDuty: PagerDutyFormat.body(for: group)
    case .slack: SlackFormat.body(for: group)
    case .cloudEvents: CloudEventsFormat.body(for: group)
    case .template(let template): template.body(for: group)
    }
  }

  /// A stored body as it is sent: secrets are put in here, so that the outbox holds none.
  func completed(_ body: [UInt8]) -> [UInt8] {
    guard case .pagerDuty(let routingKey) = self else { return body }
    return PagerDutyFormat.completed(body, routingKey: routingKey)
  }
}
