import Columns

/// Reads values of SQL types from text, as `CAST` does.
enum TextParser {
  /// What a text says.
  enum Value: Hashable {
    case integer(Int64)
    case floating(Double)
    case invalid
  }

  /// Reads a value; blanks around it are skipped.
  static func parse(_ text: ArraySlice<UInt8>, as type: ColumnType) -> Value {
    let trimmed = trim(text)
    switch type {
    case .boolean: return boolean(trimmed)
    case .tinyint, .smallint, .integer, .bigint, .decimal:
      guard let value = decimal(trimmed, scale: type.scale, integersOnly: type.isInteger),
        type.integerRange.contains(value)
      else { return .invalid }
      return .integer(value)
    case .real, .double: return floating(trimmed, isReal: type == .real)
    case .date: return date(trimmed).map(Value.integer) ?? .invalid
    case .time: return time(trimmed).map(Value.integer) ?? .invalid
    case .timestamp: return timestamp(trimmed).map(Value.integer) ?? .invalid
    case .char, .varchar, .binary, .varbinary: return .invalid
    }
  }

  static func trim(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var rest = text
    while let first = rest.first, first == 32 || (9...13).contains(first) { rest.removeFirst() }
    while let last = rest.last, last == 32 || (9...13).contains(last) { rest.removeLast() }
    return rest
  }

  private static func boolean(_ text: ArraySlice<UInt8>) -> Value {
    switch String(decoding: text, as: UTF8.self).lowercased() {
    case "true", "1": .integer(1)
    case "false", "0": .integer(0)
    default: .invalid
    }
  }

  private static func floating(_ text: ArraySlice<UInt8>, isReal: Bool) -> Value {
    let isNumeric = text.allSatisfy { byte in
      (48...57).contains(byte) || byte == 43 || byte == 45 || byte == 46 || byte | 32 == 101
    }
    guard isNumeric, let value = Double(String(decoding: text, as: UTF8.self)) else {
      return .invalid
    }
    let rounded = isReal ? Double(Float(value)) : value
    return rounded.isFinite ? .floating(rounded) : .invalid
  }

  /// A decimal as an integer times 10^-scale; digits beyond the scale round half away from zero.
  private static func decimal(
    _ text: ArraySlice<UInt8>, scale: Int, integersOnly: Bool
  ) -> Int64? {
    var rest = text
    var isNegative = false
    if let sign = rest.first, sign == 43 || sign == 45 {
      isNegative = sign == 45
      rest.removeFirst()
    }
    var value: Int64 = 0
    var decimals = -1
    var digits = 0
    for byte in rest {
      if byte == 46, decimals < 0, !integersOnly {
        decimals = 0
        continue
      }
      guard (48...57).contains(byte) else { return nil }
      digits += 1
      let digit = Int64(byte - 48)
      if decimals >= scale {
        if decimals == scale, digit >= 5 {
          if value == Int64.max { return nil }
          value += 1
        }
        decimals += 1
        continue
      }
      if decimals >= 0 { decimals += 1 }
      let (product, tooBig) = value.multipliedReportingOverflow(by: 10)
      let (sum, tooBigToo) = product.addingReportingOverflow(digit)
      if tooBig || tooBigToo { return nil }
      value = sum
    }
    guard digits > 0 else { return nil }
    for _ in max(0, decimals)..<max(scale, max(0, decimals)) {
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      if overflow { return nil }
      value = product
    }
    return isNegative ? -value : value
  }

  /// Days since 1970-01-01 of `yyyy-MM-dd`.
  static func date(_ text: ArraySlice<UInt8>) -> Int64? {
    var rest = text
    guard let time = civilDate(&rest), rest.isEmpty else { return nil }
    return time.daysSinceEpoch
  }

  /// Milliseconds of `HH:mm:ss[.f]`.
  static func time(_ text: ArraySlice<UInt8>) -> Int64? {
    var rest = text
    var time = CivilTime(year: 1970)
    guard civilClock(&rest, into: &time), rest.isEmpty else { return nil }
    return time.milliseconds
  }

  /// Milliseconds since 1970 of `yyyy-MM-dd[ HH:mm:ss[.f]]`, `T` for the blank too.
  static func timestamp(_ text: ArraySlice<UInt8>) -> Int64? {
    var rest = text
    guard var time = civilDate(&rest) else { return nil }
    if let separator = rest.first {
      guard separator == 32 || separator == 84 else { return nil }
      rest.removeFirst()
      guard civilClock(&rest, into: &time) else { return nil }
      if rest.elementsEqual([90]) { rest.removeFirst() }
    }
    return rest.isEmpty ? time.milliseconds : nil
  }

  private static func civilDate(_ rest: inout ArraySlice<UInt8>) -> CivilTime? {
    guard let year = number(&rest, digits: 4...4), skip(&rest, 45),
      let month = number(&rest, digits: 1...2), skip(&rest, 45),
      let day = number(&rest, digits: 1...2)
    else { return nil }
    let time = CivilTime(year: year, month: month, day: day)
    return time.isValid ? time : nil
  }

  private static func civilClock(
    _ rest: inout ArraySlice<UInt8>, into time: inout CivilTime
  ) -> Bool {
    guard let hour = number(&rest, digits: 1...2), skip(&rest, 58),
      let minute = number(&rest, digits: 1...2)
    else { return false }
    time.hour = hour
    time.minute = minute
    if skip(&rest, 58) {
      guard let second = number(&rest, digits: 1...2) else { return false }
      time.second = second
      if skip(&rest, 46) {
        let digits = rest.prefix { (48...57).contains($0) }
        guard !digits.isEmpty else { return false }
        let padded = Array(digits.prefix(3)) + [48, 48, 48]
        time.millisecond = padded.prefix(3).reduce(0) { $0 * 10 + Int($1) - 48 }
        rest = rest.dropFirst(digits.count)
      }
    }
    return time.isValid
  }

  private static func number(
    _ rest: inout ArraySlice<UInt8>, digits: ClosedRange<Int>
  ) -> Int? {
    let run = rest.prefix(digits.upperBound).prefix { (48...57).contains($0) }
    guard run.count >= digits.lowerBound else { return nil }
    rest = rest.dropFirst(run.count)
    return run.reduce(0) { $0 * 10 + Int($1) - 48 }
  }

  private static func skip(_ rest: inout ArraySlice<UInt8>, _ byte: UInt8) -> Bool {
    guard rest.first == byte else { return false }
    rest.removeFirst()
    return true
  }
}

extension ColumnType {
  /// Whether the type is one of TINYINT to BIGINT.
  var isInteger: Bool {
    switch self {
    case .tinyint, .smallint, .integer, .bigint: true
    default: false
    }
  }
}
