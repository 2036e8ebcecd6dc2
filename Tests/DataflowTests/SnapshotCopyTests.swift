import Columns
import Dataflow
import StreamSQL
import Testing
import Transport

/// Snapshots that are copied while rows go on.
@Suite struct SnapshotCopyTests {
  static let schema = Schema([
    ColumnDefinition(name: "K", type: .varchar(8)), ColumnDefinition(name: "X", type: .double),
  ])
  static let program = """
    CREATE STREAM O (K VARCHAR(8), S DOUBLE);
    CREATE STREAM R (K VARCHAR(8), S DOUBLE);
    CREATE STREAM H (K VARCHAR(8), S VARCHAR(1000));
    CREATE PUMP P AS INSERT INTO O SELECT STREAM K, SCORE FROM TABLE(ML_DETECT_ANOMALIES(
      CURSOR(SELECT STREAM K, X FROM S) PARTITION BY K, number_of_trees => 3, sample_size => 16));
    CREATE PUMP Q AS INSERT INTO R SELECT STREAM K, ANOMALY_SCORE FROM TABLE(RANDOM_CUT_FOREST(
      CURSOR(SELECT STREAM K, X FROM S) PARTITION BY K, 3, 16, 100, 1));
    CREATE PUMP V AS INSERT INTO H SELECT STREAM K, HOTSPOTS_RESULT FROM TABLE(HOTSPOTS(
      CURSOR(SELECT STREAM K, X FROM S) PARTITION BY K, 100, 1.0, 2));
    """
  /// Windows of every kind, over more groups than a block has.
  static let windows = """
    CREATE STREAM O (K VARCHAR(8), N BIGINT);
    CREATE PUMP A AS INSERT INTO O SELECT STREAM K, COUNT(*) FROM S
      GROUP BY K, STEP(S.ROWTIME BY INTERVAL '7' SECOND);
    CREATE PUMP B AS INSERT INTO O SELECT STREAM K, COUNT(DISTINCT X) FROM S
      GROUP BY K, SESSION(S.ROWTIME, INTERVAL '2' SECOND);
    CREATE PUMP C AS INSERT INTO O SELECT STREAM K, COUNT(*) FROM S
      GROUP BY K, HOP(S.ROWTIME, INTERVAL '2' SECOND, INTERVAL '4' SECOND);
    CREATE PUMP D AS INSERT INTO O SELECT STREAM K, COUNT(*) FROM S
      WINDOWED BY STAGGER (PARTITION BY K RANGE INTERVAL '3' SECOND);
    """

  /// Sliding windows of every frame and function, over more rows and partitions than a block has.
  static let slidings = """
    CREATE STREAM O (K VARCHAR(8), A DOUBLE, B DOUBLE);
    CREATE PUMP A AS INSERT INTO O SELECT STREAM K, SUM(X) OVER W, STDDEV_POP(X) OVER W FROM S
      WINDOW W AS (PARTITION BY K RANGE INTERVAL '5' SECOND PRECEDING);
    CREATE PUMP B AS INSERT INTO O SELECT STREAM MAX(K) OVER V, FIRST_VALUE(X) OVER W, MIN(X) OVER V
      FROM S WINDOW W AS (PARTITION BY K ROWS 2 PRECEDING),
        V AS (RANGE INTERVAL '3' SECOND PRECEDING);
    CREATE PUMP C AS INSERT INTO O SELECT STREAM K, SUM(X) OVER W, MAX(X) OVER W FROM S
      WINDOW W AS (PARTITION BY K ROWS UNBOUNDED PRECEDING);
    CREATE PUMP D AS INSERT INTO O
      SELECT STREAM K, EXP_AVG(X, INTERVAL '2' SECOND) OVER W, MEDIAN(X) OVER W FROM S
      WINDOW W AS (PARTITION BY K RANGE INTERVAL '2' SECOND PRECEDING);
    """
  static let joins = """
    CREATE STREAM O (K VARCHAR(8), X DOUBLE, Y DOUBLE);
    CREATE PUMP P AS INSERT INTO O SELECT STREAM a.K, a.X, b.X
      FROM S OVER (RANGE INTERVAL '6' SECOND PRECEDING) AS a
      FULL JOIN S OVER (RANGE INTERVAL '2' SECOND PRECEDING) AS b ON a.K = b.K AND a.X < b.X;
    """

