import Testing

/// What expressions and queries give by the words of the language.
@Suite struct LanguageTests {
  /// Type of the column, expression over the first of `fourRows`, value or name of the error.
  static let expressions: [(type: String, expression: String, value: String)] = [
    (
      "VARCHAR(60)", "CAST(T AS VARCHAR) || '_' || CAST(N AS VARCHAR)",
      "2024-02-29 23:59:59.999_10"
    ),
    ("VARCHAR(60)", "SUBSTRING(CAST(T AS VARCHAR(25)), 12, 5)", "23:59"),
    ("TIMESTAMP", "T + CAST('5' AS INTERVAL HOUR)", "2024-03-01 04:59:59.999"),
    ("TIMESTAMP", "CAST('2024-01-02' AS TIMESTAMP)", "2024-01-02 00:00:00.000"),
    ("TIMESTAMP", "CAST('bad' AS TIMESTAMP)", "CAST_FAILED"),
    ("INTEGER", "CAST(-2.5 AS INTEGER)", "-3"),
    ("INTEGER", "MOD(-7, 3)", "-1"),
    ("INTEGER", "STEP(-7 BY 5)", "-10"),
    ("INTEGER", "-5 / 2", "-2"),
    ("DOUBLE", "V / 0", "DIVISION_BY_ZERO"),
    ("INTEGER", "2147483647 + 1", "NUMERIC_OVERFLOW"),
    ("DOUBLE", "LN(0)", "BAD_ARGUMENT"),
    ("DOUBLE", "SQRT(-1)", "BAD_ARGUMENT"),
    ("BOOLEAN", "'ab1' SIMILAR TO '[[:ALPHA:]]+[[:DIGIT:]]'", "true"),
    ("BOOLEAN", "'a-b' SIMILAR TO 'a[^[:ALNUM:]]b'", "true"),
    ("BOOLEAN", "'aaab' SIMILAR TO 'a{2,4}b'", "true"),
    ("BOOLEAN", ##"'a%c' LIKE 'a#%c' ESCAPE '#'"##, "true"),
    ("BOOLEAN", "N NOT IN (1, NULL)", "null"),
    ("BOOLEAN", "N BETWEEN 20 AND 1", "false"),
    ("BOOLEAN", "NULLIF(N, 10) IS NOT DISTINCT FROM NULL", "true"),
    ("VARCHAR(20)", "OVERLAY('12345' PLACING 'foo' FROM 3 FOR 0)", "12foo345"),
    ("VARCHAR(20)", "SUBSTRING('123456789' FROM -1 FOR 4)", "12"),
    ("VARCHAR(20)", "SUBSTRING('123456789', 17, 2)", "null"),
    ("VARCHAR(20)", "SUBSTRING('123456789' FROM 17 FOR 4)", ""),
    ("VARCHAR(20)", ##"SUBSTRING('abcdef' SIMILAR 'a#"bc#"%' ESCAPE '#')"##, "bc"),
    ("VARCHAR(20)", "REGEX_REPLACE('abcabc', '(b)(c)', '$2$1', 1, 1)", "acbabc"),
    ("VARCHAR(20)", "REGEX_REPLACE('abcabc', 'b', 'X', 99, 0)", "abcabc"),
    ("VARCHAR(20)", "REGEX_REPLACE('abcabc', 'b', 'X', 0, 0)", "BAD_ARGUMENT"),
    ("VARCHAR(20)", "u&'!0041b' uescape '!'", "Ab"),
    ("TIMESTAMP", "CHAR_TO_TIMESTAMP('yyyy-mm','2012-02-08 07:23:19')", "2012-01-01 00:02:00.000"),
    (
      "TIMESTAMP", "CHAR_TO_TIMESTAMP('dd/MMM/yyyy:HH:mm:ss Z','08/Feb/2012:07:23:19 +0200')",
      "2012-02-08 05:23:19.000"
    ),
    ("TIMESTAMP", "CHAR_TO_TIMESTAMP('yyyy-MM-dd hh:mm','2012-02-08 19:23')", "CAST_FAILED"),
    ("VARCHAR(40)", "TIMESTAMP_TO_CHAR('EEE d MMM yy hh:mm a', T)", "Thu 29 Feb 24 11:59 PM"),
    (
      "VARCHAR(20)", "CAST((T - TIMESTAMP '2024-02-29 12:00:00') MINUTE TO SECOND AS VARCHAR(20))",
      "+719:59.999"
    ),
    ("BIGINT", "EXTRACT(HOUR FROM INTERVAL '3 4' DAY TO HOUR)", "4"),
    ("BIGINT", "TSDIFF(T, T + INTERVAL '1' SECOND)", "1000"),
    ("TIMESTAMP", "CEIL(T TO MONTH)", "2024-03-01 00:00:00.000"),
    ("TIMESTAMP", "STEP(T BY INTERVAL '10' SECOND)", "2024-02-29 23:59:50.000"),
    ("TIME", "TM + INTERVAL '14' HOUR", "00:11:12.000"),
  ]

  @Test(arguments: expressions)
  func anExpressionGives(_ example: (type: String, expression: String, value: String)) throws {
    let program = Program(
      columns: "a \(example.type)", query: "SELECT STREAM \(example.expression) FROM S")
    let row = try #require(try program.rows([fourRows[0]]).first)
    let fields = row.split(separator: "|", omittingEmptySubsequences: false)
    #expect(row.hasSuffix("|P") ? fields[0] == example.value : fields[1] == example.value)
  }

  /// A row of S at a second of the first minute.
  private func row(_ second: Int, id: Int, key: String) -> String {
    let time = "2024-03-05 10:00:\(second < 10 ? "0" : "")\(second).000"
    return #"{"stream":"S","rowtime":"\#(time)","ID":\#(id),"K":"\#(key)"}"#
  }

  @Test func anUnmatchedRowWaitsForRowsOfItsOwnTime() throws {
    let program = Program(
      columns: "a INTEGER, b INTEGER",
      query: """
        SELECT STREAM l.ID, r.ID FROM (SELECT STREAM ID FROM S WHERE K = 'l') AS l
        FULL JOIN (SELECT STREAM ID FROM S WHERE K = 'r') AS r ON l.ID = r.ID
        """)
    let input = [
      row(0, id: 1, key: "l"), row(0, id: 2, key: "r"), row(0, id: 1, key: "r"),
      row(1, id: 9, key: "l"), #"{"bound":"2024-03-05 10:01:00.000"}"#,
    ]
    #expect(
      try program.rows(input) == ["10:00:00.000|1|1", "10:00:00.000|null|2", "10:00:01.000|9|null"]
    )
  }

  @Test func aRowBehindABoundIsRefused() throws {
    let program = Program(
      columns: "a INTEGER, r INTEGER",
      query:
        "SELECT STREAM ID, R FROM TABLE(GROUP_RANK(CURSOR(SELECT STREAM ID FROM S), 'ID', 'R'))")
    let input = [
      row(1, id: 1, key: "a"), #"{"bound":"2024-03-05 10:00:09.000"}"#, row(2, id: 2, key: "a"),
      row(3, id: 3, key: "a"), row(9, id: 4, key: "a"), row(10, id: 5, key: "a"),
    ]
    #expect(
      try program.rows(input) == [
        "10:00:01.000|1|1", "OUT_OF_ORDER_ROWTIME|10:00:02.000|null",
        "OUT_OF_ORDER_ROWTIME|10:00:03.000|null", "10:00:09.000|4|1",
      ])
  }

