import Columns
import Demo
import Testing

@Suite struct CityTaxiTests {
  @Test func theSeriesHasTheShapeOfTheRealOne() {
    let rides = CityTaxi.rides(seed: 1)
    #expect(rides.count == 10_320)
    #expect(rides.first?.timestamp == "2014-07-01 00:00:00")
    #expect(rides.last?.timestamp == "2015-01-31 23:30:00")
    #expect(zip(rides, rides.dropFirst()).allSatisfy { $1.pickupTime - $0.pickupTime == 1_800_000 })
    #expect(rides.allSatisfy { (0...60_000).contains($0.passengers) })
  }

  @Test func aSeedAlwaysGivesTheSameSeries() {
    #expect(CityTaxi.rides(seed: 7) == CityTaxi.rides(seed: 7))
    #expect(CityTaxi.rides(seed: 7) != CityTaxi.rides(seed: 8))
    // Pins the series: who changes it must look at the thresholds of the demo again.
    let sum = CityTaxi.rides(seed: 1).reduce(0) { $0 + $1.passengers }
    #expect(sum == 148_592_718)
  }

  @Test(arguments: zip(CityEvent.all, [0.85, 0.85, 0.7, 1.15, 0.5]))
  func anEventMovesItsDay(event: CityEvent, factor: Double) throws {
    let rides = CityTaxi.rides(seed: 1)
    let week: Int64 = 7 * 86_400_000
    // The day and hours at which the event is strongest, against the same hours two weeks before.
    let start = try #require(Self.strongest[event.name]).milliseconds
    let hours = start..<start + 6 * 3_600_000
    let during = rides.filter { hours.contains($0.pickupTime) }
    let before = rides.filter { hours.contains($0.pickupTime + 2 * week) }
    let ratio =
      Double(during.reduce(0) { $0 + $1.passengers })
      / Double(before.reduce(0) { $0 + $1.passengers })
    #expect(factor < 1 ? ratio < factor : ratio > factor, "\(event.name): \(ratio)")
  }

  private static let strongest = [
    "marathon Sunday": CivilTime(year: 2014, month: 11, day: 2, hour: 9),
    "Thanksgiving": CivilTime(year: 2014, month: 11, day: 27, hour: 8),
    "Christmas": CivilTime(year: 2014, month: 12, day: 25, hour: 6),
    "New Year": CivilTime(year: 2015, month: 1, day: 1, hour: 1),
    "blizzard": CivilTime(year: 2015, month: 1, day: 27, hour: 6),
  ]

  @Test func aRideReadsWhatItWrites() throws {
    let rides = Array(CityTaxi.rides(seed: 3).prefix(100))
    let text = "timestamp,value\r\n" + rides.map { $0.csv + "\r\n" }.joined()
    #expect(try Ride.parse(csv: text) == rides)
    #expect(
      rides[1].json == "{\"timestamp\":\"2014-07-01 00:30:00\",\"value\":\(rides[1].passengers)}")
  }

  @Test(
    arguments: ["2014-07-01 00:00:00", "2014-07-01,1", "2014-02-30 00:00:00,1", "x,1", "a,b,c"])
  func aBadLineIsNamed(line: String) {
    #expect(
      throws: RideFileError(
        line: 3, message: "'\(line)' is not 'yyyy-MM-dd HH:mm:ss,passengers'")
    ) { try Ride.parse(csv: "timestamp,value\n2014-07-01 00:00:00,1\n\(line)\n") }
  }
}
