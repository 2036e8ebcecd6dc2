import Alerting
import Logging
import Transport

/// The outbox of a daemon and the senders of its receivers.
final class AlertServices: Sendable {
  let outbox: Outbox
  private let senders: [Sender]
  private let receivers: [Receiver]
  private let connections: [HTTPConnections]
  private let time: any TimeSource

  /// Opens the outbox; one sender per receiver, since each has its own policy on addresses.
  init(
    path: String, targets: [AlertTarget], time: any TimeSource, seed: UInt64,
    threads: BlockingThreads, logger: Logger
  ) throws {
    let outbox = try Outbox(path: path, time: time)
    self.outbox = outbox
    self.time = time
    receivers = targets.map(\.receiver)
    let connections = targets.map { HTTPConnections(policy: $0.policy, threads: threads) }
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
    while time.now < deadline {
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

/// Whom an alert output tells, and which addresses that may lead to.
struct AlertTarget: Sendable {
  let receiver: Receiver
  let policy: AddressPolicy

  /// The receiver of one output of a pipeline; nil when the output is no webhook.
  init?(pipeline: String, output: OutputPlan) {
    guard case .webhook(let settings) = output.kind, let url = WebURL(settings.url) else {
      return nil
    }
    receiver = Receiver(
      name: "\(pipeline)/\(output.name)", url: url,
      secrets: settings.secrets.compactMap { WebhookSecret($0) })
    policy = AddressPolicy(allowed: settings.allow.compactMap { AddressBlock($0) })
  }
}
