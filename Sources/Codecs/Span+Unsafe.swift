extension Span where Element == UInt8 {
  /// The eight bytes from `index` as a little-endian word; zeros stand for what lies beyond the end.
  @inline(__always)
  func word(at index: Int) -> UInt64 {
    assert(index >= 0, "cursors only move forward from 0")
    // In bounds: `index` is not negative and eight bytes follow it; unaligned, hence the unsafe load.
    if index &+ 8 <= count {
      return UInt64(
        littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt64.self))
    }
    return tailWord(at: index)
  }

  @inline(never)
  private func tailWord(at index: Int) -> UInt64 {
    guard index < count else { return 0 }
    if count >= 8 {
      // In bounds: the last eight bytes; those before `index` are shifted out.
      let last = bytes.unsafeLoadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
      return UInt64(littleEndian: last) >> UInt64(8 * (index + 8 - count))
    }
    var word: UInt64 = 0
    for offset in (index..<count).reversed() { word = word << 8 | UInt64(self[offset]) }
    return word
  }

  /// The byte at `index`, or 0, which no grammar of ours accepts, beyond the end.
  @inline(__always)
  func byte(at index: Int) -> UInt8 {
    assert(index >= 0, "cursors only move forward from 0")
    // In bounds: checked against the end here, and cursors are never negative.
    return index < count ? self[unchecked: index] : 0
  }
}
