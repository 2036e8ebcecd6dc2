import Columns

/// A value of a row that an episode remembers.
public enum EpisodeValue: Hashable, Sendable {
  /// NULL.
  case null
  /// An integer.
  case integer(Int64)
  /// A number.
  case number(Double)
  /// A text.
  case text(String)
  /// A truth value.
  case boolean(Bool)

  func save(into writer: inout SectionWriter) {
    switch self {
    case .null: writer.write(UInt8(0))
    case .integer(let value):
      writer.write(UInt8(1))
      writer.write(value)
    case .number(let value):
      writer.write(UInt8(2))
      writer.write(value)
    case .text(let value):
      writer.write(UInt8(3))
      writer.write(value)
    case .boolean(let value):
      writer.write(UInt8(4))
      writer.write(value)
    }
  }

  init(restoring reader: inout SectionReader) throws(StateError) {
    switch try reader.integer(UInt8.self) {
    case 0: self = .null
    case 1: self = .integer(try reader.integer())
    case 2: self = .number(try reader.double())
    case 3: self = .text(try reader.text())
    case 4: self = .boolean(try reader.boolean())
    default: throw reader.failure("a value of an episode has no known type")
    }
  }
}
