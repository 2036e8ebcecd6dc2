import Engine
import Testing

/// When tasks commit.
@Suite struct CommitScheduleTests {
  /// Alone an interval after the last one, shared at the next multiple of the interval.
  @Test(
    arguments: [
      (isShared: false, interval: 100, last: 1_030, dueAt: 1_130),
      (isShared: true, interval: 100, last: 1_030, dueAt: 1_100),
      (isShared: true, interval: 100, last: 1_000, dueAt: 1_100),
      (isShared: true, interval: 100, last: 1_099, dueAt: 1_100),
      (isShared: true, interval: 1_000, last: 1_001, dueAt: 2_000),
    ] as [(isShared: Bool, interval: Int64, last: Int64, dueAt: Int64)])
  func aCommitIsDue(isShared: Bool, interval: Int64, last: Int64, dueAt: Int64) {
    let schedule = CommitSchedule(
      timing: PipelineConfiguration.Timing(), isShared: isShared, now: last, rowNumber: 0)
    #expect(!schedule.commitIsDue(now: dueAt - 1, interval: interval))
    #expect(schedule.commitIsDue(now: dueAt, interval: interval))
  }

  @Test(
    arguments: [
      (took: 0, interval: 25), (took: 12, interval: 25), (took: 13, interval: 50),
      (took: 25, interval: 50), (took: 26, interval: 100), (took: 5_000, interval: 100),
    ] as [(took: Int64, interval: Int64)])
  func theIntervalFollowsHowLongTransactionsTakeToEnd(took: Int64, interval: Int64) {
    var found = Self.adaptive
    #expect(found.milliseconds == 25)
    for _ in 0..<50 { found.adapt(to: took) }
    #expect(found.milliseconds == interval)
    for _ in 0..<100 { found.adapt(to: 0) }
    #expect(found.milliseconds == 25)
  }

  @Test func aSingleTransactionThatIsHeldUpChangesLittle() {
    var found = Self.adaptive
    for _ in 0..<50 { found.adapt(to: 5) }
    found.adapt(to: 150)
    #expect(found.milliseconds <= 50)
    for _ in 0..<20 { found.adapt(to: 5) }
    #expect(found.milliseconds == 25)
  }

  private static var adaptive: CommitInterval {
    var timing = PipelineConfiguration.Timing()
    timing.commitInterval = 25
    timing.adaptsCommitInterval = true
    return CommitInterval(timing)
  }

  @Test func anIntervalThatIsSetStays() {
    var timing = PipelineConfiguration.Timing()
    timing.commitInterval = 40
    var interval = CommitInterval(timing)
    interval.adapt(to: 400)
    #expect(interval.milliseconds == 40)
  }
}
