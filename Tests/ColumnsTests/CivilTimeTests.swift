import Columns
import Testing

@Suite struct CivilTimeTests {
  static let cases: [(Int64, String)] = [
    (0, "1970-01-01 00:00:00.000"),
    (-1, "1969-12-31 23:59:59.999"),
    (951_782_400_000, "2000-02-29 00:00:00.000"),
    (1_404_172_800_000, "2014-07-01 00:00:00.000"),
    (2_147_483_648_000, "2038-01-19 03:14:08.000"),
    (253_402_300_799_999, "9999-12-31 23:59:59.999"),
  ]

  @Test(arguments: cases) func formats(_ test: (Int64, String)) {
    let time = CivilTime(milliseconds: test.0)
    #expect(time.description == test.1)
    #expect(time.milliseconds == test.0)
  }

  @Test func everyDayOfEightHundredYearsFollowsTheOneBefore() {
    var previous = CivilTime(milliseconds: -12_622_780_800_000)
    for day in Int64(-146_097)..<146_097 {
      let time = CivilTime(milliseconds: day * CivilTime.millisecondsPerDay)
      #expect(time.isValid && time.daysSinceEpoch == day)
      if day > -146_097 {
        let sameMonth = time.month == previous.month && time.day == previous.day + 1
        let nextMonth =
          time.day == 1 && previous.day == CivilTime.days(in: previous.month, of: previous.year)
        #expect(sameMonth || nextMonth, "day \(day)")
      }
      previous = time
    }
  }
}
