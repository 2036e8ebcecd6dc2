import Columns

/// A pickup somewhere in a simulated town.
public struct Pickup: Hashable, Sendable {
  /// Milliseconds since 1970 UTC.
  public let time: Int64
  /// The number of the trip, from 0.
  public let trip: Int
  /// Kilometres from the town hall.
  public let east: Double
  /// Kilometres from the town hall.
  public let north: Double

  /// The record as a JSON object.
  public var json: String {
    "{\"trip\":\"trip-\(trip)\",\"position\":{\"east\":\(east),\"north\":\(north)}}"
  }
}

/// A place where pickups crowd for a while.
public struct Crowd: Hashable, Sendable {
  /// What draws people there.
  public let name: String
  /// Kilometres from the town hall.
  public let east: Double
  /// Kilometres from the town hall.
  public let north: Double
  /// The trips while it lasts.
  public let trips: Range<Int>
}

/// Simulated pickups of a day: all over a town of ten by ten kilometres, a quarter of them in crowds.
///
/// Crowds begin and end with whole windows of trips, so that what each window must show is known.
public enum TownPickups {
  /// Trips in a window of `pipelines/hotspots.sql`.
  public static let window = 400
  /// Eight windows.
  public static let count = 3_200
  /// 2024-03-05 06:00, one pickup every ten seconds from there.
  private static let start = CivilTime(year: 2024, month: 3, day: 5, hour: 6).milliseconds
  /// How far from its middle a crowd reaches, in kilometres.
  private static let reach = 0.3

  /// The crowds of the day.
  public static let crowds = [
    Crowd(name: "railway station", east: -3, north: 1.5, trips: 0..<1_200),
    Crowd(name: "market", east: 0.5, north: 3.5, trips: 800..<2_000),
    Crowd(name: "stadium", east: 2, north: -2.5, trips: 2_400..<3_200),
  ]

  /// The pickups of a seed, the same on every machine.
  public static func pickups(seed: UInt64) -> [Pickup] {
    var state = seed
    func unit() -> Double {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(state >> 11) * 0x1p-53
    }
    for _ in 0..<8 { _ = unit() }
    return (0..<count).map { trip in
      let active = crowds.filter { $0.trips.contains(trip) }
      var (east, north) = (unit() * 10 - 5, unit() * 10 - 5)
      let choice = Int(unit() * 4)
      if choice == 0, !active.isEmpty {
        let crowd = active[Int(unit() * Double(active.count))]
        east = crowd.east + (unit() * 2 - 1) * reach
        north = crowd.north + (unit() * 2 - 1) * reach
      }
      return Pickup(
        time: start + Int64(trip) * 10_000, trip: trip, east: rounded(east), north: rounded(north))
    }
  }

  /// To the metre.
  private static func rounded(_ kilometres: Double) -> Double {
    (kilometres * 1_000).rounded() / 1_000
  }

  /// The crowds that a window full of trips up to this one must show.
  public static func crowds(at trip: Int) -> [Crowd] {
    crowds.filter { $0.trips.contains(trip) && $0.trips.contains(trip - window + 1) }
  }
}
