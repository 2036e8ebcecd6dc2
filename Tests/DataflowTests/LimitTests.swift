import Columns
import Dataflow
import StreamSQL
import Testing

/// What is held is limited: the row that is too much goes to the error stream, which names the limit.
@Suite struct LimitTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let query: String
    let limits: DataflowLimits
    /// The values of N and K, each row a second after the one before.
    let rows: [(Int64, String)]
    let expected: [String]
    let errors: [String]

    var testDescription: String { query }

    init(
      _ query: String, _ limits: DataflowLimits, _ rows: [(Int64, String)], _ expected: [String],
      _ errors: [String]
    ) {
      self.query = query
      self.limits = limits
      self.rows = rows
      self.expected = expected
      self.errors = errors
    }
  }

  private static let three: [(Int64, String)] = [(1, "a"), (2, "b"), (3, "c"), (4, "a")]

  static let cases: [Case] = [
    Case(
      "SELECT STREAM COUNT(*), K FROM S GROUP BY K, FLOOR(S.ROWTIME TO MINUTE)",
      DataflowLimits(keys: 2), three, ["2 a", "1 b"],
      ["the window holds 2 groups already (limits: keys)"]),
    Case(
      "SELECT STREAM COUNT(*), K FROM S WINDOWED BY STAGGER (PARTITION BY K RANGE INTERVAL '9' SECOND)",
      DataflowLimits(keys: 2), three, ["2 a", "1 b"],
      ["the window holds 2 groups already (limits: keys)"]),
    Case(
      "SELECT STREAM COUNT(*), K FROM S GROUP BY K, HOP(S.ROWTIME, INTERVAL '30' SECOND, "
        + "INTERVAL '60' SECOND)",
      DataflowLimits(keys: 4), three, ["2 a", "1 b", "2 a", "1 b"],
      ["the window holds 4 groups already (limits: keys)"]),
    Case(
      "SELECT STREAM COUNT(*) OVER W, K FROM S WINDOW W AS (RANGE INTERVAL '1' MINUTE PRECEDING)",
      DataflowLimits(heldRows: 3), three, ["1 a", "2 b", "3 c"],
      ["the window holds 3 rows already (limits: held_rows)"]),
    Case(
      "SELECT STREAM COUNT(*) OVER W, K FROM S WINDOW W AS (PARTITION BY K ROWS 0 PRECEDING)",
      DataflowLimits(heldRows: 2), three, ["1 a", "1 b", "1 a"],
      ["the window holds 2 rows already (limits: held_rows)"]),
    Case(
      "SELECT STREAM COUNT(*) OVER W, K FROM S WINDOW W AS (PARTITION BY K ROWS UNBOUNDED PRECEDING)",
      DataflowLimits(keys: 2), three, ["1 a", "1 b", "2 a"],
      ["the window holds 2 partitions already (limits: keys)"]),
    Case(
      "SELECT STREAM N, K FROM (SELECT STREAM DISTINCT FLOOR(S.ROWTIME TO MINUTE) AS t, N, K FROM S)",
      DataflowLimits(keys: 2), three, ["1 a", "2 b"],
      Array(repeating: "DISTINCT holds 2 rows already (limits: keys)", count: 2)),
    Case(
      "SELECT STREAM N, K FROM S ORDER BY FLOOR(S.ROWTIME TO MINUTE), N",
      DataflowLimits(heldRows: 2), three, ["1 a", "2 b"],
      Array(repeating: "ORDER BY holds 2 rows already (limits: held_rows)", count: 2)),
    Case(
      "SELECT STREAM COUNT(DISTINCT N), MIN(K) FROM S GROUP BY FLOOR(S.ROWTIME TO MINUTE)",
      DataflowLimits(keys: 3), three, [], ["DISTINCT holds 3 values already (limits: keys)"]),
    Case(
      "SELECT STREAM CAST(MEDIAN(N) AS BIGINT), MIN(K) FROM S GROUP BY FLOOR(S.ROWTIME TO MINUTE)",
      DataflowLimits(heldRows: 3), three, [],
      ["percentiles hold 3 values already (limits: held_rows)"]),
    Case(
      "SELECT STREAM a.N, b.K FROM S OVER (RANGE INTERVAL '1' MINUTE PRECEDING) AS a JOIN S AS b "
        + "ON a.N < b.N",
      DataflowLimits(heldRows: 2), [(1, "a"), (2, "b"), (3, "c")], ["1 b", "1 c", "2 c"],
      ["the join holds 2 rows of this side already (limits: held_rows)"]),
    Case(
      "SELECT STREAM a.N, b.K FROM S OVER (RANGE INTERVAL '1' MINUTE PRECEDING) AS a JOIN S AS b "
        + "ON a.N < b.N",
      DataflowLimits(matchesPerRow: 2), [(1, "a"), (2, "b"), (3, "c")], ["1 b"],
      ["the row meets 3 rows of the other side (limits: matches_per_row)"]),
    Case(
      "SELECT STREAM ITEM_COUNT, ITEM FROM TABLE(TOP_K_ITEMS_TUMBLING(CURSOR(SELECT STREAM * FROM S), "
        + "'K', 9, 60))",
      DataflowLimits(keys: 2), three, ["2 a", "1 b"], ["the window holds 2 items (limits: keys)"]),
  ]

  private func run(_ test: Case, batchSize: Int, saves: Bool) throws -> ([String], [String]) {
    let source = SourceStream(
      name: "S",
      schema: Schema([
        ColumnDefinition(name: "N", type: .bigint), ColumnDefinition(name: "K", type: .varchar(8)),
      ]))
    let text =
      "CREATE STREAM O (n BIGINT, k VARCHAR(8)); CREATE PUMP P AS INSERT INTO O \(test.query);"
    let plan = try #require(
      compile(
        text, file: "test.sql", sources: [source], options: CompileOptions(extensions: true)
      ).plan, "\(test.query)")
    let configuration = DataflowConfiguration(limits: test.limits, watched: ["O"])
    var dataflow = try Dataflow(plan: plan, configuration: configuration)
    var output = dataflow.makeOutput()
    var pool = StringPool()
    for start in stride(from: 0, to: test.rows.count, by: batchSize) {
      var batch = Batch(schema: source.schema)
      for index in start..<min(test.rows.count, start + batchSize) {
        batch.rowtimes.append(Int64(index) * 1_000)
        batch.causes.append(Int64(index))
        batch.columns[0].append(test.rows[index].0)
        batch.columns[1].append(pool.intern(test.rows[index].1))
      }
      dataflow.process(&batch, source: 0, pool: &pool, output: &output)
      guard saves else { continue }
      var writer = StateWriter()
      dataflow.save(into: &writer, pool: pool)
      dataflow = try Dataflow(plan: plan, configuration: configuration)
      try dataflow.restore(from: StateReader(writer.slices), pool: &pool)
    }
    dataflow.advance(to: 120_000, pool: &pool, output: &output)
    let rows = output.streams[0].batch
    let found = (0..<rows.count).map {
      "\(rows.columns[0].integers[$0]) \(pool.string(rows.columns[1].texts[$0]))"
    }
    return (found, output.errors.map { "\($0.error.code) \($0.error.message)" })
  }

  @Test(arguments: cases)
  func aLimitNamesItself(_ test: Case) throws {
    for (batchSize, saves) in [(10, false), (1, false), (2, true)] {
      let (rows, errors) = try run(test, batchSize: batchSize, saves: saves)
      #expect(rows == test.expected, "batches of \(batchSize)")
      #expect(errors == test.errors.map { "limitExceeded \($0)" }, "batches of \(batchSize)")
    }
  }
}
