import GRDB
import Logging
import Transport

/// The messages of one receiver on their way.
struct SendingLane {
  private enum Event {
    case attempted(OutboxMessage, Verdict)
    case woken
  }

  let outbox: Outbox
  let receiver: Receiver
  let connections: HTTPConnections
  let policy: RetryPolicy
  let time: any TimeSource
  let logger: Logger
  let signal: WakeSignal
  var generator: SplitMix64

  private var failuresInRow = 0
  /// Nothing is sent before this moment, in milliseconds since 1970.
  private var pausedUntil: Int64 = 0
  private var underWay: Set<Int64> = []
  /// When messages are looked through for their age again, in milliseconds since 1970.
  private var nextExpiry: Int64 = 0
  /// What became of attempts and could not be noted yet; their messages count as under way.
  private var unsettled: [(message: OutboxMessage, verdict: Verdict)] = []
  private var outboxFails = false
  private static let outboxRetryMilliseconds: Int64 = 1_000
  private static let expiryMilliseconds: Int64 = 60_000
  /// Commands change the outbox from another process, whose signals do not come here.
  private static let longestWaitMilliseconds: Int64 = 10_000

  init(
    outbox: Outbox, receiver: Receiver, connections: HTTPConnections, policy: RetryPolicy,
    time: any TimeSource, logger: Logger, signal: WakeSignal, generator: SplitMix64
  ) {
    self.outbox = outbox
    self.receiver = receiver
    self.connections = connections
    self.policy = policy
    self.time = time
    self.logger = logger
    self.signal = signal
    self.generator = generator
  }

  private var isOpen: Bool { failuresInRow >= policy.failuresToOpen }

  /// Sends until the task is cancelled.
  mutating func run() async throws {
    try await withThrowingTaskGroup(of: Event.self) { group in
      var isWaiting = false
      while true {
        try Task.checkCancellation()
        let nextLook = try await startPatiently(in: &group)
        if !isWaiting {
          isWaiting = true
          let delay =
            nextLook.map { min(max(1, $0 - time.now), Self.longestWaitMilliseconds) }
            ?? Self.longestWaitMilliseconds
          group.addTask { [signal, time] in
            await signal.wait(atMost: delay, on: time)
            return .woken
          }
        }
        guard let event = try await group.next() else { return }
        switch event {
        case .woken: isWaiting = false
        case .attempted(let message, let verdict):
          unsettled.append((message, verdict))
          // The waiter may sleep beyond the retry that was just planned.
          signal.wake()
        }
      }
    }
  }

  /// Notes what has happened and starts what is due; while the outbox cannot be written, nothing.
  private mutating func startPatiently(
    in group: inout ThrowingTaskGroup<Event, any Error>
  ) async throws -> Int64? {
    do {
      while let (message, verdict) = unsettled.first {
        try await settle(message, verdict)
        unsettled.removeFirst()
      }
      let nextLook = try await start(in: &group)
      if outboxFails {
        logger.notice("the outbox can be written again", metadata: ["receiver": "\(receiver.name)"])
      }
      outboxFails = false
      return nextLook
    } catch let error as DatabaseError where error.isPassing {
      if !outboxFails {
        logger.error(
          "the outbox cannot be written, alerts wait: \(error.message ?? "\(error.resultCode)")",
          metadata: [
            "receiver": "\(receiver.name)",
            "hint": "free some space; nothing is lost, sending goes on by itself",
          ])
      }
      outboxFails = true
      return time.now + Self.outboxRetryMilliseconds
    }
  }

  /// Starts what is due; tells when to look again at the latest, in milliseconds since 1970.
  private mutating func start(
    in group: inout ThrowingTaskGroup<Event, any Error>
  ) async throws -> Int64? {
    let now = time.now
    try await expire(now: now)
    guard try await outbox.disabledReason(receiver: receiver.name) == nil else {
      return now + Self.longestWaitMilliseconds
    }
    let nextFlush = try await outbox.flushGroups(of: receiver, now: now)
    guard now >= pausedUntil else { return pausedUntil }
    let free = (isOpen ? 1 : receiver.concurrency) - underWay.count
    guard free > 0 else { return nextFlush }
    let due = try await outbox.due(
      receiver: receiver.name, now: now, limit: free + underWay.count)
    for message in due.filter({ !underWay.contains($0.sequence) }).prefix(free) {
      underWay.insert(message.sequence)
      group.addTask { [receiver, connections, time] in
        let request = receiver.request(for: message, now: time.now)
        do {
          let response = try await connections.send(request)
          return .attempted(message, Verdict(response, now: time.now))
        } catch let failure as HTTPExchangeFailure {
          return .attempted(message, Verdict(failure))
        }
      }
    }
    guard underWay.isEmpty else { return nextFlush }
    let nextDue = try await outbox.nextDue(receiver: receiver.name)
    return [nextFlush, nextDue].compactMap { $0 }.min()
  }

  /// Gives up what is too old, once a minute.
  private mutating func expire(now: Int64) async throws {
    guard now >= nextExpiry else { return }
    nextExpiry = now + Self.expiryMilliseconds
    let count = try await outbox.expire(
      receiver: receiver.name, createdBefore: now - policy.maximumAgeMilliseconds)
    guard count > 0 else { return }
    logger.error(
      "alerts were given up after their maximum age",
      metadata: ["receiver": "\(receiver.name)", "count": "\(count)"])
  }

  private mutating func settle(_ message: OutboxMessage, _ verdict: Verdict) async throws {
    let result: AttemptRecord.Result
    switch verdict {
    case .delivered: result = .delivered
    case .refused(let reason): result = .dead(error: reason)
    case .retry(let reason, let pause):
      let now = time.now
      let delay = policy.backoff.delay(failures: message.attempts + 1, using: &generator)
      let obeyed = min(pause ?? 0, policy.retryAfterLimitMilliseconds)
      if obeyed > 0 { pausedUntil = max(pausedUntil, now + obeyed) }
      result = .retry(at: now + max(delay, obeyed), error: reason)
    case .gone:
      try await outbox.disable(receiver: receiver.name, reason: "the receiver answered 410 Gone")
      logger.error(
        "receiver disabled: it answered 410 Gone",
        metadata: ["receiver": "\(receiver.name)", "url": "\(receiver.url)"])
      result = .retry(at: time.now, error: "status 410: the receiver is disabled")
    }
    if case .delivered = verdict, isOpen {
      // The receiver is back: what waited for a probe is due now.
      try await outbox.hasten(receiver: receiver.name)
    }
    try await outbox.mark([AttemptRecord(sequence: message.sequence, result: result)])
    underWay.remove(message.sequence)
    note(verdict)
  }

  /// Opens and closes the circuit.
  private mutating func note(_ verdict: Verdict) {
    switch verdict {
    case .delivered:
      if isOpen { logger.notice("receiver is back", metadata: ["receiver": "\(receiver.name)"]) }
      failuresInRow = 0
    case .retry(let reason, _):
      failuresInRow += 1
      guard isOpen else { return }
      pausedUntil = max(pausedUntil, time.now + policy.probeMilliseconds)
      if failuresInRow == policy.failuresToOpen {
        logger.warning(
          "receiver is failing: one probe at a time until it answers",
          metadata: [
            "receiver": "\(receiver.name)", "url": "\(receiver.url)", "reason": "\(reason)",
          ])
      }
    case .refused(let reason):
      failuresInRow = 0
      logger.error(
        "alert refused: kept as a dead letter",
        metadata: [
          "receiver": "\(receiver.name)", "url": "\(receiver.url)", "reason": "\(reason)",
        ])
    case .gone: failuresInRow = 0
    }
  }
}
