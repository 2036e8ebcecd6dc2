public import Logging
import Synchronization
public import Transport

/// Sends what the outbox holds, each receiver at its own pace.
public final class Sender: Sendable {
  private let outbox: Outbox
  private let receivers: [Receiver]
  private let connections: HTTPConnections
  private let policy: RetryPolicy
  private let time: any TimeSource
  private let seed: UInt64
  private let logger: Logger

  /// Creates a sender.
  ///
  /// - Parameters:
  ///   - outbox: Where messages come from.
  ///   - receivers: Whom to tell.
  ///   - connections: The way out, with the policy on addresses.
  ///   - policy: How long and how often messages are tried.
  ///   - time: The clock.
  ///   - seed: The seed of the jitter.
  ///   - logger: Told about changes of state only, never about secrets.
  public init(
    outbox: Outbox, receivers: [Receiver], connections: HTTPConnections,
    policy: RetryPolicy = RetryPolicy(), time: any TimeSource = SystemTime(), seed: UInt64,
    logger: Logger
  ) {
    self.outbox = outbox
    self.receivers = receivers
    self.connections = connections
    self.policy = policy
    self.time = time
    self.seed = seed
    self.logger = logger
  }

  /// Sends until the task is cancelled.
  ///
  /// - Throws: when the outbox cannot be read or written.
  public func run() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (index, receiver) in receivers.enumerated() {
        let signal = outbox.subscribe()
        group.addTask {
          var lane = SendingLane(
            outbox: self.outbox, receiver: receiver, connections: self.connections,
            policy: self.policy, time: self.time, logger: self.logger, signal: signal,
            generator: SplitMix64(seed: self.seed &+ UInt64(index)))
          try await lane.run()
        }
      }
      do {
        try await group.waitForAll()
      } catch is CancellationError {
        group.cancelAll()
      }
    }
  }
}

/// What became of a sample that a user sent to try a receiver.
public struct SampleResult: Hashable, Sendable {
  /// Whether the receiver took it.
  public let isDelivered: Bool
  /// What happened, without secrets.
  public let message: String
}

extension Receiver {
  /// Sends one sample alert past the outbox, once.
  ///
  /// - Parameters:
  ///   - connections: The way out, with the policy on addresses.
  ///   - time: The clock.
  /// - Returns: What became of it.
  /// - Throws: `CancellationError` when the task is cancelled.
  public func sendSample(
    over connections: HTTPConnections, time: any TimeSource = SystemTime()
  ) async throws -> SampleResult {
    let now = time.now
    let alert = Alert(
      id: "sample-\(now)", pipeline: "sample", rule: "SAMPLE",
      labels: [Alert.Label("severity", "info"), Alert.Label("entity", "sample")],
      annotations: [Alert.Label("summary", "This is a test of the receiver \(name)")],
      fields: [Alert.Field("score", .number(1.5)), Alert.Field("expected", .number(1))],
      startsAt: now)
    let message = OutboxMessage(
      sequence: 0,
      webhookID: Self.webhookID(
        pipeline: alert.pipeline, receiver: name, identity: alert.id), receiver: name,
      body: format.body(for: AlertGroup(alert), receiver: name), createdAt: now, attempts: 0)
    let verdict: Verdict
    do {
      let response = try await connections.send(request(for: message, now: now))
      verdict = Verdict(response, now: now)
    } catch let failure as HTTPExchangeFailure {
      verdict = Verdict(failure)
    }
    return switch verdict {
    case .delivered: SampleResult(isDelivered: true, message: "\(url) took the sample")
    case .gone: SampleResult(isDelivered: false, message: "status 410: the receiver is gone")
    case .refused(let reason), .retry(let reason, _):
      SampleResult(isDelivered: false, message: reason)
    }
  }
}
