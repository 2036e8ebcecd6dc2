/// The shortest decimal that reads back as a given double, and of these the closest.
///
/// Source: R. Giulietti, "The Schubfach way to render doubles", 2020, with the powers of ten as 128-bit
/// numbers rounded up.
struct ShortestDecimal {
  /// The digits, with no zero at the end unless the number is zero.
  private(set) var digits: UInt64
  /// The power of ten that the digits are multiplied by.
  private(set) var exponent: Int

  /// The decimal of a number that is positive and finite.
  init(_ value: Double, _ powers: borrowing PowersOfFive) {
    let bits = value.bitPattern
    let fraction = bits & 0xF_FFFF_FFFF_FFFF
    let biased = Int(bits >> 52)
    let significand = biased == 0 ? fraction : fraction | 1 << 52
    let power = (biased == 0 ? 1 : biased) - 1_075
    // The lower neighbour of a power of two is only half as far away as the upper one.
    let isUneven = fraction == 0 && biased > 1
    exponent = (power * 1_262_611 - (isUneven ? 524_031 : 0)) >> 22
    let shift = UInt64(power + ((-exponent * 1_741_647) >> 19) + 1)
    let ten = powers.roundedUp(-exponent)
    let isOdd = significand & 1
    // The number, and the ends of what rounds to it, in quarters of the last digit's unit.
    let middle = Self.product(ten, 4 * significand << shift)
    let lower = Self.product(ten, (4 * significand - 2 + (isUneven ? 1 : 0)) << shift) + isOdd
    let upper = Self.product(ten, (4 * significand + 2) << shift) - isOdd
    digits = middle / 4
    if digits >= 10 {
      let shorter = digits / 10
      let isFloorInside = lower <= 40 * shorter
      let isCeilingInside = 40 * shorter + 40 <= upper
      if isFloorInside != isCeilingInside {
        digits = shorter + (isCeilingInside ? 1 : 0)
        exponent += 1
        dropZeros()
        return
      }
    }
    let isFloorInside = lower <= 4 * digits
    let isCeilingInside = 4 * digits + 4 <= upper
    let half = 4 * digits + 2
    let isNearerUp = middle > half || (middle == half && digits & 1 == 1)
    if isFloorInside != isCeilingInside ? isCeilingInside : isNearerUp { digits += 1 }
    dropZeros()
  }

  private mutating func dropZeros() {
    while digits % 10 == 0 {
      digits /= 10
      exponent += 1
    }
  }

  /// The upper 64 bits of the 192-bit product, with the last bit set when more follows.
  private static func product(_ ten: (high: UInt64, low: UInt64), _ factor: UInt64) -> UInt64 {
    let lower = ten.low.multipliedFullWidth(by: factor).high
    let (high, low) = ten.high.multipliedFullWidth(by: factor)
    let (sum, overflow) = low.addingReportingOverflow(lower)
    return (high + (overflow ? 1 : 0)) | (sum > 1 ? 1 : 0)
  }
}

extension PowersOfFive {
  /// The first 128 bits of 5^`exponent`, rounded up unless they are all.
  fileprivate func roundedUp(_ exponent: Int) -> (high: UInt64, low: UInt64) {
    let index = 2 * (exponent - Self.minimumExponent)
    let (high, low) = (words[index], words[index + 1])
    if (-27...55).contains(exponent) { return (high, low) }
    let (sum, overflow) = low.addingReportingOverflow(1)
    return (high + (overflow ? 1 : 0), sum)
  }
}

extension ByteWriter {
  /// Puts a finite number in the form of Swift's `description`; 32 bytes must be reserved.
  ///
  /// Plain from 0.0001 to 2^53, with an exponent beyond.
  mutating func put(shortest value: Double, _ powers: borrowing PowersOfFive) {
    if value.sign == .minus { put(UInt8(ascii: "-")) }
    let magnitude = value.magnitude
    if magnitude == 0 {
      // "0.0" as a little-endian word.
      return put(0x30_2E30, length: 3)
    }
    let decimal = ShortestDecimal(magnitude, powers)
    var count = 1
    while count < 17, decimal.digits >= powerOfTen(count) { count += 1 }
    let exponent = decimal.exponent + count - 1
    if exponent < -4 || magnitude > 9_007_199_254_740_992 {
      putScientific(decimal.digits, count: count, exponent: exponent)
    } else if decimal.exponent >= 0 {
      put(decimal: decimal.digits * powerOfTen(decimal.exponent))
      put(UInt8(ascii: "."))
      put(UInt8(ascii: "0"))
    } else {
      put(decimal: decimal.digits, scale: -decimal.exponent)
    }
  }

  /// Puts digits with a point `scale` places from the end.
  private mutating func put(decimal digits: UInt64, scale: Int) {
    // More than 19 places only hold zeros in front.
    let whole = scale > 19 ? 0 : digits / powerOfTen(scale)
    put(decimal: whole)
    put(UInt8(ascii: "."))
    let fraction = whole == 0 ? digits : digits - whole * powerOfTen(scale)
    if scale > 20 { for _ in 20..<scale { put(UInt8(ascii: "0")) } }
    put(decimal: fraction, width: min(scale, 20))
  }

  private mutating func putScientific(_ digits: UInt64, count: Int, exponent: Int) {
    let unit = powerOfTen(count - 1)
    put(decimal: digits / unit)
    if count > 1 {
      put(UInt8(ascii: "."))
      put(decimal: digits % unit, width: count - 1)
    }
    put(UInt8(ascii: "e"))
    put(UInt8(ascii: exponent < 0 ? "-" : "+"))
    put(decimal: UInt64(exponent.magnitude), width: 2)
  }
}
