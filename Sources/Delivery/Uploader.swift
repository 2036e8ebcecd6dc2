public import Logging
import Synchronization
public import Transport

/// Delivers the closed objects of one output and says how it goes.
///
/// An object is tried until it is stored, or for the retry duration when there is a backup to go to;
/// only one that the destination will never accept fails.
/// Source of the retry rules: DESIGN.md §3, spec of Firehose for HTTP endpoints.
public final class Uploader: Sendable {
  /// How delivery goes.
  public struct Status: Hashable, Sendable {
    /// Objects handed over and not yet delivered.
    public fileprivate(set) var pendingObjects = 0
    /// Their bytes before compression.
    public fileprivate(set) var pendingBytes = 0
    /// The least ROWTIME among them in milliseconds since 1970: what freshness is measured from.
    public fileprivate(set) var oldestRowTime: Int64?
    /// Failed attempts since the last success.
    public fileprivate(set) var consecutiveFailures = 0
    /// When the first of them ended, in milliseconds since 1970.
    public fileprivate(set) var failingSince: Int64?
    /// The last failure; nil after a success.
    public fileprivate(set) var lastError: DeliveryError?
    /// Objects stored since the start, those that existed already included.
    public fileprivate(set) var deliveredObjects = 0
    /// Their records.
    public fileprivate(set) var deliveredRecords = 0
    /// Their bytes before compression.
    public fileprivate(set) var deliveredBytes = 0
    /// Objects of which records went to the backup.
    public fileprivate(set) var backedUpObjects = 0
  }

  fileprivate struct State {
    var status = Status()
    var pendingRowTimes: [Int64] = []
    var waiters: [CheckedContinuation<Void, Never>] = []
    var generator: SplitMix64
  }

  /// The longest `Retry-After` that is obeyed, milliseconds: 1 h.
  private static let retryAfterLimit: Int64 = 3_600_000
  private let destination: any Destination
  private let backup: Backup?
  private let retryMilliseconds: Int64?
  private let backoff: Backoff
  private let time: any TimeSource
  private let log: (name: String, logger: Logger)?
  private let state: Mutex<State>

  /// Creates an uploader.
  ///
  /// - Parameters:
  ///   - destination: Where objects go.
  ///   - backup: Where records go that it does not take; nil keeps trying.
  ///   - retryMilliseconds: How long to wait between attempts in all before the backup gets the
  ///     object: 0 to 7,200 s, 300 s by default; nil keeps trying.
  ///   - backoff: The delays between attempts.
  ///   - time: The clock.
  ///   - seed: The seed of the jitter.
  ///   - log: The delivery's name and who is told when it begins to fail and when it goes on.
  public init(
    destination: any Destination, backup: Backup? = nil, retryMilliseconds: Int64? = 300_000,
    backoff: Backoff = Backoff(), time: any TimeSource = SystemTime(), seed: UInt64,
    log: (name: String, logger: Logger)? = nil
  ) {
    self.destination = destination
    self.backup = backup
    self.retryMilliseconds = retryMilliseconds
    self.backoff = backoff
    self.time = time
    self.log = log
    state = Mutex(State(generator: SplitMix64(seed: seed)))
  }

  /// How delivery goes.
  public var status: Status { state.withLock { $0.status } }

  /// Delivers one object, trying until it is stored; several may be under way at once.
  ///
  /// - Throws: `DeliveryError` with remedy `none` when it will never be accepted,
  ///   `CancellationError` when the task is cancelled.
  public func deliver(_ object: ClosedObject) async throws -> PutResult {
    state.withLock { $0.begin(object) }
    do {
      let result = try await store(object)
      let before = state.withLock { state in
        defer { state.end(object, result: result) }
        return state.status
      }
      if result != .backedUp, before.consecutiveFailures > 0 { tellReturn(before) }
      return result
    } catch {
      state.withLock { $0.end(object, result: nil) }
      throw error
    }
  }

  /// Returns when no object is under way, given up ones included.
  public func waitUntilIdle() async {
    await withCheckedContinuation { continuation in
      let isIdle = state.withLock { state in
        if state.status.pendingObjects > 0 { state.waiters.append(continuation) }
        return state.status.pendingObjects == 0
      }
      if isIdle { continuation.resume() }
    }
  }

