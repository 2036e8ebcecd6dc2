import Columns

/// Five fields as in crontab(5): minute, hour, day of month, month, day of week; times are UTC.
///
/// A field is `*`, a number, a range `a-b`, either with a step `/n`, or a list of these with commas.
/// Sunday is 0 and 7. Of day of month and day of week, when both are restricted, one is enough.
public struct CronExpression: Hashable, Sendable {
  /// As it was written.
  public let text: String
  private let minutes: Set<Int>
  private let hours: Set<Int>
  private let days: Set<Int>
  private let months: Set<Int>
  private let weekdays: Set<Int>
  private let restrictsDays: Bool
  private let restrictsWeekdays: Bool

  /// Reads an expression.
  ///
  /// - Returns: nil when it is none.
  public init?(_ text: String) {
    let fields = text.split(separator: " ").map(String.init)
    guard fields.count == 5, let minutes = Self.values(fields[0], 0...59),
      let hours = Self.values(fields[1], 0...23), let days = Self.values(fields[2], 1...31),
      let months = Self.values(fields[3], 1...12), let weekdays = Self.values(fields[4], 0...7)
    else { return nil }
    self.text = fields.joined(separator: " ")
    self.minutes = minutes
    self.hours = hours
    self.days = days
    self.months = months
    self.weekdays = Set(weekdays.map { $0 % 7 })
    restrictsDays = !fields[2].hasPrefix("*")
    restrictsWeekdays = !fields[4].hasPrefix("*")
  }

  private static func values(_ field: String, _ range: ClosedRange<Int>) -> Set<Int>? {
    var values: Set<Int> = []
    for part in field.split(separator: ",", omittingEmptySubsequences: false) {
      guard let more = Self.values(part: part, range) else { return nil }
      values.formUnion(more)
    }
    return values
  }

  /// The values of one element of a list.
  private static func values(
    part: Substring, _ range: ClosedRange<Int>
  ) -> StrideThrough<Int>? {
    let halves = part.split(separator: "/", omittingEmptySubsequences: false)
    guard halves.count <= 2, let body = halves.first else { return nil }
    var step = 1
    if halves.count == 2 {
      guard let given = number(halves[1]), given > 0 else { return nil }
      step = given
    }
    if body == "*" { return stride(from: range.lowerBound, through: range.upperBound, by: step) }
    let ends = body.split(separator: "-", omittingEmptySubsequences: false).map(number)
    switch ends.count {
    case 1:
      guard let only = ends[0], range.contains(only) else { return nil }
      return stride(from: only, through: halves.count == 2 ? range.upperBound : only, by: step)
    case 2:
      guard let low = ends[0], let high = ends[1], low <= high, range.contains(low),
        range.contains(high)
      else { return nil }
      return stride(from: low, through: high, by: step)
    default: return nil
    }
  }

  /// Digits alone: `Int` would take a sign.
  private static func number(_ text: Substring) -> Int? {
    guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return Int(text)
  }

  /// The first matching minute after a moment, milliseconds since 1970.
  ///
  /// - Returns: nil when no minute of the next 28 years matches: a 31st of February.
  package func next(after time: Int64) -> Int64? {
    let minute: Int64 = 60_000
    let hour = 60 * minute
    let day = 24 * hour
    var candidate = (time / minute + 1) * minute
    let end = candidate + 28 * 366 * day
    while candidate < end {
      let civil = CivilTime(milliseconds: candidate)
      if !months.contains(civil.month) || !matchesDay(civil, candidate / day) {
        candidate = (candidate / day + 1) * day
      } else if !hours.contains(civil.hour) {
        candidate = (candidate / hour + 1) * hour
      } else if !minutes.contains(civil.minute) {
        candidate += minute
      } else {
        return candidate
      }
    }
    return nil
  }

  private func matchesDay(_ civil: CivilTime, _ day: Int64) -> Bool {
    // 1970-01-01 was a Thursday.
    let weekday = Int((day + 4) % 7)
    let byDay = days.contains(civil.day)
    let byWeekday = weekdays.contains(weekday)
    return restrictsDays && restrictsWeekdays ? byDay || byWeekday : byDay && byWeekday
  }
}
