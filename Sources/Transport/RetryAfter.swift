import Columns

/// The value of a `Retry-After` header.
///
/// Source: RFC 9110, sections 5.6.7 and 10.2.3.
public enum RetryAfter {
  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  /// How long to wait in milliseconds, from seconds or an HTTP date; nil when it is neither.
  ///
  /// - Parameters:
  ///   - value: The header's value.
  ///   - now: The present time in milliseconds since 1970.
  /// - Returns: Zero or more.
  public static func delay(_ value: String, now: Int64) -> Int64? {
    let text = value.trimmingSpaces
    if !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) {
      guard let seconds = Int64(text) else { return Int64.max / 2 }
      let (milliseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
      return overflow ? Int64.max / 2 : milliseconds
    }
    return moment(text).map { max(0, $0 - now) }
  }

  /// `Sun, 06 Nov 1994 08:49:37 GMT` in milliseconds since 1970.
  private static func moment(_ text: String) -> Int64? {
    let parts = text.split(whereSeparator: { $0 == " " || $0 == ":" })
    guard parts.count == 8, parts[7] == "GMT", let day = Int(parts[1]),
      let month = months.firstIndex(of: String(parts[2])), let year = Int(parts[3]),
      let hour = Int(parts[4]), let minute = Int(parts[5]), let second = Int(parts[6])
    else { return nil }
    let time = CivilTime(
      year: year, month: month + 1, day: day, hour: hour, minute: minute, second: min(second, 59))
    return time.isValid ? time.milliseconds : nil
  }
}

extension String {
  fileprivate var trimmingSpaces: String {
    String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
  }
}