  /// Rows and items that are held, over more of them than a block has, until all go at once.
  static let held = """
    CREATE STREAM O (K VARCHAR(8), N DOUBLE);
    CREATE STREAM E (K VARCHAR(8), X DOUBLE);
    CREATE PUMP A AS INSERT INTO O SELECT STREAM K, X FROM (
      SELECT STREAM DISTINCT STEP(S.ROWTIME BY INTERVAL '6' SECOND) AS t, K, X FROM S);
    CREATE PUMP B AS INSERT INTO O SELECT STREAM K, X FROM S
      ORDER BY STEP(S.ROWTIME BY INTERVAL '7' SECOND), X DESC;
    CREATE PUMP C AS INSERT INTO E SELECT STREAM
      STEP(S.ROWTIME BY INTERVAL '5' SECOND) AS ROWTIME, K, X FROM S;
    CREATE PUMP D AS INSERT INTO O SELECT STREAM K, CAST(R AS DOUBLE) FROM TABLE(GROUP_RANK(
      CURSOR(SELECT STREAM K, X FROM E), 'K', 'R', 'asc', 'desc', 0, 0));
    CREATE PUMP F AS INSERT INTO O SELECT STREAM 'top', CAST(ITEM_COUNT AS DOUBLE) FROM TABLE(
      TOP_K_ITEMS_TUMBLING(CURSOR(SELECT STREAM K, CAST(X AS INTEGER) AS I FROM S) PARTITION BY K, 'I', 2, 8));
    CREATE PUMP G AS INSERT INTO O SELECT STREAM 'n', CAST(NUMBER_OF_DISTINCT_ITEMS AS DOUBLE)
      FROM TABLE(COUNT_DISTINCT_ITEMS_TUMBLING(
        CURSOR(SELECT STREAM * FROM S) PARTITION BY K, 'X', 9));
    """

  /// The bytes of every slice by its name.
  typealias State = [String: [UInt8]]

  final class Task {
    let dataflow: Dataflow
    var pool = StringPool()
    var cause: Int64 = 0
    var random: SplitMix64
    /// What each finished snapshot has in itself.
    var stored: [Int64: State] = [:]

