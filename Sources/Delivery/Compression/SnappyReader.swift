extension Snappy {
  /// The content of a stream of frames; nil when the bytes are no such thing or hold more than
  /// `limit`.
  static func content(_ bytes: [UInt8], limit: Int) -> [UInt8]? {
    guard bytes.starts(with: streamIdentifier) else { return nil }
    var content: [UInt8] = []
    var cursor = streamIdentifier.count
    while cursor < bytes.count {
      guard cursor + 8 <= bytes.count else { return nil }
      let kind = bytes[cursor]
      let length = number(bytes, cursor + 1, width: 3)
      let end = cursor + 4 + length
      guard kind <= 1, length >= 4, end <= bytes.count else { return nil }
      let start = content.count
      let data = bytes[(cursor + 8)..<end]
      if kind == 1 {
        content += data
      } else {
        guard append(block: data, to: &content, limit: blockSize) else { return nil }
      }
      let checksum = UInt32(number(bytes, cursor + 4, width: 4))
      guard CRC32C.masked(content[start...]) == checksum, content.count <= limit else {
        return nil
      }
      cursor = end
    }
    return content
  }

  /// The content of a raw block; nil when it is malformed or holds more than `limit` bytes.
  static func content(ofBlock block: ArraySlice<UInt8>, limit: Int) -> [UInt8]? {
    var content: [UInt8] = []
    return append(block: block, to: &content, limit: limit) ? content : nil
  }

  /// Appends the content of a raw block; false when it is malformed.
  private static func append(
    block: ArraySlice<UInt8>, to content: inout [UInt8], limit: Int
  ) -> Bool {
    var cursor = block.startIndex
    var length = 0
    var shift = 0
    repeat {
      guard cursor < block.endIndex, shift < 32 else { return false }
      length |= Int(block[cursor] & 0x7F) << shift
      shift += 7
      cursor += 1
    } while block[cursor - 1] >= 0x80
    let start = content.count
    guard length <= limit else { return false }
    while cursor < block.endIndex {
      let isRead =
        block[cursor] & 3 == 0
        ? literal(block, &cursor, to: &content)
        : copy(block, &cursor, from: start, to: &content)
      guard isRead, content.count - start <= length else { return false }
    }
    return content.count - start == length
  }

  private static func literal(
    _ block: ArraySlice<UInt8>, _ cursor: inout Int, to content: inout [UInt8]
  ) -> Bool {
    let code = Int(block[cursor] >> 2)
    let width = max(0, code - 59)
    cursor += 1
    guard cursor + width <= block.endIndex else { return false }
    let length =
      1 + (width == 0 ? code : number(Array(block[cursor..<(cursor + width)]), 0, width: width))
    cursor += width
    guard cursor + length <= block.endIndex else { return false }
    content += block[cursor..<(cursor + length)]
    cursor += length
    return true
  }

  private static func copy(
    _ block: ArraySlice<UInt8>, _ cursor: inout Int, from start: Int, to content: inout [UInt8]
  ) -> Bool {
    let tag = Int(block[cursor])
    let width = [0, 1, 2, 4][tag & 3]
    guard cursor + 1 + width <= block.endIndex else { return false }
    let rest = number(Array(block[(cursor + 1)..<(cursor + 1 + width)]), 0, width: width)
    let offset = width == 1 ? (tag >> 5) << 8 | rest : rest
    let length = width == 1 ? (tag >> 2 & 7) + 4 : (tag >> 2) + 1
    cursor += 1 + width
    guard offset > 0, offset <= content.count - start else { return false }
    for _ in 0..<length { content.append(content[content.count - offset]) }
    return true
  }

  /// A little-endian number of `width` bytes.
  private static func number(_ bytes: [UInt8], _ start: Int, width: Int) -> Int {
    (0..<width).reduce(0) { $0 | Int(bytes[start + $1]) << (8 * $1) }
  }
}
