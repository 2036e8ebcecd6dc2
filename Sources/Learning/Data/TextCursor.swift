/// Reads numbers and JSON punctuation from the bytes of one line.
struct TextCursor {
  private let bytes: [UInt8]
  private(set) var index = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isAtEnd: Bool { index == bytes.count }
  /// The column of the next byte, from 1.
  var column: Int { index + 1 }
  var next: UInt8? { index < bytes.count ? bytes[index] : nil }

  mutating func skipBlanks() {
    while index < bytes.count, bytes[index] == 32 || bytes[index] == 9 { index += 1 }
  }

  mutating func take(_ byte: UInt8) -> Bool {
    skipBlanks()
    guard next == byte else { return false }
    index += 1
    return true
  }

  /// A word such as `null`.
  mutating func take(_ word: StaticString) -> Bool {
    skipBlanks()
    let letters = Array("\(word)".utf8)
    guard bytes[index...].starts(with: letters) else { return false }
    index += letters.count
    return true
  }

  private static let powers: [Double] = [
    1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
    1e18, 1e19, 1e20, 1e21, 1e22,
  ]

  /// A decimal number; nil, with the cursor where it was, when there is none.
  ///
  /// Up to 15 digits and powers of ten up to 22 are exact, so that one division or multiplication
  /// rounds once; others go the long way.
  mutating func number() -> Double? {
    skipBlanks()
    let start = index
    var mantissa: UInt64 = 0
    var digits = 0
    var exponent = 0
    var isNegative = false
    if next == 45 || next == 43 {
      isNegative = next == 45
      index += 1
    }
    func digit() -> UInt64? {
      guard index < bytes.count, case let value = bytes[index] &- 48, value <= 9 else { return nil }
      return UInt64(value)
    }
    while let value = digit() {
      mantissa = mantissa &* 10 &+ value
      digits += 1
      index += 1
    }
    if next == 46 {
      index += 1
      while let value = digit() {
        mantissa = mantissa &* 10 &+ value
        digits += 1
        exponent -= 1
        index += 1
      }
    }
    guard digits > 0 else {
      index = start
      return nil
    }
    var hasExponent = false
    if next == 101 || next == 69 {
      hasExponent = true
      index += 1
      if next == 45 || next == 43 { index += 1 }
      guard digit() != nil else {
        index = start
        return nil
      }
      while digit() != nil { index += 1 }
    }
    if digits <= 15, !hasExponent, -exponent < Self.powers.count {
      let value = Double(mantissa) / Self.powers[-exponent]
      return isNegative ? -value : value
    }
    return Double(String(decoding: bytes[start..<index], as: UTF8.self))
  }

  /// A JSON string without escapes of other characters than quotes and backslashes.
  mutating func string() -> String? {
    guard take(34) else { return nil }
    var text: [UInt8] = []
    while let byte = next {
      index += 1
      if byte == 34 { return String(decoding: text, as: UTF8.self) }
      if byte == 92, let escaped = next {
        index += 1
        text.append(escaped)
      } else {
        text.append(byte)
      }
    }
    return nil
  }

  /// What stands at the cursor, for an error.
  var excerpt: String {
    isAtEnd
      ? "the end of the line" : "'\(String(decoding: bytes[index...].prefix(20), as: UTF8.self))'"
  }
}
