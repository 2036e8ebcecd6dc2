import Columns
import Engine
import Foundation
import Testing

/// When models are due.
@Suite struct ScheduleTests {
  private static func time(_ text: String) throws -> Int64 {
    let fields = text.split { " -:".contains($0) }.compactMap { Int($0) }
    try #require(fields.count == 5)
    return CivilTime(
      year: fields[0], month: fields[1], day: fields[2], hour: fields[3], minute: fields[4]
    ).milliseconds
  }

  @Test(arguments: [
    ("* * * * *", "2026-03-01 10:00", "2026-03-01 10:01"),
    ("0 3 * * *", "2026-03-01 02:59", "2026-03-01 03:00"),
    ("0 3 * * *", "2026-03-01 03:00", "2026-03-02 03:00"),
    ("*/15 * * * *", "2026-03-01 10:46", "2026-03-01 11:00"),
    ("5/20 * * * *", "2026-03-01 10:06", "2026-03-01 10:25"),
    ("30 8-10 * * *", "2026-03-01 10:31", "2026-03-02 08:30"),
    ("0 0 1 * *", "2026-12-15 00:00", "2027-01-01 00:00"),
    ("0 0 29 2 *", "2026-01-01 00:00", "2028-02-29 00:00"),
    ("0 0 29 2 *", "2096-03-01 00:00", "2104-02-29 00:00"),
    // 2026-03-01 is a Sunday.
    ("0 12 * * 0", "2026-03-01 11:00", "2026-03-01 12:00"),
    ("0 12 * * 7", "2026-03-01 12:00", "2026-03-08 12:00"),
    ("0 12 * * 1-5", "2026-03-06 12:00", "2026-03-09 12:00"),
    // Both days restricted: one is enough.
    ("0 0 13 * 5", "2026-03-01 00:00", "2026-03-06 00:00"),
    ("0 0 13 * 5", "2026-03-06 00:00", "2026-03-13 00:00"),
    ("0 0 10,20 * *", "2026-03-10 00:00", "2026-03-20 00:00"),
    ("0 2 * 3 *", "2026-03-29 01:59", "2026-03-29 02:00"),
    ("15,45 22-23/1 31 1,3,5 *", "2026-01-31 23:45", "2026-03-31 22:15"),
  ])
  func aCronExpressionComesNextInUTC(text: String, now: String, next: String) throws {
    let expression = try #require(CronExpression(text))
    let found = expression.next(after: try Self.time(now))
    #expect(found == (try Self.time(next)))
  }

  @Test(arguments: [
    "", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *",
    "* * * 13 *",
    "* * * * 8", "5-3 * * * *", "*/0 * * * *", "a * * * *", "1, * * * *", "1-2-3 * * * *",
    "-1 * * * *", "+1 * * * *", "1//2 * * * *", "*/ * * * *", "@daily",
  ])
  func whatIsNoCronExpressionIsRefused(text: String) {
    #expect(CronExpression(text) == nil)
  }

  @Test func aDayThatNeverComesIsFound() throws {
    #expect(try #require(CronExpression("0 0 31 2 *")).next(after: 0) == nil)
    #expect(try #require(CronExpression("0 0 30,31 2 *")).next(after: 0) == nil)
  }

  /// The next minute of random expressions against looking at every minute.
  @Test func theNextMinuteIsTheFirstThatMatches() throws {
    var random = SeededNumbers(seed: 7)
    for _ in 0..<200 {
      func pick(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
      let (minute, hour, weekday) = (pick(0...59), pick(0...23), pick(0...6))
      let expression = try #require(CronExpression("\(minute) \(hour) * * \(weekday)"))
      let start = Int64(pick(0...4_000_000_000)) * 1_000
      var candidate = (start / 60_000 + 1) * 60_000
      while true {
        let civil = CivilTime(milliseconds: candidate)
        let day = Int((candidate / 86_400_000 + 4) % 7)
        if civil.minute == minute, civil.hour == hour, day == weekday { break }
        candidate += 60_000
      }
      #expect(expression.next(after: start) == candidate)
    }
  }

  @Test func whatFellDueUnwatchedIsNotMadeUpFor() throws {
    let hour: Int64 = 3_600_000
    let daily = Schedule.every(24 * hour)
    #expect(daily.due(after: nil, start: 5 * hour) == 5 * hour)
    #expect(daily.due(after: 2 * hour, start: 100 * hour) == 26 * hour)
    let cron = Schedule.cron(try #require(CronExpression("0 3 * * *")))
    // Begun last on the first day, the daemon was away for three.
    #expect(cron.due(after: 3 * hour, start: 76 * hour) == 99 * hour)
    #expect(cron.due(after: 99 * hour, start: 76 * hour) == 123 * hour)
  }
}

/// Numbers that follow from a seed.
struct SeededNumbers: RandomNumberGenerator {
  var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state ^ (state >> 29)
  }
}
