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
    CREATE PUMP P AS INSERT INTO O SELECT STREAM K, SCORE FROM TABLE(ML_DETECT_ANOMALIES(
      CURSOR(SELECT STREAM K, X FROM S) PARTITION BY K, number_of_trees => 3, sample_size => 16));
    CREATE PUMP Q AS INSERT INTO R SELECT STREAM K, ANOMALY_SCORE FROM TABLE(RANDOM_CUT_FOREST(
      CURSOR(SELECT STREAM K, X FROM S) PARTITION BY K, 3, 16, 100, 1));
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

    init(seed: UInt64) throws {
      random = SplitMix64(seed: seed)
      let result = compile(
        SnapshotCopyTests.program, file: "p.sql",
        sources: [SourceStream(name: "S", schema: SnapshotCopyTests.schema, key: "K")],
        options: CompileOptions(extensions: true))
      dataflow = try Dataflow(
        plan: try #require(result.plan), configuration: DataflowConfiguration(watched: ["O", "R"]))
    }

    func process(keys: Int) {
      var batch = Batch(schema: SnapshotCopyTests.schema)
      for _ in 0..<Int.random(in: 1...20, using: &random) {
        batch.rowtimes.append(cause)
        batch.causes.append(cause)
        batch.columns[0].append(pool.intern("k\(Int.random(in: 0..<keys, using: &random))"))
        batch.columns[1].append(Double.random(in: 0...9, using: &random))
        cause += 1
      }
      var output = dataflow.makeOutput()
      dataflow.process(&batch, source: 0, pool: &pool, output: &output)
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
    func snapshot(_ number: Int64, keys: Int) -> (State, references: Int) {
      var writer = StateWriter()
      dataflow.beginSave(number, into: &writer, pool: pool)
      while dataflow.continueSave(into: &writer) {
        if Bool.random(using: &random) { process(keys: keys) }
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
        _ = task.dataflow.continueSave(into: &writer)
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
    while task.dataflow.continueSave(into: &writer) {}
    let twin = try Task(seed: 5)
    var pool = StringPool()
    // The order in which slices were copied does not matter.
    try twin.dataflow.restore(from: StateReader(writer.slices.reversed()), pool: &pool)
    var saved = StateWriter()
    twin.dataflow.save(into: &saved, pool: pool)
    #expect(Task.state(saved.slices) == task.whole())
  }
}
