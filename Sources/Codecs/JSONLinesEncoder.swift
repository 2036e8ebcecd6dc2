public import Columns

/// Writes rows as JSON objects, one a line: the data columns as declared and nothing else.
///
/// NULL is `null`, and so are infinite numbers and NaN, which JSON lacks. DOUBLE and REAL have the
/// shortest digits that read back, DECIMAL its scale, BINARY is base64, TIMESTAMP
/// `yyyy-MM-dd HH:mm:ss.SSS`, DATE `yyyy-MM-dd`, TIME `HH:mm:ss.SSS`.
///
/// `load` a batch, then `append` any of its rows.
public struct JSONLinesEncoder: ~Copyable {
  private let columns: [EncodedColumn]
  /// Brace, quoted name and colon of the first column, then comma, name and colon of each other one.
  private let prefixes: [UInt8]
  /// The most bytes of a line besides text and binary values and the id.
  private let fixedBytes: Int
  private var rows: StagedRows
  private var writer = ByteWriter()
  private let powersOfFive = PowersOfFive.shared

  /// Prepares to write rows of streams with this schema.
  public init(schema: Schema) {
    var prefixes: [UInt8] = []
    var columns: [EncodedColumn] = []
    for (position, column) in schema.columns.enumerated() where column.role == .data {
      let start = prefixes.count
      prefixes.append(UInt8(ascii: columns.isEmpty ? "{" : ","))
      prefixes += quotedJSON(column.name)
      prefixes.append(UInt8(ascii: ":"))
      columns.append(
        EncodedColumn(
          position: position, format: ValueFormat(column.type), prefix: start..<prefixes.count))
    }
    self.columns = columns
    self.prefixes = prefixes
    fixedBytes = prefixes.count + columns.count * ValueFormat.fixedByteLimit + 32
    rows = StagedRows(width: columns.count)
  }

  /// Takes over the values of `batch`; its rows are those that `append` writes.
  public mutating func load(_ batch: borrowing Batch) {
    rows.reset(count: batch.count)
    for (slot, column) in columns.enumerated() {
      rows.load(slot: slot, from: batch.columns[column.position])
    }
  }

  /// Adds the line of one row, with its line feed, to `output`.
  ///
  /// - Precondition: `row` is a row of the batch that was loaded, `pool` the batch's pool.
  public mutating func append(row: Int, pool: borrowing StringPool, to output: inout [UInt8]) {
    writer.reserve(fixedBytes)
    putColumns(of: row, pool: pool)
    if columns.isEmpty { writer.put(UInt8(ascii: "{")) }
    writer.put(UInt8(ascii: "}"))
    writer.put(0x0A)
    writer.move(to: &output)
  }

  /// Adds the line of one row whose last member, `_id`, is the text `id`.
  ///
  /// - Precondition: as for the line without id; `id` is UTF-8.
  public mutating func append(
    row: Int, id: Span<UInt8>, pool: borrowing StringPool, to output: inout [UInt8]
  ) {
    writer.reserve(fixedBytes)
    putColumns(of: row, pool: pool)
    writer.put(UInt8(ascii: columns.isEmpty ? "{" : ","))
    // The name and its colon, opening quote included.
    writer.put(0x223A_2264_695F_22, length: 7)
    writer.putEscaped(id)
    writer.reserve(3)
    writer.put(UInt8(ascii: "\""))
    writer.put(UInt8(ascii: "}"))
    writer.put(0x0A)
    writer.move(to: &output)
  }

  private mutating func putColumns(of row: Int, pool: borrowing StringPool) {
    for slot in columns.indices {
      let column = columns[slot]
      writer.put(prefixes, column.prefix)
      if rows.isNull(row: row, slot: slot) {
        writer.put(0x6C6C_756E, length: 4)
      } else {
        put(rows.bits(row: row, slot: slot), column.format, pool: pool)
      }
    }
  }

  @inline(__always)
  private mutating func put(
    _ bits: UInt64, _ format: ValueFormat, pool: borrowing StringPool
  ) {
    switch format.kind {
    case .double, .real:
      guard Double(bitPattern: bits).isFinite else { return writer.put(0x6C6C_756E, length: 4) }
      writer.put(plain: bits, format, powersOfFive)
    case .integer, .boolean, .decimal: writer.put(plain: bits, format, powersOfFive)
    case .date, .time, .timestamp:
      writer.put(UInt8(ascii: "\""))
      writer.put(plain: bits, format, powersOfFive)
      writer.put(UInt8(ascii: "\""))
    case .text, .binary:
      let text = pool.bytes.span.extracting(pool.range(of: StringID(raw: UInt32(bits))))
      writer.put(UInt8(ascii: "\""))
      if format.kind == .text { writer.putEscaped(text) } else { writer.putBase64(text) }
      writer.reserve(fixedBytes)
      writer.put(UInt8(ascii: "\""))
    }
  }
}

/// A data column as an encoder sees it.
struct EncodedColumn {
  /// The position in the schema.
  let position: Int
  let format: ValueFormat
  /// Where the bytes before the value lie.
  let prefix: Range<Int>
}

/// A string of JSON, quotes included.
private func quotedJSON(_ text: String) -> [UInt8] {
  var writer = ByteWriter()
  var bytes = Array(text.utf8)
  writer.putEscaped(bytes.span)
  bytes = [UInt8(ascii: "\"")]
  writer.move(to: &bytes)
  bytes.append(UInt8(ascii: "\""))
  return bytes
}
