public import Alerting
import Logging
public import Transport

/// The senders of a pipeline's receivers, and the daemon's outbox.
final class AlertServices: Sendable {
  let outbox: Outbox
  private let senders: [Sender]
  private let receivers: [Receiver]
  private let connections: [HTTPConnections]
  private let time: any TimeSource

  /// Makes one sender per receiver, since each has its own policy on addresses.
  init(
    outbox: Outbox, targets: [AlertTarget], time: any TimeSource, seed: UInt64,
    lookups: BlockingThreads, logger: Logger
  ) {
    self.outbox = outbox
    self.time = time
    receivers = targets.map(\.receiver)
    let connections = targets.map { HTTPConnections(policy: $0.policy, threads: lookups) }
    self.connections = connections
    senders = zip(targets, connections).enumerated().map { index, pair in
      Sender(
        outbox: outbox, receivers: [pair.0.receiver], connections: pair.1, time: time,
        seed: seed &+ UInt64(index) &* 1_000_003, logger: logger)
    }
  }

  /// Sends until cancelled.
  func run() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for sender in senders { group.addTask { try await sender.run() } }
      try await group.waitForAll()
    }
  }

  /// Waits until every message that never failed was sent, at most until `deadline`.
  func waitUntilSent(deadline: Int64) async throws {
    while time.elapsed < deadline {
      let waiting = try receivers.contains { receiver in
        try outbox.statistics(receiver: receiver.name).queued > 0
      }
      guard waiting else { return }
      try await time.sleep(milliseconds: 20)
    }
  }

  func shutdown() async throws {
    for connection in connections { try await connection.shutdown() }
  }
}

extension PipelinePlan {
  /// The receivers of the pipeline's webhooks, in the order of the outputs.
  public var alertTargets: [AlertTarget] {
    outputs.compactMap { AlertTarget(pipeline: configuration.name, output: $0) }
  }
}

extension DaemonConfiguration {
  /// The file in which alerts wait.
  public var outboxPath: String { "\(dataDirectory)/outbox.sqlite" }
}

/// Whom an alert output tells, and which addresses that may lead to.
public struct AlertTarget: Sendable {
  /// The receiver, named PIPELINE/OUTPUT.
  public let receiver: Receiver
  /// Which addresses it may have.
  public let policy: AddressPolicy

  /// The receiver of one output of a pipeline; nil when the output is no webhook.
  init?(pipeline: String, output: OutputPlan) {
    guard case .webhook(let plan) = output.kind, let url = WebURL(plan.settings.url),
      let format = AlertFormat(plan.settings.format)
    else { return nil }
    let settings = plan.settings
    receiver = Receiver(
      name: "\(pipeline)/\(output.name)", url: url, format: format,
      secrets: settings.secrets.compactMap { WebhookSecret($0) },
      headers: settings.headers.map { (name: $0.0, value: $0.1) },
      sendsResolved: settings.sendsResolved, grouping: settings.group.map { Grouping($0) },
      maintenance: settings.maintenance.compactMap { MaintenanceWindow($0) },
      timeoutMilliseconds: settings.timeoutMilliseconds)
    policy = AddressPolicy(allowed: settings.allow.compactMap { AddressBlock($0) })
  }
}

extension AlertFormat {
  /// The format that a file names; nil for a template that the parser refuses.
  fileprivate init?(_ format: WebhookSettings.Format) {
    switch format {
    case .alertmanager(let externalURL): self = .alertmanager(externalURL: externalURL)
    case .alertmanagerAPI: self = .alertmanagerAPI
    case .pagerDuty(let routingKey): self = .pagerDuty(routingKey: routingKey)
    case .slack: self = .slack
    case .cloudEvents: self = .cloudEvents
    case .template(let text):
      do { self = .template(try AlertTemplate(text)) } catch { return nil }
    }
  }
}

extension Grouping {
  fileprivate init(_ group: WebhookSettings.Group) {
    self.init(
      by: group.labels, waitMilliseconds: group.waitMilliseconds,
      intervalMilliseconds: group.intervalMilliseconds,
      repeatMilliseconds: group.repeatMilliseconds, maximumAlerts: group.maximumAlerts)
  }
}

extension MaintenanceWindow {
  fileprivate init?(_ window: WebhookSettings.Maintenance) {
    self.init(
      weekdays: window.weekdays, startMinute: window.startMinute,
      lengthMinutes: window.lengthMinutes,
      matchers: window.matchers.compactMap { Matcher(parsing: $0) })
  }
}
