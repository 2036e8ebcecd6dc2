import Columns
import Dataflow
import Testing

@Suite struct EpisodeTests {
  /// A row: seconds, value; or time that passes without one.
  enum Input: Sendable {
    case row(Int64, Double)
    case time(Int64)
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let rule: @Sendable (inout EpisodeRule) -> Void
    let inputs: [Input]
    /// `+` or `-`, seconds, points.
    let expect: [String]
    var testDescription: String { name }
  }

  static let cases: [Case] = [
    Case(
      name: "fires at once, ends at the first normal row", rule: { _ in },
      inputs: [.row(0, 1), .row(1, 12), .row(2, 13), .row(3, 1)], expect: ["+1 1", "-3 2"]),
    Case(
      name: "for: points in a row", rule: { $0.hold = .points(3) },
      inputs: [.row(0, 12), .row(1, 12), .row(2, 1), .row(3, 12), .row(4, 12), .row(5, 12)],
      expect: ["+5 3"]),
    Case(
      name: "for: a time", rule: { $0.hold = .milliseconds(10_000) },
      inputs: [.row(0, 12), .row(9, 12), .row(10, 12)], expect: ["+10 3"]),
    Case(
      name: "hysteresis", rule: { $0.release = 5 },
      inputs: [.row(0, 7), .row(1, 12), .row(2, 7), .row(3, 5), .row(4, 4.9)],
      expect: ["+1 1", "-4 1"]),
    Case(
      name: "keep_firing_for: points", rule: { $0.keep = .points(2) },
      inputs: [.row(0, 12), .row(1, 1), .row(2, 12), .row(3, 1), .row(4, 1)],
      expect: ["+0 1", "-4 2"]),
    Case(
      name: "keep_firing_for: a time, ends between rows", rule: { $0.keep = .milliseconds(5_000) },
      inputs: [.row(0, 12), .row(1, 1), .row(4, 12), .row(5, 1), .row(20, 1)],
      expect: ["+0 1", "-9 2"]),
    Case(
      name: "ends when nothing comes", rule: { $0.quietMilliseconds = 60_000 },
      inputs: [.row(0, 12), .row(1, 12), .time(61)], expect: ["+0 1", "-61 2"]),
    Case(
      name: "cooldown", rule: { $0.cooldownMilliseconds = 10_000 },
      inputs: [.row(0, 12), .row(1, 1), .row(2, 12), .row(10, 12), .row(11, 12)],
      expect: ["+0 1", "-1 1", "+11 3"]),
    Case(
      name: "flapping becomes one long episode",
      rule: {
        $0.flapCount = 2
        $0.flapMilliseconds = 30_000
      },
      inputs: [
        .row(0, 12), .row(1, 1), .row(2, 12), .row(3, 1), .row(4, 12), .row(5, 1), .row(40, 1),
      ], expect: ["+0 1", "-1 1", "+2 1", "-34 2"]),
    Case(
      name: "below", rule: { $0.side = .below },
      inputs: [.row(0, 11), .row(1, 9), .row(2, 11)], expect: ["+1 1", "-2 1"]),
  ]

  private static func run(
    _ rule: EpisodeRule, _ inputs: [Input], restoring: Bool = false
  ) throws -> [EpisodeTransition] {
    var tracker = EpisodeTracker(rule)
    var transitions: [EpisodeTransition] = []
    for input in inputs {
      switch input {
      case .time(let seconds): tracker.advance(to: seconds * 1_000, into: &transitions)
      case .row(let seconds, let value):
        let condition = rule.condition(value: value, actual: nil, expected: nil)
        tracker.observe(
          entity: ["a"], rowtime: seconds * 1_000, condition: condition, value: value,
          values: { [.number(value), .text("row"), .null, .integer(seconds), .boolean(true)] },
          into: &transitions)
      }
      guard restoring else { continue }
      var writer = StateWriter()
      writer.section("episodes") { tracker.save(into: &$0) }
      var section = try StateReader(writer.slices).section("episodes")
      tracker = EpisodeTracker(rule)
      try tracker.restore(from: &section)
      try section.finish()
    }
    return transitions
  }

  private static func text(_ transitions: [EpisodeTransition]) -> [String] {
    transitions.map { "\($0.isFiring ? "+" : "-")\($0.rowtime / 1_000) \($0.points)" }
  }

