import Foundation
import RandomCutForest
import Testing

@Suite struct ThresholdedForestTests {
  /// Detections over the spiked sine, counted as the fixtures count.
  static func run(
    seed: UInt64, _ transform: TransformMethod, autoAdjust: Bool
  ) throws -> (found: Int, falseAlarms: Int, delay: Double, threshold: Double) {
    var configuration = ThresholdedConfiguration(seed: seed, transform: transform)
    configuration.autoAdjust = autoAdjust
    if !autoAdjust {
      // As AWS has it.
      configuration.normalizationFloor = 1
      configuration.ignoreBelow = []
      configuration.ignoreAbove = []
    }
    var forest = try ThresholdedForest(configuration)
    var found: [Int: Int] = [:]
    var falseAlarms = 0
    var threshold = 0.0
    for (t, value) in StatisticsTests.spikedSine(seed: 1000 + seed).enumerated() {
      let detection = try forest.process([Double(value)].span, timestamp: Int64(t))
      guard t >= 1000 else { continue }
      threshold += detection.threshold
      guard detection.grade > 0 else { continue }
      if let spike = StatisticsTests.spikes.last(where: { $0 <= t }), t < spike + 8 {
        found[spike] = min(found[spike] ?? 8, t - spike)
      } else {
        falseAlarms += 1
      }
    }
    let delay = Double(found.values.reduce(0, +)) / Double(max(1, found.count))
    return (found.count, falseAlarms, delay, threshold / 4000)
  }

