/// Reads structures in Thrift's compact protocol.
///
/// Source: Apache Thrift, `doc/specs/thrift-compact-protocol.md`.
struct ThriftReader {
  /// A value of a field or of a list.
  enum Value {
    case integer(Int)
    case bytes(ArraySlice<UInt8>)
    case list([Value])
    case structure([Int: Value])
    /// A floating number, a map or a set, which nothing here needs.
    case other

    var integer: Int? { if case .integer(let value) = self { value } else { nil } }
    var list: [Value]? { if case .list(let values) = self { values } else { nil } }
    var structure: [Int: Value]? { if case .structure(let fields) = self { fields } else { nil } }
    var text: String? {
      if case .bytes(let bytes) = self { String(validating: bytes, as: UTF8.self) } else { nil }
    }
  }

  private let bytes: ArraySlice<UInt8>
  /// Where the next byte is read.
  private(set) var offset: Int

  private static let depthLimit = 16
  private static let fieldNumbers = Int(Int16.min)...Int(Int16.max)

  init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    offset = bytes.startIndex
  }

  /// The fields of a structure by their numbers; nil when the bytes are damaged.
  mutating func structure(depth: Int = 0) -> [Int: Value]? {
    guard depth < Self.depthLimit else { return nil }
    var fields: [Int: Value] = [:]
    var id = 0
    while let header = byte() {
      if header == 0 { return fields }
      if header >> 4 > 0 {
        id += Int(header >> 4)
      } else {
        guard let far = zigzag(), Self.fieldNumbers.contains(far) else { return nil }
        id = far
      }
      let kind = header & 15
      guard let value = kind <= 2 ? .integer(kind == 1 ? 1 : 0) : value(kind, depth) else {
        return nil
      }
      fields[id] = value
    }
    return nil
  }

  private mutating func value(_ kind: UInt8, _ depth: Int) -> Value? {
    switch kind {
    case 1, 2, 3: byte().map { .integer(Int(Int8(bitPattern: $0))) }
    case 4, 5, 6: zigzag().map { .integer($0) }
    case 7: skip(8) ? .other : nil
    case 8:
      if let length = varint(), length <= UInt64(bytes.endIndex - offset) {
        .bytes(take(Int(length)))
      } else {
        nil
      }
    case 9, 10: list(depth).map { .list($0) }
    case 12: structure(depth: depth + 1).map { .structure($0) }
    default: nil
    }
  }

  private mutating func list(_ depth: Int) -> [Value]? {
    guard depth < Self.depthLimit, let header = byte() else { return nil }
    var count = UInt64(header >> 4)
    if count == 15 {
      guard let long = varint() else { return nil }
      count = long
    }
    guard count <= UInt64(bytes.endIndex - offset) else { return nil }
    var values: [Value] = []
    for _ in 0..<count {
      guard let value = value(header & 15, depth + 1) else { return nil }
      values.append(value)
    }
    return values
  }

  private mutating func byte() -> UInt8? {
    guard offset < bytes.endIndex else { return nil }
    defer { offset += 1 }
    return bytes[offset]
  }

  private mutating func take(_ count: Int) -> ArraySlice<UInt8> {
    defer { offset += count }
    return bytes[offset..<offset + count]
  }

  private mutating func skip(_ count: Int) -> Bool {
    guard bytes.endIndex - offset >= count else { return false }
    offset += count
    return true
  }

  mutating func varint() -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while shift < 64, let next = byte() {
      value |= UInt64(next & 0x7F) << shift
      if next < 0x80 { return value }
      shift += 7
    }
    return nil
  }

  private mutating func zigzag() -> Int? {
    varint().map { Int(Int64(bitPattern: $0 >> 1) ^ -Int64(bitPattern: $0 & 1)) }
  }
}
