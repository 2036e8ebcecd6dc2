import Columns
import StreamSQL
import Testing

@Suite struct PlanTests {
  static let consoleTemplate = """
    CREATE OR REPLACE STREAM "TEMP_STREAM" ("passengers" DOUBLE, "ANOMALY_SCORE" DOUBLE);
    CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" ("passengers" DOUBLE, "ANOMALY_SCORE" DOUBLE);
    CREATE OR REPLACE PUMP "STREAM_PUMP" AS INSERT INTO "TEMP_STREAM"
    SELECT STREAM "passengers", ANOMALY_SCORE FROM TABLE(RANDOM_CUT_FOREST(
      CURSOR(SELECT STREAM * FROM "SOURCE_SQL_STREAM_001"), 100, 256, 100000, 24));
    CREATE OR REPLACE PUMP "OUTPUT_PUMP" AS INSERT INTO "DESTINATION_SQL_STREAM"
    SELECT STREAM * FROM "TEMP_STREAM"
    ORDER BY FLOOR("TEMP_STREAM".ROWTIME TO SECOND), ANOMALY_SCORE DESC;
    """

  @Test func consoleTemplateIsExplained() throws {
    let source = SourceStream(
      name: "SOURCE_SQL_STREAM_001",
      schema: Schema([
        ColumnDefinition(name: "pickup_time", type: .timestamp),
        ColumnDefinition(name: "passengers", type: .double),
      ]))
    let result = compile(Self.consoleTemplate, file: "app.sql", sources: [source])
    let plan = try #require(result.plan, "\(rendered(result))")
    let expected = """
      streams
        SOURCE_SQL_STREAM_001 (source): pickup_time TIMESTAMP, passengers DOUBLE
        TEMP_STREAM: passengers DOUBLE, ANOMALY_SCORE DOUBLE
        DESTINATION_SQL_STREAM: passengers DOUBLE, ANOMALY_SCORE DOUBLE
      pump STREAM_PUMP -> TEMP_STREAM
        project "passengers", "ANOMALY_SCORE"
          RANDOM_CUT_FOREST on "passengers", 100 trees, 256 points each, time decay 100000, shingle 24  [state]
            project "pickup_time", "passengers"
              scan SOURCE_SQL_STREAM_001
      pump OUTPUT_PUMP -> DESTINATION_SQL_STREAM
        project "passengers", "ANOMALY_SCORE"
          order by "ORDER$0", "ANOMALY_SCORE" DESC per 1 second  [state]
            project "passengers", "ANOMALY_SCORE", FLOOR(ROWTIME TO SECOND)
              scan TEMP_STREAM
      parallelism: single, not keyed by the record key: pump "STREAM_PUMP": RANDOM_CUT_FOREST; pump \
      "OUTPUT_PUMP": ORDER BY; no input declares its key column

      """
    #expect(plan.explain() == expected)
  }

  /// Queries over a source with key K, and whether a task per partition may run them.
  static let parallel: [(String, Bool)] = [
    ("SELECT STREAM v FROM s WHERE x > 1", true),
    ("SELECT STREAM COUNT(*) FROM s GROUP BY k, FLOOR(ROWTIME TO MINUTE)", true),
    ("SELECT STREAM COUNT(*) FROM s GROUP BY v, FLOOR(ROWTIME TO MINUTE)", false),
    ("SELECT STREAM COUNT(*) FROM s GROUP BY UPPER(k), FLOOR(ROWTIME TO MINUTE)", false),
    ("SELECT STREAM COUNT(*) OVER (PARTITION BY k, v ROWS 3 PRECEDING) FROM s", true),
    ("SELECT STREAM COUNT(*) OVER (ROWS 3 PRECEDING) FROM s", false),
    ("SELECT STREAM s.v FROM s JOIN t ON s.k = t.k", true),
    ("SELECT STREAM s.v FROM s JOIN t ON s.v = t.w", false),
    ("SELECT STREAM s.v FROM s JOIN refs ON s.v = refs.n", true),
    (
      "SELECT v FROM TABLE(RANDOM_CUT_FOREST(CURSOR(SELECT STREAM v, k FROM s) PARTITION BY k))",
      true
    ),
    ("SELECT v FROM TABLE(RANDOM_CUT_FOREST(CURSOR(SELECT STREAM v, k FROM s)))", false),
    ("SELECT STREAM v FROM s ORDER BY ROWTIME, v", false),
  ]

