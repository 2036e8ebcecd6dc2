/// Snappy, written here because its library has no framing in C.
///
/// Sources: google/snappy, `format_description.txt` and `framing_format.txt`.
enum Snappy {
  static let blockSize = 65_536
  private static let hashBits: UInt32 = 14
  static let streamIdentifier: [UInt8] =
    [0xFF, 0x06, 0x00, 0x00] + Array("sNaPpY".utf8)

  /// A stream of frames, as files have it.
  static func framed(_ bytes: [UInt8]) -> [UInt8] {
    var result = streamIdentifier
    result.reserveCapacity(bytes.count / 2)
    var start = 0
    while start < bytes.count {
      let end = min(bytes.count, start + blockSize)
      let part = bytes[start..<end]
      let packed = block(part)
      let isSmaller = packed.count < part.count - part.count / 8
      let length = (isSmaller ? packed.count : part.count) + 4
      result.append(isSmaller ? 0x00 : 0x01)
      for shift in [0, 8, 16] { result.append(UInt8(truncatingIfNeeded: length >> shift)) }
      let checksum = CRC32C.masked(part)
      for shift in [0, 8, 16, 24] {
        result.append(UInt8(truncatingIfNeeded: checksum >> UInt32(shift)))
      }
      if isSmaller { result += packed } else { result += part }
      start = end
    }
    return result
  }

  /// One raw block of any length, as Parquet has it.
  static func block(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(32 + bytes.count / 2)
    var length = UInt32(bytes.count)
    while length >= 0x80 {
      result.append(UInt8(truncatingIfNeeded: length | 0x80))
      length >>= 7
    }
    result.append(UInt8(length))
    var table = [Int32](repeating: -1, count: 1 << Int(hashBits))
    let input = bytes.span
    var start = 0
    while start < input.count {
      let end = min(input.count, start + blockSize)
      compress(input, start, end, &table, into: &result)
      start = end
      for index in table.indices { table[index] = -1 }
    }
    return result
  }

  /// Compresses `start..<end`, where copies reach back to `start` at most.
  private static func compress(
    _ input: Span<UInt8>, _ start: Int, _ end: Int, _ table: inout [Int32],
    into result: inout [UInt8]
  ) {
    var literalStart = start
    var position = start
    var misses = 32
    while position + 4 <= end {
      let word = load(input, position)
      let slot = Int((word &* 0x1E35_A7BD) >> (32 - hashBits))
      let candidate = Int(table[slot])
      table[slot] = Int32(position - start)
      guard candidate >= 0, load(input, start + candidate) == word else {
        // Bytes that do not compress are passed over faster and faster.
        position += misses / 32
        misses += 1
        continue
      }
      misses = 32
      let offset = position - start - candidate
      var length = 4
      while position + length < end, input[position + length] == input[position + length - offset] {
        length += 1
      }
      appendLiteral(input, literalStart, position, to: &result)
      appendCopy(offset: offset, length: length, to: &result)
      position += length
      literalStart = position
    }
    appendLiteral(input, literalStart, end, to: &result)
  }

  @inline(__always)
  private static func load(_ input: Span<UInt8>, _ index: Int) -> UInt32 {
    UInt32(input[index]) | UInt32(input[index + 1]) << 8 | UInt32(input[index + 2]) << 16
      | UInt32(input[index + 3]) << 24
  }

  private static func appendLiteral(
    _ input: Span<UInt8>, _ start: Int, _ end: Int, to result: inout [UInt8]
  ) {
    guard end > start else { return }
    let length = end - start - 1
    if length < 60 {
      result.append(UInt8(length << 2))
    } else if length < 256 {
      result += [60 << 2, UInt8(length)]
    } else {
      result += [61 << 2, UInt8(length & 0xFF), UInt8(length >> 8)]
    }
    for index in start..<end { result.append(input[index]) }
  }

  private static func appendCopy(offset: Int, length: Int, to result: inout [UInt8]) {
    var rest = length
    while rest > 0 {
      // The last piece must not be shorter than four bytes.
      let piece = rest > 64 ? (rest < 68 ? 60 : 64) : rest
      result += [
        UInt8((piece - 1) << 2 | 2), UInt8(offset & 0xFF), UInt8(offset >> 8),
      ]
      rest -= piece
    }
  }
}

/// CRC-32C (Castagnoli).
///
/// Source: RFC 3720, appendix B.4.
enum CRC32C {
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { value, _ in
      value & 1 == 0 ? value >> 1 : value >> 1 ^ 0x82F6_3B78
    }
  }

  static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    let table = table
    var value: UInt32 = 0xFFFF_FFFF
    for byte in bytes {
      value = value >> 8 ^ table[Int((value ^ UInt32(byte)) & 0xFF)]
    }
    return value ^ 0xFFFF_FFFF
  }

  /// The checksum as Snappy's frames hold it.
  static func masked(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    let value = checksum(bytes)
    return (value >> 15 | value << 17) &+ 0xA282_EAD8
  }
}
