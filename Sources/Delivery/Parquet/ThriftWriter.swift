/// Writes structures in Thrift's compact protocol.
///
/// Source: Apache Thrift, `doc/specs/thrift-compact-protocol.md`.
struct ThriftWriter {
  private(set) var bytes: [UInt8] = []
  private var lastField = 0

  private enum Kind: UInt8 {
    case i32 = 5
    case i64 = 6
    case binary = 8
    case list = 9
    case structure = 12
  }

  /// Writes a whole structure without a field of its own.
  mutating func structure(_ body: (inout ThriftWriter) -> Void) {
    let outer = lastField
    lastField = 0
    body(&self)
    bytes.append(0)
    lastField = outer
  }

  mutating func field(_ id: Int, structure body: (inout ThriftWriter) -> Void) {
    header(id, .structure)
    structure(body)
  }

  mutating func field(_ id: Int, i32 value: Int) {
    header(id, .i32)
    zigzag(Int64(value))
  }

  mutating func field(_ id: Int, i64 value: Int) {
    header(id, .i64)
    zigzag(Int64(value))
  }

  mutating func field(_ id: Int, text: String) {
    header(id, .binary)
    binary(text)
  }

  mutating func field(_ id: Int, structures count: Int, _ body: (inout ThriftWriter, Int) -> Void) {
    list(id, count, .structure)
    for index in 0..<count { structure { body(&$0, index) } }
  }

  mutating func field(_ id: Int, i32s values: [Int]) {
    list(id, values.count, .i32)
    for value in values { zigzag(Int64(value)) }
  }

  mutating func field(_ id: Int, texts: [String]) {
    list(id, texts.count, .binary)
    for text in texts { binary(text) }
  }

  private mutating func header(_ id: Int, _ kind: Kind) {
    // Our structures have at most fifteen fields, so the difference always fits.
    bytes.append(UInt8(id - lastField) << 4 | kind.rawValue)
    lastField = id
  }

  private mutating func list(_ id: Int, _ count: Int, _ kind: Kind) {
    header(id, .list)
    if count < 15 {
      bytes.append(UInt8(count) << 4 | kind.rawValue)
    } else {
      bytes.append(0xF0 | kind.rawValue)
      Self.varint(UInt64(count), to: &bytes)
    }
  }

  private mutating func binary(_ text: String) {
    Self.varint(UInt64(text.utf8.count), to: &bytes)
    bytes += text.utf8
  }

  private mutating func zigzag(_ value: Int64) {
    Self.varint(UInt64(bitPattern: value << 1 ^ value >> 63), to: &bytes)
  }

  static func varint(_ value: UInt64, to bytes: inout [UInt8]) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest | 0x80))
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}
