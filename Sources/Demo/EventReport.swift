/// What the alerts say about the known events.
public struct EventReport: Equatable, Sendable {
  /// One known event and what pointed at it.
  public struct Finding: Equatable, Sendable {
    public let event: CityEvent
    /// Ride times of the alerts within the event's window, rising.
    public let alerts: [Int64]

    /// Whether an alert lies in the window.
    public var isFound: Bool { !alerts.isEmpty }
  }

  /// One for each event, in its order.
  public let findings: [Finding]
  /// First ride time of each group of alerts outside all windows: an alert within `quiet` of the
  /// one before belongs to its group.
  public let others: [Int64]

  /// 48 records: alerts nearer than this are one.
  public static let quiet = 48 * Ride.interval

  /// Whether every event was found.
  public var isComplete: Bool { findings.allSatisfy(\.isFound) }

  /// Compares alerts with events.
  ///
  /// - Parameters:
  ///   - alerts: Ride times in any order, milliseconds since 1970 UTC.
  ///   - events: What is known to have happened.
  public init(alerts: [Int64], events: [CityEvent] = CityEvent.all) {
    let sorted = alerts.sorted()
    findings = events.map { event in
      Finding(event: event, alerts: sorted.filter(event.window.contains))
    }
    let outside = sorted.filter { alert in !events.contains { $0.window.contains(alert) } }
    others = outside.enumerated().compactMap { index, alert in
      index > 0 && alert - outside[index - 1] <= Self.quiet ? nil : alert
    }
  }
}
