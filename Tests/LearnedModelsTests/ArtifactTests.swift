import LearnedModels
import RandomCutForest
import Testing

@Suite struct ArtifactTests {
  private static let pca = PCAModel(
    mean: [1, 2, 3], components: [1, 0, 0, 0, 1, 0], variances: [2, 1])

  static func models() throws -> [LearnedModel] {
    var forest = try RandomCutForest(
      ForestConfiguration(
        dimensions: 2, sampleSize: 16, numberOfTrees: 50, timeDecay: 0, outputAfter: 1, seed: 4))
    for index in 0..<40 { try forest.update([Float(index % 7), Float(index % 5)].span) }
    return [
      .kMeans(KMeansModel(centres: [0, 0, 3, 4, -1, 2], dimensions: 2)),
      .kMeans(KMeansModel(centres: [0, 0, 3, 4], dimensions: 2, projection: pca)),
      .pca(pca),
      .randomCutForest(FrozenForest(forest, scoreMean: 1, scoreDeviation: 0.25)),
    ]
  }

  @Test func decodedModelsAreTheSame() throws {
    for model in try Self.models() {
      let bytes = model.encode()
      let decoded = try LearnedModel(decoding: bytes)
      #expect(decoded.encode() == bytes)
      #expect(decoded.featureCount == model.featureCount)
      #expect(decoded.algorithm == model.algorithm)
    }
  }

  @Test func everyDamagedByteIsFound() throws {
    for model in try Self.models() {
      let bytes = model.encode()
      let step = max(1, bytes.count / 400)
      for index in stride(from: 0, to: bytes.count, by: step) {
        var damaged = bytes
        damaged[index] ^= 0x10
        #expect(throws: ModelError.self, "byte \(index)") {
          try LearnedModel(decoding: damaged)
        }
        #expect(throws: ModelError.self, "cut at \(index)") {
          try LearnedModel(decoding: Array(bytes[..<index]))
        }
      }
    }
  }

  @Test func aRowOfTheWrongShapeIsRefused() throws {
    let model = KMeansModel(centres: [0, 0, 3, 4], dimensions: 2)
    #expect(throws: ModelError.wrongFeatureCount(found: 3, expected: 2)) {
      try model.closest(to: [1, 2, 3].span)
    }
    #expect(throws: ModelError.valueOutOfRange(feature: 1, value: .infinity)) {
      try model.closest(to: [1, .infinity].span)
    }
    let (cluster, distance) = try model.closest(to: [3, 3].span)
    #expect(cluster == 1 && distance == 1)
  }
}