  @Test func aStepOverAMonotonicExpressionEndsGroups() throws {
    let program = Program(
      columns: "a INTEGER, b INTEGER",
      query: "SELECT STREAM MIN(ID), COUNT(*) FROM S GROUP BY STEP(MONOTONIC(ID) BY 2)")
    let input = (1...5).map { row($0, id: $0, key: "a") }
    #expect(try program.rows(input) == ["10:00:02.000|1|1", "10:00:04.000|2|2"])
  }

  @Test func aForestPerKeySaysWhyThereIsNoScore() throws {
    let program = Program(
      columns: "a VARCHAR(20)",
      query: """
        SELECT STREAM STATUS FROM TABLE(RANDOM_CUT_FOREST(CURSOR(
          SELECT STREAM K, CAST(ID AS DOUBLE) AS x FROM S) PARTITION BY K, 10, 10, 1000))
        """)
    let input = (0..<22).map { row($0, id: $0 % 7, key: $0 % 2 == 0 ? "a" : "b") }
    let found = try program.rows(input).map { String($0.split(separator: "|")[1]) }
    #expect(found == Array(repeating: "WARMING_UP", count: 20) + ["SCORED", "SCORED"])
  }

  @Test func aWindowOfHotspotsPerKeySaysWhetherItIsFull() throws {
    let program = Program(
      columns: "a VARCHAR(20)",
      query: """
        SELECT STREAM STATUS FROM TABLE(HOTSPOTS(CURSOR(
          SELECT STREAM K, CAST(ID AS DOUBLE) AS x FROM S) PARTITION BY K, 100, 1.5, 5))
        """)
    let input = (0..<202).map { row($0 / 10, id: $0 % 7, key: $0 % 2 == 0 ? "a" : "b") }
    let found = try program.rows(input).map { String($0.split(separator: "|")[1]) }
    #expect(
      found == Array(repeating: "WARMING_UP", count: 198) + Array(repeating: "SCORED", count: 4))
  }

  @Test func binaryValuesAreBase64() throws {
    let program = Program(columns: "a VARBINARY(4)", query: "SELECT STREAM X'0102ff' FROM S")
    #expect(try program.rows([row(0, id: 1, key: "a")]) == ["10:00:00.000|AQL/"])
  }
}
