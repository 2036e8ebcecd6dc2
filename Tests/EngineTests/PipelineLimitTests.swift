import Engine
import Foundation
import Testing

/// Limits that a pipeline sets.
@Suite struct PipelineLimitTests {
  static let forests = """
    CREATE OR REPLACE STREAM "SCORED" ("n" BIGINT, "score" DOUBLE, "status" VARCHAR(16));
    CREATE OR REPLACE PUMP "SCORE_PUMP" AS INSERT INTO "SCORED"
      SELECT STREAM "n", "ANOMALY_SCORE", "STATUS" FROM TABLE(RANDOM_CUT_FOREST(
        CURSOR(SELECT STREAM "n", CAST(MOD("n", 7) AS VARCHAR(8)) AS "key" FROM "NUMBERS")
        PARTITION BY "key", 10, 16));
    """

  @Test func keysBeyondTheLimitHaveNoModelAndTheOthersScoreAsBefore() async throws {
    var outputs: [[[String: Any]]] = []
    for models in [3, 7] {
      let bench = try PipelineBench()
      defer { #expect(throws: Never.self) { try bench.remove() } }
      try bench.produceNumbers(0..<700)
      let plan = try bench.plan(
        Self.forests, stream: "SCORED", extra: "limits: {models: \(models)}")
      #expect(try await bench.run(bench.daemon(plan), until: 700))
      outputs.append(try bench.lines("out").map(DaemonTests.object))
    }
    #expect(outputs.map(\.count) == [700, 700])
    for (few, many) in zip(outputs[0], outputs[1]) {
      let key = (few["n"] as? Int ?? 0) % 7
      #expect((few["status"] as? String == "NO_MODEL") == (key >= 3))
      #expect(many["status"] as? String != "NO_MODEL")
      if key < 3 { #expect(few["score"] as? Double == many["score"] as? Double) }
    }
  }

  @Test func aRowThatMeetsTooManyRowsIsAnErrorThatNamesTheLimit() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try TableRefreshTests.write("0,a\n0,b\n0,c\n1,d\n", bench)
    try bench.produceNumbers(0..<2)
    let source = TableRefreshTests.fileSource(bench)
    let plan = try bench.plan(
      TableRefreshTests.program, stream: "NAMED",
      extra: """
        limits: {matches_per_row: 2}
        reference_tables:
          - table: NAMES
            \(source)
            columns: [{name: k, type: BIGINT}, {name: name, type: VARCHAR(32)}]
        """)
    #expect(try await bench.run(bench.daemon(plan), until: 2))
    #expect(try bench.lines("out") == [#"{"n":1,"name":"d"}"#])
    #expect(try bench.lines("errors").count == 1)
    #expect(try bench.lines("errors")[0].contains("matches_per_row"))
  }

  @Test func aBudgetBelowOneModelIsRefused() throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let error = #expect(throws: ConfigurationRefused.self) {
      try bench.plan(Self.forests, stream: "SCORED", extra: "limits: {model_memory: 100}")
    }
    let text = error?.description ?? ""
    #expect(text.contains("model_memory is 100"), "\(text)")
  }

  @Test(arguments: [
    ("limits: {modells: 3}", "did you mean models?"),
    ("limits: {keys: 0}", "limits.keys must be a whole number from 1"),
    ("limits: {model_after: 101}", "limits.model_after must be a whole number from 1 to 100"),
    ("limits: {model_ttl: 10ms}", "limits.model_ttl"),
  ]) func whatIsNoLimitIsRefused(extra: String, problem: String) throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let error = #expect(throws: ConfigurationRefused.self) { try bench.plan(extra: extra) }
    let text = error?.description ?? ""
    #expect(text.contains(problem), "\(text)")
  }
}
