import Engine
import Kafka
import RimSupport
import Testing
import Transport

/// What retention leaves before the offset from which a replay would read.
@Suite struct ReplayMarginTests {
  private static func margin(_ low: Int64, _ needed: Int64, _ high: Int64) -> ReplayMargin {
    ReplayMargin(
      partition: TopicPartition(topic: "t", partition: 3), needed: needed,
      marks: Watermarks(low: low, high: high))
  }

  @Test(arguments: [
    // Nothing was ever deleted.
    (0, 0, 100, ReplayMargin.Level.ample), (0, 100, 100, .ample), (0, 0, 0, .ample),
    // A quarter of the hundred lies before it, or not.
    (900, 925, 1_000, .ample), (900, 924, 1_000, .near), (900, 900, 1_000, .near),
    // Everything was read, and then deleted.
    (1_000, 1_000, 1_000, .ample),
    (901, 900, 1_000, .passed), (1_000, 999, 1_000, .passed),
  ])
  func levels(low: Int64, needed: Int64, high: Int64, level: ReplayMargin.Level) {
    let margin = Self.margin(low, needed, high)
    #expect(margin.level == level)
    #expect((margin.problem == nil) == (level == .ample))
    #expect(margin.records == needed - low)
  }

  @Test func theTextNamesPartitionOffsetsAndTheWayOut() throws {
    let passed = Self.margin(1_200, 1_000, 5_000)
    let text = try #require(passed.problem)
    #expect(text.contains("log start 1200 of t[3] has passed offset 1000"))
    #expect(text.contains("200 records are missing"))
    #expect(passed.hint.contains("SIGTERM") && passed.hint.contains("retention.ms"))
    let near = Self.margin(900, 1_000, 5_000)
    #expect(try #require(near.problem).contains("only 100 of the 4100 records"))
    #expect(near.hint.contains("snapshot: {interval:"))
  }

  /// The more is deleted, the worse it gets; the worst of several is none that another one is worse than.
  @Test(arguments: 0..<200) func deletionNeverHelps(seed: UInt64) {
    var generator = SplitMix64(seed: seed)
    let high = Int64(generator.below(1_000))
    let needed = Int64(generator.below(Int(high) + 1))
    let lows = (0..<5).map { _ in Int64(generator.below(Int(high) + 1)) }.sorted()
    let margins = lows.map { Self.margin($0, needed, high) }
    // A topic that was emptied behind the offset has nothing that could be deleted any more.
    for (before, after) in zip(margins, margins.dropFirst()) where after.marks.low < needed {
      #expect(before.level <= after.level)
      #expect(!after.isBetter(than: before))
    }
    let worst = margins.max { $0.isBetter(than: $1) }
    for margin in margins { #expect(worst?.isBetter(than: margin) == false) }
  }

  /// The offset is that of the snapshot that the commit names, and follows it.
  @Test func itFollowsTheSnapshots() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let time = ShiftedTime()
    let daemon = try bench.daemon(
      bench.plan(PipelineBench.counting, stream: "COUNTED", extra: "snapshot: {interval: 10m}"),
      time: time)
    @Sendable func needed() -> Int64? { daemon.statuses.first?.tasks[0]?.replayMargin?.needed }
    try bench.produceNumbers(0..<100)
    async let result = daemon.run()
    await PipelineBench.wait(for: daemon) { PipelineBench.isDone(daemon, 100) && needed() == 0 }
    var next = 100
    while (needed() ?? 0) < 100 {
      // Time for a snapshot, and for the next look.
      time.advance(hours: 1)
      try bench.produceNumbers(next..<next + 10)
      next += 10
      let goal = Int64(next)
      await PipelineBench.wait(for: daemon) { PipelineBench.isDone(daemon, goal) }
    }
    daemon.stop()
    #expect(try await result)
    try bench.produceNumbers(next..<next + 10)
    // The next one begins behind the snapshot that the last one has left.
    let second = try bench.daemon(
      bench.plan(PipelineBench.counting, stream: "COUNTED", extra: "snapshot: {interval: 10m}"))
    async let again = second.run()
    let end = Int64(next)
    await PipelineBench.wait(for: second) {
      second.statuses.first?.tasks[0]?.replayMargin?.needed == end
    }
    second.stop()
    #expect(try await again)
  }
}
