import Foundation
import RimSupport
import Testing

extension SystemTests {
  /// A pipeline whose ROWTIME is a column, killed while it holds rows.
  @Suite("Fault 14: out of order within the bound, and beyond", .timeLimit(.minutes(3)))
  struct Fault14 {
    @Test func isTheSameAfterAKill() async throws {
      let stage = try Stage(topics: ["readings": 1])
      try stage.write(Self.pipeline, to: "p.yaml")
      // Pairs in the wrong order, and from the second hundred on every tenth is long past.
      let seconds = (0..<2_000).map { $0 % 2 == 0 ? $0 + 1 : $0 - 1 }
      let records = seconds.enumerated().map { index, second in
        Self.record(index > 100 && index % 10 == 0 ? second - 90 : second)
      }
      let first = try stage.daemon("p.yaml")
      _ = try #require(await first.line(containing: "the group gives"))
      try stage.produce(Array(records[..<1_000]), to: "readings")
      try await stage.expectRows(800, of: first)
      await stage.kill(first)
      let again = try stage.daemon("p.yaml")
      try stage.produce(records[1_000...] + [Self.record(5_000)], to: "readings")
      let onTime = seconds.indices.filter { !($0 > 100 && $0 % 10 == 0) }.map { seconds[$0] }
      let expected = onTime.sorted().map { "{\"s\":\($0)}" }
      try await stage.expectRows(expected.count / 100 * 100, of: again)
      await stage.end(again)
      // The last record lets the others go; its own row goes when nothing came for the idle time-out,
      // which on a slow machine is before the end.
      let rows = stage.rows().filter { $0 != "{\"s\":5000}" }
      #expect(rows.sorted() == expected.sorted())
      let late = seconds.indices.filter { $0 > 100 && $0 % 10 == 0 }
      #expect(
        stage.rows("late").sorted() == late.map { "{\"s\":\(seconds[$0] - 90)}" }.sorted())
      let balance = try await stage.expectBalance(of: "readings")
      #expect(balance.polled == 2_001 && balance.late == late.count, "\(balance)")
    }

    private static func record(_ second: Int) -> String {
      "{\"at\":\(1_700_000_000_000 + second * 1_000),\"s\":\(second)}"
    }

    private static let pipeline = """
      name: readings
      application: |
        CREATE OR REPLACE STREAM "ROWS_IN_ORDER" ("s" BIGINT);
        CREATE OR REPLACE PUMP "ROW_PUMP" AS INSERT INTO "ROWS_IN_ORDER"
        SELECT STREAM "s" FROM "READINGS";
        CREATE OR REPLACE STREAM "LATE_ROWS" ("s" BIGINT);
        CREATE OR REPLACE PUMP "LATE_PUMP" AS INSERT INTO "LATE_ROWS"
        SELECT STREAM "s" FROM "LATE";
      inputs:
        - stream: READINGS
          kafka: {topic: readings, start: earliest}
          columns: [{name: at, type: BIGINT}, {name: s, type: BIGINT}]
          event_time: {column: at, lateness: 10s, late: LATE}
      outputs:
        - stream: ROWS_IN_ORDER
          delivery: {to: file://./out, buffer: {interval: 900s, records: 100}}
        - stream: LATE_ROWS
          delivery: {to: file://./late, buffer: {interval: 900s, records: 100}}
      kafka: {session.timeout.ms: 4000, heartbeat.interval.ms: 300}
      commit_interval: 200ms
      """
  }
}
