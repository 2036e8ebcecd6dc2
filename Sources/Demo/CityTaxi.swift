import Columns
import RandomCutForest

/// The simulated city-taxi series: seven months of half-hourly passengers from 2014-07-01.
///
/// Made of an hourly profile for each kind of day, a summer dip, slowly wandering and quick noise, and the
/// five events of `CityEvent` at the days on which they happened in New York. No value is taken
/// from a real series. The same seed gives the same series on every machine.
public enum CityTaxi {
  /// 215 days of 48 records.
  public static let recordCount = 10_320
  /// 2014-07-01 00:00, a Tuesday.
  static let start = CivilTime(year: 2014, month: 7).milliseconds

  /// The series of a seed.
  public static func rides(seed: UInt64) -> [Ride] {
    var noise = Noise(seed: seed)
    return (0..<recordCount).map { index in
      let time = start + Int64(index) * Ride.interval
      let expected = profile(at: time) * season(at: index) * events(at: time)
      let passengers = expected * noise.next()
      return Ride(pickupTime: time, passengers: max(0, Int(passengers.rounded())))
    }
  }

  /// Passengers of an ordinary half hour; linear between the hours.
  private static func profile(at time: Int64) -> Double {
    let sinceEpoch = time / 1_800_000
    let hour = Int(sinceEpoch / 2)
    let here = hourly(hour)
    return sinceEpoch.isMultiple(of: 2) ? here : (here + hourly(hour + 1)) / 2
  }

  private static func hourly(_ hoursSinceEpoch: Int) -> Double {
    // 1970-01-01 was a Thursday; Monday is 0.
    let weekday = (hoursSinceEpoch / 24 + 3) % 7
    let hour = hoursSinceEpoch % 24
    switch weekday {
    case 5: return saturday[hour]
    case 6: return sunday[hour]
    default: return workday[hour] * workdayFactor[weekday]
    }
  }

  private static let workdayFactor = [0.93, 0.98, 1.0, 1.02, 1.06]
  private static let workday: [Double] = [
    11_800, 7_400, 4_600, 3_100, 2_700, 3_300, 7_500, 14_600, 18_100, 17_900, 16_200, 15_700,
    16_900, 16_300, 17_200, 17_300, 15_100, 17_000, 21_500, 23_400, 22_700, 22_300, 21_200, 17_800,
  ]
  private static let saturday: [Double] = [
    20_600, 16_800, 13_000, 9_200, 6_600, 4_200, 4_100, 5_500, 8_500, 12_300, 15_700, 17_800,
    19_300, 19_900, 19_700, 19_400, 18_000, 19_100, 22_900, 24_800, 23_200, 22_500, 23_800, 24_600,
  ]
  private static let sunday: [Double] = [
    21_400, 18_000, 14_200, 10_200, 7_200, 4_400, 3_900, 4_400, 6_900, 10_300, 13_900, 16_900,
    18_500, 18_700, 18_800, 17_700, 16_900, 17_300, 19_100, 18_400, 16_700, 15_900, 14_900, 12_900,
  ]

  /// Fewer passengers towards the middle of August.
  private static func season(at index: Int) -> Double {
    let day = Double(index) / 48
    return 1 - 0.08 * max(0, 1 - (day - 45).magnitude / 45)
  }

  private static func events(at time: Int64) -> Double {
    shapes.reduce(1) { $0 * $1.factor(at: time) }
  }

  private static let shapes = [
    // Closed streets by day, crowds in the evening.
    EventShape(
      CivilTime(year: 2014, month: 11, day: 2),
      [(6, 1), (8, 0.5), (12, 0.4), (16, 0.55), (19, 1.3), (22, 1)]),
    // A holiday without commuters, and a quiet day after it.
    EventShape(
      CivilTime(year: 2014, month: 11, day: 27),
      [(0, 1), (6, 0.6), (10, 0.42), (17, 0.5), (22, 0.6), (34, 0.72), (46, 1)]),
    EventShape(
      CivilTime(year: 2014, month: 12, day: 24),
      [(14, 1), (20, 0.6), (24, 0.45), (32, 0.35), (44, 0.5), (56, 0.68), (72, 0.88), (80, 1)]),
    // The night is twice as busy as any other, the day after sleeps.
    EventShape(
      CivilTime(year: 2014, month: 12, day: 31),
      [(18, 1), (22, 1.25), (24, 1.6), (27, 2.2), (30, 2.4), (33, 0.8), (40, 0.75), (52, 1)]),
    // A travel ban over night and into the next day.
    EventShape(
      CivilTime(year: 2015, month: 1, day: 26),
      [(12, 1), (16, 0.8), (21, 0.3), (24, 0.06), (38, 0.1), (44, 0.25), (56, 0.8), (64, 1)]),
  ]
}

/// How an event multiplies the passengers, linear between its points and 1 outside of them.
private struct EventShape {
  let times: [Int64]
  let factors: [Double]

  /// Points are hours since `midnight`, rising, and the factor there.
  init(_ midnight: CivilTime, _ points: [(hour: Int64, factor: Double)]) {
    times = points.map { midnight.milliseconds + $0.hour * 3_600_000 }
    factors = points.map(\.factor)
  }

  func factor(at time: Int64) -> Double {
    guard let after = times.firstIndex(where: { $0 > time }), after > 0 else { return 1 }
    let share = Double(time - times[after - 1]) / Double(times[after] - times[after - 1])
    return factors[after - 1] + share * (factors[after] - factors[after - 1])
  }
}

/// Factors around 1: a slow part that wanders over days, and a quick one.
private struct Noise {
  private var generator: SplitMix64
  private var slow = 0.0

  init(seed: UInt64) {
    generator = SplitMix64(seed: seed)
  }

  mutating func next() -> Double {
    slow = 0.98 * slow + 0.005 * normal()
    return 1 + slow + 0.02 * normal()
  }

  /// Nearly normal with variance 1: the sum of twelve uniform numbers, which needs no logarithm.
  private mutating func normal() -> Double {
    var sum = -6.0
    for _ in 0..<12 { sum += generator.uniform() }
    return sum
  }
}