  @Test(arguments: cases) func transitions(_ test: Case) throws {
    var rule = EpisodeRule()
    rule.threshold = 10
    test.rule(&rule)
    let straight = try Self.run(rule, test.inputs)
    #expect(Self.text(straight) == test.expect)
    #expect(try Self.run(rule, test.inputs, restoring: true) == straight)
  }

  @Test func anEpisodeRemembersTheRowOfItsPeak() throws {
    var rule = EpisodeRule()
    rule.threshold = 10
    let inputs: [Input] = [.row(0, 12), .row(1, 30), .row(2, 20), .row(3, 1)]
    let transitions = try Self.run(rule, inputs, restoring: true)
    #expect(transitions.map { $0.values.first } == [.number(12), .number(30)])
    rule.threshold = nil
    rule.quietMilliseconds = 60_000
    let last = try Self.run(rule, [.row(0, 12), .row(1, 30), .row(2, 20), .time(90)])
    #expect(last.map { $0.values.first } == [.number(12), .number(20)])
  }

  /// Many entities whose deadlines lie close together end in the order of deadlines, then names.
  @Test(arguments: 0..<10) func endsComeInTheirOrder(seed: Int) {
    var generator = Numbers(state: UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 &+ 7)
    var rule = EpisodeRule()
    rule.threshold = 10
    rule.quietMilliseconds = 5_000
    var tracker = EpisodeTracker(rule)
    var transitions: [EpisodeTransition] = []
    var last: [String: Int64] = [:]
    for row in 0..<3_000 {
      let entity = "e\(generator.next() % 500)"
      let time = Int64(row)
      last[entity] = time
      tracker.observe(
        entity: [entity], rowtime: time, condition: .anomalous, value: 11, into: &transitions)
    }
    #expect(tracker.nextDeadline == last.values.min().map { $0 + 5_000 })
    transitions = []
    tracker.advance(to: 100_000, into: &transitions)
    let expected = last.sorted { ($0.value, $0.key) < ($1.value, $1.key) }
    #expect(transitions.map(\.entity) == expected.map { [$0.key] })
    #expect(transitions.map(\.rowtime) == expected.map { $0.value + 5_000 })
    #expect(tracker.count == 0 && tracker.nextDeadline == nil)
  }

  @Test func deviationsCountBySizeShareAndDirection() {
    var rule = EpisodeRule()
    rule.direction = .up
    rule.leastShare = 0.5
    func says(_ actual: Double?, _ expected: Double?) -> EpisodeRule.Condition {
      rule.condition(value: nil, actual: actual, expected: expected)
    }
    #expect(says(16, 10) == .anomalous)
    #expect(says(14, 10) == .normal)
    #expect(says(4, 10) == .normal)
    #expect(says(nil, 10) == .normal)
  }

  /// Time that passes between rows changes nothing: that is where batches are cut.
  @Test(arguments: 0..<20) func cutsChangeNothing(seed: Int) throws {
    var generator = Numbers(state: UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1)
    var rule = EpisodeRule()
    rule.threshold = 10
    rule.release = 8
    rule.keep = .milliseconds(3_000)
    rule.quietMilliseconds = 7_000
    rule.cooldownMilliseconds = 2_000
    rule.flapCount = 3
    rule.flapMilliseconds = 20_000
    var whole = EpisodeTracker(rule)
    var cut = EpisodeTracker(rule)
    var expected: [EpisodeTransition] = []
    var got: [EpisodeTransition] = []
    var now: Int64 = 0
    for _ in 0..<2_000 {
      now += Int64(generator.next() % 1_500)
      let entity = ["e\(generator.next() % 7)"]
      let value = Double(generator.next() % 14)
      let condition = rule.condition(value: value, actual: nil, expected: nil)
      if generator.next() % 2 == 0 { cut.advance(to: now, into: &got) }
      whole.observe(
        entity: entity, rowtime: now, condition: condition, value: value, into: &expected)
      cut.observe(entity: entity, rowtime: now, condition: condition, value: value, into: &got)
    }
    #expect(got == expected, "seed \(seed)")
    #expect(expected.count > 50)
    // Every end belongs to the beginning before it.
    var open: Set<[String]> = []
    for transition in expected {
      if transition.isFiring {
        #expect(open.insert(transition.entity).inserted)
      } else {
        #expect(open.remove(transition.entity) != nil)
      }
    }
  }

  private struct Numbers {
    var state: UInt64
    mutating func next() -> UInt64 {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return state >> 8
    }
  }
}
