import Columns

/// A day on which the city behaved unlike itself.
public struct CityEvent: Hashable, Sendable {
  /// What happened.
  public let name: String
  /// The pickup times that belong to it, milliseconds since 1970 UTC.
  public let window: ClosedRange<Int64>

  /// The five labelled events of the New York taxi series, with the windows of the Numenta Anomaly
  /// Benchmark 1.1 (`combined_windows.json`); the simulated series has events on the same days.
  public static let all = [
    CityEvent(
      name: "marathon Sunday",
      from: CivilTime(year: 2014, month: 10, day: 30, hour: 15, minute: 30),
      to: CivilTime(year: 2014, month: 11, day: 3, hour: 22, minute: 30)),
    CityEvent(
      name: "Thanksgiving", from: CivilTime(year: 2014, month: 11, day: 25, hour: 12),
      to: CivilTime(year: 2014, month: 11, day: 29, hour: 19)),
    CityEvent(
      name: "Christmas", from: CivilTime(year: 2014, month: 12, day: 23, hour: 11, minute: 30),
      to: CivilTime(year: 2014, month: 12, day: 27, hour: 18, minute: 30)),
    CityEvent(
      name: "New Year", from: CivilTime(year: 2014, month: 12, day: 29, hour: 21, minute: 30),
      to: CivilTime(year: 2015, month: 1, day: 3, hour: 4, minute: 30)),
    CityEvent(
      name: "blizzard", from: CivilTime(year: 2015, month: 1, day: 24, hour: 20, minute: 30),
      to: CivilTime(year: 2015, month: 1, day: 29, hour: 3, minute: 30)),
  ]

  private init(name: String, from start: CivilTime, to end: CivilTime) {
    self.name = name
    window = start.milliseconds...end.milliseconds
  }
}
