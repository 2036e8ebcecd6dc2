public import Columns

/// Rows as Apache Parquet files.
///
/// An open object holds rows in a form of our own; the file is made when the object is stored. A
/// file has one row group, plain values in pages of 20,000 rows, and no statistics. NULL is a missing
/// value; TIMESTAMP is in milliseconds and UTC, DECIMAL an `INT64`, text UTF-8.
public struct ParquetFormat: Hashable, Sendable {
  /// What ends the name of an object.
  public static let fileExtension = ".parquet"

  private static let rowsPerPage = 20_000
  static let magic = Array("PAR1".utf8)
  let schema: Schema
  private let compression: Compression

  /// Creates a format.
  ///
  /// - Parameters:
  ///   - schema: The columns in the order of the batches that are appended.
  ///   - compression: How pages are compressed.
  public init(schema: Schema, compression: Compression = .snappy) {
    self.schema = schema
    self.compression = compression
  }

  /// Appends one row of a batch to an open object's bytes.
  public func append(
    _ batch: borrowing Batch, row: Int, pool: borrowing StringPool, to bytes: inout [UInt8]
  ) {
    for index in batch.columns.indices {
      let isNull = batch.columns[index].nulls[row]
      bytes.append(isNull ? 1 : 0)
      guard !isNull else { continue }
      switch batch.columns[index].type.storage {
      case .integer: Self.append(UInt64(bitPattern: batch.columns[index].integers[row]), to: &bytes)
      case .floating: Self.append(batch.columns[index].doubles[row].bitPattern, to: &bytes)
      case .text:
        let range = pool.range(of: batch.columns[index].texts[row])
        Self.append(UInt64(range.count), to: &bytes)
        bytes += pool.bytes[range]
      }
    }
  }

  private static func append(_ value: UInt64, to bytes: inout [UInt8]) {
    for shift in stride(from: 0, to: 64, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
    }
  }

  /// The file that holds the rows of an object.
  ///
  /// - Throws: `DeliveryError` when the rows are damaged or a page cannot be compressed.
  package func file(rows: [UInt8], count: Int) throws(DeliveryError) -> [UInt8] {
    var chunks = schema.columns.map { ParquetChunk($0, compression: compression) }
    var cursor = 0
    for row in 0..<count {
      for index in chunks.indices {
        try chunks[index].append(rows, &cursor)
      }
      guard (row + 1) % Self.rowsPerPage == 0 || row == count - 1 else { continue }
      for index in chunks.indices { try chunks[index].endPage() }
    }
    guard cursor == rows.count else { throw ParquetChunk.damaged }
    var file = Self.magic
    var offsets: [Int] = []
    for chunk in chunks {
      offsets.append(file.count)
      file += chunk.pages
    }
    let footer = metadata(chunks, offsets: offsets, rowCount: count)
    file += footer
    for shift in [0, 8, 16, 24] { file.append(UInt8(truncatingIfNeeded: footer.count >> shift)) }
    return file + Self.magic
  }

  private func metadata(_ chunks: [ParquetChunk], offsets: [Int], rowCount: Int) -> [UInt8] {
    var writer = ThriftWriter()
    let total = chunks.reduce(0) { $0 + $1.uncompressedSize }
    writer.structure { writer in
      writer.field(1, i32: 1)
      writer.field(2, structures: schema.columns.count + 1) { writer, index in
        if index == 0 {
          writer.field(4, text: "row")
          writer.field(5, i32: schema.columns.count)
        } else {
          Self.write(schema.columns[index - 1], to: &writer)
        }
      }
      writer.field(3, i64: rowCount)
      writer.field(4, structures: 1) { writer, _ in
        writer.field(1, structures: chunks.count) { writer, index in
          writer.field(2, i64: offsets[index])
          writer.field(
            3, structure: { chunks[index].write(to: &$0, offset: offsets[index], rowCount) })
        }
        writer.field(2, i64: total)
        writer.field(3, i64: rowCount)
      }
      writer.field(6, text: "cutbank")
    }
    return writer.bytes
  }

  private static func write(_ column: ColumnDefinition, to writer: inout ThriftWriter) {
    let type = ParquetType(column.type)
    writer.field(1, i32: type.physical.rawValue)
    writer.field(3, i32: column.isNullable ? 1 : 0)
    writer.field(4, text: column.name)
    if let converted = type.converted { writer.field(6, i32: converted) }
    if let scale = type.scale { writer.field(7, i32: scale) }
    if let precision = type.precision { writer.field(8, i32: precision) }
  }
}
