/// When something is done again and again.
public enum Schedule: Hashable, Sendable, CustomStringConvertible {
  /// So long after the last beginning, milliseconds; at once when it never was.
  case every(Int64)
  /// At the minutes of a cron expression, UTC.
  case cron(CronExpression)

  /// The first time at which it is due.
  ///
  /// What fell due while nobody watched is not made up for: an interval is due once, a cron
  /// expression at its next minute.
  /// - Parameters:
  ///   - last: When it was last begun, milliseconds since 1970; nil for never.
  ///   - start: When the daemon has begun to watch.
  /// - Returns: nil for never.
  package func due(after last: Int64?, start: Int64) -> Int64? {
    switch self {
    case .every(let interval): last.map { $0 + interval } ?? start
    case .cron(let expression): expression.next(after: max(last ?? start, start))
    }
  }

  /// `every 60 s`, or `at 0 3 * * * UTC`.
  public var description: String {
    switch self {
    case .every(let interval):
      interval % 1_000 == 0 ? "every \(interval / 1_000) s" : "every \(interval) ms"
    case .cron(let expression): "at \(expression.text) UTC"
    }
  }
}
