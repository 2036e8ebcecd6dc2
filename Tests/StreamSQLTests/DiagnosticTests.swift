import StreamSQL
import Testing

/// Programs that are refused, and what the user reads.
@Suite struct DiagnosticTests {
  struct Refusal: Sendable, CustomTestStringConvertible {
    let query: String
    let types: String
    /// Part of the first error's first line.
    let message: String
    /// Part of its hint.
    let hint: String?

    var testDescription: String { message }

    init(
      _ query: String, types: String = "INTEGER", _ message: String, hint: String? = nil
    ) {
      self.query = query
      self.types = types
      self.message = message
      self.hint = hint
    }
  }

  static let refusals: [Refusal] = [
    Refusal(
      "SELECT STREAM COUNT(*) FROM s GROUP BY k", "GROUP BY without a monotonic",
      hint: "STEP(\"S\".ROWTIME BY INTERVAL '60' SECOND)"),
    Refusal(
      "SELECT STREAM v FROM s ORDER BY k", "ORDER BY whose leading",
      hint: "FLOOR(s.ROWTIME TO SECOND)"),
    Refusal(
      "SELECT STREAM \"k\" FROM s", types: "VARCHAR(8)", "there is no column \"k\"",
      hint: "the name is K"),
    Refusal(
      "SELECT STREAM lower FROM s", types: "BIGINT", "LOWER is a reserved word", hint: "\"lower\""),
    Refusal("SELECT STREAM vv FROM s", "there is no column \"VV\"", hint: "did you mean V"),
    Refusal(
      "SELECT STREAM COUNT(DISTINCT v) FROM s GROUP BY FLOOR(ROWTIME TO MINUTE)",
      "COUNT(DISTINCT …)", hint: "COUNT_DISTINCT_ITEMS_TUMBLING"),
    Refusal("SELECT STREAM COUNT(*) FROM s", "aggregate without GROUP BY", hint: "GROUP BY STEP"),
    Refusal(
      "SELECT STREAM COUNT(*) FROM s, STEP(s.ROWTIME BY INTERVAL '60' SECOND)",
      "expected a stream in FROM, found the function STEP", hint: "windows belong to GROUP BY"),
    Refusal(
      "SELECT STREAM COUNT(*) FROM s GROUP BY FLOOR(ROWTIME TO MINUTE / 5)", "expected ')'",
      hint: "STEP(s.ROWTIME BY INTERVAL '5' MINUTE)"),
    Refusal(
      "SELECT x FROM TABLE(RANDOM_CUT_FOREST(CURSOR(SELECT STREAM x FROM s), 100, 256, 100000, 1, true))",
      types: "DOUBLE", "at most 4 parameters", hint: "RANDOM_CUT_FOREST_WITH_EXPLANATION"),
    Refusal(
      "SELECT x FROM TABLE(RANDOM_CUT_FOREST(CURSOR(SELECT STREAM k FROM s)))", types: "DOUBLE",
      "no numeric column"),
    Refusal(
      "SELECT x FROM TABLE(RANDOM_CUT_FOREST(CURSOR(SELECT STREAM x FROM s), 0))", types: "DOUBLE",
      "numberOfTrees is an integer from 1 to 1000"),
    Refusal(
      "SELECT x FROM TABLE(RANDOM_CUT_FORST(CURSOR(SELECT STREAM x FROM s)))", types: "DOUBLE",
      "no table function", hint: "RANDOM_CUT_FOREST?"),
    Refusal("SELECT STREAM value FROM s", "VALUE is a reserved word", hint: "must be quoted"),
    Refusal("SELECT STREAM v, FROM s", "expected an expression", hint: "remove the comma"),
    Refusal("SELECT STREAM v FROM s LIMIT 10", "expected ';'", hint: "no LIMIT"),
    Refusal("SELECT STREAM v FROM nowhere", "there is no stream \"NOWHERE\""),
    Refusal("SELECT STREAM v FROM error_stream", "the error stream cannot be read"),
    Refusal("SELECT STREAM v, v FROM s", "has 1 column, the query gives 2"),
    Refusal(
      "SELECT STREAM k FROM s", "column \"C0\" of \"OUT\" is INTEGER, the value is VARCHAR(8)",
      hint: "CAST(… AS INTEGER)"),
    Refusal("SELECT STREAM v FROM s WHERE k = 1", "VARCHAR(8) cannot be compared with INTEGER"),
    Refusal(
      "SELECT STREAM v FROM s WHERE et > '2024-01-01'", "cannot be compared",
      hint: "TIMESTAMP '2024-01-01'"),
    Refusal("SELECT STREAM v FROM s WHERE v", "the condition of WHERE must be BOOLEAN"),
    Refusal(
      "SELECT STREAM v FROM s WHERE COUNT(*) > 1", "COUNT is not possible in WHERE", hint: "HAVING"),
    Refusal(
      "SELECT STREAM et + 5 FROM s", types: "TIMESTAMP",
      "'+' is not defined for TIMESTAMP and INTEGER", hint: "INTERVAL"),
    Refusal("SELECT STREAM v + k FROM s", "'+' is not defined"),
    Refusal("SELECT STREAM LENGTH(k) FROM s", "there is no function LENGTH", hint: "CHAR_LENGTH"),
    Refusal(
      "SELECT STREAM UPER(k) FROM s", types: "VARCHAR(8)", "there is no function UPER",
      hint: "did you mean UPPER"),
    Refusal(
      "SELECT STREAM ROW_NUMBER() OVER w FROM s WINDOW w AS (ROWS 1 PRECEDING)", "ROW_NUMBER"),
    Refusal("SELECT STREAM SUM(v) OVER nope FROM s", "there is no window \"NOPE\""),
    Refusal(
      "SELECT STREAM SUM(v) OVER (ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING) FROM s",
      "must end at the current row"),
    Refusal(
      "SELECT STREAM SUM(v) OVER (ORDER BY v ROWS 2 PRECEDING) FROM s", "a window has no ORDER BY"),
    Refusal(
      "SELECT STREAM STDDEV(v) OVER (ROWS UNBOUNDED PRECEDING) FROM s", types: "DOUBLE",
      "without lower bound"),
    Refusal("SELECT STREAM v FROM s UNION SELECT STREAM w FROM t", "UNION ALL"),
    Refusal("SELECT STREAM v FROM s UNION ALL SELECT STREAM k FROM t", "column 1 of UNION ALL"),
    Refusal("SELECT STREAM DISTINCT k FROM s", types: "VARCHAR(8)", "SELECT DISTINCT without"),
    Refusal(
      "SELECT STREAM v, k FROM s GROUP BY k, FLOOR(ROWTIME TO MINUTE)", types: "INTEGER;VARCHAR(8)",
      "neither grouped nor aggregated"),
    Refusal(
      "SELECT STREAM COUNT(*) FROM s GROUP BY FLOOR(ROWTIME TO MINUTE), FLOOR(ROWTIME TO HOUR)",
      "two expressions based on ROWTIME"),
    Refusal(
      "SELECT STREAM a.v FROM s AS a OVER (PARTITION BY k RANGE INTERVAL '1' MINUTE PRECEDING) JOIN t ON a.k = t.k",
      "no PARTITION BY"),
    Refusal(
      "SELECT STREAM k FROM s, t", types: "VARCHAR(8)", "column \"K\" is ambiguous",
      hint: "S.K or T.K"),
    Refusal("SELECT STREAM r.n FROM refs AS r", "reads at least one stream"),
    Refusal("SELECT STREAM r.n FROM s RIGHT JOIN refs AS r ON s.k = r.k", "cannot be kept"),
    Refusal("SELECT STREAM v FROM s WHERE k IN (SELECT k FROM t)", "IN with a query"),
    Refusal("SELECT STREAM (et - ROWTIME) SECOND FROM s", "an interval cannot be a column"),
    Refusal(
      "SELECT STREAM v FROM s WHERE et > TIMESTAMP '2024-13-01 00:00:00'", "is not a TIMESTAMP",
      hint: "yyyy-mm-dd"),
    Refusal("SELECT STREAM v FROM s WHERE k SIMILAR TO '(a'", "malformed pattern"),
    Refusal(
      "SELECT STREAM REGEX_REPLACE(k, '[a', 'b', 1, 0) FROM s", types: "VARCHAR(8)",
      "malformed pattern"),
    Refusal("SELECT STREAM v FROM s WHERE x – 1 > 0", "typographic dash", hint: "write -"),
    Refusal("SELECT STREAM 'open FROM s", "string has no end"),
    Refusal("SELECT STREAM EXTRACT(HOUR FROM dt) FROM s", "DATE has no HOUR"),
    Refusal(
      "SELECT STREAM CAST(v AS TIMESTAMP) FROM s", types: "TIMESTAMP", "INTEGER cannot be cast",
      hint: "TO_TIMESTAMP"),
    Refusal("SELECT STREAM REGEX_LOG_PARSE(k, '(a)') FROM s", "is a record and cannot be stored"),
    Refusal(
      "SELECT STREAM COUNT(*) FROM s WINDOWED BY STAGGER (PARTITION BY k RANGE INTERVAL '0' MINUTE)",
      "positive interval"),
    Refusal(
      "SELECT STREAM COUNT(*) AS n FROM s GROUP BY FLOOR(ROWTIME TO MINUTE) HAVING n > 3",
      "only an alias of the select list", hint: "repeat the expression"),
    Refusal("VALUES (1)", "VALUES is no stream"),
  ]

