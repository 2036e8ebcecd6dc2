import Columns

/// One record of the topics that hold state.
enum StatePart {
  /// A snapshot begins, whose number is the offset of this record; `head` is the journal's last record
  /// before it.
  case begin(head: Int64)
  /// Bytes of a snapshot's file, in their order.
  case bytes(Int64, [UInt8])
  /// A snapshot is whole.
  case end(Int64)
  /// Bytes of a journal block, in their order, after the record at offset `previous`.
  case step(previous: Int64, isLast: Bool, bytes: [UInt8])

  private static let tag: [UInt8] = Array("CBST".utf8)
  private static let version: UInt8 = 1

  /// The record's value.
  var bytes: [UInt8] {
    var writer = SectionWriter()
    writer.append(raw: Self.tag)
    writer.write(Self.version)
    switch self {
    case .begin(let head):
      writer.write(UInt8(1))
      writer.write(head)
    case .bytes(let number, let bytes):
      writer.write(UInt8(2))
      writer.write(number)
      writer.write(bytes)
    case .end(let number):
      writer.write(UInt8(3))
      writer.write(number)
    case .step(let previous, let isLast, let bytes):
      writer.write(UInt8(4))
      writer.write(previous)
      writer.write(isLast)
      writer.write(bytes)
    }
    return writer.bytes
  }

  /// Reads a record's value.
  init(_ record: [UInt8], name: String) throws(StateError) {
    guard record.count > Self.tag.count, Array(record.prefix(Self.tag.count)) == Self.tag else {
      throw StateError(section: name, offset: 0, message: "a record is no state of cutbank")
    }
    var reader = SectionReader(section: name, bytes: Array(record.dropFirst(Self.tag.count)))
    guard try reader.integer(UInt8.self) == Self.version else {
      throw reader.failure("a record was written by a newer program: upgrade cutbank")
    }
    switch try reader.integer(UInt8.self) {
    case 1: self = .begin(head: try reader.integer())
    case 2:
      let number: Int64 = try reader.integer()
      self = .bytes(number, try reader.byteArray())
    case 3: self = .end(try reader.integer())
    case 4:
      let previous: Int64 = try reader.integer()
      let isLast = try reader.boolean()
      self = .step(previous: previous, isLast: isLast, bytes: try reader.byteArray())
    default: throw reader.failure("a record is of no known kind")
    }
    try reader.finish()
  }
}
