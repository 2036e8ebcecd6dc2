public import Transport

/// How long and how often messages are tried.
///
/// Source: Standard Webhooks 1.0.0, "Deliverability and reliability".
public struct RetryPolicy: Hashable, Sendable {
  /// The delays between the attempts of one message.
  public var backoff = Backoff(firstMilliseconds: 5_000, capMilliseconds: 1_800_000)
  /// After this age a message is given up: 72 h.
  public var maximumAgeMilliseconds: Int64 = 259_200_000
  /// After so many failures in a row nothing is sent but one probe at a time.
  public var failuresToOpen = 5
  /// The time between probes: 5 min.
  public var probeMilliseconds: Int64 = 300_000
  /// The longest `Retry-After` that is obeyed: 24 h.
  public var retryAfterLimitMilliseconds: Int64 = 86_400_000

  /// The policy of Standard Webhooks.
  public init() {}
}

/// What an answer means for the message and its receiver.
enum Verdict: Equatable {
  case delivered
  /// Try again; nothing at all is sent for `pause` milliseconds.
  case retry(reason: String, pause: Int64?)
  case refused(reason: String)
  case gone

  init(_ response: HTTPExchangeResponse, now: Int64) {
    switch response.status {
    case 200..<300: self = .delivered
    case 410: self = .gone
    case 408, 425, 429, 500...:
      let pause = response.header("retry-after").flatMap { RetryAfter.delay($0, now: now) }
      self = .retry(reason: "status \(response.status)", pause: pause)
    case 300..<400: self = .refused(reason: "status \(response.status): redirects are not followed")
    default: self = .refused(reason: "status \(response.status)")
    }
  }

  init(_ failure: HTTPExchangeFailure) {
    self =
      failure.kind == .blockedAddress
      ? .refused(reason: failure.description)
      : .retry(reason: failure.description, pause: nil)
  }
}
