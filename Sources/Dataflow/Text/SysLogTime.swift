import Columns

/// Times of the system log, `Oct 11 22:14:15`, which say no year.
enum SysLogTime {
  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  /// The time as `yyyy-MM-dd HH:mm:ss` in the year of a ROWTIME, or in the year before where it would lie
  /// more than a day behind it; any other text stays as it is.
  static func withYear(_ text: [UInt8], rowtime: Int64) -> [UInt8] {
    let parts = String(decoding: text, as: UTF8.self).split(separator: " ")
    guard parts.count == 3, let month = months.firstIndex(of: String(parts[0])),
      let day = Int(parts[1])
    else { return text }
    let clock = parts[2].split(separator: ":").compactMap { Int($0) }
    guard clock.count == 3 else { return text }
    var time = CivilTime(
      year: CivilTime(milliseconds: rowtime).year, month: month + 1, day: day, hour: clock[0],
      minute: clock[1], second: clock[2])
    if time.isValid, time.milliseconds > rowtime + CivilTime.millisecondsPerDay { time.year -= 1 }
    func digits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return Array("\(time.year)-\(digits(month + 1))-\(digits(day)) \(parts[2])".utf8)
  }
}