  @Test(
    .enabled(if: Fixtures.isPresent), arguments: [TransformMethod.none, .normalize], [false, true])
  func findsSpikesWithFewerFalseAlarmsThanAWS(_ transform: TransformMethod, autoAdjust: Bool) throws
  {
    let name = transform == .none ? "NONE" : "NORMALIZE"
    let experiment = "trcf_sine_spikes_shingle8_\(name)_autoAdjust_\(autoAdjust)"
    var found = 0
    var alarms: [Double] = []
    var delays: [Double] = []
    var thresholds: [Double] = []
    for seed in 1...20 as ClosedRange<UInt64> {
      let result = try Self.run(
        seed: seed, transform, autoAdjust: autoAdjust)
      found += result.found
      alarms.append(Double(result.falseAlarms))
      delays.append(result.delay)
      thresholds.append(result.threshold)
    }
    #expect(found == 140)
    func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
    let aws = try Fixtures.statistic(experiment, "false_alarms_4000pts")
    #expect(mean(alarms) <= aws.mean + 3 * aws.sd * 0.1.squareRoot(), "\(mean(alarms))")
    // A few of 140 spikes may be seen a step later.
    let awsDelay = try Fixtures.statistic(experiment, "mean_delay")
    #expect(
      mean(delays) <= awsDelay.mean + 3 * awsDelay.sd * 0.1.squareRoot() + 0.05, "\(mean(delays))")
    if !autoAdjust { try StatisticsTests.expect(thresholds, like: experiment, "mean_threshold") }
    if autoAdjust {
      #expect(mean(alarms) <= 0.5)
      #expect(mean(delays) < 0.4)
    }
  }

  /// A long constant series, then one value.
  static func gradeAfterConstant(
    _ value: Double, _ transform: TransformMethod, shingle: Int, constant: Double = 100
  ) throws -> Double {
    var forest = try ThresholdedForest(
      ThresholdedConfiguration(shingleSize: shingle, transform: transform))
    for t in 0..<1000 { _ = try forest.process([constant].span, timestamp: Int64(t)) }
    return try forest.process([value].span, timestamp: 1000).grade
  }

  @Test(arguments: TransformMethod.allCases, [1, 4, 8])
  func aTinyChangeOfAConstantSeriesIsNoAnomaly(_ transform: TransformMethod, shingle: Int) throws {
    #expect(try Self.gradeAfterConstant(101, transform, shingle: shingle) == 0)
    #expect(try Self.gradeAfterConstant(100.0001, transform, shingle: shingle) == 0)
    #expect(try Self.gradeAfterConstant(500, transform, shingle: shingle) > 0)
  }

  @Test(arguments: 1...8) func aSecondAnomalySoonAfterTheFirstIsReported(gap: Int) throws {
    var reported = 0
    for seed in 1...10 as ClosedRange<UInt64> {
      var forest = try ThresholdedForest(ThresholdedConfiguration(seed: seed))
      let series = sine(seed: 50 + seed, count: 2100)
      var second = 0.0
      for (t, base) in series.enumerated() {
        let isAnomaly = t == 2000 || t == 2000 + gap
        let value = Double(base) + (isAnomaly ? (t == 2000 ? 15 : -25) : 0)
        let detection = try forest.process([value].span, timestamp: Int64(t))
        if t == 2000 + gap { second = detection.grade }
      }
      reported += second > 0 ? 1 : 0
    }
    #expect(reported >= 8, "\(reported) of 10 at gap \(gap)")
  }

  @Test func gradesAreReproducible() throws {
    func grades() throws -> [Detection] {
      var forest = try ThresholdedForest(ThresholdedConfiguration(seed: 9, transform: .normalize))
      let series = StatisticsTests.spikedSine(seed: 3).map(Double.init)
      let times = (0..<Int64(series.count)).map { $0 }
      return try forest.processSequentially(series.span, timestamps: times.span)
    }
    let first = try grades()
    #expect(try grades() == first)
    #expect(first.contains { $0.grade > 0 })
  }

  @Test func anAnomalyIsExplained() throws {
    var forest = try ThresholdedForest(ThresholdedConfiguration(inputDimensions: 3, shingleSize: 4))
    var noise = Gaussian(seed: 1)
    var last = Detection()
    for t in 0..<1500 {
      var values = (0..<3).map { Double(20 * ($0 + 1)) + noise.next() }
      if t == 1499 { values[1] += 25 }
      last = try forest.process(values.span, timestamp: Int64(t))
    }
    try #require(last.grade > 0.5)
    #expect(last.relativeIndex == 0)
    #expect(last.attribution[1] > 5 * max(last.attribution[0], last.attribution[2]))
    #expect(abs(last.expectedValues[1] - 40) < 3)
    #expect(last.startsAnomaly)
    #expect(last.confidence > 0.3 && last.confidence <= 1)
  }

  @Test(arguments: [
    ImputationMethod.zero, .fixed([5]), .previous, .next, .linear, .forest,
  ]) func gapsAreFilled(method: ImputationMethod) throws {
    var configuration = ThresholdedConfiguration(shingleSize: 8, mode: .streamingImpute)
    configuration.imputation = method
    var forest = try ThresholdedForest(configuration)
    let series = sine(seed: 2, count: 1200)
    var imputed = 0
    var confidence = 0.0
    for t in 0..<1200 where !(800..<804).contains(t) {
      let detection = try forest.process([Double(series[t])].span, timestamp: Int64(t) * 60)
      imputed += detection.imputedSteps
      if t == 799 { confidence = detection.confidence }
      if t == 804 {
        #expect(detection.imputedSteps == 4)
        #expect(detection.confidence <= confidence, "what was filled in is not seen")
      }
    }
    #expect(imputed == 4)
    #expect(throws: ForestError.self) {
      _ = try forest.process([0.0].span, timestamp: 100)
    }
  }

  @Test func forestImputationFollowsTheOtherCoordinate() throws {
    var forest = try ThresholdedForest(ThresholdedConfiguration(inputDimensions: 2, shingleSize: 4))
    var noise = Gaussian(seed: 4)
    for t in 0..<1500 {
      let x = 10 * sin(Double(t) / 8)
      _ = try forest.process([x, 3 * x + 0.1 * noise.next()].span, timestamp: Int64(t))
    }
    let x = 10 * sin(1500.0 / 8)
    let detection = try forest.process([x, 0].span, timestamp: 1500, missing: [1])
    #expect(detection.isImputed)
    #expect(abs(detection.input[1] - 3 * x) < 6, "\(detection.input), \(3 * x)")
  }

  @Test func lateInputsStandOutInTime() throws {
    var forest = try ThresholdedForest(
      ThresholdedConfiguration(shingleSize: 4, mode: .timeAugmented, transform: .normalize))
    var noise = Gaussian(seed: 6)
    var time: Int64 = 0
    var last = Detection()
    for t in 0..<1500 {
      time += t == 1499 ? 900 : 60 + Int64(noise.next())
      last = try forest.process([5 + noise.next()].span, timestamp: time)
    }
    #expect(last.score > 1.2)
    try #require(last.grade > 0, "\(last)")
    #expect(last.timeAttribution > last.attribution[0])
    #expect(last.expectedTimestamp.map { abs($0 - (time - 840)) < 20 } == true)
  }

  @Test func alertOnceAlertsOnce() throws {
    func alerts(_ once: Bool) throws -> Int {
      var configuration = ThresholdedConfiguration()
      configuration.alertOnce = once
      configuration.autoAdjust = false
      var forest = try ThresholdedForest(configuration)
      var count = 0
      for (t, base) in sine(seed: 8, count: 1520).enumerated() {
        let value = Double(base) + (t >= 1500 ? Double(20 * (t - 1499)) : 0)
        if try forest.process([value].span, timestamp: Int64(t)).grade > 0, t >= 1500 { count += 1 }
      }
      return count
    }
    #expect(try alerts(true) < alerts(false))
    #expect(try alerts(true) >= 1)
  }

  @Test(arguments: ScoringStrategy.allCases)
  func everyStrategyFindsAGreatSpike(_ strategy: ScoringStrategy) throws {
    var configuration = ThresholdedConfiguration(inputDimensions: 2, shingleSize: 2)
    configuration.scoring = strategy
    var forest = try ThresholdedForest(configuration)
    var noise = Gaussian(seed: 11)
    var alarms = 0
    for t in 0..<1200 {
      let values = [noise.next(), noise.next()]
      if try forest.process(values.span, timestamp: Int64(t)).grade > 0, t > 500 { alarms += 1 }
    }
    #expect(alarms < 70)
    #expect(try forest.process([40, -40].span, timestamp: 1200).grade > 0)
  }

  @Test(arguments: [0, 5, 10, 300, 1501, 1503], [TransformMethod.none, .normalizeDifference])
  func aRestoredOneContinuesBitIdentically(after: Int, _ transform: TransformMethod) throws {
    let configuration = ThresholdedConfiguration(seed: 2, transform: transform)
    let series = StatisticsTests.spikedSine(seed: 5)[..<2600].map(Double.init)
    var forest = try ThresholdedForest(configuration)
    for t in 0..<after {
      _ = try forest.process(series.span.extracting(t..<t + 1), timestamp: Int64(t))
    }
    let bytes = forest.snapshot()
    var restored = try ThresholdedForest(configuration, snapshot: bytes.span)
    #expect(restored.snapshot() == bytes)
    for t in after..<2600 {
      let value = series.span.extracting(t..<t + 1)
      let expected = try forest.process(value, timestamp: Int64(t))
      let continued = try restored.process(value, timestamp: Int64(t))
      try #require(continued == expected, "step \(t)")
    }
    #expect(throws: ForestError.self) {
      _ = try ThresholdedForest(configuration, snapshot: bytes.span.extracting(0..<bytes.count - 9))
    }
  }

  @Test func whatCannotBeUsedIsRefused() throws {
    #expect(throws: ForestError.self) {
      _ = try ThresholdedForest(ThresholdedConfiguration(inputDimensions: 0))
    }
    var unstable = ThresholdedConfiguration()
    unstable.zFactor = 1
    #expect(throws: ForestError.outOfRange(parameter: "zFactor", value: 1, range: 2...100)) {
      _ = try ThresholdedForest(unstable)
    }
    var forest = try ThresholdedForest(ThresholdedConfiguration(inputDimensions: 2))
    #expect(throws: ForestError.self) { _ = try forest.process([1, .nan].span, timestamp: 0) }
    #expect(throws: ForestError.wrongLength(parameter: "values", count: 1, expected: 2)) {
      _ = try forest.process([1].span, timestamp: 0)
    }
  }
}
