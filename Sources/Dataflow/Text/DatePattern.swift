import Columns

/// A pattern of Java's SimpleDateFormat, in UTC and English.
///
/// Source: Java Platform SE 8, class `SimpleDateFormat`. Letters: `y M d D E u H k K h m s S a z Z X G`.
struct DatePattern {
  private enum Element {
    case literal([UInt8])
    case field(UInt8, count: Int)
  }
  private var elements: [Element] = []

  private static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
  ]
  private static let weekdays = [
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
  ]
  private static let fields = Array("yMdDEuHkKhmsSazZXG".utf8)

  /// Reads a pattern; nil when it holds a letter that is no field or an open quote.
  init?(_ pattern: ArraySlice<UInt8>) {
    var index = pattern.startIndex
    while index < pattern.endIndex {
      let byte = pattern[index]
      if byte == 39 {
        var literal: [UInt8] = []
        guard Self.quoted(pattern, &index, &literal) else { return nil }
        elements.append(.literal(literal))
      } else if (65...90).contains(byte) || (97...122).contains(byte) {
        guard Self.fields.contains(byte) else { return nil }
        var count = 0
        while index < pattern.endIndex, pattern[index] == byte {
          count += 1
          index += 1
        }
        elements.append(.field(byte, count: count))
      } else {
        elements.append(.literal([byte]))
        index += 1
      }
    }
  }

  private static func quoted(
    _ pattern: ArraySlice<UInt8>, _ index: inout Int, _ literal: inout [UInt8]
  ) -> Bool {
    index += 1
    if index < pattern.endIndex, pattern[index] == 39 {
      literal.append(39)
      index += 1
      return true
    }
    while index < pattern.endIndex {
      if pattern[index] == 39 {
        guard index + 1 < pattern.endIndex, pattern[index + 1] == 39 else {
          index += 1
          return true
        }
        index += 1
      }
      literal.append(pattern[index])
      index += 1
    }
    return false
  }

  /// Appends a moment in this form.
  func format(_ milliseconds: Int64, to bytes: inout [UInt8]) {
    let time = CivilTime(milliseconds: milliseconds)
    let weekday = Int(((time.daysSinceEpoch + 3) % 7 + 7) % 7)
    for element in elements {
      switch element {
      case .literal(let text): bytes.append(contentsOf: text)
      case .field(let letter, let count):
        format(letter, count, time, weekday: weekday, to: &bytes)
      }
    }
  }

  private func format(
    _ letter: UInt8, _ count: Int, _ time: CivilTime, weekday: Int, to bytes: inout [UInt8]
  ) {
    func name(_ text: String) {
      bytes.append(contentsOf: (count >= 4 ? text : String(text.prefix(3))).utf8)
    }
    func number(_ value: Int) { CivilTime.append(value, digits: count, to: &bytes) }
    switch Character(UnicodeScalar(letter)) {
    case "y":
      if count == 2 {
        CivilTime.append(time.year % 100, digits: 2, to: &bytes)
      } else {
        number(time.year)
      }
    case "M": if count >= 3 { name(Self.months[time.month - 1]) } else { number(time.month) }
    case "d": number(time.day)
    case "D":
      number(Int(time.daysSinceEpoch - CivilTime(year: time.year).daysSinceEpoch) + 1)
    case "E": name(Self.weekdays[weekday])
    case "u": number(weekday + 1)
    case "H": number(time.hour)
    case "k": number(time.hour == 0 ? 24 : time.hour)
    case "K": number(time.hour % 12)
    case "h": number(time.hour % 12 == 0 ? 12 : time.hour % 12)
    case "m": number(time.minute)
    case "s": number(time.second)
    case "S": number(time.millisecond)
    case "a": bytes.append(contentsOf: (time.hour < 12 ? "AM" : "PM").utf8)
    case "z": bytes.append(contentsOf: "UTC".utf8)
    case "Z": bytes.append(contentsOf: "+0000".utf8)
    case "X": bytes.append(UInt8(ascii: "Z"))
    default: bytes.append(contentsOf: "AD".utf8)
    }
  }

  /// What the fields of a text say, collected before they are put together.
  private struct Parsed {
    var time = CivilTime(year: 1970)
    var dayOfYear: Int?
    var hour12: Int?
    var isAfternoon = false
    var offsetMinutes = 0
  }

  /// The moment that a text names; fields that the pattern lacks are 1970-01-01 00:00:00.
  ///
  /// Text behind the pattern's end is ignored. Nil when a delimiter, a name or a range does not fit.
  func parse(_ text: ArraySlice<UInt8>) -> Int64? {
    var rest = text
    var parsed = Parsed()
    for (index, element) in elements.enumerated() {
      switch element {
      case .literal(let literal):
        guard rest.starts(with: literal) else { return nil }
        rest = rest.dropFirst(literal.count)
      case .field(let letter, let count):
        let isAdjacent = index + 1 < elements.count && Self.isNumeric(elements[index + 1])
        guard parse(letter, count, isAdjacent: isAdjacent, &rest, &parsed) else { return nil }
      }
    }
    if let hour12 = parsed.hour12 { parsed.time.hour = hour12 + (parsed.isAfternoon ? 12 : 0) }
    guard parsed.time.isValid else { return nil }
    var moment = parsed.time.milliseconds - Int64(parsed.offsetMinutes) * 60_000
    if let day = parsed.dayOfYear { moment += Int64(day - 1) * CivilTime.millisecondsPerDay }
    return moment
  }

  private static func isNumeric(_ element: Element) -> Bool {
    guard case .field(let letter, let count) = element else { return false }
    switch Character(UnicodeScalar(letter)) {
    case "M": return count < 3
    case "E", "a", "z", "Z", "X", "G": return false
    default: return true
    }
  }

  private func parse(
    _ letter: UInt8, _ count: Int, isAdjacent: Bool, _ rest: inout ArraySlice<UInt8>,
    _ parsed: inout Parsed
  ) -> Bool {
    switch Character(UnicodeScalar(letter)) {
    case "M" where count >= 3:
      guard let month = Self.name(Self.months, &rest) else { return false }
      parsed.time.month = month + 1
      return true
    case "E": return Self.name(Self.weekdays, &rest) != nil
    case "a":
      guard let half = Self.name(["AM", "PM"], &rest) else { return false }
      parsed.isAfternoon = half == 1
      return true
    case "G": return Self.name(["AD"], &rest) != nil
    case "z", "Z", "X": return Self.zone(&rest, &parsed.offsetMinutes)
    default: break
    }
    while rest.first == 32 { rest.removeFirst() }
    let digits = rest.prefix(isAdjacent ? count : 18).prefix { (48...57).contains($0) }
    guard !digits.isEmpty else { return false }
    rest = rest.dropFirst(digits.count)
    let value = digits.reduce(0) { $0 * 10 + Int($1) - 48 }
    return set(letter, value, count: count, digits: digits.count, &parsed)
  }

  private func set(
    _ letter: UInt8, _ value: Int, count: Int, digits: Int, _ parsed: inout Parsed
  ) -> Bool {
    switch Character(UnicodeScalar(letter)) {
    case "y":
      guard value <= 9_999 else { return false }
      parsed.time.year =
        count == 2 && digits == 2 ? (value < 70 ? 2_000 + value : 1_900 + value) : value
    case "M": parsed.time.month = value
    case "d": parsed.time.day = value
    case "D":
      guard (1...366).contains(value) else { return false }
      parsed.dayOfYear = value
    case "H": parsed.time.hour = value
    case "k": parsed.time.hour = value == 24 ? 0 : value
    case "K":
      guard value < 12 else { return false }
      parsed.hour12 = value
    case "h":
      guard (1...12).contains(value) else { return false }
      parsed.hour12 = value % 12
    case "m": parsed.time.minute = value
    case "s": parsed.time.second = value
    case "S": parsed.time.millisecond = value
    default: break
    }
    return true
  }

  private static func name(_ names: [String], _ rest: inout ArraySlice<UInt8>) -> Int? {
    func matches(_ name: Substring) -> Bool {
      rest.count >= name.utf8.count
        && zip(rest, name.utf8).allSatisfy { $0 | 32 == $1 | 32 }
    }
    for (index, name) in names.enumerated() {
      for form in [name[...], name.prefix(3)] where matches(form) {
        rest = rest.dropFirst(form.utf8.count)
        return index
      }
    }
    return nil
  }

  private static func zone(_ rest: inout ArraySlice<UInt8>, _ offset: inout Int) -> Bool {
    for name in ["UTC", "GMT", "Z"] where rest.starts(with: name.utf8) {
      rest = rest.dropFirst(name.utf8.count)
      if name == "Z" { return true }
      break
    }
    guard let sign = rest.first, sign == 43 || sign == 45 else { return true }
    rest.removeFirst()
    let digits = rest.prefix { (48...57).contains($0) || $0 == 58 }
    rest = rest.dropFirst(digits.count)
    let plain = digits.filter { $0 != 58 }
    guard (1...4).contains(plain.count) else { return false }
    let number = plain.reduce(0) { $0 * 10 + Int($1) - 48 }
    offset = plain.count <= 2 ? number * 60 : number / 100 * 60 + number % 100
    if sign == 45 { offset = -offset }
    return true
  }
}
