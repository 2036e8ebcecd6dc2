/// Stops a task from flooding the dead letters: too many bad records within a minute, and it takes no
/// more until somebody has looked.
///
/// It decides only whether records are taken, which is a step; results never depend on it.
struct CircuitBreaker {
  private let settings: CircuitBreakerSettings
  private var windowStart: Int64?
  private var atStart = (polled: Int64(0), bad: Int64(0))
  private var lastSeen = (polled: Int64(0), bad: Int64(0))
  /// Why nothing is taken, while that is so.
  private(set) var reason: String?

  init(_ settings: CircuitBreakerSettings) { self.settings = settings }

  /// Counts from here on: what was taken before is past.
  mutating func begin(polled: Int64, bad: Int64) { lastSeen = (polled, bad) }

  /// Looks at what was taken so far; returns whether the circuit has just opened.
  mutating func observe(polled: Int64, bad: Int64, now: Int64) -> Bool {
    defer { lastSeen = (polled, bad) }
    if windowStart.map({ now - $0 >= 60_000 }) ?? true {
      windowStart = now
      // The take that opens a window counts in it.
      atStart = lastSeen
    }
    let records = polled - atStart.polled
    let failed = bad - atStart.bad
    guard reason == nil, records >= settings.records,
      failed * 100 > records * settings.percent
    else { return false }
    reason =
      "\(failed) of the last \(records) records could not be decoded, more than "
      + "\(settings.percent) %; nothing more is taken"
    return true
  }

  /// Lets the task go on.
  mutating func close() {
    reason = nil
    windowStart = nil
  }
}
