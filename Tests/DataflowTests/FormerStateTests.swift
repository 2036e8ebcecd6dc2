import Columns
import Dataflow
import StreamSQL
import Testing

/// Programs that are changed: what is unchanged goes on as if nothing had happened.
@Suite struct FormerStateTests {
  static let streams = """
    CREATE STREAM O (K VARCHAR(8), S DOUBLE);
    CREATE STREAM R (K VARCHAR(8), S DOUBLE);
    CREATE STREAM H (K VARCHAR(8), S DOUBLE);
    """
  static let forest = """
    CREATE PUMP P AS INSERT INTO O SELECT STREAM K, SCORE FROM TABLE(ML_DETECT_ANOMALIES(
      CURSOR(SELECT STREAM K, X FROM S) PARTITION BY K, number_of_trees => 3, sample_size => 16));
    """
  static let sums = """
    CREATE PUMP Q AS INSERT INTO R SELECT STREAM K, SUM(X) OVER W FROM S
      WINDOW W AS (PARTITION BY K RANGE INTERVAL '5' SECOND PRECEDING);
    """
  static let counts = """
    CREATE PUMP V AS INSERT INTO H SELECT STREAM K, COUNT(*) FROM S
      GROUP BY K, STEP(S.ROWTIME BY INTERVAL '7' SECOND);
    """
  static let others = """
    CREATE PUMP A AS INSERT INTO H SELECT STREAM K, MAX(X) OVER (ROWS 3 PRECEDING) FROM S;
    """

  static func state(_ task: SnapshotCopyTests.Task) -> [StateWriter.Slice] {
    var writer = StateWriter()
    task.dataflow.save(into: &writer, pool: task.pool)
    return writer.slices
  }

  /// The forest and the sums stand at other places, behind a new pump; the counts are gone.
  @Test(arguments: 1...5 as ClosedRange<UInt64>)
  func whatIsUnchangedGoesOn(seed: UInt64) throws {
    let before = try SnapshotCopyTests.Task(
      seed: seed, program: Self.streams + Self.counts + Self.sums + Self.forest)
    let still = try SnapshotCopyTests.Task(
      seed: seed, program: Self.streams + Self.counts + Self.sums + Self.forest)
    let after = try SnapshotCopyTests.Task(
      seed: seed, program: Self.streams + Self.others + Self.forest + Self.sums)
    for _ in 0..<30 {
      before.process(keys: 5)
      still.process(keys: 5)
    }
    let begun = try after.dataflow.restore(
      from: StateReader(Self.state(before)), of: before.dataflow.plan, pool: &after.pool)
    #expect(begun.map(\.pump) == ["A"])
    (after.cause, after.random) = (still.cause, still.random)
    for _ in 0..<30 {
      after.process(keys: 5)
      still.process(keys: 5)
    }
    let expected = still.whole()
    let found = after.whole()
    for pump in ["P", "Q"] {
      let names = expected.keys.filter { $0.hasPrefix("operator/\(pump)/") }.sorted()
      #expect(!names.isEmpty)
      for name in names { #expect(found[name] == expected[name], "\(name)") }
    }
    #expect(
      after.dataflow.counters.first { $0.name.hasPrefix("operator/P/") }?.counters
        == still.dataflow.counters.first { $0.name.hasPrefix("operator/P/") }?.counters)
  }

  @Test func theStateOfAnotherProgramIsRefused() throws {
    let task = try SnapshotCopyTests.Task(seed: 1, program: Self.streams + Self.sums)
    let other = try SnapshotCopyTests.Task(
      seed: 1, program: "CREATE STREAM Z (K VARCHAR(8));" + Self.streams + Self.sums)
    #expect(throws: StateError.self) {
      _ = try task.dataflow.restore(
        from: StateReader(Self.state(task)), of: other.dataflow.plan, pool: &task.pool)
    }
  }
}
