import Columns

/// A growing run of bytes, written without the checks of an array's `append`.
///
/// Invariant: `count <= capacity`. Everything that puts n bytes either reserves them itself or is called
/// under a reservation that covers them, as each function says.
struct ByteWriter: ~Copyable {
  private(set) var count = 0
  private var capacity = 4_096
  private var base: UnsafeMutablePointer<UInt8>

  init() { base = .allocate(capacity: capacity) }

  deinit { base.deallocate() }

  /// Makes room for `bytes` more bytes.
  @inline(__always)
  mutating func reserve(_ bytes: Int) {
    if capacity &- count < bytes { grow(bytes) }
  }

  @inline(never)
  private mutating func grow(_ bytes: Int) {
    let larger = max(capacity * 2, count + bytes)
    let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
    moved.moveInitialize(from: base, count: count)
    base.deallocate()
    (base, capacity) = (moved, larger)
  }

  /// Puts one byte, under a reservation.
  @inline(__always)
  mutating func put(_ byte: UInt8) {
    assert(count < capacity, "bytes are reserved before they are put")
    base[count] = byte
    count &+= 1
  }

  /// Puts bytes, under a reservation.
  @inline(__always)
  mutating func put(_ bytes: Span<UInt8>) {
    assert(capacity - count >= bytes.count, "bytes are reserved before they are put")
    bytes.withUnsafeBufferPointer { source in
      if let start = source.baseAddress { (base + count).update(from: start, count: source.count) }
    }
    count &+= bytes.count
  }

  /// Puts the bytes at `range`, under a reservation.
  @inline(__always)
  mutating func put(_ bytes: [UInt8], _ range: Range<Int>) {
    assert(capacity - count >= range.count, "bytes are reserved before they are put")
    bytes.withUnsafeBufferPointer { source in
      // In bounds: rebasing a slice checks the range.
      let part = UnsafeBufferPointer(rebasing: source[range])
      if let start = part.baseAddress { (base + count).update(from: start, count: part.count) }
    }
    count &+= range.count
  }

  /// Puts the first `length` bytes of a word; eight bytes must be reserved.
  @inline(__always)
  mutating func put(_ word: UInt64, length: Int) {
    assert(capacity - count >= 8 && length <= 8, "bytes are reserved before they are put")
    UnsafeMutableRawPointer(base + count).storeBytes(of: word.littleEndian, as: UInt64.self)
    count &+= length
  }

  /// Puts the decimal digits of `value`, zeros in front up to `width`; 20 bytes must be reserved.
  @inline(__always)
  mutating func put(decimal value: UInt64, width: Int = 1) {
    var digits = width
    while digits < 20, value >= powerOfTen(digits) { digits &+= 1 }
    var rest = value
    var position = count &+ digits
    count = position
    assert(position <= capacity, "bytes are reserved before they are put")
    while position > count &- digits {
      position &-= 1
      base[position] = UInt8(truncatingIfNeeded: 48 &+ rest % 10)
      rest /= 10
    }
  }

  /// Puts text escaped for a JSON string, without the quotes; reserves what it needs.
  ///
  /// Source: RFC 8259, section 7: quote, backslash and control characters must be escaped.
  mutating func putEscaped(_ text: Span<UInt8>) {
    reserve(6 * text.count + 8)
    var index = 0
    while index < text.count {
      let word = text.word(at: index)
      let quotes = (word ^ 0x2222_2222_2222_2222) &- 0x0101_0101_0101_0101
      let backslashes = (word ^ 0x5C5C_5C5C_5C5C_5C5C) &- 0x0101_0101_0101_0101
      let controls = word &- 0x2020_2020_2020_2020
      // Bytes above 0x7F are plain; a borrow can only mark a byte above one that is marked itself.
      let special = (quotes | backslashes | controls) & ~word & 0x8080_8080_8080_8080
      let plain = Swift.min(special.trailingZeroBitCount >> 3, text.count &- index)
      put(word, length: plain)
      index &+= plain
      if plain < 8, index < text.count {
        putEscape(text[index])
        index &+= 1
      }
    }
  }

  private mutating func putEscape(_ byte: UInt8) {
    put(UInt8(ascii: "\\"))
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): put(byte)
    case 0x08: put(UInt8(ascii: "b"))
    case 0x0C: put(UInt8(ascii: "f"))
    case 0x0A: put(UInt8(ascii: "n"))
    case 0x0D: put(UInt8(ascii: "r"))
    case 0x09: put(UInt8(ascii: "t"))
    default:
      let digits: StaticString = "0123456789abcdef"
      put(UInt8(ascii: "u"))
      put(UInt8(ascii: "0"))
      put(UInt8(ascii: "0"))
      // In bounds: four bits choose one of sixteen digits.
      put(digits.utf8Start[Int(byte >> 4)])
      put(digits.utf8Start[Int(byte & 15)])
    }
  }

  /// Adds all bytes to `output` and forgets them.
  @inline(__always)
  mutating func move(to output: inout [UInt8]) {
    output.append(contentsOf: UnsafeBufferPointer(start: base, count: count))
    count = 0
  }
}
