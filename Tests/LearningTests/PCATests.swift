import LearnedModels
import Learning
import RandomCutForest
import Testing

@Suite struct PCATests {
  private func train(
    _ rows: [Float], _ dimensions: Int, _ hyperparameters: [String: String]
  ) throws -> PCAModel {
    let result = try Learning.train(
      TrainingRequest(algorithm: .pca, hyperparameters: hyperparameters, seed: 1),
      on: .rows(train: MemoryRows(rows, featureCount: dimensions), test: nil))
    guard case .pca(let model) = result.model else { throw TrainingError.cancelled }
    return model
  }

  /// 3 directions of variance 9, 4, 1 within 5 dimensions, rotated by hand.
  private static let rows: [Float] = {
    var random = SplitMix64(seed: 2)
    return (0..<4_000).flatMap { _ -> [Float] in
      let a = 3 * (random.uniform() - 0.5)
      let b = 2 * (random.uniform() - 0.5)
      let c = random.uniform() - 0.5
      return [a + b + 100, a - b + 100, c, 2 * c, 7].map { Float($0) }
    }
  }()

  @Test(arguments: ["regular", "randomized"]) func directionsOfVarianceAreFound(
    mode: String
  ) throws {
    let model = try train(
      Self.rows, 5, ["num_components": "3", "mini_batch_size": "100", "algorithm_mode": mode])
    let half = 0.5.squareRoot()
    let fifth = 0.2.squareRoot()
    let expected = [[half, half, 0, 0, 0], [half, -half, 0, 0, 0], [0, 0, fifth, 2 * fifth, 0]]
    for (component, direction) in expected.enumerated() {
      let found = model.components[(5 * component)..<(5 * component + 5)]
      let product = zip(found, direction).reduce(0) { $0 + $1.0 * $1.1 }
      #expect(abs(product) > (mode == "regular" ? 0.99 : 0.9))
    }
  }

  @Test func theRegularModeIsTheEigenbasisOfTheCovariance() throws {
    let model = try train(Self.rows, 5, ["num_components": "5", "mini_batch_size": "333"])
    for i in 0..<5 {
      for j in 0..<5 {
        var product = 0.0
        for feature in 0..<5 {
          product += model.components[5 * i + feature] * model.components[5 * j + feature]
        }
        #expect(abs(product - (i == j ? 1 : 0)) < 1e-9)
      }
      var sum = 0.0
      for row in 0..<4_000 {
        let value = try model.project(Self.rows.span.extracting((5 * row)..<(5 * row + 5)))[i]
        sum += Double(value) * Double(value)
      }
      #expect(abs(sum / 3_999 - model.variances[i]) < 1e-4 * (1 + model.variances[i]))
    }
  }

  @Test func equalRowsAreRefused() {
    #expect(throws: TrainingError.self) {
      try train([1, 2, 1, 2, 1, 2], 2, ["num_components": "1"])
    }
    #expect(throws: TrainingError.self) { try train([1, 2, 3, 4], 2, ["num_components": "3"]) }
  }
}
