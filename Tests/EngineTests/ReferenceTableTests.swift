import Columns
import Dataflow
import Engine
import Foundation
import Testing
import Transport

/// What a pipeline file may say about reference tables, and how files become rows.
@Suite struct ReferenceTableTests {
  static func plan(
    _ table: String, columns: String = "[{name: k, type: BIGINT}, {name: name, type: VARCHAR(8)}]",
    sql: String = PipelineBench.evens, stream: String = "EVENS"
  ) throws -> PipelinePlan {
    let indented = sql.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
    let text = """
      name: p
      application: |
      \(indented)
      inputs:
        - stream: NUMBERS
          kafka: {topic: numbers}
          columns: [{name: n, type: BIGINT}]
      reference_tables:
        - table: NAMES
          columns: \(columns)
      \(table.split(separator: "\n").map { "    \($0)" }.joined(separator: "\n"))
      outputs:
        - stream: \(stream)
          delivery: {to: file://./out}
      """
    let (configuration, _) = try PipelineConfiguration.read(
      file: "folder/p.yaml", text: text, environment: [:],
      daemon: KafkaSettings(brokers: "localhost:9092"), readFile: { _ in "" })
    return try PipelinePlan.make(configuration, dataDirectory: "data").0
  }

  struct Refusal: Sendable, CustomStringConvertible {
    let table: String
    var columns = "[{name: k, type: BIGINT}]"
    let problem: String

    var description: String { table }
  }

