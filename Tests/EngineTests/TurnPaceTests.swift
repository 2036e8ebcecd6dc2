import Columns
import Engine
import RimSupport
import Testing
import Transport

/// How many records a task takes at a time: a rule over what the last batches cost.
@Suite struct TurnPaceTests {
  /// What a record costs, milliseconds, and how many a batch of a lagging task has in the end.
  struct Rule: CustomTestStringConvertible {
    let cost: Double
    let rows: ClosedRange<Int>

    var testDescription: String { "\(cost) ms" }
  }

  static let rules = [
    Rule(cost: 0, rows: 8_192...8_192), Rule(cost: 0.001, rows: 8_192...8_192),
    Rule(cost: 0.004, rows: 4_000...5_500), Rule(cost: 0.1, rows: 150...220),
    Rule(cost: 1, rows: 15...22), Rule(cost: 7, rows: 1...3), Rule(cost: 300, rows: 1...1),
  ]

  /// Lets batches of a lagging task go by; returns how long the longest took.
  @discardableResult
  private static func run(_ pace: inout TurnPace, cost: Double, batches: Int) -> Double {
    var longest = 0.0
    for _ in 0..<batches {
      let limit = pace.limit(isLagging: true)
      longest = max(longest, Double(limit) * cost)
      pace.note(rows: limit, limit: limit, milliseconds: Int64(Double(limit) * cost))
    }
    return longest
  }

  @Test(arguments: rules) func aBatchTakesAboutTwentyMilliseconds(_ rule: Rule) {
    var pace = TurnPace()
    Self.run(&pace, cost: rule.cost, batches: 20)
    #expect(rule.rows.contains(pace.limit(isLagging: true)), "\(pace)")
    #expect(pace.limit(isLagging: false) == min(pace.limit(isLagging: true), Batch.rowLimit))
    let longest = Self.run(&pace, cost: rule.cost, batches: 50)
    #expect(longest <= max(22, rule.cost))
  }

  /// From any cost to any other: one batch may be too long, the next is not.
  @Test(arguments: rules, rules) func itFollowsWhatARecordCosts(_ first: Rule, _ second: Rule) {
    var pace = TurnPace()
    Self.run(&pace, cost: first.cost, batches: 20)
    Self.run(&pace, cost: second.cost, batches: 1)
    #expect(Self.run(&pace, cost: second.cost, batches: 20) <= max(22, second.cost))
    #expect(second.rows.contains(pace.limit(isLagging: true)))
  }

  /// A batch that the machine held up, or a few records that took long, are forgotten in a few batches.
  @Test(arguments: [(1, 30), (3, 400), (1_024, 90), (8_192, 21)] as [(Int, Int64)])
  func aPauseIsForgotten(rows: Int, milliseconds: Int64) {
    var pace = TurnPace()
    Self.run(&pace, cost: 0.001, batches: 10)
    pace.note(rows: rows, limit: max(rows, 1_024), milliseconds: milliseconds)
    Self.run(&pace, cost: 0.001, batches: 14)
    #expect(pace.limit(isLagging: true) == Batch.laggingRowLimit)
  }

  /// Batches that had fewer records than they might have tell nothing of more.
  @Test func aTaskThatKeepsUpDoesNotGrow() {
    var pace = TurnPace()
    for _ in 0..<100 {
      pace.note(rows: 40, limit: pace.limit(isLagging: false), milliseconds: 0)
      pace.note(rows: 0, limit: pace.limit(isLagging: false), milliseconds: 50)
    }
    #expect(pace.limit(isLagging: true) == Batch.rowLimit)
  }

  /// Beside a snapshot each record may need a part of the state copied first, and still the batch takes no
  /// longer.
  @Test(arguments: rules, [0.001, 0.02, 0.5, 3, 80])
  func recordsBesideASnapshotAreFewer(_ rule: Rule, copy: Double) {
    var pace = TurnPace()
    Self.run(&pace, cost: rule.cost, batches: 20)
    let limit = pace.limitWhileCopying(cost: copy)
    #expect(limit >= 1 && limit <= min(Batch.rowLimit / 4, pace.limit(isLagging: true)))
    #expect(limit == 1 || Double(limit) * (copy + rule.cost) <= 22)
    // What was learnt from batches with copies does not make the next ones starve.
    for _ in 0..<20 {
      let limit = pace.limitWhileCopying(cost: copy)
      pace.note(
        rows: limit, limit: limit, milliseconds: Int64(Double(limit) * (copy + rule.cost)))
    }
    let later = pace.limitWhileCopying(cost: copy)
    let fitting = min(256, Int(20 / (copy + rule.cost)))
    #expect(later <= max(1, 2 * fitting) && later >= max(1, fitting / 3), "\(later) of \(fitting)")
  }

  /// Costs that change all the time: never is a batch longer than what its records cost more than those
  /// before them.
  @Test(arguments: 1...20 as ClosedRange<UInt64>) func aBatchIsNoLongerThanItsRecordsAreDearer(
    seed: UInt64
  ) {
    var random = SplitMix64(seed: seed)
    var pace = TurnPace()
    Self.run(&pace, cost: 0.2, batches: 20)
    var before = 0.2
    for _ in 0..<2_000 {
      let cost = before * Double.random(in: 0.5...2, using: &random)
      let limit = pace.limit(isLagging: true)
      let took = Double(limit) * cost
      #expect(took <= max(2 * 44, cost), "\(limit) of \(cost) ms")
      pace.note(rows: limit, limit: limit, milliseconds: Int64(took))
      before = min(max(cost, 0.003), 15)
    }
  }
}