  @Test(arguments: refusals)
  func refusal(_ test: Refusal) {
    let result = compiled(query: test.query, test.types)
    #expect(result.plan == nil, "\(test.query)")
    let first = result.diagnostics.first { $0.severity == .error }
    #expect(first?.message.contains(test.message) == true, "\(test.query)\n\(rendered(result))")
    if let hint = test.hint {
      #expect(first?.hint?.contains(hint) == true, "\(test.query)\n\(rendered(result))")
    }
  }

  static let programs: [(String, String)] = [
    ("CREATE STREAM s2 (a STRING)", "unknown type 'STRING'"),
    ("CREATE STREAM s2 (a INTEGER, a INTEGER)", "declared twice"),
    ("CREATE STREAM s2 (a INTEGER); CREATE STREAM s2 (a INTEGER)", "there is already a stream"),
    ("CREATE STREAM s (a INTEGER)", "is a source stream"),
    ("CREATE STREAM \"error_stream\" (a INTEGER)", "the error stream cannot be created"),
    ("CREATE STREAM s2 (a INTERVAL DAY)", "an interval cannot be the type"),
    ("CREATE PUMP p AS INSERT INTO s SELECT STREAM * FROM t", "is a source stream"),
    ("CREATE TABLE t (a INTEGER)", "expected STREAM, PUMP or FUNCTION"),
    ("INSERT INTO s SELECT STREAM * FROM t", "INSERT stands outside a pump"),
    ("SELECT STREAM * FROM t", "SELECT stands outside a pump"),
    ("ALTER PUMP nope START", "there is no pump"),
    ("CREATE FUNCTION f(a INTEGER) RETURNS INTEGER RETURN f(a)", "calls itself"),
    ("CREATE STREAM s2 (a STRING, b INTEGER, c TEXT)", "unknown type 'TEXT'"),
    ("CREATE STREAM s2 (a INTEGER) WITH (connector = 'kafka')", "found 'WITH'"),
    ("CREATE SOURCE s2 FROM KAFKA", "found 'SOURCE'"),
    ("CREATE STREAM s2 (a INTEGER, WATERMARK FOR a AS a)", "found 'WATERMARK'"),
    ("CREATE FUNCTION f(a INTEGER) RETURNS INTEGER RETURN b", "there is no column \"B\""),
    (
      "CREATE STREAM a (n INTEGER); CREATE STREAM b (n INTEGER); CREATE PUMP p AS INSERT INTO a SELECT STREAM n FROM b; CREATE PUMP q AS INSERT INTO b SELECT STREAM n FROM a",
      "in a circle"
    ),
    ("CREATE STREAM a (n INTEGER) /* open", "comment has no end"),
    ("CREATE STREAM a (value 1)", "expected a type"),
    ("HELLO", "expected a statement"),
  ]

