import Codecs
import Columns
package import Dataflow

/// Turns files and records into the rows of a reference table.
package struct TableDecoder: Sendable {
  let plan: TablePlan

  /// Creates a decoder.
  package init(plan: TablePlan) { self.plan = plan }

  /// How many records are staged before their rows are moved.
  private static let stride = 4_096

  /// The rows of a whole file or object.
  ///
  /// - Throws: `TableProblem` with the line of the first record that is no row.
  package func decode(file bytes: [UInt8], name: String) throws(TableProblem) -> TableContent {
    guard bytes.count <= plan.settings.byteLimit else {
      throw TableProblem(place: name, message: tooLarge(bytes.count))
    }
    var pool = StringPool()
    var rows = Batch(schema: plan.schema)
    var decoder = try makeDecoder(name)
    var pieces = makePieces(bytes.span)
    var staged = 0
    while true {
      let piece: Range<Int>
      do throws(PieceProblem) {
        guard let next = try pieces.next(bytes.span) else { break }
        piece = next
      } catch {
        throw TableProblem(
          place: name, line: Self.line(of: error.position, in: bytes), message: error.message)
      }
      if case .rejected(let reject) = decoder.decode(bytes.span.extracting(piece), pool: &pool) {
        throw TableProblem(
          place: name, line: Self.line(of: piece.lowerBound + reject.position, in: bytes),
          message: Self.text(of: reject))
      }
      staged += 1
      if staged.isMultiple(of: Self.stride) { decoder.moveRows(to: &rows) }
    }
    decoder.moveRows(to: &rows)
    return Self.content(&rows, pool)
  }

  /// The rows of the records of a topic, in the order given.
  ///
  /// - Throws: `TableProblem` when one is no row.
  func decode(
    records: [(key: [UInt8], value: [UInt8])], name: String
  ) throws(TableProblem) -> TableContent {
    var pool = StringPool()
    var rows = Batch(schema: plan.schema)
    var decoder = try makeDecoder(name)
    for (key, value) in records {
      switch decoder.decode(value.span, pool: &pool) {
      case .rejected(let reject): throw TableProblem(place: name, message: Self.text(of: reject))
      case .rows(let count):
        decoder.moveRows(to: &rows)
        guard let column = plan.keyColumn else { continue }
        let id = pool.intern(key.span)
        for _ in 0..<count { rows.columns[column].append(id) }
      }
    }
    return Self.content(&rows, pool)
  }

  /// What is said of a source with so many bytes.
  func tooLarge(_ count: Int) -> String {
    "it has \(count) bytes, more than max_size \(plan.settings.byteLimit)"
  }

  /// A decoder of the table's records.
  func makeDecoder(_ name: String) throws(TableProblem) -> RecordDecoder {
    do {
      return try RecordDecoder(
        schema: plan.decodingSchema, format: plan.format, byteLimit: Int(plan.settings.byteLimit))
    } catch {
      throw TableProblem(place: name, message: "\(error)")
    }
  }

  private func makePieces(_ bytes: borrowing Span<UInt8>) -> FilePieces {
    // A mark of the byte order, as spreadsheets write it, is no part of the first field.
    let start =
      bytes.count >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB && bytes[2] == 0xBF ? 3 : 0
    switch plan.format {
    case .json(let rowPath, _):
      return FilePieces(.json(unfoldsArrays: rowPath == .root), from: start)
    case .csv(let format):
      var pieces = FilePieces(
        .csv(row: Array(format.rowDelimiter.utf8), column: Array(format.columnDelimiter.utf8)),
        from: start)
      if plan.settings.hasHeader { pieces.skipLine(bytes) }
      return pieces
    }
  }

  private static func content(_ rows: inout Batch, _ pool: borrowing StringPool) -> TableContent {
    let count = rows.columns.first?.nulls.count ?? 0
    rows.rowtimes = [Int64](repeating: 0, count: count)
    rows.causes = rows.rowtimes
    return TableContent(rows, pool: pool)
  }

  private static func line(of position: Int, in bytes: [UInt8]) -> Int {
    1 + bytes.prefix(position).count { $0 == 0x0A }
  }

  /// Why a record is no row, without its place.
  static func text(of reject: RecordReject) -> String {
    "\(reject.code.rawValue): \(reject.reason)\(reject.column.map { ", column \($0)" } ?? "")"
  }
}
