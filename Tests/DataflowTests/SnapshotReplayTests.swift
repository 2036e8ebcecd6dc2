import Columns
import Dataflow
import Foundation
import StreamSQL
import Testing
import Transport

/// A task that goes on from a snapshot which was copied while rows went on brings forth, bit for bit, what a task
/// does that nothing has disturbed: all operators at once, whatever the order of slices and the size of batches.
@Suite struct SnapshotReplayTests {
  static let schema = Schema([
    ColumnDefinition(name: "K", type: .varchar(8)), ColumnDefinition(name: "X", type: .double),
  ])
  static let windows = """
    CREATE STREAM O (K VARCHAR(8), N DOUBLE);
    CREATE STREAM E (K VARCHAR(8), X DOUBLE);
    CREATE PUMP A AS INSERT INTO O SELECT STREAM K, X FROM (
      SELECT STREAM DISTINCT STEP(S.ROWTIME BY INTERVAL '3' SECOND) AS t, K, X FROM S);
    CREATE PUMP B AS INSERT INTO O SELECT STREAM K, X FROM S
      ORDER BY STEP(S.ROWTIME BY INTERVAL '4' SECOND), X DESC;
    CREATE PUMP C AS INSERT INTO E SELECT STREAM
      STEP(S.ROWTIME BY INTERVAL '2' SECOND) AS ROWTIME, K, X FROM S;
    CREATE PUMP D AS INSERT INTO O SELECT STREAM K, CAST(R AS DOUBLE) FROM TABLE(GROUP_RANK(
      CURSOR(SELECT STREAM K, X FROM E), 'K', 'R', 'asc', 'desc', 0, 0));
    CREATE PUMP F AS INSERT INTO O SELECT STREAM ITEM, CAST(ITEM_COUNT AS DOUBLE) FROM TABLE(
      TOP_K_ITEMS_TUMBLING(CURSOR(SELECT STREAM K FROM S), 'K', 20, 3));
    CREATE PUMP G AS INSERT INTO O SELECT STREAM 'n', CAST(NUMBER_OF_DISTINCT_ITEMS AS DOUBLE)
      FROM TABLE(COUNT_DISTINCT_ITEMS_TUMBLING(
        CURSOR(SELECT STREAM * FROM S) PARTITION BY K, 'X', 2));
    CREATE PUMP H AS INSERT INTO O SELECT STREAM K, AVG(X) FROM S
      GROUP BY K, STEP(S.ROWTIME BY INTERVAL '3' SECOND);
    CREATE PUMP I AS INSERT INTO O SELECT STREAM K, SUM(DISTINCT X) FROM S
      GROUP BY K, SESSION(S.ROWTIME, INTERVAL '1' SECOND);
    CREATE PUMP J AS INSERT INTO O SELECT STREAM K, MEDIAN(X) FROM S
      GROUP BY K, HOP(S.ROWTIME, INTERVAL '1' SECOND, INTERVAL '2' SECOND);
    CREATE PUMP L AS INSERT INTO O SELECT STREAM K, STDDEV_SAMP(X) FROM S
      WINDOWED BY STAGGER (PARTITION BY K RANGE INTERVAL '2' SECOND);
    """
  static let rows = """
    CREATE STREAM P (K VARCHAR(8), N DOUBLE);
    CREATE PUMP M AS INSERT INTO P SELECT STREAM MAX(K) OVER V, SUM(X) OVER W FROM S
      WINDOW W AS (PARTITION BY K RANGE INTERVAL '2' SECOND PRECEDING),
        V AS (RANGE INTERVAL '1' SECOND PRECEDING);
    CREATE PUMP N AS INSERT INTO P SELECT STREAM LAG(K, 1) OVER W, FIRST_VALUE(X) OVER W
      FROM S WINDOW W AS (PARTITION BY K ROWS 3 PRECEDING);
    CREATE PUMP Q AS INSERT INTO P SELECT STREAM K, SUM(X) OVER W FROM S
      WINDOW W AS (PARTITION BY K ROWS UNBOUNDED PRECEDING);
    CREATE PUMP R AS INSERT INTO P SELECT STREAM K, EXP_AVG(X, INTERVAL '1' SECOND) OVER W FROM S
      WINDOW W AS (PARTITION BY K RANGE INTERVAL '1' SECOND PRECEDING);
    CREATE PUMP T AS INSERT INTO P SELECT STREAM a.K, b.X
      FROM S OVER (RANGE INTERVAL '2' SECOND PRECEDING) AS a
      FULL JOIN S OVER (RANGE INTERVAL '1' SECOND PRECEDING) AS b ON a.K = b.K AND a.X < b.X;
    """
  static let models = """
    CREATE STREAM M (K VARCHAR(2000), N DOUBLE);
    CREATE PUMP U AS INSERT INTO M SELECT STREAM STATUS, SCORE FROM TABLE(ML_DETECT_ANOMALIES(
      CURSOR(SELECT STREAM K, X FROM S) PARTITION BY K, number_of_trees => 3, sample_size => 16));
    CREATE PUMP V AS INSERT INTO M SELECT STREAM K, ANOMALY_SCORE FROM TABLE(RANDOM_CUT_FOREST(
      CURSOR(SELECT STREAM K, X FROM S), 3, 16, 100, 2));
    CREATE PUMP W AS INSERT INTO M SELECT STREAM HOTSPOTS_RESULT, X FROM TABLE(HOTSPOTS(
      CURSOR(SELECT STREAM K, X FROM S) PARTITION BY K, 100, 1.0, 2));
    """
  static let program = [windows, rows, models].joined(separator: "\n")

