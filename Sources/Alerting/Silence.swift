import Columns

/// A condition on a label, as in Alertmanager's silences.
public struct Matcher: Hashable, Sendable, Codable {
  /// How the value is compared.
  public enum Comparison: String, Hashable, Sendable, Codable {
    /// The label has the value; a missing label counts as empty.
    case equal = "="
    /// The label has another value.
    case notEqual = "!="
    /// The whole label matches the regular expression.
    case matches = "=~"
    /// The label does not match it.
    case notMatches = "!~"
  }

  /// The label's name.
  public let name: String
  /// How the value is compared.
  public let comparison: Comparison
  /// The value or the regular expression.
  public let value: String

  /// Creates a condition; nil when the regular expression is malformed.
  public init?(_ name: String, _ comparison: Comparison, _ value: String) {
    self.name = name
    self.comparison = comparison
    self.value = value
    guard comparison == .matches || comparison == .notMatches else { return }
    do { _ = try Regex(value) } catch { return nil }
  }

  /// Whether an alert meets the condition.
  func holds(for alert: Alert) -> Bool {
    let label = alert.label(name) ?? ""
    return switch comparison {
    case .equal: label == value
    case .notEqual: label != value
    case .matches: Self.matches(label, value)
    case .notMatches: !Self.matches(label, value)
    }
  }

  private static func matches(_ label: String, _ pattern: String) -> Bool {
    // The pattern was checked when the matcher was made; a damaged one matches nothing.
    do { return try Regex(pattern).wholeMatch(in: label) != nil } catch { return false }
  }
}

/// A time in which alerts that meet all conditions are not told.
public struct Silence: Hashable, Sendable, Codable {
  /// The silence's id.
  public let id: String
  /// The conditions, one or more.
  public let matchers: [Matcher]
  /// When it begins, in milliseconds since 1970.
  public let startsAt: Int64
  /// When it ends, in milliseconds since 1970.
  public let endsAt: Int64
  /// Who made it.
  public let createdBy: String
  /// Why.
  public let comment: String

  /// Creates a silence; nil without a condition or when it ends before it begins.
  public init?(
    id: String, matchers: [Matcher], startsAt: Int64, endsAt: Int64, createdBy: String,
    comment: String
  ) {
    guard !matchers.isEmpty, endsAt > startsAt else { return nil }
    self.id = id
    self.matchers = matchers
    self.startsAt = startsAt
    self.endsAt = endsAt
    self.createdBy = createdBy
    self.comment = comment
  }

  /// Whether an alert is not told at a moment.
  func mutes(_ alert: Alert, at now: Int64) -> Bool {
    startsAt <= now && now < endsAt && matchers.allSatisfy { $0.holds(for: alert) }
  }
}

/// Hours that come back every week, in UTC, in which alerts are not told.
public struct MaintenanceWindow: Hashable, Sendable {
  private let weekdays: Set<Int>
  private let minutes: Range<Int>
  private let matchers: [Matcher]

  /// Creates a window; nil when a value is out of range.
  ///
  /// - Parameters:
  ///   - weekdays: The days on which it begins, 0 for Sunday to 6.
  ///   - startMinute: The minute of the day at which it begins, 0 to 1,439.
  ///   - lengthMinutes: 1 to 1,440; it may pass midnight.
  ///   - matchers: Which alerts; none for all.
  public init?(weekdays: Set<Int>, startMinute: Int, lengthMinutes: Int, matchers: [Matcher]) {
    guard !weekdays.isEmpty, weekdays.allSatisfy({ (0...6).contains($0) }),
      (0..<1_440).contains(startMinute), (1...1_440).contains(lengthMinutes)
    else { return nil }
    self.weekdays = weekdays
    minutes = startMinute..<(startMinute + lengthMinutes)
    self.matchers = matchers
  }

  /// Whether an alert is not told at a moment.
  func mutes(_ alert: Alert, at now: Int64) -> Bool {
    let time = CivilTime(milliseconds: now)
    let minute = time.hour * 60 + time.minute
    let weekday = Int(((time.daysSinceEpoch + 4) % 7 + 7) % 7)
    let isToday = weekdays.contains(weekday) && minutes.contains(minute)
    let isSinceYesterday =
      weekdays.contains((weekday + 6) % 7) && minutes.contains(minute + 1_440)
    return (isToday || isSinceYesterday) && matchers.allSatisfy { $0.holds(for: alert) }
  }
}
