import Columns

/// A record as it was delivered.
public struct ScoredRide: Hashable, Sendable {
  /// Start of the half hour, milliseconds since 1970 UTC.
  public let pickupTime: Int64
  public let passengers: Double
  /// The forest's score; 0 while it learns.
  public let score: Double

  /// Creates a record.
  public init(pickupTime: Int64, passengers: Double, score: Double) {
    self.pickupTime = pickupTime
    self.passengers = passengers
    self.score = score
  }
}

/// The series and its scores above a time axis with the events, for a terminal.
public struct SeriesChart {
  /// How the chart is drawn.
  public struct Style: Sendable {
    /// Characters in a line.
    public var width: Int
    /// Whether the terminal shows more than ASCII.
    public var unicode: Bool

    /// Creates a style; a chart is at least 40 characters wide.
    public init(width: Int, unicode: Bool) {
      self.width = max(40, width)
      self.unicode = unicode
    }
  }

  private static let margin = 8
  private let rides: [ScoredRide]
  private let report: EventReport
  private let style: Style

  /// A chart of rides in the order of their time.
  public init(rides: [ScoredRide], report: EventReport, style: Style) {
    self.rides = rides
    self.report = report
    self.style = style
  }

  /// The lines of the chart; none for an empty series.
  public func lines() -> [String] {
    guard let first = rides.first, let last = rides.last, last.pickupTime > first.pickupTime else {
      return []
    }
    let blanks = String(repeating: " ", count: Self.margin)
    return ["passengers per half hour, mean"]
      + panel(rows: 5, fromZero: true, label: thousands) { rides in
        rides.reduce(0) { $0 + $1.passengers } / Double(rides.count)
      }
      + ["anomaly score, highest"]
      + panel(rows: 4, fromZero: false, label: tenths) { rides in
        rides.reduce(0) { max($0, $1.score) }
      }
      + [blanks + axis(), blanks + marks()]
  }

  private var plotWidth: Int { style.width - Self.margin }

  /// A drawing of one value for each column of dots, taken from the rides that fall into it.
  private func panel(
    rows: Int, fromZero: Bool, label: (Double) -> String, value: (ArraySlice<ScoredRide>) -> Double
  ) -> [String] {
    var canvas = DotCanvas(columns: plotWidth, rows: rows, unicode: style.unicode)
    let values = (0..<canvas.width).map { x -> Double in
      let start = rides.count * x / canvas.width
      let end = max(start + 1, rides.count * (x + 1) / canvas.width)
      return value(rides[start..<end])
    }
    let top = max(values.max() ?? 0, .leastNormalMagnitude)
    let bottom = fromZero ? 0 : values.filter { $0 > 0 }.min() ?? 0
    for (x, value) in values.enumerated() {
      let share = top > bottom ? max(0, (value - bottom) / (top - bottom)) : 0
      canvas.fill(x: x, height: Int((share * Double(canvas.height)).rounded()))
    }
    let bar = style.unicode ? "│" : "|"
    return canvas.lines().enumerated().map { row, line in
      let text = row == 0 ? label(top) : row == rows - 1 ? label(bottom) : ""
      let blanks = String(repeating: " ", count: max(0, Self.margin - 2 - text.count))
      return blanks + text + " " + bar + line
    }
  }

  /// The column of a time.
  private func column(of time: Int64) -> Int? {
    guard let first = rides.first?.pickupTime, let last = rides.last?.pickupTime,
      (first...last).contains(time)
    else { return nil }
    return min(plotWidth - 1, Int(time - first) * plotWidth / Int(last - first))
  }

  /// The names of the months where they begin.
  private func axis() -> String {
    let names = [
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    var line = Array(repeating: Character(style.unicode ? "─" : "-"), count: plotWidth)
    for ride in rides {
      let time = CivilTime(milliseconds: ride.pickupTime)
      guard time.day == 1, time.hour == 0, time.minute == 0,
        let column = column(of: ride.pickupTime), column + 3 <= plotWidth
      else { continue }
      line.replaceSubrange(column..<column + 3, with: Array(names[time.month - 1]))
    }
    return String(line)
  }

  /// The numbers of the events, and a mark for each other group of alerts.
  private func marks() -> String {
    var line = Array(repeating: Character(" "), count: plotWidth)
    for other in report.others {
      if let column = column(of: other) { line[column] = style.unicode ? "·" : "." }
    }
    for (index, finding) in report.findings.enumerated() {
      let window = finding.event.window
      let middle = window.lowerBound + (window.upperBound - window.lowerBound) / 2
      if let column = column(of: middle) { line[column] = Character("\(index + 1)") }
    }
    while line.last == " " { line.removeLast() }
    return String(line)
  }

  private func thousands(_ value: Double) -> String {
    value > 0 ? "\(Int((value / 1_000).rounded()))k" : "0"
  }

  private func tenths(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
}
