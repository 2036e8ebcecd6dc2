import Testing

@Suite struct ExpressionTests {
  @Test func decimalsKeepTheirScale() throws {
    let program = Program(
      columns: "a DECIMAL(12,2), b DECIMAL(10,4), c DECIMAL(12,3), d INTEGER, e DECIMAL(5,1)",
      query: "SELECT STREAM D + 1, D * D, D / N, CAST(D AS INTEGER), CAST(V AS DECIMAL(5,1)) FROM S"
    )
    #expect(
      try program.rows(fourRows) == [
        "10:00:00.000|11.25|105.0625|1.025|10|1.5", "10:00:01.000|0.95|0.0025|-0.017|0|-2.5",
        "10:00:02.000|null|null|null|null|null", "10:00:12.000|4.33|11.0889|-0.476|3|7.3",
      ])
  }

  @Test func timesMoveByIntervals() throws {
    let program = Program(
      columns: "a TIMESTAMP, b DATE, c TIME, d VARCHAR(30), e DOUBLE, f BIGINT",
      query: """
        SELECT STREAM T + INTERVAL '1' MONTH, DT + INTERVAL '1' DAY, TM + INTERVAL '1' HOUR,
          CAST(T AS VARCHAR(30)), EXTRACT(SECOND FROM T), UNIX_TIMESTAMP(T) FROM S
        """)
    #expect(
      try program.rows(fourRows) == [
        "10:00:00.000|2024-03-29 23:59:59.999|2024-04-01|11:11:12.000|2024-02-29 23:59:59.999"
          + "|59.999|1709251199999",
        "10:00:01.000|2024-02-29 00:00:00.000|2024-01-02|00:59:59.500|2024-01-31 00:00:00"
          + "|0.0|1706659200000",
        "10:00:02.000|null|null|null|null|null|null",
        "10:00:12.000|1970-01-31 23:59:59.500|1970-01-01|01:00:00.000|1969-12-31 23:59:59.500"
          + "|59.5|-500",
      ])
  }

  @Test func onlyEvaluatedRowsFail() throws {
    let program = Program(
      columns: "a INTEGER, b DOUBLE, c VARCHAR(10)",
      query: """
        SELECT STREAM CASE WHEN N > 0 THEN 100 / (N - 3) ELSE 0 END, COALESCE(V, 1 / 0),
          CASE WHEN N <> 0 AND 10 / N > 1 THEN 'big' ELSE 'small' END FROM S
        """)
    #expect(
      try program.rows(fourRows) == [
        "10:00:00.000|14|1.5|small",
        "DIVISION_BY_ZERO|10:00:01.000|P",
        "DIVISION_BY_ZERO|10:00:02.000|P",
        "10:00:12.000|0|7.25|small",
      ])
  }

  @Test func overflowAndFailedCastsCostTheRow() throws {
    let program = Program(
      columns: "a BIGINT, b INTEGER",
      query: "SELECT STREAM BI + 1, CAST(TRIM(BOTH ' ' FROM C) AS INTEGER) FROM S WHERE ID <> 4")
    #expect(
      try program.rows(fourRows) == [
        "NUMERIC_OVERFLOW|10:00:00.000|P", "CAST_FAILED|10:00:01.000|P",
        "10:00:02.000|null|null",
      ])
  }

  @Test func textFunctions() throws {
    let program = Program(
      columns: "a VARCHAR(20), b INTEGER, c VARCHAR(30), d VARCHAR(20), e VARCHAR(9)",
      query: """
        SELECT STREAM UPPER(K) || C, POSITION('b' IN LINE), INITCAP(LINE),
          OVERLAY(LINE PLACING 'zz' FROM 2), SUBSTRING(LINE FROM '[0-9]+') FROM S WHERE ID > 1
        """)
    #expect(
      try program.rows(fourRows) == [
        "10:00:01.000|Babcde|2|Abc  Def  123|azz  def  123|123",
        "10:00:02.000|null|null|null|null|null",
        "10:00:12.000|Ax    |3|A=B|azz|null",
      ])
  }

  @Test func logParsers() throws {
    let fixed = Program(
      columns: "a VARCHAR(20), b INTEGER",
      query: """
        SELECT STREAM t.r.A, t.r.B FROM (SELECT STREAM FIXED_COLUMN_LOG_PARSE(LINE,
          'A TYPE VARCHAR(4) START 0 FOR 4, B TYPE INTEGER START 10 FOR 3') AS r FROM S) AS t
        """)
    #expect(
      try fixed.rows(fourRows) == [
        "10:00:00.000|<34>|22", "10:00:01.000|abc|123", "10:00:02.000|null|null",
        "10:00:12.000|a=b|null",
      ])
    let system = Program(
      columns: "a TIMESTAMP, b VARCHAR(60)",
      query: """
        SELECT STREAM t.r.COLUMN1, t.r.COLUMN2
        FROM (SELECT STREAM SYS_LOG_PARSE(LINE) AS r FROM S WHERE ID = 1) AS t
        """)
    #expect(
      try system.rows(fourRows) == [
        "10:00:00.000|2023-10-11 22:14:15.000|mymachine su: failed"
      ])
  }
}
