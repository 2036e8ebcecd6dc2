public import Columns

/// The rows of a reference table as one value: what a blob of the state store holds.
///
/// Equal rows in the same order have equal bytes, whatever the pool that they came from.
public struct TableContent: Hashable, Sendable {
  /// The bytes.
  public let bytes: [UInt8]
  /// How many rows they hold.
  public let rowCount: Int
  private let layout: String
  private let start: Int

  private static let format = "cutbank table 1"

  /// Packs rows.
  ///
  /// - Parameters:
  ///   - rows: The rows; ROWTIMEs and causes do not matter.
  ///   - pool: The pool that holds their texts.
  public init(_ rows: borrowing Batch, pool: borrowing StringPool) {
    var writer = SectionWriter()
    writer.write(Self.format)
    layout = Self.layout(of: rows.schema)
    writer.write(layout)
    writer.write(Int64(rows.count))
    start = writer.bytes.count
    writer.write(rows, in: pool)
    bytes = writer.bytes
    rowCount = rows.count
  }

  /// Takes over packed rows; they are looked at only when a table takes them.
  ///
  /// - Throws: `StateError` when the bytes are no packed table.
  public init(decoding bytes: [UInt8]) throws(StateError) {
    var reader = SectionReader(section: "table", bytes: bytes)
    guard try reader.text() == Self.format else {
      throw reader.failure("the bytes are no table of this version")
    }
    layout = try reader.text()
    rowCount = try reader.count(width: 16)
    start = 2 * 8 + Self.format.utf8.count + layout.utf8.count + 8
    self.bytes = bytes
  }

  /// Whether the rows have the columns of `schema`.
  func fits(_ schema: Schema) -> Bool { layout == Self.layout(of: schema) }

  /// The rows, their texts in `pool`.
  ///
  /// - Throws: `StateError` when the rows are damaged or have other columns.
  public func rows(_ schema: Schema, into pool: inout StringPool) throws(StateError) -> Batch {
    var reader = SectionReader(section: "table", bytes: Array(bytes[start...]))
    let rows = try reader.batch(schema: schema, into: &pool)
    try reader.finish()
    return rows
  }

  private static func layout(of schema: Schema) -> String {
    schema.columns.map { "\($0.name) \($0.type)" }.joined(separator: "\n")
  }
}
