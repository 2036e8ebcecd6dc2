import Codecs
import Columns

/// Decodes records into one batch and shows the rows as JSON lines.
struct Harness: ~Copyable {
  var decoder: RecordDecoder
  var encoder: JSONLinesEncoder
  var pool = StringPool()
  var batch: Batch

  init(_ schema: Schema, _ format: RecordFormat, byteLimit: Int = RecordFormat.defaultByteLimit)
    throws
  {
    decoder = try RecordDecoder(schema: schema, format: format, byteLimit: byteLimit)
    encoder = JSONLinesEncoder(schema: schema)
    batch = Batch(schema: schema)
  }

  /// Columns `name type path` with an optional `!` for NOT NULL.
  static func json(
    _ columns: [(String, ColumnType, String)], rowPath: String = "$", notNull: Set<String> = []
  ) throws -> Harness {
    let schema = Schema(
      columns.map { ColumnDefinition(name: $0.0, type: $0.1, isNullable: !notNull.contains($0.0)) })
    return try Harness(
      schema,
      .json(rowPath: JSONPath(rowPath), paths: columns.map { try JSONPath($0.2) }))
  }

  mutating func decode(_ record: [UInt8]) -> DecodeOutcome {
    decoder.decode(record.span, pool: &pool)
  }

  mutating func decode(_ record: String) -> DecodeOutcome { decode(Array(record.utf8)) }

  /// The staged rows as JSON lines, without the batch's end.
  mutating func takeRows() -> [String] {
    let count = decoder.stagedRowCount
    batch.removeAll()
    decoder.moveRows(to: &batch)
    for _ in 0..<count {
      batch.rowtimes.append(0)
      batch.causes.append(0)
    }
    precondition(batch.isConsistent)
    var bytes: [UInt8] = []
    encoder.load(batch)
    for row in 0..<count { encoder.append(row: row, pool: pool, to: &bytes) }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  /// The rows of one record, or `["Code@position[ column]"]` when it is refused.
  mutating func rows(of record: [UInt8]) -> [String] {
    switch decode(record) {
    case .rows: return takeRows()
    case .rejected(let reject):
      precondition(decoder.stagedRowCount == 0)
      return [
        "\(reject.code.rawValue)@\(reject.position)\(reject.column.map { " " + $0 } ?? "")"
      ]
    }
  }

  mutating func rows(of record: String) -> [String] { rows(of: Array(record.utf8)) }
}