  /// Rows that come to a task, and what it makes of them.
  final class Task {
    let dataflow: Dataflow
    var pool = StringPool()
    /// What came out, in order.
    private(set) var emitted: [[String]] = [[], [], []]

    init() throws {
      let result = compile(
        SnapshotReplayTests.program, file: "p.sql",
        sources: [SourceStream(name: "S", schema: SnapshotReplayTests.schema, key: "K")],
        options: CompileOptions(extensions: true))
      dataflow = try Dataflow(
        plan: try #require(result.plan, "\(result)"),
        configuration: DataflowConfiguration(watched: ["O", "P", "M"]))
    }

    func process(_ rows: ArraySlice<Row>) {
      var batch = Batch(schema: SnapshotReplayTests.schema)
      for row in rows {
        batch.rowtimes.append(row.time)
        batch.causes.append(row.cause)
        batch.columns[0].append(pool.intern(row.key))
        batch.columns[1].append(row.value)
      }
      var output = dataflow.makeOutput()
      dataflow.process(&batch, source: 0, pool: &pool, output: &output)
      for (index, stream) in output.streams.enumerated() {
        for row in 0..<stream.batch.count {
          let columns = stream.batch.columns
          let key = columns[0].nulls[row] ? "-" : pool.string(columns[0].texts[row])
          let bits = columns[1].nulls[row] ? 0 : columns[1].doubles[row].bitPattern
          emitted[index].append(
            "\(stream.batch.causes[row]) \(stream.batch.rowtimes[row]) \(key) \(bits)")
        }
      }
    }

    func forgetEmitted() { emitted = [[], [], []] }
  }

  /// A row of the stream.
  struct Row {
    let time: Int64
    let cause: Int64
    let key: String
    let value: Double
  }

  /// Cuts rows into batches of any size and gives them to a task, doing something else between them.
  private static func feed(
    _ rows: ArraySlice<Row>, to task: Task, _ random: inout SplitMix64, between: () -> Void = {}
  ) {
    var rest = rows
    while !rest.isEmpty {
      let size = min(rest.count, Int.random(in: 1...400, using: &random))
      task.process(rest.prefix(size))
      rest = rest.dropFirst(size)
      between()
    }
  }

  private static func makeRows(_ count: Int, _ random: inout SplitMix64) -> [Row] {
    var time: Int64 = 0
    return (0..<count).map { number in
      time += Int64.random(in: 0...3, using: &random)
      if Int.random(in: 0..<900, using: &random) == 0 { time += 1_500 }
      return Row(
        time: time, cause: Int64(number), key: "k\(Int.random(in: 0..<60, using: &random))",
        value: Double(Int.random(in: 0..<400, using: &random)) / 8)
    }
  }

  /// How many seeds there are: few when nothing says so.
  private static let seeds =
    ProcessInfo.processInfo.environment["CUTBANK_SNAPSHOT_SEEDS"].flatMap(UInt64.init) ?? 3

  @Test(arguments: 1...seeds) func aRestoredTaskEqualsTheUndisturbed(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let rows = Self.makeRows(6_000, &random)
    let undisturbed = try Task()
    var task = try Task()
    // What earlier snapshots have, to which later ones refer.
    var stored: [Int64: [StateWriter.Slice]] = [:]
    var position = 0
    for number in 0..<4 as Range<Int64> {
      let barrier = position + Int.random(in: 200...900, using: &random)
      Self.feed(rows[position..<barrier], to: undisturbed, &random)
      Self.feed(rows[position..<barrier], to: task, &random)
      #expect(task.emitted == undisturbed.emitted)
      var writer = StateWriter()
      task.dataflow.beginSave(number, into: &writer, pool: task.pool)
      var isUnfinished = true
      let end = barrier + Int.random(in: 0...300, using: &random)
      var parts = random
      Self.feed(rows[barrier..<end], to: task, &random) {
        for _ in 0..<Int.random(in: 0...4, using: &parts) where isUnfinished {
          isUnfinished = task.dataflow.continueSave(into: &writer, pool: task.pool)
        }
      }
      while isUnfinished {
        isUnfinished = task.dataflow.continueSave(into: &writer, pool: task.pool)
      }
      stored[number] = writer.slices.filter { $0.origin == nil }
      // Even snapshots go on as if nothing had happened, odd ones are gone back to.
      guard number % 2 == 1 else {
        Self.feed(rows[barrier..<end], to: undisturbed, &random)
        position = end
        continue
      }
      undisturbed.forgetEmitted()
      task = try Task()
      try task.dataflow.restore(
        from: StateReader(Self.resolved(writer.slices, stored).shuffled(using: &random)),
        pool: &task.pool)
      position = barrier
    }
    Self.feed(rows[position...], to: undisturbed, &random)
    Self.feed(rows[position...], to: task, &random)
    #expect(task.emitted == undisturbed.emitted, "seed \(seed)")
    for stream in undisturbed.emitted { #expect(stream.count > 1_000) }
  }

  private static func resolved(
    _ slices: [StateWriter.Slice], _ stored: [Int64: [StateWriter.Slice]]
  ) -> [StateWriter.Slice] {
    slices.map { slice in
      guard let origin = slice.origin else { return slice }
      return stored[origin]?.first { $0.section == slice.section && $0.number == slice.number }
        ?? slice
    }
  }
}
