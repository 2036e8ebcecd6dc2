import Engine
import Testing
import Transport

/// Which pipelines a reload ends and begins.
@Suite struct PipelineChangeTests {
  private static func plan(_ name: String, version: Int = 0) throws -> PipelinePlan {
    try PassingPipeline.plan(
      name, to: "delivery: {to: file:///srv/out, buffer: {interval: \(60 + version)s}}")
  }

  @Test func itTellsWhatItDoes() throws {
    let running = try [
      (plan: Self.plan("a"), hasFailed: false), (plan: Self.plan("b"), hasFailed: false),
      (plan: Self.plan("c"), hasFailed: false), (plan: Self.plan("d"), hasFailed: true),
    ]
    let change = PipelineChange(
      from: running,
      to: try [
        Self.plan("e"), Self.plan("d"), Self.plan("b", version: 1), Self.plan("a"),
      ])
    #expect(change.summary == "changed: b, d; new: e; gone: c; unchanged: a")
  }

  /// Other brokers are another pipeline, another file of the same text is not.
  @Test func theConnectionCountsAndThePlaceDoesNot() throws {
    let plan = try Self.plan("a")
    var configuration = plan.configuration
    configuration.file = "elsewhere"
    #expect(try PipelinePlan.make(configuration, dataDirectory: "data").0.isUnchanged(from: plan))
    configuration.kafka.properties["session.timeout.ms"] = "9000"
    #expect(try !PipelinePlan.make(configuration, dataDirectory: "data").0.isUnchanged(from: plan))
  }

  /// Afterwards exactly what shall run runs, and only what is as it was has not ended.
  @Test(arguments: 0..<50) func afterwardsEverythingRuns(seed: UInt64) throws {
    var generator = SplitMix64(seed: seed)
    let names = ["a", "b", "c", "d"]
    func some() throws -> [PipelinePlan] {
      try names.shuffled(using: &generator).prefix(Int.random(in: 0...4, using: &generator)).map {
        try Self.plan($0, version: Int.random(in: 0...1, using: &generator))
      }
    }
    let before = try some().map {
      (plan: $0, hasFailed: Int.random(in: 0..<4, using: &generator) == 0)
    }
    let after = try some()
    let change = PipelineChange(from: before, to: after)
    let wanted = Set(after.map(\.configuration.name))
    let begun = change.begun.map(\.configuration.name)
    #expect(change.kept.union(begun) == wanted)
    #expect(change.kept.isDisjoint(with: begun) && change.kept.isDisjoint(with: change.ended))
    #expect(change.kept.union(change.ended) == Set(before.map(\.plan.configuration.name)))
    for (plan, hasFailed) in before {
      let isAsBefore = after.contains { $0.isUnchanged(from: plan) }
      #expect(change.kept.contains(plan.configuration.name) == (isAsBefore && !hasFailed))
    }
  }
}
