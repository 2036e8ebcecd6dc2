public import Columns

extension ParquetFormat {
  private static let contentLimit = 1 << 28
  private static let rowLimit = 1 << 26

  /// Reads the rows of a file of this format; columns that the file does not have are NULL.
  ///
  /// It reads what `ParquetFormat` writes: plain values in flat columns, whatever their order.
  /// - Parameters:
  ///   - file: The file's bytes.
  ///   - columns: The places of the columns that are wanted; the others are NULL.
  ///   - pool: Takes the texts.
  /// - Returns: The rows; their ROWTIME is 0.
  /// - Throws: `DeliveryError` when the file is damaged or of another kind.
  public func rows(
    of file: [UInt8], columns: Set<Int>, into pool: inout StringPool
  ) throws(DeliveryError) -> Batch {
    guard file.count >= 12, file.starts(with: Self.magic), file.suffix(4) == Self.magic[...] else {
      throw Self.unreadable("it is no Parquet file, or its end is missing")
    }
    let length = Self.number(file[(file.count - 8)...], width: 4)
    guard length <= file.count - 12 else { throw Self.unreadable("its footer is damaged") }
    var reader = ThriftReader(file[(file.count - 8 - length)..<(file.count - 8)])
    guard let footer = reader.structure(), let elements = footer[2]?.list?.compactMap(\.structure),
      let groups = footer[4]?.list?.compactMap(\.structure)
    else { throw Self.unreadable("its footer is damaged") }
    guard elements.dropFirst().allSatisfy({ $0[5] == nil }) else {
      throw Self.unreadable("it has nested columns")
    }
    var batch = Batch(schema: schema)
    for group in groups {
      guard let chunks = group[1]?.list?.compactMap(\.structure),
        let count = group[3]?.integer, (0...Self.rowLimit).contains(count),
        chunks.count == elements.count - 1
      else { throw Self.unreadable("a group of rows is damaged") }
      for (index, column) in schema.columns.enumerated() {
        let place = elements.dropFirst().firstIndex { $0[4]?.text == column.name }
        guard columns.contains(index), let place else {
          for _ in 0..<count { batch.columns[index].appendNull() }
          continue
        }
        let found = ParquetColumn(
          name: column.name, type: ParquetType(column.type),
          isNullable: elements[place][3]?.integer == 1)
        guard elements[place][1]?.integer == found.type.physical.rawValue else {
          throw Self.unreadable("column '\(column.name)' has another type than the stream")
        }
        try found.read(chunks[place - 1], of: file, count, into: &batch.columns[index], &pool)
      }
      batch.rowtimes += repeatElement(0, count: count)
      batch.causes += repeatElement(0, count: count)
    }
    return batch
  }

  static func number(_ bytes: ArraySlice<UInt8>, width: Int) -> Int {
    bytes.prefix(width).reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  static func unreadable(_ reason: String) -> DeliveryError {
    DeliveryError(
      code: "Parquet.Unreadable", message: reason, hint: "restore the file, or remove it",
      remedy: .none)
  }

  static func decompressed(
    _ body: ArraySlice<UInt8>, codec: Int, size: Int
  ) throws(DeliveryError) -> [UInt8] {
    guard (0...contentLimit).contains(size) else { throw unreadable("a page is too large") }
    let content: [UInt8]? =
      switch codec {
      case 0: Array(body)
      case 1: Snappy.content(ofBlock: body, limit: size)
      case 2: Compression.gzip.decompress(Array(body), limit: size)
      case 6: Compression.zstd.decompress(Array(body), limit: size)
      default: nil
      }
    guard let content, content.count == size else {
      throw unreadable("a page is damaged, or compressed by codec \(codec)")
    }
    return content
  }
}

/// One flat column of a file that is read.
private struct ParquetColumn {
  let name: String
  let type: ParquetType
  let isNullable: Bool

  private var damaged: DeliveryError {
    ParquetFormat.unreadable("a page of column '\(name)' is damaged, or in another encoding")
  }

