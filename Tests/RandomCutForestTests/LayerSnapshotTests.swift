import RandomCutForest
import Testing

@Suite struct LayerSnapshotTests {
  @Test(arguments: [0, 5, 40, 300, 700], [Calibration.simple, .minimal])
  func aRestoredForecasterContinuesBitIdentically(after: Int, calibration: Calibration) throws {
    let configuration = ThresholdedConfiguration(shingleSize: 8, seed: 2, transform: .normalize)
    var forecaster = try Forecaster(
      configuration, horizon: 4, calibration: calibration, limits: [-30...30])
    let series = sine(seed: 12, count: 900).map(Double.init)
    for t in 0..<after {
      _ = try forecaster.process(series.span.extracting(t..<t + 1), timestamp: Int64(t))
    }
    let bytes = forecaster.snapshot()
    var restored = try Forecaster(
      configuration, horizon: 4, calibration: calibration, limits: [-30...30],
      snapshot: bytes.span)
    #expect(restored.snapshot() == bytes)
    for t in after..<900 {
      let value = series.span.extracting(t..<t + 1)
      let expected = try forecaster.process(value, timestamp: Int64(t))
      let continued = try restored.process(value, timestamp: Int64(t))
      try #require(continued.detection == expected.detection, "step \(t)")
      try #require(continued.forecast == expected.forecast, "step \(t)")
    }
    #expect(restored.hitRates == forecaster.hitRates)
  }

  @Test func aDamagedForecasterIsRefused() throws {
    let configuration = ThresholdedConfiguration(
      shingleSize: 4, sampleSize: 16, numberOfTrees: 3, seed: 2)
    var forecaster = try Forecaster(configuration, horizon: 3)
    for (t, value) in sine(seed: 3, count: 100).enumerated() {
      _ = try forecaster.process([Double(value)].span, timestamp: Int64(t))
    }
    let bytes = forecaster.snapshot()
    for position in stride(from: 0, to: bytes.count, by: 11) {
      var damaged = bytes
      damaged[position] ^= 0x20
      #expect(throws: ForestError.self, "byte \(position)") {
        _ = try Forecaster(configuration, horizon: 3, snapshot: damaged.span)
      }
      #expect(throws: ForestError.self) {
        _ = try Forecaster(
          configuration, horizon: 3, snapshot: bytes.span.extracting(0..<position))
      }
    }
    #expect(throws: ForestError.self, "another horizon") {
      _ = try Forecaster(configuration, horizon: 2, snapshot: bytes.span)
    }
  }

  @Test(arguments: [0, 10, 130, 600, 1500])
  func aRestoredGlobalLocalDetectorContinues(after: Int) throws {
    func word(_ random: inout SplitMix64) -> String {
      let stem = ["north", "south", "east", "west"][Int(random.next() % 4)]
      return stem + String(random.next() % 50)
    }
    func distance(_ a: String, _ b: String) -> Double {
      Double(zip(a.utf8, b.utf8).count { $0 != $1 } + abs(a.utf8.count - b.utf8.count))
    }
    var random = SplitMix64(seed: 4)
    var detector = try GlobalLocalDetector<String>(seed: 9, distance: distance)
    for _ in 0..<after { _ = detector.process(word(&random)) }
    let bytes = detector.snapshot { Array($0.utf8) }
    var restored = try GlobalLocalDetector<String>(snapshot: bytes.span, distance: distance) {
      String(validating: $0, as: UTF8.self)
    }
    #expect(restored.snapshot { Array($0.utf8) } == bytes)
    for step in 0..<800 {
      let next = word(&random)
      let expected = detector.process(next)
      let continued = restored.process(next)
      try #require(continued.score == expected.score && continued.grade == expected.grade)
      try #require(continued.threshold == expected.threshold, "step \(step)")
      #expect(
        continued.representatives.map(\.element) == expected.representatives.map(\.element))
    }
    for position in stride(from: 0, to: bytes.count, by: 13) {
      var damaged = bytes
      damaged[position] ^= 1
      #expect(throws: ForestError.self) {
        _ = try GlobalLocalDetector<String>(snapshot: damaged.span, distance: distance) {
          String(validating: $0, as: UTF8.self)
        }
      }
    }
  }

  @Test func aValueThatCannotBeDecodedIsNamed() throws {
    var detector = try GlobalLocalDetector<Int> { Double(abs($0 - $1)) }
    for value in 0..<40 { _ = detector.process(value) }
    let bytes = detector.snapshot { [UInt8(truncatingIfNeeded: $0)] }
    let error = #expect(throws: ForestError.self) {
      _ = try GlobalLocalDetector<Int>(
        snapshot: bytes.span, distance: { Double(abs($0 - $1)) }, decode: { _ in nil })
    }
    #expect(error?.description.contains("1 bytes cannot be decoded") == true)
  }
}
