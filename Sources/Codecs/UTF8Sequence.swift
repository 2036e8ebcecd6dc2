extension Span where Element == UInt8 {
  /// How many bytes the well-formed UTF-8 sequence at `index` has; 0 when it is not well-formed.
  ///
  /// Source: The Unicode Standard, table 3-7, "Well-Formed UTF-8 Byte Sequences".
  func utf8SequenceLength(at index: Int) -> Int {
    let lead = self[index]
    let second = byte(at: index + 1)
    switch lead {
    case 0..<0x80: return 1
    case 0xC2...0xDF: return isContinuation(second) ? 2 : 0
    case 0xE0...0xEF:
      let low: UInt8 = lead == 0xE0 ? 0xA0 : 0x80
      let high: UInt8 = lead == 0xED ? 0x9F : 0xBF
      guard second >= low, second <= high, isContinuation(byte(at: index + 2)) else { return 0 }
      return 3
    case 0xF0...0xF4:
      let low: UInt8 = lead == 0xF0 ? 0x90 : 0x80
      let high: UInt8 = lead == 0xF4 ? 0x8F : 0xBF
      guard second >= low, second <= high, isContinuation(byte(at: index + 2)),
        isContinuation(byte(at: index + 3))
      else { return 0 }
      return 4
    default: return 0
    }
  }

  private func isContinuation(_ byte: UInt8) -> Bool { byte & 0xC0 == 0x80 }

  /// The first byte at or after `start` that is not part of well-formed UTF-8, or nil.
  func firstInvalidUTF8(from start: Int = 0) -> Int? {
    var index = start
    while index < count {
      if word(at: index) & 0x8080_8080_8080_8080 == 0 {
        index += 8
        continue
      }
      let length = utf8SequenceLength(at: index)
      guard length > 0 else { return index }
      index += length
    }
    return nil
  }

  /// The longest prefix of at most `limit` bytes of this well-formed text that cuts no character.
  @inline(__always)
  func prefixLength(upTo limit: Int) -> Int {
    guard count > limit else { return count }
    var length = limit
    while length > 0, isContinuation(self[length]) { length -= 1 }
    return length
  }
}
