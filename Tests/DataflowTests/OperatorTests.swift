import Columns
import Dataflow
import StreamSQL
import Testing

@Suite struct OperatorTests {
  private let twoStreams = """
    CREATE STREAM L (K VARCHAR(8), I INTEGER);
    CREATE PUMP PL AS INSERT INTO L SELECT STREAM K, ID FROM S WHERE K = 'a';
    CREATE STREAM R (K VARCHAR(8), J INTEGER);
    CREATE PUMP PR AS INSERT INTO R SELECT STREAM K, ID * 10 FROM S WHERE ID <> 3;
    """

  private func joined(_ query: String) throws -> [String] {
    try Program(
      columns: "k VARCHAR(8), i INTEGER, k2 VARCHAR(8), j INTEGER", query: query,
      before: twoStreams
    ).output(fourRows).filter { $0.contains(#""stream":"O""#) }.map { line in
      String(line.dropFirst(#"{"stream":"O","rowtime":"2024-03-05 "#.count))
    }
  }

  @Test func fullJoinEmitsUnmatchedRowsOfBothSides() throws {
    let rows = try joined(
      """
      SELECT STREAM l.K, l.I, r.K, r.J FROM L OVER (RANGE INTERVAL '1' SECOND PRECEDING) AS l
      FULL JOIN R OVER (RANGE INTERVAL '1' SECOND PRECEDING) AS r ON l.K = r.K
      """)
    #expect(
      rows == [
        #"10:00:00.000","K":"a","I":1,"K2":"a","J":10}"#,
        #"10:00:02.000","K":null,"I":null,"K2":"b","J":20}"#,
        #"10:00:03.000","K":"a","I":3,"K2":null,"J":null}"#,
        #"10:00:12.000","K":"a","I":4,"K2":"a","J":40}"#,
      ])
  }

  @Test func followingWaitsForLaterRows() throws {
    let rows = try joined(
      """
      SELECT STREAM l.K, l.I, r.K, r.J FROM L AS l
      JOIN R OVER (RANGE INTERVAL '20' SECOND FOLLOWING) AS r ON l.K = r.K
      """)
    #expect(
      rows == [
        #"10:00:00.000","K":"a","I":1,"K2":"a","J":10}"#,
        #"10:00:12.000","K":"a","I":1,"K2":"a","J":40}"#,
        #"10:00:12.000","K":"a","I":3,"K2":"a","J":40}"#,
        #"10:00:12.000","K":"a","I":4,"K2":"a","J":40}"#,
      ])
  }

  @Test func everyAndAny() throws {
    let program = Program(
      columns: "k VARCHAR(8), e BOOLEAN, a BOOLEAN, s DECIMAL(18,2), f DOUBLE, l DOUBLE",
      query: """
        SELECT STREAM K, EVERY(B), ANY(B), SUM(D), LAST_VALUE(V),
          LAST_VALUE(V) RESPECT NULLS FROM S
        GROUP BY K, STEP(S.ROWTIME BY INTERVAL '10' SECOND)
        """)
    #expect(
      try program.rows(fourRows) == [
        "10:00:10.000|a|true|true|10.25|1.5|null", "10:00:10.000|b|false|false|-0.05|-2.5|-2.5",
        "10:00:20.000|a|true|true|3.33|7.25|7.25",
      ])
  }

