extension Span where Element == UInt8 {
  /// A multiplicative hash of eight bytes a step; only spreads ids over slots.
  var interningHash: UInt32 {
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15 ^ UInt64(truncatingIfNeeded: count)
    let raw = bytes
    var index = 0
    while index + 8 <= count {
      // In bounds by the loop's condition; unaligned, hence the unsafe load.
      let word = raw.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
      state = (state ^ word) &* 0xBF58_476D_1CE4_E5B9
      state ^= state >> 29
      index += 8
    }
    var tail: UInt64 = 0
    while index < count {
      tail = (tail << 8) | UInt64(self[index])
      index += 1
    }
    state = (state ^ tail) &* 0x94D0_49BB_1331_11EB
    state ^= state >> 32
    return UInt32(truncatingIfNeeded: state)
  }
}