    init(
      seed: UInt64, program: String = SnapshotCopyTests.program,
      watched: [String] = ["O", "R", "H"]
    ) throws {
      random = SplitMix64(seed: seed)
      let result = compile(
        program, file: "p.sql",
        sources: [SourceStream(name: "S", schema: SnapshotCopyTests.schema, key: "K")],
        options: CompileOptions(extensions: true))
      dataflow = try Dataflow(
        plan: try #require(result.plan), configuration: DataflowConfiguration(watched: watched))
    }

    func process(keys: Int, rows: ClosedRange<Int> = 1...20) {
      var batch = Batch(schema: SnapshotCopyTests.schema)
      for _ in 0..<Int.random(in: rows, using: &random) {
        batch.rowtimes.append(cause)
        batch.causes.append(cause)
        batch.columns[0].append(pool.intern("k\(Int.random(in: 0..<keys, using: &random))"))
        batch.columns[1].append(Double.random(in: 0...9, using: &random))
        cause += 1
      }
      var output = dataflow.makeOutput()
      dataflow.process(&batch, source: 0, pool: &pool, output: &output)
    }

    /// Gives all texts new ids, as a task does from time to time.
    func compactPool() {
      var old = StringPool()
      swap(&old, &pool)
      var remap = StringRemapper(from: old)
      dataflow.remapStrings(&remap)
      pool = remap.finish()
    }

    func whole() -> State {
      var writer = StateWriter()
      dataflow.save(into: &writer, pool: pool)
      return Self.state(writer.slices)
    }

    static func state(_ slices: [StateWriter.Slice]) -> State {
      var state: State = [:]
      for slice in slices { state["\(slice.section)#\(slice.number)"] = slice.bytes }
      return state
    }

    /// Takes a snapshot while rows go on; returns what it amounts to and how much it refers to.
    func snapshot(
      _ number: Int64, keys: Int, rows: ClosedRange<Int> = 1...20
    ) -> (State, references: Int) {
      var writer = StateWriter()
      dataflow.beginSave(number, into: &writer, pool: pool)
      while dataflow.continueSave(into: &writer, pool: pool) {
        if Bool.random(using: &random) { process(keys: keys, rows: rows) }
        if Int.random(in: 0..<8, using: &random) == 0 { compactPool() }
      }
      stored[number] = Self.state(writer.slices.filter { $0.origin == nil })
      var state = Self.state(writer.slices)
      var references = 0
      for slice in writer.slices {
        guard let origin = slice.origin else { continue }
        let name = "\(slice.section)#\(slice.number)"
        state[name] = stored[origin]?[name]
        references += 1
      }
      return (state, references)
    }
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func aSnapshotIsTheStateAtItsBeginning(seed: UInt64) throws {
    let task = try Task(seed: seed)
    var references = 0
    for number in 0..<12 as Range<Int64> {
      for _ in 0..<Int.random(in: 0...4, using: &task.random) { task.process(keys: 40) }
      let expected = task.whole()
      if Bool.random(using: &task.random), number > 6 {
        // One that is given up leaves no trace.
        var writer = StateWriter()
        task.dataflow.beginSave(1_000 + number, into: &writer, pool: task.pool)
        _ = task.dataflow.continueSave(into: &writer, pool: task.pool)
        task.dataflow.forgetSaved()
      }
      let (found, referred) = task.snapshot(number, keys: 5)
      #expect(found == expected, "snapshot \(number)")
      references += referred
    }
    #expect(references > 0)
  }

  @Test func aTaskGoesOnFromACopiedSnapshotAsIfNothingHadBeen() throws {
    let task = try Task(seed: 5)
    for _ in 0..<30 { task.process(keys: 9) }
    var writer = StateWriter()
    task.dataflow.beginSave(1, into: &writer, pool: task.pool)
    while task.dataflow.continueSave(into: &writer, pool: task.pool) {}
    let twin = try Task(seed: 5)
    var pool = StringPool()
    // The order in which slices were copied does not matter.
    try twin.dataflow.restore(from: StateReader(writer.slices.reversed()), pool: &pool)
    var saved = StateWriter()
    twin.dataflow.save(into: &saved, pool: pool)
    #expect(Task.state(saved.slices) == task.whole())
  }

  @Test(
    arguments: [windows, slidings, joins, held], 1...4 as ClosedRange<UInt64>)
  func windowsAreCopiedAsTheyWereAtTheBeginning(program: String, seed: UInt64) throws {
    let task = try Task(seed: seed, program: program, watched: ["O"])
    for number in 0..<4 as Range<Int64> {
      // Some keys appear, some windows close, on both sides of the beginning and while blocks are copied.
      for _ in 0..<3 { task.process(keys: 5_000, rows: 1...3_000) }
      if Bool.random(using: &task.random) {
        // One that is given up leaves no trace.
        var writer = StateWriter()
        task.dataflow.beginSave(1_000 + number, into: &writer, pool: task.pool)
        _ = task.dataflow.continueSave(into: &writer, pool: task.pool)
        task.process(keys: 5_000, rows: 1...900)
        task.dataflow.forgetSaved()
      }
      let expected = task.whole()
      let (found, _) = task.snapshot(number, keys: 5_000, rows: 1...900)
      #expect(found == expected, "snapshot \(number)")
      let twin = try Task(seed: seed, program: program, watched: ["O"])
      var writer = StateWriter()
      for (name, bytes) in found {
        let parts = name.split(separator: "#")
        writer.section(String(parts[0]), slice: try #require(Int(parts[1]))) {
          $0.append(raw: bytes)
        }
      }
      try twin.dataflow.restore(from: StateReader(writer.slices), pool: &twin.pool)
      #expect(twin.whole() == expected)
    }
  }
}