  private func store(_ object: ClosedObject) async throws -> PutResult {
    var attempts = 0
    let records: [Int]?
    let error: DeliveryError
    do {
      let limit = backup == nil ? nil : retryMilliseconds
      return try await put(object, to: destination, waitLimit: limit, attempts: &attempts)
    } catch let rejected as RejectedRecords {
      records = rejected.records
      error = rejected.error
    } catch let failure as DeliveryError {
      records = nil
      error = failure
    }
    guard let backup else { throw error }
    log?.logger.warning(
      "delivery of \(log?.name ?? ""): records of \(object.name) go to the backup",
      metadata: ["records": "\(records?.count ?? object.recordCount)", "reason": "\(error)"])
    let envelopes = try backup.object(
      for: records, of: object, error: error, attempts: attempts, now: time.now)
    _ = try await put(envelopes, to: backup.destination, waitLimit: nil, attempts: &attempts)
    return .backedUp
  }

  /// Tries until the object is stored or the waits would exceed the limit.
  private func put(
    _ object: ClosedObject, to destination: any Destination, waitLimit: Int64?,
    attempts: inout Int
  ) async throws -> PutResult {
    var failures = 0
    var waited: Int64 = 0
    while true {
      attempts += 1
      do {
        return try await destination.put(object)
      } catch let error as CancellationError {
        throw error
      } catch let error as RejectedRecords {
        throw error
      } catch {
        failures += 1
        let failure = Self.deliveryError(for: error)
        let now = time.now
        let (delay, isNews) = state.withLock { state in
          let isNews = state.status.lastError?.code != failure.code
          state.fail(failure, now: now)
          return (backoff.delay(failures: failures, using: &state.generator), isNews)
        }
        if isNews { tellFailure(failure) }
        let asked = min(failure.retryAfterMilliseconds ?? 0, Self.retryAfterLimit)
        let wait = max(delay, asked)
        if failure.remedy == .none { throw failure }
        if failure.remedy == .retry, let waitLimit, waitLimit == 0 || waited + wait > waitLimit {
          throw failure
        }
        waited += wait
        try await time.sleep(milliseconds: wait)
      }
    }
  }

  private func tellFailure(_ failure: DeliveryError) {
    guard let log, failure.remedy != .none else { return }
    let needsOperator = failure.remedy == .operatorAction
    log.logger.log(
      level: needsOperator ? .error : .warning,
      "delivery of \(log.name) fails and is tried again: \(failure.message)",
      metadata: ["code": "\(failure.code)", "hint": "\(failure.hint)"])
  }

  private func tellReturn(_ before: Status) {
    let duration = before.failingSince.map { (time.now - $0) / 1_000 } ?? 0
    log?.logger.notice(
      "delivery of \(log?.name ?? "") goes on",
      metadata: ["failed_attempts": "\(before.consecutiveFailures)", "seconds": "\(duration)"])
  }

  private static func deliveryError(for error: any Error) -> DeliveryError {
    if let error = error as? DeliveryError { return error }
    return DeliveryError(
      code: "Delivery.Unexpected", message: "\(error)", hint: "delivery is tried again",
      remedy: .retry)
  }
}

extension Uploader.State {
  fileprivate mutating func begin(_ object: ClosedObject) {
    status.pendingObjects += 1
    status.pendingBytes += object.bytes.count
    pendingRowTimes.append(object.oldestRowTime)
    status.oldestRowTime = pendingRowTimes.min()
  }

  fileprivate mutating func end(_ object: ClosedObject, result: PutResult?) {
    status.pendingObjects -= 1
    if status.pendingObjects == 0 {
      for waiter in waiters { waiter.resume() }
      waiters = []
    }
    status.pendingBytes -= object.bytes.count
    if let index = pendingRowTimes.firstIndex(of: object.oldestRowTime) {
      pendingRowTimes.remove(at: index)
    }
    status.oldestRowTime = pendingRowTimes.min()
    guard let result else { return }
    guard result != .backedUp else {
      status.backedUpObjects += 1
      return
    }
    status.deliveredObjects += 1
    status.deliveredRecords += object.recordCount
    status.deliveredBytes += object.bytes.count
    status.consecutiveFailures = 0
    status.failingSince = nil
    status.lastError = nil
  }

  fileprivate mutating func fail(_ error: DeliveryError, now: Int64) {
    status.consecutiveFailures += 1
    status.failingSince = status.failingSince ?? now
    status.lastError = error
  }
}
