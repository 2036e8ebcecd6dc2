import Codecs
import Columns
import Testing

/// What was encoded and is decoded again is the same.
@Suite struct RoundTripTests {
  static let schema = Schema([
    ColumnDefinition(name: "BO", type: .boolean), ColumnDefinition(name: "T", type: .tinyint),
    ColumnDefinition(name: "BI", type: .bigint),
    ColumnDefinition(name: "DE", type: .decimal(precision: 18, scale: 5)),
    ColumnDefinition(name: "R", type: .real), ColumnDefinition(name: "D", type: .double),
    ColumnDefinition(name: "a \"name\"", type: .varchar(400)),
    ColumnDefinition(name: "C", type: .char(6)), ColumnDefinition(name: "DA", type: .date),
    ColumnDefinition(name: "TI", type: .time), ColumnDefinition(name: "TS", type: .timestamp),
  ])

  static func batch(_ random: inout SplitMix64, _ pool: inout StringPool) -> Batch {
    var batch = Batch(schema: schema)
    for _ in 0..<500 {
      batch.rowtimes.append(0)
      batch.causes.append(0)
      for (index, definition) in schema.columns.enumerated() {
        if random.below(5) == 0 {
          batch.columns[index].appendNull()
        } else {
          append(to: &batch.columns[index], definition.type, &random, &pool)
        }
      }
    }
    return batch
  }

  private static func append(
    to column: inout Column, _ type: ColumnType, _ random: inout SplitMix64,
    _ pool: inout StringPool
  ) {
    let bits = random.next()
    switch type {
    case .boolean: column.append(Int64(bits & 1))
    case .tinyint: column.append(Int64(Int8(truncatingIfNeeded: bits)))
    case .bigint: column.append(Int64(bitPattern: bits) >> Int64(random.below(64)))
    case .decimal: column.append(Int64(bitPattern: bits) % 1_000_000_000_000_000_000)
    case .real:
      let value = Float(bitPattern: UInt32(truncatingIfNeeded: bits))
      column.append(value.isFinite ? Double(value) : 0)
    case .double:
      let value = Double(bitPattern: bits)
      column.append(value.isFinite ? value : Double(random.below(100_000)) / 100)
    case .char:
      column.append(pool.intern("\("abcdef".prefix(random.below(7)))      ".prefix(6).description))
    case .varchar: column.append(pool.intern(text(&random)))
    case .date: column.append(Int64(random.below(200_000)) - 100_000)
    case .time: column.append(Int64(random.below(86_400_000)))
    default: column.append(Int64(random.below(8_000_000_000_000)) - 4_000_000_000_000)
    }
  }

  private static func text(_ random: inout SplitMix64) -> String {
    let pieces = [
      "a", "\"", "\\", ",", "\n", "\r\n", "\t", "\u{0}", "\u{1F}", "é", "😀", "plain", " ",
    ]
    return (0..<random.below(20)).map { _ in pieces[random.below(pieces.count)] }.joined()
  }

  static func check(
    _ batch: Batch, _ lines: [[UInt8]], _ format: RecordFormat, _ pool: inout StringPool,
    _ note: String
  ) throws {
    var decoder = try RecordDecoder(schema: schema, format: format)
    var again = Batch(schema: schema)
    for line in lines {
      #expect(
        decoder.decode(line.span, pool: &pool) == .rows(1),
        "\(note): \(String(decoding: line, as: UTF8.self))")
    }
    decoder.moveRows(to: &again)
    for (index, definition) in schema.columns.enumerated() {
      let (old, new) = (batch.columns[index], again.columns[index])
      #expect(old.integers == new.integers, "\(note), \(definition.name)")
      #expect(old.doubles.map(\.bitPattern) == new.doubles.map(\.bitPattern), "\(note)")
      #expect(old.texts == new.texts, "\(note), \(definition.name)")
      let rows = 0..<batch.count
      #expect(rows.map { old.nulls[$0] } == rows.map { new.nulls[$0] }, "\(note)")
    }
  }

  @Test(arguments: 0..<10) func json(_ seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var pool = StringPool()
    let batch = Self.batch(&random, &pool)
    var encoder = JSONLinesEncoder(schema: Self.schema)
    encoder.load(batch)
    let lines = (0..<batch.count).map { row in
      var line: [UInt8] = []
      encoder.append(row: row, pool: pool, to: &line)
      return line
    }
    let paths = Self.schema.columns.map { JSONPath(steps: [.member($0.name)]) }
    try Self.check(batch, lines, .json(rowPath: .root, paths: paths), &pool, "seed \(seed)")
  }

  @Test(arguments: 0..<10) func csv(_ seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var pool = StringPool()
    let batch = Self.batch(&random, &pool)
    var encoder = CSVEncoder(schema: Self.schema)
    encoder.load(batch)
    let lines = (0..<batch.count).map { row in
      var line: [UInt8] = []
      encoder.append(row: row, pool: pool, to: &line)
      return line
    }
    try Self.check(batch, lines, .csv(CSVFormat()), &pool, "seed \(seed)")
  }
}