  /// Appends the values of one group of rows.
  func read(
    _ chunk: [Int: ThriftReader.Value], of file: [UInt8], _ count: Int, into column: inout Column,
    _ pool: inout StringPool
  ) throws(DeliveryError) {
    guard let data = chunk[3]?.structure, let codec = data[4]?.integer,
      var offset = data[9]?.integer, (0...file.count).contains(offset)
    else { throw damaged }
    var rows = 0
    while rows < count {
      var reader = ThriftReader(file[offset...])
      // A data page of the first format with plain values, levels in the RLE hybrid.
      guard let header = reader.structure(), header[1]?.integer == 0,
        let size = header[2]?.integer, let packed = header[3]?.integer, packed >= 0,
        let page = header[5]?.structure, page[2]?.integer == 0, let values = page[1]?.integer,
        values > 0, values <= count - rows, packed <= file.count - reader.offset
      else { throw damaged }
      offset = reader.offset + packed
      let body = try ParquetFormat.decompressed(
        file[reader.offset..<offset], codec: codec, size: size)
      try append(body, values, to: &column, &pool)
      rows += values
    }
  }

  private func append(
    _ body: [UInt8], _ count: Int, to column: inout Column, _ pool: inout StringPool
  ) throws(DeliveryError) {
    var cursor = 0
    var isThere = [Bool](repeating: true, count: count)
    if isNullable {
      guard body.count >= 4 else { throw damaged }
      let length = ParquetFormat.number(body[0...], width: 4)
      cursor = 4 + length
      guard cursor <= body.count, let levels = Self.levels(body[4..<cursor], count) else {
        throw damaged
      }
      isThere = levels
    }
    var bit = 0
    for row in 0..<count {
      guard isThere[row] else {
        column.appendNull()
        continue
      }
      if type.physical == .boolean {
        guard cursor + bit / 8 < body.count else { throw damaged }
        column.append(Int64(body[cursor + bit / 8] >> UInt8(bit % 8) & 1))
        bit += 1
        continue
      }
      try appendPlain(body, &cursor, to: &column, &pool)
    }
  }

  private func appendPlain(
    _ body: [UInt8], _ cursor: inout Int, to column: inout Column, _ pool: inout StringPool
  ) throws(DeliveryError) {
    let width = [.int32, .float, .byteArray].contains(type.physical) ? 4 : 8
    guard cursor + width <= body.count else { throw damaged }
    var word: UInt64 = 0
    for index in 0..<width { word |= UInt64(body[cursor + index]) << UInt64(8 * index) }
    cursor += width
    switch type.physical {
    case .int32: column.append(Int64(Int32(truncatingIfNeeded: word)))
    case .int64: column.append(Int64(bitPattern: word))
    case .float: column.append(Double(Float(bitPattern: UInt32(truncatingIfNeeded: word))))
    case .double: column.append(Double(bitPattern: word))
    case .byteArray:
      guard word <= UInt64(body.count - cursor) else { throw damaged }
      let end = cursor + Int(word)
      column.append(pool.intern(body.span.extracting(cursor..<end)))
      cursor = end
    case .boolean: throw damaged
    }
  }

  /// The levels of a column that may be NULL: runs of one level, or of one bit each.
  private static func levels(_ bytes: ArraySlice<UInt8>, _ count: Int) -> [Bool]? {
    var reader = ThriftReader(bytes)
    var cursor = bytes.startIndex
    var levels: [Bool] = []
    while levels.count < count {
      reader = ThriftReader(bytes[cursor...])
      guard let header = reader.varint(), header > 1 else { return nil }
      cursor = reader.offset
      let length = Int(min(header >> 1, UInt64(count)))
      if header & 1 == 0 {
        guard cursor < bytes.endIndex else { return nil }
        levels += repeatElement(bytes[cursor] == 1, count: min(length, count - levels.count))
        cursor += 1
      } else {
        for index in 0..<min(8 * length, count - levels.count) {
          guard cursor + index / 8 < bytes.endIndex else { return nil }
          levels.append(bytes[cursor + index / 8] >> UInt8(index % 8) & 1 == 1)
        }
        cursor += min(length, bytes.endIndex - cursor)
      }
    }
    return levels
  }
}
