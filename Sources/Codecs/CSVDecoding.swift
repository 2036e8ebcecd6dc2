import Columns

/// The delimiters of a format as bytes.
struct CSVDelimiters {
  let column: [UInt8]
  let row: [UInt8]
  /// The quote, or 0 when there is none.
  let quote: UInt8

  init(_ format: CSVFormat) throws(MappingError) {
    column = Array(format.columnDelimiter.utf8)
    row = Array(format.rowDelimiter.utf8)
    guard !column.isEmpty, !row.isEmpty else {
      throw MappingError(
        message: "a delimiter is empty", column: nil, hint: "write ',' and '\\n', or others")
    }
    guard column != row else {
      throw MappingError(
        message: "rows and columns have the same delimiter", column: nil,
        hint: "choose different ones, such as ',' and '\\n'")
    }
    if let character = format.quote {
      guard let ascii = character.asciiValue, ascii != 0, ascii != column[0], ascii != row[0] else {
        throw MappingError(
          message: "the quote must be an ASCII character that begins no delimiter", column: nil,
          hint: "write '\"', or leave the quote out")
      }
      quote = ascii
    } else {
      quote = 0
    }
  }
}

/// Where a field lies, and what ended it.
private struct CSVField {
  let range: Range<Int>
  let isQuoted: Bool
  /// Whether quotes within are doubled.
  let isEscaped: Bool
  let endsRow: Bool
}

extension RecordDecoder {
  /// Reads lines until the record ends; empty lines are no rows.
  mutating func decodeLines(
    _ bytes: Span<UInt8>, _ delimiters: CSVDelimiters, pool: inout StringPool
  ) throws(Fault) {
    if let position = bytes.firstInvalidUTF8() { throw Fault(.invalidUTF8, at: position) }
    var cursor = 0
    while cursor < bytes.count {
      var field = try readField(bytes, delimiters, at: &cursor)
      if field.endsRow, !field.isQuoted, field.range.isEmpty { continue }
      try openRow(at: field.range.lowerBound)
      var column = 0
      while true {
        if column < sinks.count, field.isQuoted || !field.range.isEmpty {
          storeField(field, bytes, delimiters, sinks[column], pool: &pool)
        }
        column += 1
        if field.endsRow { break }
        field = try readField(bytes, delimiters, at: &cursor)
      }
    }
    guard rows.count > firstRow else { throw Fault(.empty, at: 0) }
  }

  private mutating func storeField(
    _ field: CSVField, _ bytes: Span<UInt8>, _ delimiters: CSVDelimiters, _ sink: ColumnSink,
    pool: inout StringPool
  ) {
    let position = field.range.lowerBound
    guard field.isEscaped else {
      store(bytes.extracting(field.range), sink, at: position, pool: &pool)
      return
    }
    var plain = takeText()
    defer { text = plain }
    var index = position
    while index < field.range.upperBound {
      plain.append(bytes[index])
      index += bytes[index] == delimiters.quote ? 2 : 1
    }
    store(plain.span, sink, at: position, pool: &pool)
  }

  /// Reads the field at `cursor` and the delimiter behind it.
  private func readField(
    _ bytes: Span<UInt8>, _ delimiters: CSVDelimiters, at cursor: inout Int
  ) throws(Fault) -> CSVField {
    if delimiters.quote != 0, bytes.byte(at: cursor) == delimiters.quote {
      return try readQuotedField(bytes, delimiters, at: &cursor)
    }
    let start = cursor
    let columnLead = delimiters.column[0]
    let rowLead = delimiters.row[0]
    while cursor < bytes.count {
      let byte = bytes[cursor]
      if byte == columnLead, isAt(delimiters.column, bytes, cursor) {
        let end = cursor
        cursor += delimiters.column.count
        return CSVField(range: start..<end, isQuoted: false, isEscaped: false, endsRow: false)
      }
      if byte == rowLead, isAt(delimiters.row, bytes, cursor) {
        var end = cursor
        if delimiters.row == [0x0A], end > start, bytes[end - 1] == 0x0D { end -= 1 }
        cursor += delimiters.row.count
        return CSVField(range: start..<end, isQuoted: false, isEscaped: false, endsRow: true)
      }
      cursor += 1
    }
    return CSVField(range: start..<cursor, isQuoted: false, isEscaped: false, endsRow: true)
  }

  private func readQuotedField(
    _ bytes: Span<UInt8>, _ delimiters: CSVDelimiters, at cursor: inout Int
  ) throws(Fault) -> CSVField {
    let opening = cursor
    cursor += 1
    var isEscaped = false
    while cursor < bytes.count {
      if bytes[cursor] == delimiters.quote {
        guard bytes.byte(at: cursor + 1) == delimiters.quote else { break }
        isEscaped = true
        cursor += 1
      }
      cursor += 1
    }
    guard cursor < bytes.count else { throw Fault(.unterminatedQuote, at: opening) }
    let range = opening + 1..<cursor
    cursor += 1
    if cursor < bytes.count, isAt(delimiters.column, bytes, cursor) {
      cursor += delimiters.column.count
      return CSVField(range: range, isQuoted: true, isEscaped: isEscaped, endsRow: false)
    }
    if delimiters.row == [0x0A], bytes.byte(at: cursor) == 0x0D,
      cursor + 1 == bytes.count || bytes[cursor + 1] == 0x0A
    {
      cursor += 1
    }
    guard cursor == bytes.count || isAt(delimiters.row, bytes, cursor) else {
      throw Fault(.textAfterQuote, at: cursor)
    }
    cursor = min(cursor + delimiters.row.count, bytes.count)
    return CSVField(range: range, isQuoted: true, isEscaped: isEscaped, endsRow: true)
  }

  private func isAt(_ delimiter: [UInt8], _ bytes: Span<UInt8>, _ cursor: Int) -> Bool {
    guard cursor + delimiter.count <= bytes.count else { return false }
    for index in delimiter.indices where bytes[cursor + index] != delimiter[index] { return false }
    return true
  }
}
