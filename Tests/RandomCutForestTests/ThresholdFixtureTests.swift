import Foundation
import RandomCutForest
import Testing

/// The deterministic traces of AWS's thresholder and transforms.
@Suite(.enabled(if: Fixtures.isPresent)) struct ThresholdFixtureTests {
  @Test func thresholdsAndGrades() throws {
    var variant = ""
    var thresholder = Thresholder(discount: 1.0 / 2560)
    var setting = Thresholder.Setting(isShingled: false)
    var last = 0.0
    var graded = 0
    let rows = try Fixtures.rows("thresholder.csv")
    #expect(rows.count == 2400)
    for row in rows {
      if row[0] != variant {
        variant = row[0]
        setting.isShingled = !variant.contains("shingle=1;")
        setting.isTransformed = !variant.contains("transform=NONE")
        thresholder = Thresholder(
          discount: 1.0 / 2560, isAutomatic: variant.contains("auto=true"))
        last = 0
      }
      let score = Double(row[2])!
      let result = thresholder.grade(score, setting)
      #expect(abs(result.threshold - Double(row[3])!) < 1e-9, "\(row)")
      #expect(result.grade == Double(row[4])!, "\(row)")
      #expect(abs(thresholder.mean - Double(row[5])!) < 1e-9)
      #expect(abs(thresholder.deviation - Double(row[6])!) < 1e-9)
      graded += result.grade > 0 ? 1 : 0
      thresholder.update(score, corrected: score, previous: last)
      last = setting.isShingled ? score : 0
    }
    #expect(graded > 10)
  }

  static let methods: [String: TransformMethod] = [
    "NONE": .none, "SUBTRACT_MA": .subtractMovingAverage, "NORMALIZE": .normalize,
    "DIFFERENCE": .difference, "NORMALIZE_DIFFERENCE": .normalizeDifference,
  ]

  @Test(arguments: methods.keys.sorted())
  func transforms(name: String) throws {
    var configuration = ThresholdedConfiguration(
      inputDimensions: 2, shingleSize: 4, sampleSize: 64, transform: Self.methods[name]!)
    configuration.normalizationFloor = 1
    var preprocessor = Preprocessor(configuration)
    var compared = 0
    for row in try Fixtures.rows("transforms.csv") where row[0] == name {
      let input = [Double(row[2])!, Double(row[3])!]
      let time = Int64(row[1])! * 1000
      if row[4] != "null" {
        let point = row[4].trimmingCharacters(in: CharacterSet(charactersIn: "[]\r"))
          .split(separator: " ").map { Double($0)! }
        let block = preprocessor.block(input, timestamp: time, scales: preprocessor.scales)
        for i in 0..<2 {
          #expect(abs(Double(block[i]) - point[6 + i]) < 1e-5 * (1 + abs(point[6 + i])), "\(row)")
        }
        compared += 1
      }
      preprocessor.update(input, timestamp: time)
    }
    #expect(compared == 50)
  }

  @Test(arguments: TransformMethod.allCases)
  func aTransformCanBeUndone(method: TransformMethod) {
    var statistics = InputStatistics(decay: 0.01)
    for value in gaussians(seed: 5, count: 50) { statistics.update(100 + 3 * Double(value)) }
    let scale = InputScale(statistics, method, weight: 2, floor: nil)
    for input in [97, 99.5, 103] as [Double] {
      #expect(abs(scale.invert(scale.transform(input)) - input) < 1e-4)
    }
  }
}
