import Columns
import Delivery
import Foundation
import RimSupport
import Testing
import Transport

private let schema = Schema([
  ColumnDefinition(name: "flag", type: .boolean), ColumnDefinition(name: "tiny", type: .tinyint),
  ColumnDefinition(name: "small", type: .smallint), ColumnDefinition(name: "n", type: .integer),
  ColumnDefinition(name: "big", type: .bigint, isNullable: false),
  ColumnDefinition(name: "price", type: .decimal(precision: 10, scale: 2)),
  ColumnDefinition(name: "r", type: .real), ColumnDefinition(name: "d", type: .double),
  ColumnDefinition(name: "text", type: .varchar(100)),
  ColumnDefinition(name: "raw", type: .varbinary(10)), ColumnDefinition(name: "day", type: .date),
  ColumnDefinition(name: "clock", type: .time), ColumnDefinition(name: "moment", type: .timestamp),
])

/// Rows in which every third value of a column is NULL.
private func object(rows: Int, format: ParquetFormat) throws -> ClosedObject {
  var pool = StringPool()
  var batch = Batch(schema: schema)
  for row in 0..<rows {
    batch.rowtimes.append(Int64(row))
    batch.causes.append(Int64(row))
    for index in schema.columns.indices {
      guard (row + index) % 3 != 0 || !schema.columns[index].isNullable else {
        batch.columns[index].appendNull()
        continue
      }
      switch schema.columns[index].type.storage {
      case .integer:
        // A flag is 0 or 1, and a time of day is not negative.
        let isTime = schema.columns[index].type == .time
        let number = index == 0 ? row % 2 : isTime ? row % 100 : row % 100 - 20
        batch.columns[index].append(Int64(number))
      case .floating: batch.columns[index].append(Double(row) * 0.5)
      case .text: batch.columns[index].append(pool.intern("zürich \(row)"))
      }
    }
  }
  var open = OpenObject()
  for row in 0..<rows {
    open.append(row: Int64(row), rowTime: 0, now: 0) {
      format.append(batch, row: row, pool: pool, to: &$0)
    }
  }
  let naming = ObjectNaming(
    stream: "s", version: 1, prefix: try Prefix(parsing: "x/!{timestamp:yyyy}/"),
    fileExtension: ParquetFormat.fileExtension)
  return try open.closed(pipeline: "p", life: "l", task: 0, output: "o", naming: naming)
}

struct ParquetTests {
  private let pyarrow = """
    import sys, json, pyarrow.parquet as pq
    t = pq.read_table(sys.argv[1])
    print(json.dumps({"types": [str(f.type) for f in t.schema], "rows": t.num_rows,
      "nulls": [c.null_count for c in t.columns], "big": sum(t["big"].to_pylist()),
      "row": [str(v) for v in t.slice(1, 1).to_pylist()[0].values()]}))
    """

  private let duckDB = """
    import sys, json, duckdb
    duckdb.sql("SET TimeZone = 'UTC'")
    t = f"read_parquet('{sys.argv[1]}')"
    columns = duckdb.sql(f"DESCRIBE SELECT * FROM {t}").fetchall()
    counts = duckdb.sql(f"SELECT COUNT(*) - COUNT(COLUMNS(*)) FROM {t}").fetchall()[0]
    row = duckdb.sql(f"SELECT COLUMNS(*)::VARCHAR FROM (SELECT * FROM {t} LIMIT 1 OFFSET 1)")
    total = duckdb.sql(f"SELECT COUNT(*), SUM(big) FROM {t}").fetchall()[0]
    print(json.dumps({"types": [c[1] for c in columns], "rows": total[0], "big": int(total[1]),
      "nulls": list(counts), "row": [str(v) for v in row.fetchall()[0]]}))
    """

