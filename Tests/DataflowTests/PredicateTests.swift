import Testing

/// JSON_VALUE, temporal predicates and other expressions beyond plain operators.
@Suite struct PredicateTests {
  private static let document =
    #"'{"a":{"b":[1,2.5,"x"]},"n":null,"t":true,"s":"12","d":"2024-01-02","e":[]}'"#

  /// Type of the result, what stands behind the document in JSON_VALUE, result or name of the error.
  static let jsonValues: [(type: String, call: String, value: String)] = [
    ("VARCHAR(9)", "'$.a.b[1]'", "2.5"),
    ("VARCHAR(9)", "'lax $.a.b[2]'", "x"),
    ("VARCHAR(9)", #"'$."a"[''b''][0]'"#, "1"),
    ("DOUBLE", "'$.a.b[1]' RETURNING DOUBLE", "2.5"),
    ("VARCHAR(9)", "'$.a.b[9]'", "null"),
    ("VARCHAR(9)", "'$.a.b[9]' DEFAULT 'none' ON EMPTY", "none"),
    ("VARCHAR(9)", "'$.a.b' DEFAULT 'none' ON EMPTY", "null"),
    ("VARCHAR(9)", "'$.a.b' NULL ON EMPTY DEFAULT 'bad' ON ERROR", "bad"),
    ("VARCHAR(9)", "'$.a.b' ERROR ON ERROR", "BAD_ARGUMENT"),
    ("VARCHAR(9)", "'$.z' ERROR ON EMPTY", "BAD_ARGUMENT"),
    ("VARCHAR(9)", "'$.n' ERROR ON EMPTY ERROR ON ERROR", "null"),
    ("BOOLEAN", "'$.t' RETURNING BOOLEAN", "true"),
    ("INTEGER", "'$.s' RETURNING INTEGER", "12"),
    ("INTEGER", "'$.d' RETURNING INTEGER", "null"),
    ("INTEGER", "'$.d' RETURNING INTEGER DEFAULT N ON ERROR", "10"),
    ("INTEGER", "'$.d' RETURNING INTEGER ERROR ON ERROR", "BAD_ARGUMENT"),
    ("DATE", "'$.d' RETURNING DATE", "2024-01-02"),
    ("VARCHAR(9)", "'$.d' RETURNING VARCHAR(4)", "2024"),
    ("VARCHAR(9)", "'$.e[0]' DEFAULT 'e' ON EMPTY", "e"),
    ("VARCHAR(9)", "'$.s.x' DEFAULT 'e' ON EMPTY", "e"),
  ]

  /// Type, expression over the first of `fourRows`, result.
  static let expressions: [(type: String, expression: String, value: String)] = [
    ("VARCHAR(9)", "JSON_VALUE('nope', '$.a' DEFAULT 'bad' ON ERROR)", "bad"),
    ("VARCHAR(9)", #"JSON_VALUE('{"a":1', '$.b' DEFAULT 'bad' ON ERROR)"#, "bad"),
    ("VARCHAR(9)", "CASE N WHEN 1, 10 THEN 'in' WHEN 2 THEN 'two' ELSE 'out' END", "in"),
    ("BOOLEAN", "N BETWEEN SYMMETRIC 20 AND 1", "true"),
    ("BOOLEAN", "N NOT BETWEEN SYMMETRIC 20 AND 1", "false"),
    ("TIMESTAMP", "CAST(TIME '10:11:12' AS TIMESTAMP)", "10:11:12.000"),
    ("BOOLEAN", "(T, T + INTERVAL '1' HOUR) OVERLAPS (T, T + INTERVAL '1' MINUTE)", "true"),
    ("BOOLEAN", "(T, T + INTERVAL '1' HOUR) OVERLAPS (T + INTERVAL '1' HOUR, NULL)", "false"),
    ("BOOLEAN", "PERIOD (DT, DT + INTERVAL '2' DAY) CONTAINS DT", "true"),
    ("BOOLEAN", "(DT, DT + INTERVAL '2' DAY) CONTAINS DT + INTERVAL '2' DAY", "false"),
    ("BOOLEAN", "(DT, DT + INTERVAL '2' DAY) CONTAINS (DT, DT + INTERVAL '2' DAY)", "true"),
    ("BOOLEAN", "(DT, DT + INTERVAL '2' DAY) STRICTLY CONTAINS (DT, DT)", "false"),
    ("BOOLEAN", "(DT, DT) EQUALS PERIOD (DT, DT)", "true"),
    (
      "BOOLEAN",
      "(DT, DT) PRECEDES (DT, DT + INTERVAL '1' DAY) PRECEDES (DT + INTERVAL '1' DAY, NULL)",
      "true"
    ),
    ("BOOLEAN", "(DT, DT) STRICTLY PRECEDES (DT, DT)", "false"),
    ("BOOLEAN", "(DT, DT) IMMEDIATELY PRECEDES (DT, DT)", "true"),
    ("BOOLEAN", "(DT, DT) SUCCEEDS (DT, DT) AND N = 10", "true"),
    ("BOOLEAN", "NOT (DT, DT) STRICTLY SUCCEEDS (DT, DT)", "true"),
    ("BOOLEAN", "(DT, DT) IMMEDIATELY SUCCEEDS (DT, DT)", "true"),
  ]

  private func check(_ type: String, _ expression: String, _ value: String) throws {
    let program = Program(columns: "a \(type)", query: "SELECT STREAM \(expression) FROM S")
    let row = try #require(try program.rows([fourRows[0]]).first)
    let fields = row.split(separator: "|", omittingEmptySubsequences: false)
    #expect((row.hasSuffix("|P") ? fields[0] : fields[1]) == value, "\(expression): \(row)")
  }

  @Test(arguments: jsonValues)
  func jsonValue(_ example: (type: String, call: String, value: String)) throws {
    try check(example.type, "JSON_VALUE(\(Self.document), \(example.call))", example.value)
  }

  @Test(arguments: expressions)
  func expression(_ example: (type: String, expression: String, value: String)) throws {
    try check(example.type, example.expression, example.value)
  }

  @Test func functionsMayBeUsedBeforeTheirDefinition() throws {
    let program = Program(
      columns: "a INTEGER", query: "SELECT STREAM g(N) FROM S",
      before: """
        CREATE FUNCTION g(x INTEGER) RETURNS INTEGER RETURN f(x) + 1;
        CREATE FUNCTION f(x INTEGER) RETURNS INTEGER RETURN x * 2;
        """)
    #expect(try program.rows([fourRows[0]]) == ["10:00:00.000|21"])
  }

  @Test func aRecordMayStandInParentheses() throws {
    let program = Program(
      columns: "a VARCHAR(9), b VARCHAR(9)",
      query: """
        SELECT STREAM (t.r).COLUMN2, (r).COLUMN1
        FROM (SELECT STREAM REGEX_LOG_PARSE(K || '-9', '(.)-(.)') AS r FROM S) AS t
        """)
    #expect(try program.rows([fourRows[0]]) == ["10:00:00.000|9|a"])
  }

  @Test func linesOfInternetInformationServicesAreCut() throws {
    let line =
      "192.168.114.201, -, 03/20/01, 7:55:20, W3SVC2, SERVER, 172.21.13.45, 4502, 163, "
      + "3223, 200, 0, GET, /DeptLogo.gif, -,"
    let program = Program(
      columns: "a VARCHAR(20), b VARCHAR(20), c VARCHAR(20), d VARCHAR(20)",
      query: """
        SELECT STREAM r.COLUMN1, r.COLUMN4, r.COLUMN14, r.COLUMN15
        FROM (SELECT STREAM W3C_LOG_PARSE('\(line)', 'IIS') AS r FROM S)
        """)
    #expect(
      try program.rows([fourRows[0]]) == ["10:00:00.000|192.168.114.201|7:55:20|/DeptLogo.gif|-"])
  }

  @Test func percentilesAreExact() throws {
    let input = [3, 9_007_199_254_740_993, 1, 9_007_199_254_740_995].enumerated().map { row in
      #"{"stream":"S","rowtime":"2024-03-05 10:00:0\#(row.offset).000","ID":1,"#
        + #""N":\#(row.offset),"BI":\#(row.element),"V":\#(row.offset).5}"#
    }
    let program = Program(
      columns: "a DOUBLE, b BIGINT, c DOUBLE, d DOUBLE, e BIGINT",
      query: """
        SELECT STREAM MEDIAN(N), APPROX_PERCENTILE(BI, 0.75), APPROX_PERCENTILE(V, 0.5),
          PERCENTILE_CONT(0.25) WITHIN GROUP (ORDER BY V),
          PERCENTILE_DISC(1.0) WITHIN GROUP (ORDER BY BI DESC)
        FROM S GROUP BY FLOOR(S.ROWTIME TO MINUTE)
        """, extensions: true)
    let bound = #"{"bound":"2024-03-05 10:01:00.000"}"#
    #expect(
      try program.rows(input + [bound]) == ["10:01:00.000|1.5|9007199254740993|1.5|1.25|1"])
  }
}
