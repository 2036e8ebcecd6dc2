import Foundation
import Testing

extension SystemTests {
  /// A reference table whose file is changed while the daemon runs, which is then killed.
  @Suite(.timeLimit(.minutes(3))) struct AReferenceTable {
    @Test func hasTheSameRowsForTheSameRecordsAfterAKill() async throws {
      let stage = try Stage(topics: ["numbers": 1])
      try stage.write(Self.pipeline, to: "p.yaml")
      try write("first", stage)
      let first = try stage.daemon("p.yaml")
      _ = try #require(await first.line(containing: "has 2 rows from record 0 on"))
      try stage.produce(Self.records(0..<1_000), to: "numbers")
      try await stage.expectRows(1_000, of: first)
      try write("second", stage)
      _ = try #require(await first.line(containing: "has 2 rows from record 1000 on"))
      try stage.produce(Self.records(1_000..<2_000), to: "numbers")
      try await stage.expectRows(1_500, of: first)
      await stage.kill(first)
      // What is wrong now must not matter to what was taken with the rows before.
      try stage.write("k,name\nno number,x\n", to: "names.csv")
      let again = try stage.daemon("p.yaml")
      try stage.produce(Self.records(2_000..<3_000), to: "numbers")
      try await stage.expectRows(3_000, of: again)
      #expect(again.text.contains("p.yaml:13:5"), "\(again.text)")
      #expect(again.text.contains("names.csv:2: Column.TypeMismatch"))
      await stage.end(again)
      let expected = (0..<3_000).map { number in
        "{\"n\":\(number),\"name\":\"\(number < 1_000 ? "first" : "second")-\(number % 2)\"}"
      }
      #expect(stage.rows().sorted() == expected.sorted())
    }

    @Test func thatIsNotThereIsRefusedWithItsPlace() async throws {
      let stage = try Stage(topics: ["numbers": 1])
      try stage.write(Self.pipeline, to: "p.yaml")
      for command in ["validate", "run"] {
        let (code, text) = try await stage.command(command, "p.yaml", "--brokers", stage.address)
        #expect(code == 78)
        #expect(text.contains("p.yaml:13:5"), "\(text)")
        #expect(text.contains("table NAMES: names.csv: no such file"))
      }
    }

    /// Puts another table in place of the one that is there.
    private func write(_ text: String, _ stage: Stage) throws {
      try stage.write("k,name\n0,\(text)-0\n1,\(text)-1\n", to: "names.new")
      try #require(rename(stage.path + "/names.new", stage.path + "/names.csv") == 0)
    }

    private static func records(_ numbers: Range<Int>) -> [String] {
      numbers.map { "{\"n\":\($0)}" }
    }

    private static let pipeline = tablePipeline(
      source: "file: names.csv\n    format: csv\n    csv: {header: true}")
  }

  /// Rows of a topic joined with the table that `source` names.
  static func tablePipeline(source: String) -> String {
    """
    name: numbers
    application: |
      CREATE OR REPLACE STREAM "NAMED" ("n" BIGINT, "name" VARCHAR(32));
      CREATE OR REPLACE PUMP "NAME_PUMP" AS INSERT INTO "NAMED"
      SELECT STREAM s."n", t."name" FROM "NUMBERS" AS s
      JOIN "NAMES" AS t ON MOD(s."n", 2) = t."k";
    inputs:
      - stream: NUMBERS
        kafka: {topic: numbers, start: earliest}
        format: json
        columns: [{name: n, type: BIGINT}]
    reference_tables:
      - table: NAMES
        \(source)
        refresh: 100ms
        columns: [{name: k, type: BIGINT}, {name: name, type: VARCHAR(32)}]
    outputs:
      - stream: NAMED
        delivery: {to: file://./out, buffer: {interval: 900s, records: 100}}
    kafka: {session.timeout.ms: 4000, heartbeat.interval.ms: 300}
    commit_interval: 200ms
    """
  }
}
