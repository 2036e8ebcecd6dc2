import Columns
import Delivery
import Testing

/// What is written as Parquet is read back, and damage is an error.
@Suite struct ParquetReadingTests {
  private static let schema = Schema([
    ColumnDefinition(name: "flag", type: .boolean), ColumnDefinition(name: "tiny", type: .tinyint),
    ColumnDefinition(name: "n", type: .integer),
    ColumnDefinition(name: "big", type: .bigint, isNullable: false),
    ColumnDefinition(name: "price", type: .decimal(precision: 10, scale: 2)),
    ColumnDefinition(name: "r", type: .real), ColumnDefinition(name: "d", type: .double),
    ColumnDefinition(name: "text", type: .varchar(100)),
    ColumnDefinition(name: "moment", type: .timestamp),
  ])

  private static func batch(_ rows: Int, _ pool: inout StringPool) -> Batch {
    var batch = Batch(schema: schema)
    for row in 0..<rows {
      batch.rowtimes.append(0)
      batch.causes.append(0)
      for index in schema.columns.indices {
        guard (row + index) % 3 != 0 || !schema.columns[index].isNullable else {
          batch.columns[index].appendNull()
          continue
        }
        switch schema.columns[index].type.storage {
        case .integer: batch.columns[index].append(Int64(index == 0 ? row % 2 : row % 100 - 20))
        case .floating: batch.columns[index].append(Double(row) * 0.5)
        case .text: batch.columns[index].append(pool.intern("zürich \(row)"))
        }
      }
    }
    return batch
  }

  private static func file(_ rows: Int, _ compression: Compression) throws -> [UInt8] {
    var pool = StringPool()
    let batch = batch(rows, &pool)
    let format = ParquetFormat(schema: schema, compression: compression)
    var bytes: [UInt8] = []
    for row in 0..<rows { format.append(batch, row: row, pool: pool, to: &bytes) }
    return try format.file(rows: bytes, count: rows)
  }

  @Test(arguments: Compression.allCases, [1, 7, 45_001])
  func whatIsWrittenIsRead(_ compression: Compression, _ count: Int) throws {
    let file = try Self.file(count, compression)
    var pool = StringPool()
    let all = Set(Self.schema.columns.indices)
    let found = try ParquetFormat(schema: Self.schema).rows(of: file, columns: all, into: &pool)
    var expectedPool = StringPool()
    let expected = Self.batch(count, &expectedPool)
    #expect(found.count == count && found.isConsistent)
    for index in all {
      let (one, other) = (found.columns[index], expected.columns[index])
      let areEqual = (0..<count).allSatisfy { row in
        guard !other.nulls[row] else { return one.nulls[row] }
        switch other.type.storage {
        case .integer: return one.integers[row] == other.integers[row]
        case .floating: return one.doubles[row] == other.doubles[row]
        case .text:
          return pool.string(one.texts[row]) == expectedPool.string(other.texts[row])
        }
      }
      #expect(areEqual, "\(Self.schema.columns[index].name)")
    }
  }

  /// A stream that has gained a column and changed their order still reads its older files.
  @Test func columnsAreFoundByTheirNames() throws {
    let file = try Self.file(10, .snappy)
    let other = Schema([
      ColumnDefinition(name: "new", type: .double), ColumnDefinition(name: "d", type: .double),
      ColumnDefinition(name: "big", type: .bigint),
    ])
    var pool = StringPool()
    let found = try ParquetFormat(schema: other).rows(of: file, columns: [0, 1], into: &pool)
    #expect((0..<10).allSatisfy { found.columns[0].nulls[$0] && found.columns[2].nulls[$0] })
    #expect(found.columns[1].doubles[1] == 0.5)
    let wrong = Schema([ColumnDefinition(name: "big", type: .double)])
    #expect(throws: DeliveryError.self) {
      try ParquetFormat(schema: wrong).rows(of: file, columns: [0], into: &pool)
    }
  }

  @Test(arguments: Compression.allCases)
  func damageIsAnErrorOrAnotherValue(_ compression: Compression) throws {
    let file = try Self.file(200, compression)
    let format = ParquetFormat(schema: Self.schema)
    let all = Set(Self.schema.columns.indices)
    var pool = StringPool()
    for length in stride(from: 0, to: file.count, by: 97) {
      #expect(throws: DeliveryError.self) {
        try format.rows(of: Array(file[..<length]), columns: all, into: &pool)
      }
    }
    for place in file.indices {
      var bytes = file
      bytes[place] ^= 0x55
      // It may be a value that nobody can tell from a right one; it is never a crash.
      let found = try? format.rows(of: bytes, columns: all, into: &pool)
      #expect(found.map(\.isConsistent) ?? true)
    }
  }
}
