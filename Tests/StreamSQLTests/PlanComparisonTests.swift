import StreamSQL
import Testing

/// Which operators of a changed program are as they were.
@Suite struct PlanComparisonTests {
  struct Change: Sendable, CustomTestStringConvertible {
    let name: String
    let before: String
    let after: String
    /// The operators of the changed program that keep state and are new, as `PUMP: what`.
    let new: [String]

    var testDescription: String { name }
  }

  private static let streams = """
    CREATE STREAM A (K VARCHAR(8), N BIGINT);
    CREATE STREAM C (K VARCHAR(8), N BIGINT);
    """
  private static func counts(_ pump: String, rows: Int = 9, into stream: String = "A") -> String {
    """
    CREATE PUMP \(pump) AS INSERT INTO \(stream) SELECT STREAM K, COUNT(*) OVER
      (PARTITION BY K ROWS \(rows) PRECEDING) FROM S;
    """
  }
  private static func sums(over stream: String = "A", length: String = "MINUTE") -> String {
    """
    CREATE PUMP Q AS INSERT INTO C SELECT STREAM K, SUM(N) FROM \(stream)
      GROUP BY K, FLOOR(\(stream).ROWTIME TO \(length));
    """
  }
  private static func forest(_ query: String, trees: Int = 10) -> String {
    """
    CREATE STREAM F (K VARCHAR(8), "SCORE" DOUBLE);
    CREATE PUMP R AS INSERT INTO F SELECT STREAM \(query) FROM TABLE(RANDOM_CUT_FOREST(
      CURSOR(SELECT STREAM K, X FROM S) PARTITION BY K, \(trees), 64, 1000, 1));
    """
  }

  private static let windows = streams + counts("P") + sums()

  static let changes = [
    Change(name: "nothing", before: windows, after: windows, new: []),
    Change(
      name: "places and comments", before: windows,
      after: "-- moved\n\n" + streams + "\n\n" + counts("P") + "\n-- more\n" + sums(), new: []),
    Change(
      name: "the name of a pump", before: windows, after: streams + counts("LATER") + sums(),
      new: []),
    Change(
      name: "a window", before: windows, after: streams + counts("P", rows: 5) + sums(),
      new: [
        "P: sliding windows by \"K\"", "Q: tumbling aggregation by \"K\", FLOOR(ROWTIME TO MINUTE)",
      ]),
    Change(
      name: "only what reads the others", before: windows,
      after: streams + counts("P") + sums(length: "HOUR"),
      new: ["Q: tumbling aggregation by \"K\", FLOOR(ROWTIME TO HOUR)"]),
    Change(
      name: "one more pump before the others", before: windows,
      after: streams + counts("O", rows: 1, into: "C") + counts("P") + sums(),
      new: ["O: sliding windows by \"K\""]),
    Change(
      name: "one more writer of what is read", before: windows,
      after: streams + counts("P") + counts("O", rows: 1) + sums(),
      new: [
        "O: sliding windows by \"K\"", "Q: tumbling aggregation by \"K\", FLOOR(ROWTIME TO MINUTE)",
      ]),
    Change(
      name: "a pump less", before: streams + counts("O", rows: 1, into: "C") + counts("P"),
      after: streams + counts("P"), new: []),
    Change(
      name: "two alike, of which one goes", before: streams + counts("O", into: "C") + counts("P"),
      after: streams + counts("O", into: "C"), new: []),
    Change(
      name: "one alike more", before: streams + counts("P"),
      after: streams + counts("O", into: "C") + counts("P"), new: ["O: sliding windows by \"K\""]),
    Change(
      name: "what is selected from a forest", before: forest("K, ANOMALY_SCORE"),
      after: forest("UPPER(K), 2 * ANOMALY_SCORE"), new: []),
    Change(
      name: "a forest's trees", before: forest("K, ANOMALY_SCORE"),
      after: forest("K, ANOMALY_SCORE", trees: 20), new: ["R: RANDOM_CUT_FOREST by \"K\""]),
  ]

  @Test(arguments: changes) func whatIsNewIsFound(_ change: Change) throws {
    let before = compiled(change.before)
    let after = compiled(change.after)
    let former = try #require(before.plan, "\(rendered(before))")
    let plan = try #require(after.plan, "\(rendered(after))")
    let unchanged = plan.unchangedOperators(since: former)
    #expect(Set(unchanged.map(\.before)).count == unchanged.count, "one goes on for two")
    let kept = Set(unchanged.map(\.now))
    let new = plan.statefulOperators.filter {
      !kept.contains(OperatorName(pump: $0.pump, node: $0.node))
    }
    #expect(new.map { "\($0.pump): \($0.name)" } == change.new)
  }
}
