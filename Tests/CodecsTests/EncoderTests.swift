import Codecs
import Columns
import Testing

@Suite struct EncoderTests {
  static let schema = Schema([
    ColumnDefinition(name: "B", type: .boolean), ColumnDefinition(name: "I", type: .bigint),
    ColumnDefinition(name: "D", type: .decimal(precision: 9, scale: 3)),
    ColumnDefinition(name: "R", type: .real), ColumnDefinition(name: "F", type: .double),
    ColumnDefinition(name: "na\"me", type: .varchar(99)),
    ColumnDefinition(name: "X", type: .varbinary(9)), ColumnDefinition(name: "DT", type: .date),
    ColumnDefinition(name: "TM", type: .time), ColumnDefinition(name: "TS", type: .timestamp),
    ColumnDefinition(name: "M", type: .bigint, role: .metadata),
  ])

  static func batch(_ pool: inout StringPool) -> Batch {
    var batch = Batch(schema: schema)
    batch.columns[0].append(Int64(1))
    batch.columns[1].append(Int64.min)
    batch.columns[2].append(Int64(-5))
    batch.columns[3].append(Double(Float(0.1)))
    batch.columns[4].append(0.1)
    batch.columns[5].append(pool.intern("a,\"b\"\\\n\u{1}é"))
    batch.columns[6].append(pool.intern([0, 255, 254, 253].span))
    batch.columns[7].append(Int64(-1))
    batch.columns[8].append(Int64(86_399_999))
    batch.columns[9].append(Int64(-1))
    batch.columns[4].append(Double.infinity)
    batch.columns[5].append(StringID.empty)
    batch.columns[10].append(Int64(1))
    for index in [0, 1, 2, 3, 6, 7, 8, 9, 10] { batch.columns[index].appendNull() }
    batch.rowtimes = [1, 2]
    batch.causes = [1, 2]
    precondition(batch.isConsistent)
    return batch
  }

  @Test func jsonLines() {
    var pool = StringPool()
    let batch = Self.batch(&pool)
    var encoder = JSONLinesEncoder(schema: Self.schema)
    var bytes: [UInt8] = []
    encoder.load(batch)
    encoder.append(row: 0, pool: pool, to: &bytes)
    encoder.append(row: 1, id: Array("t-0-7-\"1".utf8).span, pool: pool, to: &bytes)
    let first =
      #"{"B":true,"I":-9223372036854775808,"D":-0.005,"R":0.1,"F":0.1,"#
      + #""na\"me":"a,\"b\"\\\n\u0001é","X":"AP/+/Q==","DT":"1969-12-31","TM":"23:59:59.999","#
      + #""TS":"1969-12-31 23:59:59.999"}"#
    let second =
      #"{"B":null,"I":null,"D":null,"R":null,"F":null,"na\"me":"","X":null,"DT":null,"#
      + #""TM":null,"TS":null,"_id":"t-0-7-\"1"}"#
    #expect(String(decoding: bytes, as: UTF8.self) == "\(first)\n\(second)\n")
  }

  @Test func csv() {
    var pool = StringPool()
    let batch = Self.batch(&pool)
    var encoder = CSVEncoder(schema: Self.schema)
    var bytes: [UInt8] = []
    encoder.appendHeader(to: &bytes)
    encoder.load(batch)
    encoder.append(row: 0, pool: pool, to: &bytes)
    encoder.append(row: 1, pool: pool, to: &bytes)
    let lines = [
      #"B,I,D,R,F,"na""me",X,DT,TM,TS"#,
      "true,-9223372036854775808,-0.005,0.1,0.1,\"a,\"\"b\"\"\\\n\u{1}é\",AP/+/Q==,1969-12-31,"
        + "23:59:59.999,1969-12-31 23:59:59.999",
      ",,,,,\"\",,,,",
    ]
    #expect(Array(bytes) == Array((lines.joined(separator: "\r\n") + "\r\n").utf8))
  }

  @Test func noColumns() {
    let schema = Schema([])
    var batch = Batch(schema: schema)
    batch.rowtimes = [0]
    batch.causes = [0]
    var encoder = JSONLinesEncoder(schema: schema)
    var bytes: [UInt8] = []
    encoder.load(batch)
    encoder.append(row: 0, pool: StringPool(), to: &bytes)
    encoder.append(row: 0, id: Array("i".utf8).span, pool: StringPool(), to: &bytes)
    #expect(String(decoding: bytes, as: UTF8.self) == "{}\n{\"_id\":\"i\"}\n")
  }
}
