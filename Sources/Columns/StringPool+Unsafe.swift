extension Span where Element == UInt8 {
  /// A multiplicative hash of eight bytes a step; only spreads ids over slots.
  ///
  /// Both halves of each 128-bit product are folded together, so that every bit of a word reaches the
  /// low bits. The last step takes the last eight bytes, whatever the step before took of them.
  @inline(__always)
  var interningHash: UInt32 {
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15 ^ UInt64(truncatingIfNeeded: count)
    var index = 0
    while index &+ 8 < count {
      let product = (state ^ word(uncheckedAt: index)).multipliedFullWidth(by: Self.multiplier)
      state = product.high ^ product.low
      index &+= 8
    }
    let product = (state ^ lastWord).multipliedFullWidth(by: Self.multiplier)
    return UInt32(truncatingIfNeeded: product.high ^ product.low)
  }

  /// An odd number with as many ones as zeros in no pattern.
  private static var multiplier: UInt64 { 0xA076_1D64_78BD_642F }

  /// Whether the same bytes lie in `other` from `start` on, where `count` bytes follow.
  @inline(__always)
  func equalsBytes(of other: Span<UInt8>, from start: Int) -> Bool {
    precondition(start >= 0 && start &+ count <= other.count)
    let part = other.extracting(unchecked: start..<start &+ count)
    var index = 0
    while index &+ 8 < count {
      if word(uncheckedAt: index) != part.word(uncheckedAt: index) { return false }
      index &+= 8
    }
    return lastWord == part.lastWord
  }

  /// In bounds by the callers' conditions, `index + 8 <= count`; unaligned, hence the unsafe load.
  @inline(__always)
  private func word(uncheckedAt index: Int) -> UInt64 {
    bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt64.self)
  }

  /// The last eight bytes, or all of fewer, put together so that spans of equal length have equal words
  /// only when these bytes are equal.
  @inline(__always)
  private var lastWord: UInt64 {
    if count >= 8 { return word(uncheckedAt: count &- 8) }
    if count >= 4 {
      // In bounds: four bytes at either end of four to seven.
      let first = bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: 0, as: UInt32.self)
      let last = bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: count &- 4, as: UInt32.self)
      return UInt64(first) | UInt64(last) << 32
    }
    if count == 0 { return 0 }
    // First, middle and last of one to three bytes.
    return UInt64(self[0]) | UInt64(self[count >> 1]) << 8 | UInt64(self[count &- 1]) << 16
  }
}