  /// What a reader says of a file of ours with 45,001 rows.
  private func read(
    by script: String, _ compression: Compression
  ) async throws -> [String: Any] {
    let folder = try TemporaryFolder()
    let threads = BlockingThreads(count: 1)
    let format = ParquetFormat(schema: schema, compression: compression)
    let directory = try await DirectoryDestination(
      path: folder.path, owner: "o", compression: .none, parquet: format, threads: threads)
    let closed = try object(rows: 45_001, format: format)
    #expect(try await directory.put(closed) == .stored)
    let python = try #require(RealParts.python as String?)
    let text = try output(of: python, ["-c", script, folder.path + "/" + closed.name])
    try await threads.stop()
    let found = try #require(try JSONSerialization.jsonObject(with: Data(text)) as? [String: Any])
    #expect(found["rows"] as? Int == 45_001)
    let expectedNulls = schema.columns.indices.map { index in
      schema.columns[index].isNullable ? (0..<45_001).count { ($0 + index) % 3 == 0 } : 0
    }
    #expect(found["nulls"] as? [Int] == expectedNulls)
    #expect(found["big"] as? Int == (0..<45_001).reduce(0) { $0 + $1 % 100 - 20 })
    return found
  }

  @Test(
    .enabled(if: RealParts.python != nil, "there is no pyarrow: \(RealParts.hint)"),
    arguments: Compression.allCases)
  func pyarrowReadsTheSameRows(_ compression: Compression) async throws {
    let found = try await read(by: pyarrow, compression)
    #expect(
      found["types"] as? [String] == [
        "bool", "int8", "int16", "int32", "int64", "decimal128(10, 2)", "float", "double",
        "string", "binary", "date32[day]", "time32[ms]", "timestamp[ms, tz=UTC]",
      ])
    #expect(
      found["row"] as? [String] == [
        "True", "-19", "None", "-19", "-19", "None", "0.5", "0.5", "None",
        "b'z\\xc3\\xbcrich 1'", "1969-12-13", "None", "1969-12-31 23:59:59.981000+00:00",
      ])
  }

  @Test(
    .enabled(if: RealParts.python != nil, "there is no DuckDB: \(RealParts.hint)"),
    arguments: Compression.allCases)
  func duckDBReadsTheSameRows(_ compression: Compression) async throws {
    let found = try await read(by: duckDB, compression)
    #expect(
      found["types"] as? [String] == [
        "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "DECIMAL(10,2)", "FLOAT", "DOUBLE",
        "VARCHAR", "BLOB", "DATE", "TIME", "TIMESTAMP",
      ])
    #expect(
      found["row"] as? [String] == [
        "true", "-19", "None", "-19", "-19", "None", "0.5", "0.5", "None",
        "z\\xC3\\xBCrich 1", "1969-12-13", "None", "1969-12-31 23:59:59.981",
      ])
  }

  /// The frame of a file that every reader looks for first, and equal bytes for equal rows.
  @Test func filesAreFramedAndRepeatable() async throws {
    let folder = try TemporaryFolder()
    let threads = BlockingThreads(count: 1)
    let format = ParquetFormat(schema: schema)
    let closed = try object(rows: 100, format: format)
    var files: [[UInt8]] = []
    for name in ["a", "b"] {
      let directory = try await DirectoryDestination(
        path: folder.path + "/" + name, owner: "o", compression: .none, parquet: format,
        threads: threads)
      _ = try await directory.put(closed)
      files.append(try folder.contents("\(name)/\(closed.name)"))
    }
    #expect(files[0] == files[1])
    #expect(files[0].starts(with: Array("PAR1".utf8)))
    #expect(files[0].suffix(4).elementsEqual(Array("PAR1".utf8)))
    let length = files[0].suffix(8).prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
    #expect(length > 100 && length < files[0].count)
    try await threads.stop()
  }

  @Test func damagedRowsAreRefused() async throws {
    let folder = try TemporaryFolder()
    let threads = BlockingThreads(count: 1)
    let format = ParquetFormat(schema: schema)
    let directory = try await DirectoryDestination(
      path: folder.path, owner: "o", compression: .none, parquet: format, threads: threads)
    let closed = try object(rows: 3, format: format)
    for count in [closed.bytes.count - 1, 1, 0] {
      let cut = ClosedObject(
        identity: closed.identity, name: "cut", bytes: Array(closed.bytes.prefix(count)),
        recordCount: 3, oldestRowTime: 0)
      let error = await #expect(throws: DeliveryError.self) { try await directory.put(cut) }
      #expect(error?.code == "Parquet.DamagedRows")
    }
    #expect(folder.files().isEmpty)
    try await threads.stop()
  }
}
