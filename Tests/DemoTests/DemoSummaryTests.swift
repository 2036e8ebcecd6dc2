import Demo
import Testing

@Suite struct DemoSummaryTests {
  private let rides = CityTaxi.rides(seed: 1)
  private let inEachWindow = CityEvent.all.map {
    DemoSummary.Alert(pickupTime: $0.window.lowerBound, score: 1.5)
  }

  private func scored(_ rides: some Sequence<Ride>) -> [ScoredRide] {
    rides.map {
      ScoredRide(pickupTime: $0.pickupTime, passengers: Double($0.passengers), score: 1)
    }
  }

  @Test func aWholeRunHasNoProblems() {
    let summary = DemoSummary(
      rides: rides, delivered: scored(rides.reversed()), alerts: inEachWindow, refusedPosts: 0)
    #expect(summary.problems == [])
    let lines = summary.lines(style: .init(width: 80, unicode: false))
    #expect(lines.last == "no alert outside of the events")
    #expect(
      lines.contains { $0.contains("Christmas") && $0.contains("yes") && $0.hasSuffix("1.5") })
  }

  @Test func whatIsMissingIsNamed() {
    let summary = DemoSummary(
      rides: rides, delivered: scored(rides.dropLast()), alerts: Array(inEachWindow.dropLast()),
      refusedPosts: 2)
    #expect(
      summary.problems == [
        "10,319 rows were delivered of 10,320 records, or not the same ones",
        "no alert for the event 'blizzard'", "2 posts had a wrong signature",
      ])
  }

  @Test func aRowThatCameTwiceOrChangedIsNoticed() {
    var rows = scored(rides)
    rows[7] = rows[8]
    let twice = DemoSummary(rides: rides, delivered: rows, alerts: inEachWindow, refusedPosts: 0)
    #expect(twice.problems.count == 1)
    rows = scored(rides)
    rows[7] = ScoredRide(pickupTime: rows[7].pickupTime, passengers: -1, score: 1)
    let changed = DemoSummary(rides: rides, delivered: rows, alerts: inEachWindow, refusedPosts: 0)
    #expect(changed.problems.count == 1)
  }

  @Test func onlyEventsWithinTheSeriesAreAskedFor() {
    let july = Array(rides.prefix(48 * 31))
    let summary = DemoSummary(rides: july, delivered: scored(july), alerts: [], refusedPosts: 0)
    #expect(summary.problems == [] && summary.report.findings.isEmpty)
  }
}