  @Test(arguments: [
    Refusal(table: "format: csv", problem: "needs exactly one of file, s3 and kafka"),
    Refusal(table: "file: a\nkafka: {topic: b}", problem: "needs exactly one of file"),
    Refusal(table: "file: a\nreferesh: 5s", problem: "did you mean refresh?"),
    Refusal(table: "file: a\nrefresh: soon", problem: "must be a duration"),
    Refusal(table: "file: a\nmax_size: 9GiB", problem: "outside"),
    Refusal(table: "s3: {bucket: b}", problem: "s3.key is missing"),
    Refusal(table: "s3: {bucket: b, key: k, regio: x}", problem: "did you mean region?"),
    Refusal(table: "kafka: {topic: t}\nformat: csv\ncsv: {header: true}", problem: "no header"),
    Refusal(table: "kafka: {topic: t, key_column: k}", problem: "none of its columns, or no text"),
    Refusal(table: "file: a", columns: "[]", problem: "columns is missing or empty"),
    Refusal(
      table: "file: a", columns: "[{name: k, type: BIGINT, path: a.b}]", problem: "is no path"),
  ]) func whatCannotWorkIsRefusedWithItsPlace(_ test: Refusal) throws {
    let error = #expect(throws: ConfigurationRefused.self) {
      try Self.plan(test.table, columns: test.columns)
    }
    let text = error?.description ?? ""
    #expect(text.contains(test.problem) && text.contains("folder/p.yaml"), "\(text)")
  }

  @Test func thePlanNamesTheTableAndItsSource() throws {
    let plan = try Self.plan("file: names.csv\nformat: csv")
    #expect(plan.explain().contains("NAMES from folder/names.csv, looked at every 60.0 s"))
    let topic = try Self.plan("kafka: {topic: names}")
    #expect(topic.explain().contains("NAMES from topic names, looked at every 5.0 s"))
    let object = try Self.plan("s3: {bucket: sites, key: a/b.json}")
    #expect(object.explain().contains("NAMES from s3://sites/a/b.json"))
  }

  @Test func aFileThatIsNotThereIsAProblemAtTheTable() throws {
    let problems = try Self.plan("file: nothing.csv").checkTables()
    #expect(problems.count == 1 && problems[0].line == 11)
    #expect("\(problems)".contains("table NAMES: folder/nothing.csv: no such file"))
  }

  // MARK: Files to rows

  struct Reading: Sendable, CustomStringConvertible {
    var table = "file: f\nformat: csv"
    let text: String
    let rows: [String]

    var description: String { text.debugDescription }
  }

  static let readings = [
    Reading(text: "1,one\n2,two\n", rows: ["1 one", "2 two"]),
    Reading(text: "1,one\r\n2,two", rows: ["1 one", "2 two"]),
    Reading(text: "", rows: []),
    Reading(text: "\n1,one\n\n\r\n2,two\n\n", rows: ["1 one", "2 two"]),
    Reading(text: "1,\"a\nb\"\n2,\"c\"\"d,\"\n", rows: ["1 a\nb", "2 c\"d,"]),
    Reading(text: "1,a\"b\n2,c\n", rows: ["1 a\"b", "2 c"]),
    Reading(text: "\u{FEFF}1,one\n", rows: ["1 one"]),
    Reading(
      table: "file: f\nformat: csv\ncsv: {header: true}",
      text: "\u{FEFF}k,\"na\nme\"\n1,one\n", rows: ["1 one"]),
    Reading(
      table: "file: f\nformat: csv\ncsv: {column_delimiter: '||', row_delimiter: '<>'}",
      text: "1||one<>2||two", rows: ["1 one", "2 two"]),
    Reading(
      table: "file: f", text: "{\"k\":1,\"name\":\"one\"}\n{\"k\":2,\"name\":\"t}w[o\\\"\"}",
      rows: ["1 one", "2 t}w[o\""]),
    Reading(
      table: "file: f", text: " [ {\"k\": 1, \"name\": \"one\"} , {\"k\":2} ] \n",
      rows: ["1 one", "2 NULL"]),
    Reading(table: "file: f", text: "[]", rows: []),
    Reading(
      table: "file: f", text: "{\n \"k\": 1,\n \"name\": \"one\"\n}{\"k\":2}",
      rows: ["1 one", "2 NULL"]),
    Reading(
      table: "file: f\nrow_path: '$.rows[0:]'", text: "{\"rows\":[{\"k\":1},{\"k\":2}]}",
      rows: ["1 NULL", "2 NULL"]),
  ]

  static func rows(_ plan: PipelinePlan, _ text: String) throws -> [String] {
    let content = try TableDecoder(plan: plan.tables[0]).decode(file: Array(text.utf8), name: "f")
    var pool = StringPool()
    let rows = try content.rows(plan.tables[0].schema, into: &pool)
    #expect(rows.count == content.rowCount)
    return (0..<rows.count).map { row in
      let name = rows.columns[1].nulls[row] ? "NULL" : pool.string(rows.columns[1].texts[row])
      return "\(rows.columns[0].integers[row]) \(name)"
    }
  }

  @Test(arguments: readings) func aFileBecomesRows(_ test: Reading) throws {
    #expect(try Self.rows(Self.plan(test.table), test.text) == test.rows)
  }

  struct BadFile: Sendable, CustomStringConvertible {
    var table = "file: f\nformat: csv"
    let text: String
    let problem: String

    var description: String { text.debugDescription }
  }

  @Test(arguments: [
    BadFile(text: "1,one\ntwo,two\n", problem: "f:2: Column.TypeMismatch"),
    BadFile(text: "1,\"a\nb\"\nx,y\n", problem: "f:3: Column.TypeMismatch"),
    BadFile(text: "1,one\n2,\"two\n3,three\n", problem: "f:2: Csv.Malformed"),
    BadFile(text: "99999999999999999999,one\n", problem: "f:1: Column.OutOfRange"),
    BadFile(table: "file: f", text: "{\"k\":1}\n{\"k\":}\n", problem: "f:2: Json.Malformed"),
    BadFile(table: "file: f", text: "{\"k\":1}\n]\n", problem: "f:2: Json.Malformed"),
    BadFile(table: "file: f", text: "[{\"k\":1}\n{\"k\":2}]", problem: "f:2: Json.Malformed"),
    BadFile(table: "file: f", text: "[{\"k\":1},\n]", problem: "f:2: Json.Malformed"),
    BadFile(table: "file: f", text: "[{\"k\":1},\n", problem: "f:2: Json.Malformed"),
    BadFile(table: "file: f", text: "[{\"k\":1}]\n7", problem: "f:2: Json.Malformed"),
    BadFile(table: "file: f", text: "[1]", problem: "f:1: Json.RowNotObject"),
    BadFile(table: "file: f\nmax_size: 4", text: "{\"k\":1}", problem: "more than max_size 4"),
  ]) func aBadFileIsRefusedWithItsLine(_ test: BadFile) throws {
    let plan = try Self.plan(test.table)
    let error = #expect(throws: TableProblem.self) {
      try TableDecoder(plan: plan.tables[0]).decode(file: Array(test.text.utf8), name: "f")
    }
    let text = error?.description ?? ""
    #expect(text.contains(test.problem), "\(text)")
  }

  /// More rows than one record may hold, in every layout that is cut into records.
  @Test func aFileMayHoldMoreRowsThanARecord() throws {
    let expected = (0..<70_000).map { "\($0) n\($0)" }
    let lines = expected.map { $0.split(separator: " ") }
    let csv = lines.map { "\($0[0]),\($0[1])" }.joined(separator: "\n")
    #expect(try Self.rows(Self.plan("file: f\nformat: csv"), csv) == expected)
    let objects = lines.map { "{\"k\":\($0[0]),\"name\":\"\($0[1])\"}" }
    #expect(try Self.rows(Self.plan("file: f"), objects.joined(separator: "\n")) == expected)
    let array = "[\(objects.joined(separator: ","))]"
    #expect(try Self.rows(Self.plan("file: f"), array) == expected)
  }

  /// However a file is damaged, it is refused or read; nothing else happens.
  @Test(arguments: 0..<8) func aDamagedFileNeverEndsTheProcess(seed: UInt64) throws {
    var generator = SplitMix64(seed: seed)
    for table in ["file: f", "file: f\nformat: csv"] {
      let decoder = TableDecoder(plan: try Self.plan(table).tables[0])
      let sound = Array("[{\"k\":1,\"name\":\"a\\\"b\"},{\"k\":2}]\n1,\"x\"\"y\"\n2,z\n".utf8)
      for _ in 0..<2_000 {
        var bytes = sound
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
          let place = Int.random(in: 0..<bytes.count, using: &generator)
          switch Int.random(in: 0..<3, using: &generator) {
          case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
          case 1: bytes.remove(at: place)
          default: bytes.insert(Array("[]{},\"\n\\".utf8)[place % 8], at: place)
          }
          if bytes.isEmpty { bytes = sound }
        }
        _ = try? decoder.decode(file: bytes, name: "f")
      }
    }
  }
}
