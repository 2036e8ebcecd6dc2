import Foundation
import RandomCutForest
import Testing

@Suite struct ForecasterTests {
  @Test func calibratedRangesHoldEightOfTen() throws {
    var covered = 0.0
    var total = 0.0
    for seed in 1...5 as ClosedRange<UInt64> {
      var forecaster = try Forecaster(
        ThresholdedConfiguration(shingleSize: 16, seed: seed, transform: .normalize), horizon: 5)
      let series = sine(seed: 70 + seed, count: 2500)
      var pending: [(due: Int, range: ClosedRange<Double>)] = []
      for (t, value) in series.enumerated() {
        for entry in pending where entry.due == t && t > 1200 {
          total += 1
          covered += entry.range.contains(Double(value)) ? 1 : 0
        }
        pending.removeAll { $0.due <= t }
        let (_, forecast) = try forecaster.process([Double(value)].span, timestamp: Int64(t))
        for (lead, middle) in forecast.values.enumerated() {
          #expect(forecast.lower[lead] <= middle && middle <= forecast.upper[lead])
          pending.append((t + lead + 1, forecast.lower[lead]...forecast.upper[lead]))
        }
      }
    }
    #expect(abs(covered / total - 0.8) < 0.08, "\(covered / total)")
  }

  @Test(arguments: TransformMethod.allCases) func everyTransformForecasts(method: TransformMethod)
    throws
  {
    var forecaster = try Forecaster(
      ThresholdedConfiguration(shingleSize: 16, seed: 3, transform: method), horizon: 10,
      calibration: .none)
    var errors = 0.0
    var count = 0.0
    var pending: [(due: Int, value: Double)] = []
    for t in 0..<1500 {
      let value = 100 + 10 * sin(2 * .pi * Double(t) / 25)
      for entry in pending where entry.due == t && t > 800 {
        errors += abs(entry.value - value)
        count += 1
      }
      pending.removeAll { $0.due <= t }
      let (_, forecast) = try forecaster.process([value].span, timestamp: Int64(60 * t))
      for (lead, value) in forecast.values.enumerated() { pending.append((t + lead + 1, value)) }
      if t > 800 { #expect(forecast.timestamps.first == Int64(60 * (t + 1))) }
    }
    // A pure sine swings by 6.4 on the mean.
    #expect(errors / count < 2, "\(errors / count)")
  }

  @Test func forecastsStayWithinLimits() throws {
    var forecaster = try Forecaster(
      ThresholdedConfiguration(shingleSize: 8), horizon: 3, limits: [-5...5])
    for (t, value) in sine(seed: 4, count: 600).enumerated() {
      let (_, forecast) = try forecaster.process([Double(value)].span, timestamp: Int64(t))
      for value in forecast.values + forecast.lower + forecast.upper {
        #expect((-5...5).contains(value))
      }
    }
  }
}

@Suite struct GlobalLocalDetectorTests {
  /// Words by the number of places in which they differ, and by length.
  private static func distance(_ a: String, _ b: String) -> Double {
    let pairs = zip(a.utf8, b.utf8)
    return Double(pairs.count { $0 != $1 } + abs(a.utf8.count - b.utf8.count))
  }

  @Test func findsAnOddWord() throws {
    var detector = try GlobalLocalDetector<String>(distance: Self.distance)
    var random = SplitMix64(seed: 1)
    let stems = ["abcdef", "uvwxyz", "mnopqr"]
    var alarms = 0
    for t in 0..<2000 {
      var word = Array(stems[Int(random.next() % 3)].utf8)
      word[Int(random.next() % 6)] = UInt8(ascii: "a") + UInt8(random.next() % 26)
      let result = detector.process(String(decoding: word, as: UTF8.self))
      if t > 500, result.grade > 0 { alarms += 1 }
    }
    #expect(alarms < 30)
    let odd = detector.process("1234567890123456789")
    #expect(odd.grade > 0 && odd.score > 2)
    #expect(abs(odd.representatives.reduce(0) { $0 + $1.share } - 1) < 1e-9)
  }

  @Test func findsLocalAnomaliesBesideATightCluster() throws {
    var detector = try GlobalLocalDetector<Double>(seed: 2) { abs($0 - $1) }
    var noise = Gaussian(seed: 5)
    for t in 0..<3000 {
      _ = detector.process(t % 2 == 0 ? 0.1 * noise.next() : 100 + 10 * noise.next())
    }
    #expect(detector.process(5).grade > 0)
    #expect(detector.process(105).grade == 0)
  }
}

@Suite struct ShardTests {
  @Test(arguments: [1, 2, 3]) func scoresDoNotDependOnTheShards(count: Int) throws {
    let configuration = ForestConfiguration(
      dimensions: 4, shingleSize: 4, numberOfTrees: 10, seed: 1)
    let keys = (0..<3000).map { UInt64($0 * 7 % 13) }
    let input = gaussians(seed: 3, count: 3000)
    var expected: [Double] = []
    let single = try ForestShard(configuration)
    for (key, value) in zip(keys, input) {
      expected.append(try single.scoreAndUpdate(key: key, [value].span))
    }
    var scores = [Double](repeating: -1, count: 3000)
    for index in 0..<count {
      let shard = try ForestShard(configuration)
      let rows = keys.indices.filter { ForestShard.index(of: keys[$0], count: count) == index }
      for start in stride(from: 0, to: rows.count, by: 500) {
        let part = Array(rows[start..<min(rows.count, start + 500)])
        var result = [Double](repeating: 0, count: part.count)
        var span = result.mutableSpan
        let partKeys = part.map { keys[$0] }
        let points = part.map { input[$0] }
        try shard.scoreAndUpdate(keys: partKeys.span, points: points.span, into: &span)
        for (row, score) in zip(part, result) { scores[row] = score }
      }
    }
    #expect(scores == expected)
  }

  @Test func sleepingForestsWakeWithTheSamePoints() throws {
    let shard = try ForestShard(ForestConfiguration(dimensions: 8, shingleSize: 8, seed: 1))
    let input = sine(seed: 9, count: 4000)
    for value in input { _ = try shard.scoreAndUpdate(key: 1, [value].span) }
    let awake = shard.byteCount
    #expect(shard.sleep(unusedFor: 0) == 1)
    #expect(shard.byteCount < 120_000 && shard.byteCount < awake / 8)
    #expect(shard.sleep(unusedFor: 0) == 0)
    var normal = 0.0
    for value in sine(seed: 9, count: 4500)[4000...] {
      normal += try shard.scoreAndUpdate(key: 1, [value].span) / 500
    }
    #expect(abs(normal - 0.79) < 0.06, "\(normal)")
    #expect(try shard.scoreAndUpdate(key: 1, [40].span) > 1.3)
    let state = try #require(try shard.snapshot(key: 1))
    try shard.restore(key: 2, snapshot: state.span)
    #expect(shard.count == 2)
    #expect(try shard.snapshot(key: 2) == state)
    shard.remove(key: 1)
    #expect(try shard.snapshot(key: 1) == nil)
  }
}
