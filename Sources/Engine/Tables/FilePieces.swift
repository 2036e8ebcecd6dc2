/// Why a file cannot be cut into records.
struct PieceProblem: Error {
  /// The byte of the file.
  let position: Int
  let message: String
}

/// Cuts a file into records: the lines of CSV, the documents of JSON.
///
/// It only finds where records end; what is wrong within one is for the decoder to say. A file of JSON
/// that is one array counts as its elements when the rows are at the root.
struct FilePieces {
  enum Dialect {
    case json(unfoldsArrays: Bool)
    case csv(row: [UInt8], column: [UInt8])
  }

  private let dialect: Dialect
  private var cursor: Int
  /// Whether the elements of an array are being read.
  private var isInArray = false
  private var isFirst = true

  init(_ dialect: Dialect, from start: Int) {
    self.dialect = dialect
    cursor = start
  }

  /// Passes the first line.
  mutating func skipLine(_ bytes: borrowing Span<UInt8>) {
    guard case .csv(let row, let column) = dialect else { return }
    cursor = lineEnd(bytes, row, column).next
  }

  /// Where the next record lies; nil at the end.
  mutating func next(_ bytes: borrowing Span<UInt8>) throws(PieceProblem) -> Range<Int>? {
    switch dialect {
    case .csv(let row, let column): return nextLine(bytes, row, column)
    case .json(let unfoldsArrays): return try nextDocument(bytes, unfoldsArrays)
    }
  }

  // MARK: CSV

  private mutating func nextLine(
    _ bytes: borrowing Span<UInt8>, _ row: [UInt8], _ column: [UInt8]
  ) -> Range<Int>? {
    while cursor < bytes.count {
      let start = cursor
      let (end, next) = lineEnd(bytes, row, column)
      cursor = next
      let isBlank = end == start || (end == start + 1 && bytes[start] == 0x0D)
      // With its delimiter, which tells the decoder what belongs to the last field.
      if !isBlank { return start..<next }
    }
    return nil
  }

  /// Where the line at the cursor ends and the next begins; delimiters in quotes end nothing.
  private func lineEnd(
    _ bytes: borrowing Span<UInt8>, _ row: [UInt8], _ column: [UInt8]
  ) -> (end: Int, next: Int) {
    var index = cursor
    var opensField = true
    while index < bytes.count {
      if opensField, bytes[index] == UInt8(ascii: "\"") {
        index = afterQuoted(bytes, index)
        opensField = false
      } else if Self.isAt(row, bytes, index) {
        return (index, index + row.count)
      } else if Self.isAt(column, bytes, index) {
        index += column.count
        opensField = true
      } else {
        index += 1
        opensField = false
      }
    }
    return (bytes.count, bytes.count)
  }

  /// Behind the quote that closes the field which opens at `start`.
  private func afterQuoted(_ bytes: borrowing Span<UInt8>, _ start: Int) -> Int {
    var index = start + 1
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: "\"") {
        guard index + 1 < bytes.count, bytes[index + 1] == UInt8(ascii: "\"") else {
          return index + 1
        }
        index += 1
      }
      index += 1
    }
    return index
  }

  private static func isAt(
    _ delimiter: [UInt8], _ bytes: borrowing Span<UInt8>, _ index: Int
  ) -> Bool {
    guard bytes[index] == delimiter[0], index + delimiter.count <= bytes.count else {
      return false
    }
    for offset in delimiter.indices where bytes[index + offset] != delimiter[offset] {
      return false
    }
    return true
  }

  // MARK: JSON

  private mutating func nextDocument(
    _ bytes: borrowing Span<UInt8>, _ unfoldsArrays: Bool
  ) throws(PieceProblem) -> Range<Int>? {
    skipBlanks(bytes)
    if isFirst, unfoldsArrays, cursor < bytes.count, bytes[cursor] == UInt8(ascii: "[") {
      isInArray = true
      cursor += 1
      skipBlanks(bytes)
      isFirst = cursor >= bytes.count || bytes[cursor] != UInt8(ascii: "]")
    }
    if isInArray { return try nextElement(bytes) }
    isFirst = false
    guard cursor < bytes.count else { return nil }
    let start = cursor
    cursor = documentEnd(bytes)
    return start..<cursor
  }

  private mutating func nextElement(
    _ bytes: borrowing Span<UInt8>
  ) throws(PieceProblem) -> Range<Int>? {
    guard cursor < bytes.count else {
      throw PieceProblem(position: bytes.count, message: "Json.Malformed: the array has no end")
    }
    if !isFirst {
      if bytes[cursor] == UInt8(ascii: "]") {
        cursor += 1
        skipBlanks(bytes)
        guard cursor == bytes.count else {
          throw PieceProblem(position: cursor, message: "Json.Malformed: text follows the array")
        }
        isInArray = false
        return nil
      }
      guard bytes[cursor] == UInt8(ascii: ",") else {
        throw PieceProblem(
          position: cursor, message: "Json.Malformed: expected a comma or the end of the array")
      }
      cursor += 1
      skipBlanks(bytes)
    }
    isFirst = false
    let start = cursor
    cursor = documentEnd(bytes)
    guard cursor > start else {
      throw PieceProblem(position: start, message: "Json.Malformed: expected a JSON value")
    }
    return start..<cursor
  }

  /// Behind the value at the cursor: a container with all that is in it, or a run up to a blank, a
  /// comma or the end of a container.
  private func documentEnd(_ bytes: borrowing Span<UInt8>) -> Int {
    var index = cursor
    var depth = 0
    while index < bytes.count {
      switch bytes[index] {
      case UInt8(ascii: "\""):
        index = afterString(bytes, index)
        if depth == 0 { return index }
        continue
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        if depth == 0 { return isInArray ? index : max(index, cursor + 1) }
        depth -= 1
        if depth == 0 { return index + 1 }
      case 0x20, 0x09, 0x0A, 0x0D, UInt8(ascii: ","):
        if depth == 0 { return isInArray ? index : max(index, cursor + 1) }
      default: break
      }
      index += 1
    }
    return index
  }

  private func afterString(_ bytes: borrowing Span<UInt8>, _ start: Int) -> Int {
    var index = start + 1
    while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
      index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
    }
    return min(index + 1, bytes.count)
  }

  private mutating func skipBlanks(_ bytes: borrowing Span<UInt8>) {
    while cursor < bytes.count {
      let byte = bytes[cursor]
      guard byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D else { return }
      cursor += 1
    }
  }
}
