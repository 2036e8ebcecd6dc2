/// The first 128 bits of 5^q for q from -342 to 324, normalised: the table of Eisel and Lemire, and a
/// little more for printing.
///
/// For q from -27 to -1 the reciprocal is rounded up, else down.
/// Source: D. Lemire, "Number Parsing at a Gigabyte per Second", 2021, section 5.
struct PowersOfFive: Sendable {
  static let minimumExponent = -342
  /// Ten to a higher power is beyond the range of Double.
  static let maximumExponent = 308
  /// The last power in the table.
  private static let lastExponent = 324
  /// The table; computed once.
  static let shared = PowersOfFive()

  /// High and low word of each power, one after the other.
  let words: [UInt64]

  private init() {
    let negative = Self.reciprocals()
    var words: [UInt64] = []
    words.reserveCapacity(2 * (Self.lastExponent - Self.minimumExponent + 1))
    for pair in negative.reversed() { words += [pair.high, pair.low] }
    // Limbs of 64 bits, the least significant first; 5^324 has 753 bits.
    var power: [UInt64] = [1]
    for _ in 0...Self.lastExponent {
      let top = Self.topBits(of: power)
      words += [top.high, top.low]
      var carry: UInt64 = 0
      for index in power.indices {
        let (high, low) = power[index].multipliedFullWidth(by: 5)
        let (sum, overflow) = low.addingReportingOverflow(carry)
        power[index] = sum
        carry = high + (overflow ? 1 : 0)
      }
      if carry > 0 { power.append(carry) }
    }
    self.words = words
  }

  /// 5^-1, 5^-2 … 5^-342: 2^2048 divided by five again and again; nested floors are exact.
  private static func reciprocals() -> [(high: UInt64, low: UInt64)] {
    var rest = [UInt64](repeating: 0, count: 32) + [1]
    return (1 ... -minimumExponent).map { exponent in
      var remainder: UInt64 = 0
      for index in rest.indices.reversed() {
        (rest[index], remainder) = UInt64(5).dividingFullWidth((remainder, rest[index]))
      }
      while rest.last == 0 { rest.removeLast() }
      var top = topBits(of: rest)
      if exponent <= 27 {
        let (low, overflow) = top.low.addingReportingOverflow(1)
        top = (top.high + (overflow ? 1 : 0), low)
      }
      return top
    }
  }

  private static func topBits(of limbs: [UInt64]) -> (high: UInt64, low: UInt64) {
    func limb(_ fromTop: Int) -> UInt64 {
      fromTop <= limbs.count ? limbs[limbs.count - fromTop] : 0
    }
    let shift = UInt64(limb(1).leadingZeroBitCount)
    func shifted(_ upper: UInt64, _ lower: UInt64) -> UInt64 {
      shift == 0 ? upper : upper << shift | lower >> (64 - shift)
    }
    return (shifted(limb(1), limb(2)), shifted(limb(2), limb(3)))
  }

  /// `mantissa` × 10^`exponent` rounded to the nearest `Double`; nil when 128 bits do not decide.
  ///
  /// Beyond the range the result is 0 or infinite.
  func double(mantissa: UInt64, exponent: Int) -> Double? {
    if mantissa == 0 || exponent < Self.minimumExponent { return 0 }
    if exponent > Self.maximumExponent { return .infinity }
    let leadingZeros = mantissa.leadingZeroBitCount
    let normalised = mantissa << UInt64(leadingZeros)
    let index = 2 * (exponent - Self.minimumExponent)
    var (high, low) = normalised.multipliedFullWidth(by: words[index])
    if high & 0x1FF == 0x1FF {
      let more = normalised.multipliedFullWidth(by: words[index + 1]).high
      let (sum, overflow) = low.addingReportingOverflow(more)
      low = sum
      if overflow { high &+= 1 }
    }
    if low == .max, !(-27...55).contains(exponent) { return nil }
    let upperBit = Int(high >> 63)
    let shift = UInt64(upperBit + 64 - 52 - 3)
    var significand = high >> shift
    var power = ((217_706 * exponent) >> 16) + 63 + upperBit - leadingZeros + 1_023
    if power <= 0 {
      if 1 - power >= 64 { return 0 }
      significand >>= UInt64(1 - power)
      significand = (significand + (significand & 1)) >> 1
      // A significand of 2^52 carries into the exponent's field and so is the least normal number.
      return Double(bitPattern: significand)
    }
    if low <= 1, (-4...23).contains(exponent), significand & 3 == 1, significand << shift == high {
      significand &= ~1
    }
    significand = (significand + (significand & 1)) >> 1
    if significand >= 1 << 53 {
      significand = 1 << 52
      power += 1
    }
    if power >= 0x7FF { return .infinity }
    return Double(bitPattern: UInt64(power) << 52 | significand & ~(1 << 52))
  }
}

extension DecimalNumber {
  /// The nearest `Double`, ties to even; infinite when the number is too big.
  ///
  /// `text` holds the number at `range`, for the few that neither Clinger's exact cases nor the
  /// product with a 128-bit power of five decide.
  /// Source: W. Clinger, "How to Read Floating Point Numbers Accurately", 1990.
  @inline(__always)
  func double(
    _ powers: borrowing PowersOfFive, text: Span<UInt8>, range: Range<Int>
  ) -> Double {
    if mantissa <= 1 << 53, exponent >= -22, exponent <= 22, !isTruncated {
      let exact = Double(Int64(truncatingIfNeeded: mantissa))
      let value =
        exponent < 0
        ? exact / exactPowerOfTen(0 &- exponent) : exact * exactPowerOfTen(exponent)
      return isNegative ? -value : value
    }
    return wideDouble(powers, text: text, range: range)
  }

  @inline(never)
  private func wideDouble(
    _ powers: borrowing PowersOfFive, text: Span<UInt8>, range: Range<Int>
  ) -> Double {
    var value = powers.double(mantissa: mantissa, exponent: exponent)
    if isTruncated, value != powers.double(mantissa: mantissa + 1, exponent: exponent) {
      value = nil
    }
    if let value { return isNegative ? -value : value }
    let string = text.extracting(range).string
    guard let slow = Double(string) else {
      preconditionFailure("text that was read as a number is a number")
    }
    return slow
  }

  /// The nearest `Float`, ties to even; infinite when the number is too big.
  ///
  /// Rounding the nearest `Double` again is right unless that lies exactly between two floats.
  func float(
    _ powers: borrowing PowersOfFive, text: Span<UInt8>, range: Range<Int>
  ) -> Float {
    let wide = double(powers, text: text, range: range)
    let isBetween = wide.bitPattern & 0x1FFF_FFFF == 0x1000_0000
    let isSubnormal = wide.magnitude < Double(Float.leastNormalMagnitude)
    guard wide != 0, isBetween || isSubnormal else { return Float(wide) }
    guard let slow = Float(text.extracting(range).string) else {
      preconditionFailure("text that was read as a number is a number")
    }
    return slow
  }
}

extension Span where Element == UInt8 {
  /// A copy of the bytes as text, for slow paths only.
  var string: String {
    var copy: [UInt8] = []
    copy.reserveCapacity(count)
    for index in 0..<count { copy.append(self[index]) }
    return String(decoding: copy, as: UTF8.self)
  }
}