  @Test(arguments: programs)
  func program(_ test: (String, String)) {
    let result = compiled(test.0)
    #expect(result.plan == nil, "\(test.0)")
    #expect(
      result.diagnostics.contains { $0.message.contains(test.1) }, "\(test.0)\n\(rendered(result))")
  }

  @Test func errorsAreToldTogetherWithTheirPlaces() {
    let program = """
      CREATE STREAM a (n INTEGER, m VARCHR(8));
      CREATE STREAM b (n INTEGER);
      CREATE PUMP p AS INSERT INTO b
      \tSELECT STREAM vv + 1 FROM s WHERE zz > 1;
      CREATE PUMP q AS INSERT INTO a SELECT STREAM v FROM s;
      """
    let expected = """
      app.sql:1:31: error: unknown type 'VARCHR'
        CREATE STREAM a (n INTEGER, m VARCHR(8));
                                      ^
        hint: types are BOOLEAN, TINYINT, SMALLINT, INTEGER, BIGINT, DECIMAL(p,s), REAL, DOUBLE, \
      CHAR(n), VARCHAR(n), BINARY(n), VARBINARY(n), DATE, TIME, TIMESTAMP
      app.sql:4:16: error: there is no column "VV"
        \tSELECT STREAM vv + 1 FROM s WHERE zz > 1;
        \t              ^
        hint: did you mean V?
      app.sql:4:36: error: there is no column "ZZ"
        \tSELECT STREAM vv + 1 FROM s WHERE zz > 1;
        \t                                  ^
        hint: the columns are K, V, X, D, ET, B, DT, TM, lower
      """
    #expect(rendered(compiled(program)) == expected)
  }

  @Test func warningsDoNotRefuse() {
    let result = compiled(
      query:
        "SELECT v, ANOMALY_SCORE FROM TABLE(RANDOM_CUT_FOREST(CURSOR(SELECT STREAM v, \"lower\" "
        + "AS user_id FROM s)))", "INTEGER;DOUBLE")
    #expect(result.plan != nil)
    #expect(rendered(result).contains("\"USER_ID\" enters the model"))
    let interval = compiled(
      query: "SELECT STREAM COUNT(*) OVER (RANGE INTERVAL '120' MINUTE PRECEDING) FROM s",
      "INTEGER")
    #expect(rendered(interval).contains("more than 2 digits of MINUTE"))
    let strict = compiled(
      query: "SELECT STREAM COUNT(*) OVER (RANGE INTERVAL '120' MINUTE PRECEDING) FROM s",
      "INTEGER", CompileOptions(strict: true))
    #expect(strict.plan == nil)
  }

  @Test func allConditionsAndAllParametersOfAForestAreJudged() {
    let conditions = compiled(
      query: "SELECT STREAM v FROM s WHERE v > 'a' AND k LIKE 3 OR NOT x", "INTEGER")
    #expect(conditions.diagnostics.map(\.position.column).count == 3, "\(conditions.diagnostics)")
    let forest = compiled(
      query: """
        SELECT STREAM ANOMALY_SCORE
        FROM TABLE(RANDOM_CUT_FOREST(CURSOR(SELECT STREAM x FROM s), 2000, 5, 0, 600))
        """, "DOUBLE")
    #expect(
      forest.diagnostics.compactMap { $0.message.split(separator: " ").first } == [
        "numberOfTrees", "subSampleSize", "timeDecay", "shingleSize",
      ])
  }
}
