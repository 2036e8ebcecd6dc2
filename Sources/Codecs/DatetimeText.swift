import Columns

/// A moment as text: `yyyy-MM-dd`, `HH:mm:ss[.f]`, or both with a blank between.
///
/// Fractions have 1 to 9 digits; those beyond milliseconds are cut off.
struct DatetimeText {
  /// Days since 1970-01-01, or nil when the text is a time alone.
  private(set) var days: Int64?
  /// Milliseconds since midnight, or nil when the text is a date alone.
  private(set) var milliseconds: Int64?

  /// Reads the text, blanks around it ignored; nil when it has another form or names no moment.
  init?(_ text: Span<UInt8>) {
    var start = 0
    var end = text.count
    while start < end, text[start] == 0x20 { start += 1 }
    while end > start, text[end - 1] == 0x20 { end -= 1 }
    if end - start >= 10, text[start + 4] == UInt8(ascii: "-") {
      guard let days = Self.date(text, at: start) else { return nil }
      self.days = days
      if end - start == 10 { return }
      guard text[start + 10] == 0x20 else { return nil }
      start += 11
    }
    guard let time = Self.time(text, start..<end) else { return nil }
    milliseconds = time
  }

  private static func date(_ text: Span<UInt8>, at start: Int) -> Int64? {
    guard let century = pair(text, start), let year = pair(text, start + 2),
      let month = pair(text, start + 5), let day = pair(text, start + 8),
      text[start + 7] == UInt8(ascii: "-")
    else { return nil }
    let civil = CivilTime(year: century * 100 + year, month: month, day: day)
    return civil.isValid ? civil.daysSinceEpoch : nil
  }

  private static func time(_ text: Span<UInt8>, _ range: Range<Int>) -> Int64? {
    let start = range.lowerBound
    guard range.count >= 8,
      let hour = pair(text, start), text[start + 2] == UInt8(ascii: ":"), hour < 24,
      let minute = pair(text, start + 3), text[start + 5] == UInt8(ascii: ":"), minute < 60,
      let second = pair(text, start + 6), second < 60
    else { return nil }
    var fraction = 0
    if range.count > 8 {
      let digits = range.count - 9
      guard text[start + 8] == UInt8(ascii: "."), (1...9).contains(digits) else { return nil }
      var unit = 100
      for index in start + 9..<range.upperBound {
        let digit = text[index] &- 48
        guard digit <= 9 else { return nil }
        fraction += Int(digit) * unit
        unit /= 10
      }
    }
    return Int64(((hour * 60 + minute) * 60 + second) * 1_000 + fraction)
  }

  private static func pair(_ text: Span<UInt8>, _ index: Int) -> Int? {
    let tens = text[index] &- 48
    let ones = text[index + 1] &- 48
    return tens <= 9 && ones <= 9 ? Int(tens) * 10 + Int(ones) : nil
  }
}
