import Demo
import Testing

@Suite struct TerminalTests {
  @Test func aTableAlignsItsColumns() {
    var table = TextTable([("name", .left), ("count", .right)])
    table.add(["Zoë", "7"])
    table.add(["a longer name", "1,234"])
    #expect(
      table.lines(unicode: true) == [
        "name           count", "─────────────  ─────", "Zoë                7",
        "a longer name  1,234",
      ])
    #expect(table.lines(unicode: false)[1] == "-------------  -----")
  }

  @Test(arguments: [
    (0, "0"), (999, "999"), (1_000, "1,000"), (-12_345, "-12,345"), (10_320_000, "10,320,000"),
  ]) func numbersAreGrouped(number: Int, text: String) {
    #expect(number.grouped == text)
  }

  @Test func progressIsABarWithARate() {
    let line = ProgressLine(unit: "rows", done: 2_580, total: 10_320, elapsed: .seconds(2))
    #expect(line.text(width: 8, unicode: false) == "##...... 2,580 of 10,320 rows, 1,290/s")
    #expect(line.text(width: 8, unicode: true).hasPrefix("██░░░░░░ "))
    let none = ProgressLine(unit: "rows", done: 0, total: 0, elapsed: .zero)
    #expect(none.text(width: 2, unicode: false) == "## 0 of 0 rows, 0/s")
  }

  @Test func aChartShowsSeriesScoresAndEvents() {
    let rides = CityTaxi.rides(seed: 1).map {
      ScoredRide(pickupTime: $0.pickupTime, passengers: Double($0.passengers), score: 1)
    }
    let other = rides[1_000].pickupTime
    let report = EventReport(alerts: [other])
    let lines = SeriesChart(
      rides: rides, report: report, style: .init(width: 80, unicode: false)
    ).lines()
    #expect(lines.count == 13)
    #expect(lines.allSatisfy { $0.count <= 80 && $0.utf8.allSatisfy { $0 < 128 } })
    #expect(lines[11].filter(\.isLetter) == "JulAugSepOctNovDecJan")
    #expect(lines[12].filter { $0 != " " } == ".12345")
    let braille = SeriesChart(
      rides: rides, report: report, style: .init(width: 80, unicode: true)
    ).lines()
    #expect(braille.count == 13 && braille.allSatisfy { $0.count <= 80 })
    #expect(braille.joined().contains("⣿"))
  }

  @Test func aChartOfNothingIsEmpty() {
    let style = SeriesChart.Style(width: 80, unicode: true)
    #expect(SeriesChart(rides: [], report: EventReport(alerts: []), style: style).lines() == [])
  }
}
