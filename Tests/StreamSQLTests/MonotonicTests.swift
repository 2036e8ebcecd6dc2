import Columns
import StreamSQL
import Testing

@Suite struct MonotonicTests {
  static let functions: [MonotonicFunction] = [
    MonotonicFunction(), MonotonicFunction([.floor(60_000)]), MonotonicFunction([.ceiling(1_000)]),
    MonotonicFunction([.add(-7), .floor(10)]), MonotonicFunction([.divide(10), .floor(1_000)]),
    MonotonicFunction([.multiply(3), .floor(1_000)]), MonotonicFunction([.floorMonths(1)]),
    MonotonicFunction([.ceilingMonths(12)]), MonotonicFunction([.floor(60_000), .floor(90_000)]),
    MonotonicFunction([.ceiling(7), .add(3), .divide(4), .multiply(2), .ceiling(6)]),
  ]

  @Test(arguments: functions)
  func nextChangeIsTheFirstMomentOfAnotherValue(_ function: MonotonicFunction) {
    var generator = TestGenerator(seed: 1)
    for _ in 0..<2_000 {
      let small = Bool.random(using: &generator)
      let time = Int64.random(
        in: small ? -2_000...2_000 : -100_000_000_000...2_000_000_000_000, using: &generator)
      let next = function.nextChange(after: time)
      #expect(next > time, "\(function) at \(time)")
      #expect(function.value(at: next) > function.value(at: time), "\(function) at \(time)")
      #expect(function.value(at: next - 1) == function.value(at: time), "\(function) at \(time)")
    }
  }

  @Test func extremesDoNotTrap() {
    for function in Self.functions {
      for time in [Int64.min, Int64.min + 1, -1, 0, 1, Int64.max - 1, Int64.max] {
        #expect(function.nextChange(after: time) >= time, "\(function) at \(time)")
      }
    }
  }

  /// A grouping expression, a time and the end of its window.
  static let windows: [(String, String, String)] = [
    ("FLOOR(ROWTIME TO MINUTE)", "2024-03-05 10:00:10.000", "2024-03-05 10:01:00.000"),
    ("STEP(ROWTIME BY INTERVAL '10' SECOND)", "2024-03-05 10:00:10.000", "2024-03-05 10:00:20.000"),
    ("CEIL(ROWTIME TO MINUTE)", "2024-03-05 10:00:10.000", "2024-03-05 10:01:00.001"),
    ("FLOOR(ROWTIME TO MONTH)", "2024-02-05 10:00:10.000", "2024-03-01 00:00:00.000"),
    ("FLOOR(ROWTIME TO YEAR)", "2024-02-05 10:00:10.000", "2025-01-01 00:00:00.000"),
    (
      "FLOOR(ROWTIME + INTERVAL '5' MINUTE TO HOUR)", "2024-02-05 10:00:10.000",
      "2024-02-05 10:55:00.000"
    ),
    (
      "FLOOR((ROWTIME - TIMESTAMP '1970-01-01 00:00:00') SECOND / 10 TO SECOND)",
      "2024-03-05 10:00:12.500", "2024-03-05 10:00:20.000"
    ),
    ("CAST(ROWTIME AS DATE)", "2024-03-05 10:00:12.500", "2024-03-06 00:00:00.000"),
    ("UNIX_TIMESTAMP(ROWTIME) / 60000", "2024-03-05 10:00:12.500", "2024-03-05 10:01:00.000"),
    (
      "STEP(FLOOR(ROWTIME TO MINUTE) BY INTERVAL '15' MINUTE)", "2024-03-05 10:00:12.500",
      "2024-03-05 10:15:00.000"
    ),
  ]

  @Test(arguments: windows)
  func tumblingWindowsEndAtTheNextBoundary(_ test: (String, String, String)) throws {
    let result = compiled(
      query: "SELECT STREAM COUNT(*) FROM s WHERE ROWTIME = TIMESTAMP '\(test.1)' "
        + "GROUP BY k, \(test.0)", "INTEGER")
    let root = try #require(result.plan?.pumps[0].root, "\(rendered(result))")
    guard case .project(let node, _, _) = root.operation,
      case .aggregate(let input, .tumbling(let key, .rowtime(let function)), _, _) = node.operation,
      case .filter(_, let predicate) = input.operation,
      case .comparison(_, _, let literal) = predicate.kind,
      case .literal(.integer(let time)) = literal.kind
    else {
      Issue.record("unexpected plan \(root)")
      return
    }
    #expect(key == 1)
    #expect(CivilTime(milliseconds: function.nextChange(after: time)).description == test.2)
  }
}
