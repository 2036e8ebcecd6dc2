import StreamSQL
import Testing

/// Queries that compile, with the types of the stream that they feed.
@Suite struct AcceptedTests {
  static let expressions: [(String, String)] = [
    ("v / 2", "INTEGER"), ("x / 2.0", "DOUBLE"), ("-v", "INTEGER"), ("- - 3", "INTEGER"),
    ("v + d", "DECIMAL(12,2)"), ("d * d", "DOUBLE"), ("MOD(v, 3)", "INTEGER"),
    ("v % 3", "INTEGER"), ("1e2", "DOUBLE"), (".5", "DOUBLE"), ("'it''s'", "VARCHAR(8)"),
    (#"u&'\0041'"#, "VARCHAR(8)"), (#"U&'!0041' UESCAPE '!'"#, "VARCHAR(8)"),
    ("X'0aFF'", "VARBINARY(2)"), ("TRUE", "BOOLEAN"), ("UNKNOWN", "BOOLEAN"), ("NULL", "DATE"),
    ("DATE '2024-02-29'", "DATE"), ("TIME '23:59:59.5'", "TIME"),
    ("TIMESTAMP '2024-01-02 03:04:05.678'", "TIMESTAMP"),
    ("et + INTERVAL '5' SECOND", "TIMESTAMP"), ("et - v * INTERVAL '1' MINUTE", "TIMESTAMP"),
    ("dt + INTERVAL '1' DAY", "DATE"), ("dt + INTERVAL '1' HOUR", "TIMESTAMP"),
    ("et + INTERVAL '1-2' YEAR TO MONTH", "TIMESTAMP"), ("tm + INTERVAL '1' HOUR", "TIME"),
    ("CAST((et - ROWTIME) SECOND AS INTEGER)", "INTEGER"),
    ("CAST((et - ROWTIME) DAY TO SECOND AS VARCHAR(30))", "VARCHAR(30)"),
    ("EXTRACT(MONTH FROM (et - ROWTIME) MONTH)", "BIGINT"),
    ("EXTRACT(SECOND FROM et)", "DECIMAL(5,3)"), ("FLOOR(et TO MONTH)", "TIMESTAMP"),
    ("CEIL(x)", "DOUBLE"), ("STEP(et BY INTERVAL '1' MONTH)", "TIMESTAMP"),
    ("STEP(v BY 5)", "INTEGER"), ("TSDIFF(et, ROWTIME) / 1000", "BIGINT"),
    ("UNIX_TIMESTAMP(FLOOR(et TO MINUTE)) / 1000", "BIGINT"), ("TO_TIMESTAMP(v)", "TIMESTAMP"),
    ("SUBSTRING(CAST(et AS VARCHAR(25)), 15, 19)", "VARCHAR(25)"),
    ("UPPER(CAST(v AS VARCHAR(10)) || '_' || SUBSTRING(k FROM 2 FOR 1))", "VARCHAR(20)"),
    ("SUBSTRING(k SIMILAR 'a#\"%#\"b' ESCAPE '#')", "VARCHAR(8)"),
    ("TRIM(LEADING '0' FROM k)", "VARCHAR(8)"), ("TRIM(k)", "VARCHAR(8)"),
    ("OVERLAY(k PLACING 'x' FROM 2)", "VARCHAR(9)"), ("POSITION('a' IN k)", "INTEGER"),
    ("REGEX_REPLACE(k, '([a-z])', '$1$1', 1, 0)", "VARCHAR(20)"),
    ("JSON_VALUE(k, '$.a')", "VARCHAR(20)"), ("CHAR_TO_DATE('yyyy', k)", "DATE"),
    ("TIME_TO_CHAR('HH:mm', tm)", "VARCHAR(5)"), ("CURRENT_TIMESTAMP", "TIMESTAMP"),
    ("CURRENT_DATE", "DATE"), ("LOCALTIME", "TIME"), ("CURRENT_ROW_TIMESTAMP", "TIMESTAMP"),
    ("CASE v WHEN 1 THEN 'one' ELSE NULL END", "VARCHAR(3)"),
    ("CASE WHEN b THEN 1 ELSE 0.5 END", "DOUBLE"), ("COALESCE(v, x, 0)", "DOUBLE"),
    ("NULLIF(v, 0)", "INTEGER"), ("v IN (1, 2, NULL)", "BOOLEAN"),
    ("NOT v BETWEEN 1 AND 2 AND b", "BOOLEAN"), ("k NOT LIKE 'a!%' ESCAPE '!'", "BOOLEAN"),
    ("k SIMILAR TO '(a|b)+[0-9]{2}'", "BOOLEAN"), ("b IS NOT TRUE OR b IS UNKNOWN", "BOOLEAN"),
    ("v IS DISTINCT FROM x", "BOOLEAN"), ("\"lower\"", "BIGINT"),
    ("s.partition_key", "VARCHAR(64)"),
    ("\"S\".\"ROWTIME\"", "TIMESTAMP"), ("rowtime", "TIMESTAMP"), ("et > dt", "BOOLEAN"),
    ("v AS \"value\"", "INTEGER"), ("v AS timestamp", "INTEGER"), ("v type", "INTEGER"),
    ("MONOTONIC(et)", "TIMESTAMP"), ("CAST('12' AS INTEGER)", "INTEGER"),
    ("CAST(INTERVAL '90' SECOND AS INTEGER)", "INTEGER"),
    ("ABS(INTERVAL '-1' DAY) = INTERVAL '1' DAY", "BOOLEAN"),
  ]

  @Test(arguments: expressions)
  func expression(_ test: (String, String)) {
    let result = compiled(query: "SELECT STREAM \(test.0) FROM s", test.1)
    #expect(result.plan != nil, "\(test.0)\n\(rendered(result))")
  }

  static let queries: [(String, String)] = [
    ("SELECT * FROM (SELECT STREAM k, v FROM s) AS a", "VARCHAR(8);INTEGER"),
    ("SELECT STREAM a.k FROM ((SELECT STREAM k FROM s)) AS a", "VARCHAR(8)"),
    (
      "SELECT STREAM k, COUNT(*) FROM s GROUP BY k, FLOOR(s.ROWTIME TO MINUTE)",
      "VARCHAR(8);INTEGER"
    ),
    ("SELECT STREAM k, COUNT(*) FROM s GROUP BY k, CEIL(ROWTIME TO HOUR)", "VARCHAR(8);INTEGER"),
    ("SELECT STREAM COUNT(*) FROM s GROUP BY ROWTIME", "INTEGER"),
    (
      "SELECT STREAM COUNT(*) FROM s GROUP BY STEP(ROWTIME + INTERVAL '5' SECOND BY INTERVAL '1' MINUTE)",
      "INTEGER"
    ),
    (
      "SELECT STREAM COUNT(*) FROM s GROUP BY FLOOR((s.ROWTIME - TIMESTAMP '1970-01-01 00:00:00') SECOND / 10 TO SECOND), k",
      "INTEGER"
    ),
    ("SELECT STREAM COUNT(*) FROM s GROUP BY MONOTONIC(v)", "INTEGER"),
    ("SELECT STREAM COUNT(*) FROM s GROUP BY STEP(UNIX_TIMESTAMP(ROWTIME) BY 60000)", "INTEGER"),
    (
      "SELECT STREAM m, COUNT(*) FROM (SELECT STREAM FLOOR(ROWTIME TO MINUTE) AS m FROM s) GROUP BY m",
      "TIMESTAMP;INTEGER"
    ),
    (
      "SELECT STREAM CASE WHEN COUNT(*) > 1 THEN k ELSE 'x' END, AVG(v) + 1 FROM s GROUP BY k, STEP(s.ROWTIME BY INTERVAL '10' SECOND) HAVING MAX(v) > 3",
      "VARCHAR(8);INTEGER"
    ),
    (
      "SELECT STREAM k || '!', UPPER(k) FROM s GROUP BY k || '!', UPPER(k), FLOOR(ROWTIME TO DAY)",
      "VARCHAR(9);VARCHAR(8)"
    ),
    (
      "SELECT STREAM k, SUM(v) FROM s GROUP BY FLOOR(s.ROWTIME TO MINUTE), k ORDER BY FLOOR(s.ROWTIME TO MINUTE), SUM(v) DESC, k",
      "VARCHAR(8);INTEGER"
    ),
    ("SELECT STREAM k AS kk, v FROM s ORDER BY ROWTIME, 2 DESC, kk", "VARCHAR(8);INTEGER"),
    ("SELECT STREAM DISTINCT ROWTIME, k FROM s", "TIMESTAMP;VARCHAR(8)"),
    (
      "SELECT STREAM k, FIRST_VALUE(v), LAST_VALUE(v) FROM s WINDOWED BY STAGGER (PARTITION BY k RANGE INTERVAL '1' MINUTE)",
      "VARCHAR(8);INTEGER;INTEGER"
    ),
    (
      "SELECT STREAM COUNT(*) OVER (PARTITION BY k RANGE INTERVAL '0' MINUTE PRECEDING), COUNT(*) OVER (ROWS 0 PRECEDING) FROM s",
      "INTEGER;INTEGER"
    ),
    (
      "SELECT STREAM SUM(v) OVER (ROWS UNBOUNDED PRECEDING), LAG(v) OVER (PARTITION BY k) FROM s",
      "INTEGER;INTEGER"
    ),
    (
      "SELECT STREAM AVG(x) OVER hour FROM s WINDOW HOUR AS (PARTITION BY k RANGE INTERVAL '12' HOUR PRECEDING)",
      "DOUBLE"
    ),
    (
      "SELECT STREAM LAG(v, 1, 0) IGNORE NULLS OVER w, NTH_VALUE(v, 2) FROM LAST OVER w FROM s WINDOW w AS (RANGE INTERVAL '1' DAY PRECEDING)",
      "INTEGER;INTEGER"
    ),
    (
      "SELECT STREAM EXP_AVG(x, INTERVAL '10' SECOND) OVER (RANGE INTERVAL '1' MINUTE PRECEDING) FROM s",
      "DOUBLE"
    ),
    ("SELECT STREAM COUNT(*) OVER (RANGE INTERVAL '120' MINUTE PRECEDING) FROM s", "INTEGER"),
    (
      "SELECT STREAM SUM(COUNT(*)) OVER (RANGE INTERVAL '1' HOUR PRECEDING) FROM (SELECT STREAM k FROM s) AS s GROUP BY FLOOR(s.ROWTIME TO MINUTE)",
      "INTEGER"
    ),
    (
      "SELECT STREAM k FROM s UNION ALL SELECT STREAM NULL FROM t UNION ALL SELECT STREAM k FROM t ORDER BY ROWTIME",
      "VARCHAR(8)"
    ),
    ("(SELECT STREAM v FROM s) UNION ALL (SELECT STREAM x FROM s)", "DOUBLE"),
    (
      "SELECT STREAM a.v, b.w FROM s AS a, t AS b WHERE a.ROWTIME = b.ROWTIME AND a.k = b.k",
      "INTEGER;INTEGER"
    ),
    (
      "SELECT STREAM s.v, t.w FROM s OVER (RANGE INTERVAL '1' MINUTE PRECEDING) JOIN t ON s.k = t.k AND s.v > t.w",
      "INTEGER;INTEGER"
    ),
    (
      "SELECT STREAM a.v FROM s OVER w AS a FULL OUTER JOIN t OVER w AS b ON a.k = b.k WINDOW w AS (RANGE INTERVAL '1' MINUTE PRECEDING)",
      "INTEGER"
    ),
    (
      "SELECT STREAM a.v FROM s AS a OVER (RANGE INTERVAL '1' MINUTE FOLLOWING) LEFT JOIN t b ON a.k = b.k",
      "INTEGER"
    ),
    ("SELECT STREAM s.v, r.n FROM s LEFT JOIN refs AS r ON s.k = r.k", "INTEGER;INTEGER"),
    ("SELECT STREAM s.v, r.n FROM refs AS r, s WHERE s.k = r.k", "INTEGER;INTEGER"),
    (
      "SELECT STREAM s.v, c.name FROM s JOIN (VALUES ('a', 'Alpha'), ('b', NULL)) AS c(key, name) ON s.k = c.key",
      "INTEGER;VARCHAR(8)"
    ),
    (
      "SELECT k, ANOMALY_SCORE FROM TABLE(RANDOM_CUT_FOREST(CURSOR(SELECT STREAM k, x FROM s), 400, 400, 20000, 15))",
      "VARCHAR(8);DOUBLE"
    ),
    (
      "SELECT k, \"ANOMALY_SCORE\" / LOG10(256) FROM TABLE(RANDOM_CUT_FOREST(CURSOR(SELECT STREAM k, x FROM s), 100, 12, 100000, 1))",
      "VARCHAR(8);DOUBLE"
    ),
    (
      "SELECT rcf.ANOMALY_SCORE, src.k FROM TABLE(RANDOM_CUT_FOREST(CURSOR(SELECT STREAM x FROM s))) AS rcf, s AS src",
      "DOUBLE;VARCHAR(8)"
    ),
    (
      "SELECT k, ANOMALY_SCORE FROM TABLE(RANDOM_CUT_FOREST(CURSOR(SELECT STREAM k, x FROM s) PARTITION BY k, 50, 100))",
      "VARCHAR(8);DOUBLE"
    ),
    (
      "SELECT k, SCORE, STATUS, EXPECTED FROM TABLE(ML_DETECT_ANOMALIES(CURSOR(SELECT STREAM k, x, et FROM s) PARTITION BY k, time => 'ET', sensitivity => 4))",
      "VARCHAR(8);DOUBLE;VARCHAR(16);DOUBLE"
    ),
    (
      "SELECT STREAM k, window_start, window_end, COUNT(*) FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(ROWTIME), INTERVAL '1' MINUTE)) GROUP BY k, window_start, window_end",
      "VARCHAR(8);TIMESTAMP;TIMESTAMP;INTEGER"
    ),
    (
      "SELECT STREAM k, HOP_END(), COUNT(*) FROM s GROUP BY k, HOP(ROWTIME, INTERVAL '10' SECOND, INTERVAL '1' MINUTE)",
      "VARCHAR(8);TIMESTAMP;INTEGER"
    ),
    (
      "SELECT STREAM k, SESSION_START(ROWTIME, INTERVAL '5' MINUTE), COUNT(*) FROM s GROUP BY SESSION(ROWTIME, INTERVAL '5' MINUTE), k",
      "VARCHAR(8);TIMESTAMP;INTEGER"
    ),
    ("SELECT STREAM et AS ROWTIME, k FROM s", "VARCHAR(8)"),
    (
      "SELECT STREAM t.r.COLUMN1, t.r.COLUMN2 FROM (SELECT STREAM REGEX_LOG_PARSE(k, '(\\w+)=(?:x)?(\\d+)') AS r FROM s) AS t WHERE t.r IS NOT NULL",
      "VARCHAR(9);VARCHAR(9)"
    ),
    (
      "SELECT STREAM t.r.A, t.r.B FROM (SELECT STREAM FIXED_COLUMN_LOG_PARSE(k, 'A TYPE VARCHAR(2) START 0 FOR 2, B TYPE INTEGER START 2 FOR 3') AS r FROM s) AS t",
      "VARCHAR(2);INTEGER"
    ),
    (
      "SELECT STREAM t.r.COLUMN2 FROM (SELECT STREAM SYS_LOG_PARSE(k) AS r FROM s) AS t",
      "VARCHAR(9)"
    ),
    (
      "SELECT STREAM t.r.COLUMN3 FROM (SELECT STREAM VARIABLE_COLUMN_LOG_PARSE(k, 3, ',') AS r FROM s) AS t",
      "VARCHAR(9)"
    ),
  ]

  @Test(arguments: queries)
  func query(_ test: (String, String)) {
    let result = compiled(query: test.0, test.1)
    #expect(result.plan != nil, "\(test.0)\n\(rendered(result))")
  }

  @Test func aStreamIsDescribedAsItIsWhereDescribeStands() {
    let program = """
      CREATE STREAM "A" (n INTEGER); DESCRIBE "A";
      CREATE OR REPLACE STREAM "A" (m DOUBLE); DESCRIBE "A"; DROP STREAM "A";
      """
    #expect(
      compiled(program).answers == [
        "A\n  ROWTIME TIMESTAMP\n  N INTEGER", "A\n  ROWTIME TIMESTAMP\n  M DOUBLE",
      ])
  }

