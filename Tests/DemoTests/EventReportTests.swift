import Demo
import Testing

@Suite struct EventReportTests {
  struct Case: Sendable, CustomStringConvertible {
    let description: String
    let alerts: [String]
    let found: [String]
    let others: [String]
  }

  static let cases = [
    Case(description: "no alert", alerts: [], found: [], others: []),
    Case(
      description: "the ends of a window belong to it",
      alerts: ["2014-11-25 12:00:00", "2015-01-29 03:30:00"], found: ["Thanksgiving", "blizzard"],
      others: []),
    Case(
      description: "just outside of a window is outside",
      alerts: ["2014-11-25 11:30:00", "2015-01-29 04:00:00"], found: [],
      others: ["2014-11-25 11:30:00", "2015-01-29 04:00:00"]),
    Case(
      description: "alerts within 48 records of the one before are one",
      alerts: [
        "2014-08-03 00:00:00", "2014-08-01 00:00:00", "2014-08-02 00:00:00", "2014-08-04 00:30:00",
      ], found: [], others: ["2014-08-01 00:00:00", "2014-08-04 00:30:00"]),
    Case(
      description: "an alert in a window does not hide one outside",
      alerts: ["2015-01-03 04:30:00", "2015-01-03 05:00:00"], found: ["New Year"],
      others: ["2015-01-03 05:00:00"]),
  ]

  @Test(arguments: cases) func alertsAreMatchedWithEvents(_ test: Case) {
    let report = EventReport(alerts: test.alerts.map { RideTime.milliseconds(of: $0) ?? -1 })
    #expect(report.findings.filter(\.isFound).map(\.event.name) == test.found)
    #expect(report.others.map(RideTime.text) == test.others)
    #expect(report.isComplete == (test.found.count == 5))
  }

  @Test func theFiveWindowsAreTheLabelledOnes() {
    #expect(
      CityEvent.all.map {
        "\(RideTime.minuteText(of: $0.window.lowerBound)) \(RideTime.minuteText(of: $0.window.upperBound))"
      } == [
        "2014-10-30 15:30 2014-11-03 22:30", "2014-11-25 12:00 2014-11-29 19:00",
        "2014-12-23 11:30 2014-12-27 18:30", "2014-12-29 21:30 2015-01-03 04:30",
        "2015-01-24 20:30 2015-01-29 03:30",
      ])
  }
}
