extension ByteWriter {
  /// Puts the shortest digits that read back as `value`, in the form of Swift's `description`.
  ///
  /// A decimal of at most 15 digits that reads back is the only such decimal, because different ones
  /// are different doubles; hence it is the shortest and closest too. Dividing two exact doubles rounds
  /// once, so the quotient is what the decimal reads back as. 32 bytes must be reserved; `value` is
  /// finite.
  @inline(__always)
  mutating func put(double value: Double, _ powers: borrowing PowersOfFive) {
    let magnitude = value.magnitude
    guard magnitude >= 1e-4, magnitude < 1e15 else { return put(shortest: value, powers) }
    for digits in stride(from: 0, through: 9, by: 3) {
      let power = exactPowerOfTen(digits)
      let scaled = magnitude * power
      guard scaled < 1e15 else { break }
      let nearest = UInt64(scaled + 0.5)
      if nearest < 1_000_000_000_000_000, Double(nearest) / power == magnitude {
        if value < 0 { put(UInt8(ascii: "-")) }
        return put(fixed: nearest, digits: digits)
      }
    }
    put(shortest: value, powers)
  }

  /// Puts the shortest digits that read back as `value`; as for doubles, with at most 6 digits.
  mutating func put(float value: Float) {
    let magnitude = value.magnitude
    guard magnitude >= 1e-4, magnitude < 1e6 else { return putWide(value) }
    for digits in 0...6 {
      let power = exactPowerOfTen(digits)
      let nearest = UInt64(Double(magnitude) * power + 0.5)
      guard nearest < 1_000_000 else { break }
      // Both are below 2^24 and exact, so that the quotient rounds once.
      if Float(nearest) / Float(power) == magnitude {
        if value < 0 { put(UInt8(ascii: "-")) }
        return put(fixed: nearest, digits: digits)
      }
    }
    putWide(value)
  }

  /// Puts `value` × 10^-`digits` without zeros at the end, but with at least one decimal.
  @inline(__always)
  private mutating func put(fixed value: UInt64, digits: Int) {
    let (whole, rest) = value.quotientAndRemainder(dividingBy: powerOfTen(digits))
    put(decimal: whole)
    put(UInt8(ascii: "."))
    var fraction = rest
    var width = digits
    while width > 1, fraction % 10 == 0 {
      fraction /= 10
      width -= 1
    }
    put(decimal: fraction, width: max(1, width))
  }

  @inline(never)
  private mutating func putWide(_ value: Float) {
    for byte in value.description.utf8 { put(byte) }
  }
}
