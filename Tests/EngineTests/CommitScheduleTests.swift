import Engine
import Testing

/// When tasks commit.
@Suite struct CommitScheduleTests {
  private static func schedule(
    interval: Int64, adapts: Bool = false, isShared: Bool, now: Int64
  ) -> CommitSchedule {
    var timing = PipelineConfiguration.Timing()
    timing.commitInterval = interval
    timing.adaptsCommitInterval = adapts
    return CommitSchedule(timing: timing, isShared: isShared, now: now, rowNumber: 0)
  }

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
    let schedule = Self.schedule(interval: interval, isShared: isShared, now: last)
    #expect(!schedule.commitIsDue(now: dueAt - 1))
    #expect(schedule.commitIsDue(now: dueAt))
  }

  @Test(
    arguments: [
      (took: 0, interval: 25), (took: 12, interval: 25), (took: 13, interval: 50),
      (took: 25, interval: 50), (took: 26, interval: 100), (took: 5_000, interval: 100),
    ] as [(took: Int64, interval: Int64)])
  func theIntervalFollowsHowLongACommitTakes(took: Int64, interval: Int64) {
    var schedule = Self.schedule(interval: 25, adapts: true, isShared: true, now: 0)
    schedule.committed(now: 10_000)
    schedule.acknowledged(now: 10_000 + took)
    let begin: Int64 = 100_000
    schedule.committed(now: begin)
    #expect(!schedule.commitIsDue(now: begin + interval - 1))
    #expect(schedule.commitIsDue(now: begin + interval))
    // Whatever the interval, these are instants of all.
    #expect(schedule.commitIsDue(now: begin + 100))
  }

  @Test func anIntervalThatIsSetStays() {
    var schedule = Self.schedule(interval: 40, isShared: true, now: 0)
    schedule.committed(now: 40)
    schedule.acknowledged(now: 400)
    schedule.committed(now: 400)
    #expect(schedule.commitIsDue(now: 440) && !schedule.commitIsDue(now: 439))
  }
}