  @Test func extensionsAreAcceptedWhenAskedFor() {
    let query =
      "SELECT STREAM COUNT(DISTINCT v), PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY x), "
      + "APPROX_COUNT_DISTINCT(k) FROM s GROUP BY FLOOR(ROWTIME TO MINUTE)"
    let types = "INTEGER;DOUBLE;BIGINT"
    #expect(compiled(query: query, types).plan == nil)
    #expect(compiled(query: query, types, CompileOptions(extensions: true)).plan != nil)
    let program =
      "-- cutbank: extensions\nCREATE STREAM O (n BIGINT);\nCREATE PUMP P AS INSERT INTO O "
      + "SELECT STREAM COUNT(DISTINCT v) FROM s GROUP BY FLOOR(ROWTIME TO MINUTE)"
    #expect(compiled(program).plan != nil)
  }

  @Test func layoutAndStatements() {
    let program = """
      ;; /* first */ create or replace stream "A" ("timestamp" TIMESTAMP NOT NULL, value REAL,\tf FLOAT)
        description 'text';\r
      // reference style
      CREATE FUNCTION half(p INTEGER) RETURNS INTEGER LANGUAGE SQL CONTAINS SQL RETURN p / 2;
      CREATE OR REPLACE FUNCTION quarter(p INTEGER) RETURNS INTEGER RETURNS NULL ON NULL INPUT
        RETURN half(half(p));
      CREATE PUMP "later" AS INSERT INTO "B" SELECT STREAM quarter(v) FROM s;
      CREATE STREAM "B" (n INTEGER);
      CREATE PUMP p STOPPED AS INSERT EXPEDITED INTO "A" (value, "timestamp") SELECT STREAM x, et FROM s;
      ALTER PUMP p START;
      CREATE STREAM gone (n INTEGER); DROP STREAM gone; DROP PUMP IF EXISTS nothing;
      DESCRIBE "A"; SHOW PUMPS
      """
    let result = compiled(program)
    #expect(result.plan?.pumps.map(\.name) == ["later", "P"], "\(rendered(result))")
    #expect(result.plan?.pumps.allSatisfy(\.isStarted) == true)
    #expect(
      result.answers == [
        "A\n  ROWTIME TIMESTAMP\n  timestamp TIMESTAMP NOT NULL\n  VALUE REAL\n  F DOUBLE",
        "later -> B\nP -> A",
      ])
  }
}