  @Test func sessionsEndAfterTheirGap() throws {
    let program = Program(
      columns: "k VARCHAR(8), n BIGINT",
      query: "SELECT STREAM K, COUNT(*) FROM S GROUP BY K, SESSION(S.ROWTIME, INTERVAL '5' SECOND)",
      extensions: true)
    #expect(
      try program.rows(fourRows) == [
        "10:00:06.000|b|1", "10:00:07.000|a|2", "10:00:17.000|a|1",
      ])
  }

  @Test func hoppingWindowsOverlap() throws {
    let program = Program(
      columns: "k VARCHAR(8), n BIGINT",
      query: """
        SELECT STREAM K, COUNT(*) FROM S
        GROUP BY K, HOP(S.ROWTIME, INTERVAL '5' SECOND, INTERVAL '10' SECOND)
        """, extensions: true)
    #expect(
      try program.rows(fourRows) == [
        "10:00:05.000|a|2", "10:00:05.000|b|1", "10:00:10.000|a|2", "10:00:10.000|b|1",
        "10:00:15.000|a|1", "10:00:20.000|a|1",
      ])
  }

  @Test func distinctAggregates() throws {
    let program = Program(
      columns: "n BIGINT, d BIGINT",
      query: "SELECT STREAM COUNT(K), COUNT(DISTINCT K) FROM S GROUP BY FLOOR(S.ROWTIME TO MINUTE)",
      extensions: true)
    #expect(try program.rows(fourRows) == ["10:01:00.000|4|2"])
  }

  @Test func modelsRefuseNullAndKeepOneForestPerKey() throws {
    let program = Program(
      columns: "k VARCHAR(8), v DOUBLE, s DOUBLE",
      query: """
        SELECT STREAM K, V, ANOMALY_SCORE
        FROM TABLE(RANDOM_CUT_FOREST(CURSOR(SELECT STREAM K, V FROM S) PARTITION BY K, 20, 10, 100))
        """)
    var input = [fourRows[2]]
    for row in 0..<60 {
      let second = 10 + row / 2
      input.append(
        """
        {"stream":"S","rowtime":"2024-03-05 10:00:\(second).000","K":"\(row % 2 == 0 ? "a" : "b")",\
        "V":\(row == 50 ? 900 : row % 7)}
        """)
    }
    let rows = try program.rows(input)
    #expect(rows.first == "BAD_MODEL_INPUT|10:00:02.000|P")
    let scores = rows.dropFirst().map { Double($0.split(separator: "|")[3]) ?? -1 }
    #expect(scores.count == 60)
    #expect(scores.prefix(20).allSatisfy { $0 == 0 })
    #expect(scores.dropFirst(20).allSatisfy { $0 > 0 })
    #expect(scores.indices.max { scores[$0] < scores[$1] } == 50)
  }

  @Test func detectedAnomaliesHaveAGrade() throws {
    let program = Program(
      columns: "v DOUBLE, g DOUBLE, x DOUBLE, a VARCHAR(99), s VARCHAR(16)",
      query: """
        SELECT STREAM V, GRADE, EXPECTED, ATTRIBUTION, STATUS FROM TABLE(ML_DETECT_ANOMALIES(
          CURSOR(SELECT STREAM V FROM S), sample_size => 64, number_of_trees => 30))
        """, extensions: true)
    let input = (0..<200).map { row in
      let minute = 10 + row / 60
      let second = row % 60 < 10 ? "0\(row % 60)" : "\(row % 60)"
      return """
        {"stream":"S","rowtime":"2024-03-05 10:\(minute):\(second).000",\
        "V":\(row == 150 ? 900 : row * 7 % 11)}
        """
    }
    let rows = try program.rows(input).map { $0.split(separator: "|") }
    #expect(rows.count == 200)
    #expect(rows[0][5] == "WARMING_UP")
    #expect(rows[150][2] == "1.0")
    #expect(rows[150][4].hasPrefix("{\"V\":"))
    #expect(rows[199][5] == "SCORED")
    #expect(rows.filter { Double($0[2]) ?? 0 > 0 }.count < 20)
  }

  /// Rows are judged key by key, and without attribution in blocks: nobody must be able to tell.
  @Test func anomaliesAreTheSameWithAndWithoutAttribution() throws {
    let input = (0..<600).map { row in
      let second = row / 10 % 60 < 10 ? "0\(row / 10 % 60)" : "\(row / 10 % 60)"
      return """
        {"stream":"S","rowtime":"2024-03-05 10:00:\(second).000",\
        "K":"k\(row % 7 * row % 5)","V":\(row % 97 == 0 ? 900 : row * 7 % 11)}
        """
    }
    func rows(_ columns: String, _ declared: String) throws -> [Substring] {
      let program = Program(
        columns: "k VARCHAR(8), v DOUBLE, s DOUBLE, g DOUBLE, u VARCHAR(16)\(declared)",
        query: """
          SELECT STREAM K, V, SCORE, GRADE, STATUS\(columns) FROM TABLE(ML_DETECT_ANOMALIES(
            CURSOR(SELECT STREAM K, V FROM S) PARTITION BY K, sample_size => 64,
            number_of_trees => 30, shingle_size => 4))
          """, extensions: true)
      return try program.rows(input).map { row in
        row.split(separator: "|").prefix(6).joined(separator: "|")[...]
      }
    }
    let without = try rows("", "")
    #expect(without.count == 600 && without.filter { $0.hasSuffix("SCORED") }.count > 100)
    #expect(try rows(", ATTRIBUTION", ", a VARCHAR(99)") == without)
  }

  @Test(arguments: [
    "SELECT STREAM K, COUNT(*) FROM E WINDOWED BY STAGGER (PARTITION BY K RANGE INTERVAL '1' MINUTE)",
    "SELECT STREAM K, COUNT(*) FROM E GROUP BY K, HOP(E.ROWTIME, INTERVAL '5' SECOND, INTERVAL '10' SECOND)",
    "SELECT STREAM K, COUNT(*) FROM E GROUP BY K, SESSION(E.ROWTIME, INTERVAL '5' SECOND)",
    "SELECT STREAM K, COUNT(*) FROM E GROUP BY K, FLOOR(E.ROWTIME TO MONTH)",
    "SELECT STREAM K, COUNT(*) OVER (RANGE INTERVAL '1' MINUTE PRECEDING) FROM E",
    """
    SELECT STREAM ITEM, ITEM_COUNT FROM TABLE(TOP_K_ITEMS_TUMBLING(
      CURSOR(SELECT STREAM * FROM E), 'K', 2, 60))
    """,
  ])
  func theEndsOfTimeDoNotStopTheTask(query: String) throws {
    let program = Program(
      columns: "k VARCHAR(8), n BIGINT", query: query,
      before: """
        CREATE STREAM E (K VARCHAR(8)); CREATE PUMP PE AS INSERT INTO E
        SELECT STREAM TO_TIMESTAMP(BI) AS ROWTIME, K FROM S;
        """, extensions: true)
    let input = [Int64.min, Int64.min + 1, 0, Int64.max - 1, Int64.max].map { time in
      #"{"stream":"S","rowtime":"2024-03-05 10:00:00.000","K":"a","BI":\#(time)}"#
    }
    #expect(try !program.output(input).isEmpty)
  }

  /// Lists of items of every key: the columns of the key come first.
  @Test func itemsByKey() throws {
    let counts = Program(
      columns: "k VARCHAR(8), n BIGINT",
      query: """
        SELECT STREAM K, NUMBER_OF_DISTINCT_ITEMS FROM TABLE(COUNT_DISTINCT_ITEMS_TUMBLING(
          CURSOR(SELECT STREAM K, N FROM S) PARTITION BY K, 'N', 60))
        """, extensions: true)
    #expect(try counts.rows(fourRows) == ["10:01:00.000|a|2", "10:01:00.000|b|1"])
    let top = Program(
      columns: "k VARCHAR(8), item VARCHAR(8), n BIGINT",
      query: """
        SELECT STREAM K, ITEM, ITEM_COUNT FROM TABLE(TOP_K_ITEMS_TUMBLING(
          CURSOR(SELECT STREAM K, K AS I FROM S) PARTITION BY K, 'I', 1, 60))
        """, extensions: true)
    #expect(try top.rows(fourRows) == ["10:01:00.000|a|a|3", "10:01:00.000|b|b|1"])
  }
}
