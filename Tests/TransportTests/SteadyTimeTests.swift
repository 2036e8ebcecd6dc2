import RimSupport
import Testing
import Transport

/// A wall clock that somebody sets.
@Suite struct SteadyTimeTests {
  @Test func aClockThatIsSetBackGoesOnAtItsPace() {
    let base = ManualTime(now: 10_000_000)
    let steady = SteadyTime(base)
    base.step(milliseconds: -3_600_000)
    #expect(steady.now == 10_000_000)
    base.advance(milliseconds: 250)
    #expect(steady.now == 10_000_250)
    #expect(base.now == 6_400_250)
  }

  @Test func aClockThatIsSetForwardIsFollowedAtOnce() {
    let base = ManualTime(now: 10_000_000)
    let steady = SteadyTime(base)
    base.step(milliseconds: -3_600_000)
    base.advance(milliseconds: 1_000)
    // Back to what it was, and a minute more.
    base.step(milliseconds: 3_660_000)
    #expect(steady.now == 10_061_000)
    #expect(steady.now == base.now)
    #expect(steady.elapsed == base.elapsed)
  }

  @Test func itBeginsWhereAnEarlierOneEnded() {
    let base = ManualTime(now: 10_000_000)
    let steady = SteadyTime(base, notBefore: 10_005_000)
    #expect(steady.now == 10_005_000)
    base.advance(milliseconds: 5_000)
    #expect(steady.now == 10_010_000)
    #expect(SteadyTime(base, notBefore: 9_000_000).now == base.now)
  }
}
