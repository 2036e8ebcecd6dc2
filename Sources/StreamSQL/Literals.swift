internal import Columns

/// Values of constants.
enum Literals {
  /// The type and value of digits without a point.
  static func integer(_ text: String) -> (ColumnType, SQLValue) {
    if let value = Int64(text) {
      return (value <= Int64(Int32.max) ? .integer : .bigint, .integer(value))
    }
    return (.double, .double(Double(text) ?? .infinity))
  }

  /// The type and value of digits with a point.
  static func decimal(_ text: String) -> (ColumnType, SQLValue) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    let whole = parts[0].drop { $0 == "0" }
    let fraction = parts.count > 1 ? parts[1] : ""
    let digits = whole + fraction
    guard digits.count <= Parser.precisionLimit else {
      return (.double, .double(Double(text) ?? 0))
    }
    return (
      .decimal(precision: max(1, digits.count), scale: fraction.count),
      .integer(Int64(digits) ?? 0)
    )
  }

  /// What a DATE, TIME or TIMESTAMP with this text stores; nil if the text is not one.
  static func datetime(_ text: String, _ type: ColumnType) -> Int64? {
    var reader = DigitReader(text)
    switch type {
    case .date:
      guard let time = reader.date(), reader.isAtEnd else { return nil }
      return time.daysSinceEpoch
    case .time:
      var time = CivilTime(year: 1970)
      guard reader.time(into: &time), reader.isAtEnd else { return nil }
      return time.milliseconds
    default:
      guard var time = reader.date() else { return nil }
      guard reader.take(" ") || reader.take("T"), reader.time(into: &time), reader.isAtEnd else {
        return nil
      }
      return time.milliseconds
    }
  }

  /// What an interval stores; nil if the text does not fit the qualifier.
  ///
  /// `exceeds` says whether the first field has more digits than the qualifier allows.
  static func interval(
    _ text: String, _ qualifier: IntervalQualifier
  ) -> (value: Int64, exceeds: Bool)? {
    var reader = DigitReader(text)
    let isNegative = reader.take("-")
    if !isNegative { _ = reader.take("+") }
    var value: Int64 = 0
    var exceeds = false
    let units = DatetimeUnit.allCases.filter { $0 >= qualifier.first && $0 <= qualifier.last }
    for (index, unit) in units.enumerated() {
      if index > 0 {
        guard reader.take(separator(before: unit)) else { return nil }
      }
      guard let (field, digits) = reader.number() else { return nil }
      if index == 0 {
        exceeds = digits > qualifier.leadingPrecision
      } else if field >= limit(of: unit) {
        return nil
      }
      let scale = unit == .year ? 12 : unit == .month ? 1 : unit.milliseconds ?? 0
      let (product, overflow) = field.multipliedReportingOverflow(by: scale)
      let (sum, overflows) = value.addingReportingOverflow(product)
      if overflow || overflows { return nil }
      value = sum
      if unit == .second, reader.take(".") {
        guard let fraction = reader.milliseconds() else { return nil }
        value += fraction
      }
    }
    guard reader.isAtEnd else { return nil }
    return (isNegative ? -value : value, exceeds)
  }

  private static func separator(before unit: DatetimeUnit) -> Character {
    switch unit {
    case .year, .month: "-"
    case .day, .hour: " "
    case .minute, .second: ":"
    }
  }

  private static func limit(of unit: DatetimeUnit) -> Int64 {
    switch unit {
    case .year, .day: .max
    case .month: 12
    case .hour: 24
    case .minute, .second: 60
    }
  }
}

extension IntervalQualifier {
  /// What an interval of this kind stores for a text; nil if the text does not fit.
  package func value(of text: String) -> Int64? {
    Literals.interval(text, self)?.value
  }
}

/// Reads the fields of dates and intervals.
private struct DigitReader {
  private let characters: [Character]
  private var index = 0

  init(_ text: String) {
    characters = Array(text)
  }

  var isAtEnd: Bool { index == characters.count }

  mutating func take(_ character: Character) -> Bool {
    guard index < characters.count, characters[index] == character else { return false }
    index += 1
    return true
  }

  /// A run of digits and how many there are.
  mutating func number() -> (Int64, Int)? {
    let start = index
    while index < characters.count, characters[index].isASCII, characters[index].isNumber {
      index += 1
    }
    guard let value = Int64(String(characters[start..<index])) else { return nil }
    return (value, index - start)
  }

  /// Digits behind a point, cut to three.
  mutating func milliseconds() -> Int64? {
    guard let (_, digits) = number() else { return nil }
    let text = String(characters[(index - digits)..<index])
    return Int64((text + "00").prefix(3))
  }

  mutating func date() -> CivilTime? {
    guard let (year, digits) = number(), digits == 4, take("-"), let (month, _) = number(),
      take("-"), let (day, _) = number(), month <= 12, day <= 31
    else { return nil }
    let time = CivilTime(year: Int(year), month: Int(month), day: Int(day))
    return time.isValid ? time : nil
  }

  mutating func time(into time: inout CivilTime) -> Bool {
    guard let (hour, _) = number(), take(":"), let (minute, _) = number(), take(":"),
      let (second, _) = number(), hour < 24, minute < 60, second < 60
    else { return false }
    time.hour = Int(hour)
    time.minute = Int(minute)
    time.second = Int(second)
    if take(".") {
      guard let fraction = milliseconds() else { return false }
      time.millisecond = Int(fraction)
    }
    return true
  }
}
