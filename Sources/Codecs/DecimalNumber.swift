/// A number as its text says it: ± mantissa × 10^exponent, not yet rounded to anything.
struct DecimalNumber {
  /// The first 19 significant digits.
  var mantissa: UInt64 = 0
  /// The power of ten; saturates far outside the range of every type.
  var exponent = 0
  /// Whether the text has a minus sign.
  var isNegative = false
  /// Whether digits other than zeros follow the first 19 significant ones.
  var isTruncated = false

  static let exponentLimit = 1_000_000_000_000

  /// Zero, whatever its sign and exponent.
  var isZero: Bool { mantissa == 0 }
}

/// The digits that eight bytes begin with.
///
/// They are moved to the top of a word, so that zeros lead them, and added up pairwise.
/// Source: D. Lemire, "Quickly parsing eight digits".
struct LeadingDigits {
  private let digits: UInt64
  private let others: UInt64

  @inline(__always)
  init(word: UInt64) {
    digits = word ^ 0x3030_3030_3030_3030
    // The lowest mark is right: carries spread only upwards from a byte that is marked itself.
    others = ((digits &+ 0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080
  }

  /// Whether all eight bytes are digits.
  @inline(__always) var isFull: Bool { others == 0 }
  /// How many digits there are when not all are.
  @inline(__always) var count: Int { others.trailingZeroBitCount >> 3 }

  /// Their value; there is at least one.
  @inline(__always)
  var value: UInt64 {
    let shift = isFull ? 0 : 64 &- UInt64(truncatingIfNeeded: others.trailingZeroBitCount & 0x78)
    let moved = digits &<< shift
    let pairs = moved &* 10 &+ (moved >> 8)
    let high = (pairs & 0x0000_00FF_0000_00FF) &* 0x000F_4240_0000_0064
    let low = ((pairs >> 16) & 0x0000_00FF_0000_00FF) &* 0x0000_2710_0000_0001
    return (high &+ low) >> 32
  }
}

/// A number of at most 18 digits: ± mantissa / 10^decimals.
struct PlainNumber {
  let mantissa: Int64
  let decimals: Int
  let isNegative: Bool
  /// The byte behind the number, or -1.
  let end: Int
}

/// How a number may be written.
enum NumberForm {
  /// RFC 8259.
  case json
  /// An SQL literal: also a plus sign, zeros in front, `.5` and `5.`.
  case sql
}

extension Span where Element == UInt8 {
  /// Reads a run of digits; `mantissa` wraps when there are more than 19.
  @inline(__always)
  func accumulateDigits(from cursor: inout Int, into mantissa: inout UInt64) {
    while true {
      let digits = LeadingDigits(word: word(at: cursor))
      if digits.isFull {
        mantissa = mantissa &* 100_000_000 &+ digits.value
        cursor &+= 8
        continue
      }
      guard digits.count > 0 else { return }
      mantissa = mantissa &* powerOfTen(digits.count) &+ digits.value
      cursor &+= digits.count
      return
    }
  }

  /// Reads a number and moves `cursor` behind it; nil, with `cursor` at the offender, when the text
  /// there is not one.
  func number(_ form: NumberForm, at cursor: inout Int) -> DecimalNumber? {
    var number = DecimalNumber()
    var index = cursor
    if byte(at: index) == UInt8(ascii: "-") {
      number.isNegative = true
      index += 1
    } else if form == .sql, byte(at: index) == UInt8(ascii: "+") {
      index += 1
    }
    let first = index
    accumulateDigits(from: &index, into: &number.mantissa)
    let wholeDigits = index - first
    if form == .json,
      wholeDigits == 0 || (wholeDigits > 1 && self[first] == UInt8(ascii: "0"))
    {
      cursor = wholeDigits == 0 ? index : first
      return nil
    }
    var digits = wholeDigits
    if byte(at: index) == UInt8(ascii: ".") {
      index += 1
      let start = index
      accumulateDigits(from: &index, into: &number.mantissa)
      number.exponent = start - index
      digits += index - start
      if form == .json, index == start {
        cursor = index
        return nil
      }
    }
    guard digits > 0 else {
      cursor = index
      return nil
    }
    if digits > 19 { rereadDigits(first..<index, into: &number) }
    if byte(at: index) | 0x20 == UInt8(ascii: "e") {
      guard let power = exponent(at: &index) else {
        cursor = index
        return nil
      }
      number.exponent += power
    }
    cursor = index
    return number
  }

  private func exponent(at index: inout Int) -> Int? {
    index += 1
    let sign = byte(at: index)
    if sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { index += 1 }
    let start = index
    var power = 0
    while case let digit = byte(at: index) &- 48, digit <= 9 {
      power = Swift.min(power * 10 + Int(digit), DecimalNumber.exponentLimit)
      index += 1
    }
    guard index > start else { return nil }
    return sign == UInt8(ascii: "-") ? -power : power
  }

  /// The slow way for long numbers: the first 19 significant digits, and whether others follow.
  private func rereadDigits(_ range: Range<Int>, into number: inout DecimalNumber) {
    var significant = 0
    number.mantissa = 0
    number.exponent = 0
    var isFraction = false
    for index in range {
      let byte = self[index]
      if byte == UInt8(ascii: ".") {
        isFraction = true
        continue
      }
      if significant == 19 {
        if byte != UInt8(ascii: "0") { number.isTruncated = true }
        if !isFraction { number.exponent += 1 }
        continue
      }
      number.mantissa = number.mantissa * 10 + UInt64(byte - 48)
      if number.mantissa > 0 { significant += 1 }
      if isFraction { number.exponent -= 1 }
    }
  }
}

extension DecimalNumber {
  /// The number times 10^`scale` as an integer between `minimum` and `maximum`.
  ///
  /// - Throws: `inexact` when that is not an integer, `outOfRange` when it is too big.
  @inline(__always)
  func integer(
    scale: Int, minimum: Int64, maximum: Int64
  ) throws(NumberFailure) -> Int64 {
    if exponent == 0, scale == 0, !isTruncated, mantissa <= UInt64(Int64.max) {
      let value = isNegative ? -Int64(mantissa) : Int64(mantissa)
      guard value >= minimum, value <= maximum else { throw .outOfRange }
      return value
    }
    return try scaledInteger(scale: scale, minimum: minimum, maximum: maximum)
  }

  private func scaledInteger(
    scale: Int, minimum: Int64, maximum: Int64
  ) throws(NumberFailure) -> Int64 {
    if isZero { return 0 }
    let power = exponent + scale
    var magnitude = mantissa
    if power > 0 {
      guard power <= 19 else { throw .outOfRange }
      let (product, overflow) = magnitude.multipliedReportingOverflow(by: powerOfTen(power))
      guard !overflow else { throw .outOfRange }
      magnitude = product
    } else if power < 0 {
      guard power >= -19 else { throw .inexact }
      let (quotient, rest) = magnitude.quotientAndRemainder(dividingBy: powerOfTen(-power))
      guard rest == 0 else { throw .inexact }
      magnitude = quotient
    }
    let limit = isNegative ? minimum.magnitude : maximum.magnitude
    guard magnitude <= limit else { throw .outOfRange }
    guard !isTruncated else { throw .inexact }
    return isNegative ? Int64(truncatingIfNeeded: 0 &- magnitude) : Int64(magnitude)
  }
}

/// Why a number does not fit a type.
enum NumberFailure: Error {
  case inexact, outOfRange
}
