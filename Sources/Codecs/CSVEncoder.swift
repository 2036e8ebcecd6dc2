public import Columns

/// Writes rows as delimited text (RFC 4180).
///
/// NULL, NaN and infinite numbers are empty fields, the empty string is a quoted one; text is quoted
/// where it must be. Values look as in JSON lines, without quotes.
///
/// `load` a batch, then `append` any of its rows.
public struct CSVEncoder: ~Copyable {
  private let columns: [EncodedColumn]
  private let names: [[UInt8]]
  private let columnDelimiter: [UInt8]
  private let rowDelimiter: [UInt8]
  private let fixedBytes: Int
  private var rows: StagedRows
  private var writer = ByteWriter()
  private let powersOfFive = PowersOfFive.shared

  /// Prepares to write rows of streams with this schema.
  ///
  /// - Precondition: the delimiters are not empty.
  public init(schema: Schema, columnDelimiter: String = ",", rowDelimiter: String = "\r\n") {
    precondition(!columnDelimiter.isEmpty && !rowDelimiter.isEmpty, "delimiters have bytes")
    let data = schema.columns.indices.filter { schema.columns[$0].role == .data }
    columns = data.map {
      EncodedColumn(
        position: $0, format: ValueFormat(schema.columns[$0].type), prefix: 0..<0)
    }
    names = data.map { Array(schema.columns[$0].name.utf8) }
    self.columnDelimiter = Array(columnDelimiter.utf8)
    self.rowDelimiter = Array(rowDelimiter.utf8)
    fixedBytes =
      columns.count * (ValueFormat.fixedByteLimit + self.columnDelimiter.count)
      + self.rowDelimiter.count + 32
    rows = StagedRows(width: columns.count)
  }

  /// Adds a line with the columns' names to `output`.
  public mutating func appendHeader(to output: inout [UInt8]) {
    for (slot, name) in names.enumerated() {
      writer.reserve(fixedBytes)
      if slot > 0 { writer.put(columnDelimiter, 0..<columnDelimiter.count) }
      putText(name.span)
    }
    endLine(&output)
  }

  /// Takes over the values of `batch`; its rows are those that `append` writes.
  public mutating func load(_ batch: borrowing Batch) {
    rows.reset(count: batch.count)
    for (slot, column) in columns.enumerated() {
      rows.load(slot: slot, from: batch.columns[column.position])
    }
  }

  /// Adds the line of one row to `output`.
  ///
  /// - Precondition: `row` is a row of the batch that was loaded, `pool` the batch's pool.
  public mutating func append(row: Int, pool: borrowing StringPool, to output: inout [UInt8]) {
    writer.reserve(fixedBytes)
    for slot in columns.indices {
      if slot > 0 { writer.put(columnDelimiter, 0..<columnDelimiter.count) }
      guard !rows.isNull(row: row, slot: slot) else { continue }
      let bits = rows.bits(row: row, slot: slot)
      let format = columns[slot].format
      switch format.kind {
      case .text, .binary:
        let text = pool.bytes.span.extracting(pool.range(of: StringID(raw: UInt32(bits))))
        if format.kind == .text { putText(text) } else { writer.putBase64(text) }
        writer.reserve(fixedBytes)
      case .double, .real:
        if Double(bitPattern: bits).isFinite { writer.put(plain: bits, format, powersOfFive) }
      default: writer.put(plain: bits, format, powersOfFive)
      }
    }
    endLine(&output)
  }

  private mutating func endLine(_ output: inout [UInt8]) {
    writer.reserve(rowDelimiter.count)
    writer.put(rowDelimiter, 0..<rowDelimiter.count)
    writer.move(to: &output)
  }

  private mutating func putText(_ text: Span<UInt8>) {
    writer.reserve(2 * text.count + 2)
    guard mustQuote(text) else { return writer.put(text) }
    writer.put(UInt8(ascii: "\""))
    for index in 0..<text.count {
      if text[index] == UInt8(ascii: "\"") { writer.put(UInt8(ascii: "\"")) }
      writer.put(text[index])
    }
    writer.put(UInt8(ascii: "\""))
  }

  private func mustQuote(_ text: Span<UInt8>) -> Bool {
    if text.isEmpty { return true }
    for index in 0..<text.count {
      let byte = text[index]
      if byte == UInt8(ascii: "\"") || byte == 0x0A || byte == 0x0D || byte == columnDelimiter[0]
        || byte == rowDelimiter[0]
      {
        return true
      }
    }
    return false
  }
}