  @Test(arguments: parallel)
  func operatorsKeyedByTheRecordKeyAreParallel(_ test: (String, Bool)) throws {
    let result = compiled(query: test.0, "INTEGER")
    let plan = try #require(result.plan, "\(rendered(result))")
    #expect((plan.parallelism == .partitionParallel) == test.1, "\(plan.explain())")
  }

  @Test func keysAreFollowedThroughStreams() throws {
    let program = """
      CREATE STREAM a (key2 VARCHAR(16), n INTEGER);
      CREATE PUMP p1 AS INSERT INTO a SELECT STREAM k, v FROM s;
      CREATE STREAM b (n INTEGER);
      CREATE PUMP p2 AS INSERT INTO b SELECT STREAM SUM(n) FROM a GROUP BY key2, FLOOR(ROWTIME TO MINUTE);
      """
    let plan = try #require(compiled(program).plan)
    #expect(plan.parallelism == .partitionParallel)
    let mixed = program + "CREATE PUMP p0 AS INSERT INTO a SELECT STREAM 'x', v FROM s;"
    #expect(try #require(compiled(mixed).plan).parallelism != .partitionParallel)
  }

  @Test func equalitiesOfWhereBecomeJoinKeys() throws {
    let result = compiled(
      query: "SELECT STREAM a.v FROM s AS a, t AS b WHERE a.ROWTIME = b.ROWTIME AND b.k = a.k "
        + "AND a.v > b.w", "INTEGER")
    let root = try #require(result.plan?.pumps[0].root)
    guard case .project(let filter, _, _) = root.operation,
      case .filter(let node, _) = filter.operation, case .join(let join) = node.operation
    else {
      Issue.record("unexpected plan")
      return
    }
    #expect(join.keys.count == 2)
    #expect(join.leftWindow == .currentRow && join.rightWindow == .currentRow)
  }

  @Test func equalitiesReachInnerJoins() throws {
    let result = compiled(
      query: "SELECT STREAM a.v FROM s AS a, s AS b, t WHERE a.k = b.k AND b.k = t.k", "INTEGER")
    let plan = try #require(result.plan)
    #expect(plan.parallelism == .partitionParallel, "\(plan.explain())")
    #expect(!plan.explain().contains("filter"))
  }

  @Test func blanksOfCharDoNotCount() throws {
    let result = compiled(
      query:
        "SELECT STREAM v FROM s WHERE CAST(k AS CHAR(4)) = 'ab  ' AND CAST(k AS CHAR(4)) IN ('ab')",
      "INTEGER")
    let text = try #require(result.plan, "\(rendered(result))").explain()
    #expect(
      text.contains(
        "((TRIM(CAST(\"K\" AS CHAR(4)), ' ') = 'ab') AND (TRIM(CAST(\"K\" AS CHAR(4)), ' ') IN ('ab')))"
      ),
      "\(text)")
  }

  @Test func clocksAreSeen() throws {
    for (expression, reads) in [("et", false), ("COALESCE(et, CURRENT_ROW_TIMESTAMP)", true)] {
      let result = compiled(query: "SELECT STREAM \(expression) FROM s", "TIMESTAMP")
      #expect(try #require(result.plan).readsClock == reads)
    }
  }

  @Test func columnsOfAPumpAreThoseOfItsTarget() throws {
    for test in try ConformanceCorpus.cases() {
      guard let plan = test.compiled().plan else { continue }
      for pump in plan.pumps {
        let target = plan.streams[pump.target].schema.columns.map(\.type)
        #expect(pump.root.output.columns.map(\.type) == target, "\(test.name)")
      }
      #expect(!plan.explain().isEmpty)
    }
  }
}
