import Hotspots
import Testing

/// DBSCAN by definition, over all pairs.
private struct Reference {
  let points: [[Double]]
  let radius: Double
  let minimumPoints: Int

  private func isNear(_ a: Int, _ b: Int) -> Bool {
    zip(points[a], points[b]).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } <= radius * radius
  }

  /// Members of each region, regions in the order of their oldest core points.
  func regions() -> [[Int]] {
    let all = points.indices
    let isCore = all.map { a in all.filter { isNear(a, $0) }.count >= minimumPoints }
    var label = [Int](repeating: -1, count: points.count)
    var count = 0
    for start in all where isCore[start] && label[start] < 0 {
      var queue = [start]
      label[start] = count
      while let point = queue.popLast() {
        for other in all where isCore[other] && label[other] < 0 && isNear(point, other) {
          label[other] = count
          queue.append(other)
        }
      }
      count += 1
    }
    for point in all where !isCore[point] {
      if let core = all.first(where: { isCore[$0] && isNear(point, $0) }) {
        label[point] = label[core]
      }
    }
    return (0..<count).map { region in all.filter { label[$0] == region } }
  }
}

private struct Generator {
  var state: UInt64

  mutating func unit() -> Double {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Double(state >> 11) * 0x1p-53
  }
}

@Suite struct HotspotDetectorTests {
  @Test(arguments: [1, 2, 3, 5] as [Int], [1, 2, 3] as [UInt64])
  func regionsAreThoseOfTheDefinitionAfterEveryPoint(dimensions: Int, seed: UInt64) {
    var random = Generator(state: seed)
    let window = 60
    var detector = HotspotDetector(
      dimensions: dimensions, windowSize: window, scanRadius: 0.8, minimumPoints: 5)
    var points: [[Double]] = []
    for number in 0..<400 {
      // Two wandering clusters and noise, so that regions grow, merge, split and vanish.
      let center = number % 3 == 0 ? 2.0 : 4.0 + Double(number) / 100
      let spread = number % 4 == 0 ? 8.0 : 1.2
      let point = (0..<dimensions).map { _ in center + (random.unit() - 0.5) * spread }
      detector.add(point)
      points.append(point)
      if points.count > window { points.removeFirst() }
      let expected = Reference(points: points, radius: 0.8, minimumPoints: 5).regions()
      let found = detector.hotspots()
      #expect(found.map(\.count) == expected.map(\.count), "seed \(seed), point \(number)")
      for (spot, members) in zip(found, expected) {
        for index in 0..<dimensions {
          #expect(spot.minimum[index] == members.map { points[$0][index] }.min())
          #expect(spot.maximum[index] == members.map { points[$0][index] }.max())
        }
      }
    }
  }

  @Test func aRestoredWindowContinuesTheSame() {
    var random = Generator(state: 7)
    var original = HotspotDetector(
      dimensions: 2, windowSize: 50, scanRadius: 0.5, minimumPoints: 4)
    for _ in 0..<130 { original.add([random.unit() * 3, random.unit() * 3]) }
    var restored = HotspotDetector(
      dimensions: 2, windowSize: 50, scanRadius: 0.5, minimumPoints: 4)
    let points = original.points
    for start in stride(from: 0, to: points.count, by: 2) {
      restored.add(Array(points[start..<(start + 2)]))
    }
    for _ in 0..<100 {
      let point = [random.unit() * 3, random.unit() * 3]
      original.add(point)
      restored.add(point)
      #expect(original.hotspots() == restored.hotspots())
    }
  }

  @Test func equalPointsAreARegionWithFiniteDensity() {
    var detector = HotspotDetector(
      dimensions: 2, windowSize: 10, scanRadius: 0.5, minimumPoints: 3)
    for _ in 0..<4 { detector.add([1, 2]) }
    let spots = detector.hotspots()
    #expect(spots.count == 1)
    #expect(spots[0].count == 4)
    #expect(spots[0].density == 16)
  }
}
