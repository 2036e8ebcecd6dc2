import Columns

/// The pages of one column.
struct ParquetChunk {
  static let damaged = DeliveryError(
    code: "Parquet.DamagedRows", message: "the buffered rows do not fit the columns",
    hint: "report this", remedy: .none)

  private let column: ColumnDefinition
  private let type: ParquetType
  private let compression: Compression
  private(set) var pages: [UInt8] = []
  /// The size of the pages, headers included, before compression.
  private(set) var uncompressedSize = 0

  private var rowCount = 0
  private var values: [UInt8] = []
  /// One bit per row: whether there is a value.
  private var levels: [UInt8] = []
  private var booleanCount = 0

  init(_ column: ColumnDefinition, compression: Compression) {
    self.column = column
    type = ParquetType(column.type)
    self.compression = compression
  }

  /// Reads the column's value of one row.
  mutating func append(_ rows: [UInt8], _ cursor: inout Int) throws(DeliveryError) {
    guard cursor < rows.count else { throw Self.damaged }
    let isNull = rows[cursor] == 1
    cursor += 1
    if rowCount % 8 == 0 { levels.append(0) }
    rowCount += 1
    guard !isNull else {
      guard column.isNullable else { throw Self.damaged }
      return
    }
    levels[(rowCount - 1) / 8] |= 1 << UInt8((rowCount - 1) % 8)
    guard cursor + 8 <= rows.count else { throw Self.damaged }
    var word: UInt64 = 0
    for index in 0..<8 { word |= UInt64(rows[cursor + index]) << UInt64(8 * index) }
    cursor += 8
    guard type.physical == .byteArray else { return append(word) }
    guard word <= UInt64(rows.count - cursor) else { throw Self.damaged }
    let end = cursor + Int(word)
    append(word, bytes: 4)
    values += rows[cursor..<end]
    cursor = end
  }

  private mutating func append(_ word: UInt64) {
    switch type.physical {
    case .boolean:
      if booleanCount % 8 == 0 { values.append(0) }
      values[values.count - 1] |= UInt8(word & 1) << UInt8(booleanCount % 8)
      booleanCount += 1
    case .int32: append(word, bytes: 4)
    case .float: append(UInt64(Float(Double(bitPattern: word)).bitPattern), bytes: 4)
    case .int64, .double, .byteArray: append(word, bytes: 8)
    }
  }

  private mutating func append(_ word: UInt64, bytes count: Int) {
    for index in 0..<count { values.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * index))) }
  }

  /// Ends the page of the rows read so far.
  mutating func endPage() throws(DeliveryError) {
    var body: [UInt8] = []
    if column.isNullable {
      // One bit-packed run of the RLE hybrid, of width 1.
      var run: [UInt8] = []
      ThriftWriter.varint(UInt64(levels.count) << 1 | 1, to: &run)
      run += levels
      for shift in [0, 8, 16, 24] { body.append(UInt8(truncatingIfNeeded: run.count >> shift)) }
      body += run
    }
    body += values
    let packed = try compressed(body)
    var header = ThriftWriter()
    let rows = rowCount
    header.structure { writer in
      writer.field(1, i32: 0)
      writer.field(2, i32: body.count)
      writer.field(3, i32: packed.count)
      writer.field(5) { (writer: inout ThriftWriter) in
        writer.field(1, i32: rows)
        writer.field(2, i32: 0)
        writer.field(3, i32: 3)
        writer.field(4, i32: 3)
      }
    }
    pages += header.bytes
    pages += packed
    uncompressedSize += header.bytes.count + body.count
    (rowCount, booleanCount) = (0, 0)
    values.removeAll(keepingCapacity: true)
    levels.removeAll(keepingCapacity: true)
  }

  private func compressed(_ body: [UInt8]) throws(DeliveryError) -> [UInt8] {
    switch compression {
    case .snappy: Snappy.block(body[...])
    case .none, .gzip, .zstd: try compression.compress(body)
    }
  }

  private var codec: Int {
    switch compression {
    case .none: 0
    case .snappy: 1
    case .gzip: 2
    case .zstd: 6
    }
  }

  /// Writes the column's `ColumnMetaData`.
  func write(to writer: inout ThriftWriter, offset: Int, _ rowCount: Int) {
    writer.field(1, i32: type.physical.rawValue)
    writer.field(2, i32s: [0, 3])
    writer.field(3, texts: [column.name])
    writer.field(4, i32: codec)
    writer.field(5, i64: rowCount)
    writer.field(6, i64: uncompressedSize)
    writer.field(7, i64: pages.count)
    writer.field(9, i64: offset)
  }
}
