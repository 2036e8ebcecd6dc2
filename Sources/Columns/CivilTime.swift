/// A moment as the fields of the proleptic Gregorian calendar in UTC.
///
/// Source: H. Hinnant, "chrono-compatible low-level date algorithms" (days from civil and back).
public struct CivilTime: Hashable, Sendable {
  /// The calendar year; may be negative.
  public var year: Int
  /// 1 to 12.
  public var month: Int
  /// 1 to 31.
  public var day: Int
  /// 0 to 23.
  public var hour: Int
  /// 0 to 59.
  public var minute: Int
  /// 0 to 59.
  public var second: Int
  /// 0 to 999.
  public var millisecond: Int

  /// Milliseconds of one day.
  public static let millisecondsPerDay: Int64 = 86_400_000

  /// Creates a moment from its fields, which are not checked.
  public init(
    year: Int, month: Int = 1, day: Int = 1, hour: Int = 0, minute: Int = 0, second: Int = 0,
    millisecond: Int = 0
  ) {
    self.year = year
    self.month = month
    self.day = day
    self.hour = hour
    self.minute = minute
    self.second = second
    self.millisecond = millisecond
  }

  /// The fields of a moment given in milliseconds since 1970-01-01 00:00 UTC.
  public init(milliseconds: Int64) {
    var days = milliseconds / Self.millisecondsPerDay
    var rest = milliseconds % Self.millisecondsPerDay
    if rest < 0 {
      rest += Self.millisecondsPerDay
      days -= 1
    }
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    day = Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
    year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
    hour = Int(rest / 3_600_000)
    minute = Int(rest / 60_000 % 60)
    second = Int(rest / 1_000 % 60)
    millisecond = Int(rest % 1_000)
  }

  /// Days since 1970-01-01.
  public var daysSinceEpoch: Int64 {
    let shiftedYear = Int64(month <= 2 ? year - 1 : year)
    let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
    let yearOfEra = shiftedYear - era * 400
    let shiftedMonth = Int64(month > 2 ? month - 3 : month + 9)
    let dayOfYear = (153 * shiftedMonth + 2) / 5 + Int64(day) - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  /// Milliseconds since 1970-01-01 00:00 UTC.
  public var milliseconds: Int64 {
    let seconds = Int64(hour) * 3_600 + Int64(minute) * 60 + Int64(second)
    return daysSinceEpoch * Self.millisecondsPerDay + seconds * 1_000 + Int64(millisecond)
  }

  /// Whether every field is in its range for its month.
  public var isValid: Bool {
    (1...12).contains(month) && day >= 1 && day <= Self.days(in: month, of: year)
      && (0...23).contains(hour) && (0...59).contains(minute) && (0...59).contains(second)
      && (0...999).contains(millisecond)
  }

  /// How many days a month has.
  public static func days(in month: Int, of year: Int) -> Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  /// Appends `yyyy-MM-dd`.
  public func appendDate(to bytes: inout [UInt8]) {
    if year < 0 { bytes.append(UInt8(ascii: "-")) }
    Self.append(abs(year), digits: 4, to: &bytes)
    bytes.append(UInt8(ascii: "-"))
    Self.append(month, digits: 2, to: &bytes)
    bytes.append(UInt8(ascii: "-"))
    Self.append(day, digits: 2, to: &bytes)
  }

  /// Appends `HH:mm:ss.SSS`, or `HH:mm:ss` without the fraction.
  public func appendTime(to bytes: inout [UInt8], fraction: Bool = true) {
    Self.append(hour, digits: 2, to: &bytes)
    bytes.append(UInt8(ascii: ":"))
    Self.append(minute, digits: 2, to: &bytes)
    bytes.append(UInt8(ascii: ":"))
    Self.append(second, digits: 2, to: &bytes)
    guard fraction else { return }
    bytes.append(UInt8(ascii: "."))
    Self.append(millisecond, digits: 3, to: &bytes)
  }

  /// Appends `yyyy-MM-dd HH:mm:ss.SSS`, the form of a TIMESTAMP in delivered rows.
  public func appendTimestamp(to bytes: inout [UInt8]) {
    appendDate(to: &bytes)
    bytes.append(UInt8(ascii: " "))
    appendTime(to: &bytes)
  }

  /// Appends a number with at least `digits` digits, zeros in front.
  public static func append(_ value: Int, digits: Int, to bytes: inout [UInt8]) {
    var scale = 1
    for _ in 1..<max(1, digits) { scale *= 10 }
    while scale <= value / 10 { scale *= 10 }
    while scale > 0 {
      bytes.append(UInt8(48 + value / scale % 10))
      scale /= 10
    }
  }
}

extension CivilTime: CustomStringConvertible {
  /// The moment as `yyyy-MM-dd HH:mm:ss.SSS`.
  public var description: String {
    var bytes: [UInt8] = []
    appendTimestamp(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }
}
