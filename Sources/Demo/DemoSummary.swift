/// What a demo run delivered, beside what it was given.
public struct DemoSummary: Sendable {
  /// An alert that was received.
  public struct Alert: Hashable, Sendable {
    /// The record that caused it, milliseconds since 1970 UTC.
    public let pickupTime: Int64
    public let score: Double

    /// Creates an alert.
    public init(pickupTime: Int64, score: Double) {
      self.pickupTime = pickupTime
      self.score = score
    }
  }

  /// What was produced to the topic.
  public let rides: [Ride]
  /// The rows of all delivered objects, in the order of their time.
  public let delivered: [ScoredRide]
  /// The alerts that the receiver believed.
  public let alerts: [Alert]
  /// Posts whose signature was wrong.
  public let refusedPosts: Int
  /// The alerts compared with those known events that lie within the series.
  public let report: EventReport

  /// Creates a summary.
  public init(rides: [Ride], delivered: [ScoredRide], alerts: [Alert], refusedPosts: Int) {
    self.rides = rides
    self.delivered = delivered.sorted { $0.pickupTime < $1.pickupTime }
    self.alerts = alerts
    self.refusedPosts = refusedPosts
    let times = rides.map(\.pickupTime)
    let first = times.min() ?? 0
    let last = times.max() ?? -1
    report = EventReport(
      alerts: alerts.map(\.pickupTime),
      events: CityEvent.all.filter { first <= $0.window.lowerBound && $0.window.upperBound <= last }
    )
  }

  /// Why the run is no success; empty when it is one.
  public var problems: [String] {
    var problems: [String] = []
    let produced = rides.sorted { $0.pickupTime < $1.pickupTime }
    let isWhole = produced.elementsEqual(delivered) { ride, row in
      ride.pickupTime == row.pickupTime && Double(ride.passengers) == row.passengers
    }
    if !isWhole {
      problems.append(
        "\(delivered.count.grouped) rows were delivered of \(rides.count.grouped) records, "
          + "or not the same ones")
    }
    for finding in report.findings where !finding.isFound {
      problems.append("no alert for the event '\(finding.event.name)'")
    }
    if refusedPosts > 0 {
      problems.append("\(refusedPosts.grouped) posts had a wrong signature")
    }
    return problems
  }

  /// The known events with what was found, and the alerts beside them.
  public func lines(style: SeriesChart.Style) -> [String] {
    var lines = SeriesChart(rides: delivered, report: report, style: style).lines()
    lines.append("")
    lines += eventTable().lines(unicode: style.unicode)
    let others = report.others.map(RideTime.minuteText)
    lines.append("")
    lines.append(
      others.isEmpty
        ? "no alert outside of the events"
        : "\(others.count) other alert\(others.count == 1 ? "" : "s"), counted as one when less than "
          + "a day apart: " + others.joined(separator: ", "))
    return lines
  }

  private func eventTable() -> TextTable {
    var table = TextTable([
      ("", .right), ("known event", .left), ("from", .left), ("to", .left), ("found", .left),
      ("first alert", .left), ("highest score", .right),
    ])
    for (index, finding) in report.findings.enumerated() {
      let window = finding.event.window
      let highest = alerts.filter { window.contains($0.pickupTime) }.map(\.score).max()
      table.add([
        "\(index + 1)", finding.event.name, RideTime.minuteText(of: window.lowerBound),
        RideTime.minuteText(of: window.upperBound), finding.isFound ? "yes" : "NO",
        finding.alerts.first.map(RideTime.minuteText) ?? "",
        highest.map { "\(($0 * 100).rounded() / 100)" } ?? "",
      ])
    }
    return table
  }
}
