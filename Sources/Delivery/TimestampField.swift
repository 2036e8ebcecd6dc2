import Columns

/// One field of a moment as Java's `DateTimeFormatter` prints it in the US locale.
struct TimestampField {
  let time: CivilTime
  let letter: Character
  let count: Int

  private static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
  ]
  private static let weekdays = [
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
  ]

  var text: String {
    switch letter {
    case "y": year(time.year > 0 ? time.year : 1 - time.year)
    case "u": year(time.year)
    case "Y": year(week.year)
    case "w": number(week.number)
    case "M", "L": month
    case "Q", "q": quarter
    case "E": weekday
    case "d": number(time.day)
    case "D": number(dayOfYear)
    case "a": time.hour < 12 ? "AM" : "PM"
    default: timeOfDay
    }
  }

  private var timeOfDay: String {
    switch letter {
    case "H": number(time.hour)
    case "k": number(time.hour == 0 ? 24 : time.hour)
    case "K": number(time.hour % 12)
    case "h": number(time.hour % 12 == 0 ? 12 : time.hour % 12)
    case "m": number(time.minute)
    case "s": number(time.second)
    case "S": String((padded(time.millisecond, 3) + "000000").prefix(count))
    case "A": number(millisecondOfDay)
    case "n": number(time.millisecond * 1_000_000)
    case "N": number(millisecondOfDay * 1_000_000)
    default: zone
    }
  }

  private var zone: String {
    switch letter {
    case "X": "Z"
    case "x": count == 1 ? "+00" : count % 2 == 0 ? "+0000" : "+00:00"
    case "Z": count < 4 ? "+0000" : count == 4 ? "GMT" : "Z"
    case "O": "GMT"
    default: count == 4 ? "Coordinated Universal Time" : "UTC"
    }
  }

  private func number(_ value: Int) -> String { padded(value, count) }

  private func padded(_ value: Int, _ width: Int) -> String {
    let digits = String(abs(value))
    let zeros = String(repeating: "0", count: max(0, width - digits.count))
    return (value < 0 ? "-" : "") + zeros + digits
  }

  private func year(_ value: Int) -> String {
    if count == 2 { return padded((value % 100 + 100) % 100, 2) }
    let isLong = count >= 4 && String(abs(value)).count > count
    return (isLong && value > 0 ? "+" : "") + number(value)
  }

  private var month: String { named(Self.months[time.month - 1], number: time.month) }

  private var weekday: String {
    let name = Self.weekdays[weekdayIndex]
    return count <= 3 ? String(name.prefix(3)) : count == 4 ? name : String(name.prefix(1))
  }

  private var quarter: String {
    let value = (time.month - 1) / 3 + 1
    let ordinal = ["1st", "2nd", "3rd", "4th"][value - 1]
    switch count {
    case 3: return "Q\(value)"
    case 4: return "\(ordinal) quarter"
    default: return count == 5 ? "\(value)" : number(value)
    }
  }

  private func named(_ name: String, number value: Int) -> String {
    switch count {
    case 1, 2: number(value)
    case 3: String(name.prefix(3))
    case 4: name
    default: String(name.prefix(1))
    }
  }

  /// 0 for Sunday.
  private var weekdayIndex: Int { Int(((time.daysSinceEpoch + 4) % 7 + 7) % 7) }

  private var dayOfYear: Int {
    Int(time.daysSinceEpoch - CivilTime(year: time.year).daysSinceEpoch) + 1
  }

  private var millisecondOfDay: Int {
    ((time.hour * 60 + time.minute) * 60 + time.second) * 1_000 + time.millisecond
  }

  private var week: (year: Int, number: Int) {
    let saturday = CivilTime(
      milliseconds: (time.daysSinceEpoch + Int64(6 - weekdayIndex))
        * CivilTime.millisecondsPerDay)
    let firstDay = CivilTime(year: saturday.year).daysSinceEpoch
    return (saturday.year, Int(saturday.daysSinceEpoch - firstDay) / 7 + 1)
  }
}
