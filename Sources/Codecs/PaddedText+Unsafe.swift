import Columns

/// Memory for a copy of the record at hand with zeros behind it.
///
/// The copy costs a few nanoseconds and spares every load of the hot path its comparison with the end:
/// no scan passes a zero, because no grammar of ours accepts one.
struct PaddedCopy: ~Copyable {
  /// The zeros behind the text: what the widest look-ahead, four words from the end, may touch.
  private static let padding = 32

  private var base: UnsafeMutablePointer<UInt8>
  private var capacity = 4_096

  init() { base = .allocate(capacity: capacity) }

  deinit { base.deallocate() }

  /// Copies `bytes` and returns a view of the copy that is valid until the next call.
  mutating func take(_ bytes: Span<UInt8>) -> PaddedText {
    let needed = bytes.count + Self.padding
    if needed > capacity {
      base.deallocate()
      capacity = max(needed, 2 * capacity)
      base = .allocate(capacity: capacity)
    }
    bytes.withUnsafeBufferPointer { source in
      if let start = source.baseAddress { base.update(from: start, count: source.count) }
    }
    (base + bytes.count).update(repeating: 0, count: Self.padding)
    return PaddedText(base: UnsafePointer(base), count: bytes.count)
  }

  /// Gives back the memory that a record of unusual size took.
  mutating func shrink() {
    guard capacity > 1 << 20 else { return }
    base.deallocate()
    capacity = 4_096
    base = .allocate(capacity: capacity)
  }
}

/// A record in padded memory.
///
/// Invariant: indices lie between 0 and `count`; they begin at 0 and move only over bytes that were seen
/// and are not zero, and the first byte behind the text is zero. All loads start at such an index or at
/// most 24 bytes behind it and so stay within text and padding.
struct PaddedText {
  fileprivate let base: UnsafePointer<UInt8>
  let count: Int

  /// The byte at `index`, 0 at the end.
  @inline(__always)
  func byte(at index: Int) -> UInt8 {
    assert(index >= 0 && index <= count)
    return base[index]
  }

  /// The eight bytes from `index` as a little-endian word, zeros behind the end.
  @inline(__always)
  func word(at index: Int) -> UInt64 {
    assert(index >= 0 && index <= count + 24)
    return UInt64(
      littleEndian: UnsafeRawPointer(base).loadUnaligned(fromByteOffset: index, as: UInt64.self))
  }

  /// The id of the text at `range`.
  @inline(__always)
  func intern(_ range: Range<Int>, into pool: inout StringPool) -> StringID {
    assert(range.lowerBound >= 0 && range.upperBound <= count)
    // In bounds: both ends are indices that a scan has reached.
    let part = UnsafeBufferPointer(start: base + range.lowerBound, count: range.count)
    return pool.intern(part.span)
  }

  /// The closing quote of a string of plain ASCII whose text begins at `index`; -1 when something else
  /// comes first.
  @inline(__always)
  func plainStringEnd(from index: Int) -> Int {
    var index = index
    while true {
      let special = Self.specialBytes(word(at: index))
      if special != 0 {
        index &+= special.trailingZeroBitCount >> 3
        return byte(at: index) == UInt8(ascii: "\"") ? index : -1
      }
      index &+= 8
    }
  }

  /// The byte behind a plain string, number or literal that begins at `index`; -1 for anything else.
  @inline(never)
  func plainValueEnd(from index: Int) -> Int {
    switch byte(at: index) {
    case UInt8(ascii: "\""):
      let end = plainStringEnd(from: index &+ 1)
      return end < 0 ? -1 : end &+ 1
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      return plainNumber(at: index).end
    default:
      // "true", "null" and "false" as little-endian words.
      let word = word(at: index)
      if word & 0xFFFF_FFFF == 0x6575_7274 || word & 0xFFFF_FFFF == 0x6C6C_756E {
        return index &+ 4
      }
      return word & 0xFF_FFFF_FFFF == 0x65_736C_6166 ? index &+ 5 : -1
    }
  }

  /// A mask whose lowest bit lies in the first byte that ends or interrupts a run of plain ASCII.
  ///
  /// Quote, backslash, below 0x20, above 0x7F. Borrows spread only upwards from a byte that is marked
  /// itself, so the lowest mark is right.
  @inline(__always)
  static func specialBytes(_ word: UInt64) -> UInt64 {
    let quotes = (word ^ 0x2222_2222_2222_2222) &- 0x0101_0101_0101_0101
    let backslashes = (word ^ 0x5C5C_5C5C_5C5C_5C5C) &- 0x0101_0101_0101_0101
    let controls = word &- 0x2020_2020_2020_2020
    return (quotes | backslashes | controls | word) & 0x8080_8080_8080_8080
  }

  /// Reads a JSON number of at most 18 digits without exponent; its `end` is -1 when it is not like that.
  @inline(__always)
  func plainNumber(at cursor: Int) -> PlainNumber {
    let isNegative = byte(at: cursor) == UInt8(ascii: "-")
    let first = cursor &+ (isNegative ? 1 : 0)
    var mantissa: UInt64 = 0
    var index = accumulateDigits(from: first, into: &mantissa)
    var digits = index &- first
    // No digit, or a zero in front of others.
    var isOther = digits == 0 || digits > 1 && byte(at: first) == UInt8(ascii: "0")
    var decimals = 0
    var next = byte(at: index)
    if next == UInt8(ascii: ".") {
      let start = index &+ 1
      index = accumulateDigits(from: start, into: &mantissa)
      decimals = index &- start
      isOther = isOther || decimals == 0
      digits &+= decimals
      next = byte(at: index)
    }
    isOther = isOther || digits > 18 || next | 0x20 == UInt8(ascii: "e")
    return PlainNumber(
      mantissa: Int64(truncatingIfNeeded: mantissa), decimals: decimals, isNegative: isNegative,
      end: isOther ? -1 : index)
  }

  @inline(__always)
  private func accumulateDigits(from start: Int, into mantissa: inout UInt64) -> Int {
    var index = start
    while true {
      let digits = LeadingDigits(word: word(at: index))
      if digits.isFull {
        mantissa = mantissa &* 100_000_000 &+ digits.value
        index &+= 8
        continue
      }
      guard digits.count > 0 else { return index }
      mantissa = mantissa &* powerOfTen(digits.count) &+ digits.value
      return index &+ digits.count
    }
  }
}
