import LearnedModels
import Learning
import RandomCutForest
import Testing

@Suite struct ForestTests {
  @Test func outliersScoreHighAndTheLabelsAreFound() throws {
    let blobs = Blobs(rowCount: 20_000, dimensions: 3, k: 1, seed: 4)
    var test = Array(blobs.rows[0..<3_000])
    var labels = [Float](repeating: 0, count: 1_000)
    for index in 0..<10 {
      test += [Float(60 + index), 50, -40]
      labels.append(1)
    }
    let result = try Learning.train(
      TrainingRequest(
        algorithm: .randomCutForest,
        hyperparameters: ["num_trees": "50", "num_samples_per_tree": "128"]),
      on: .rows(
        train: MemoryRows(blobs.rows, featureCount: 3),
        test: MemoryRows(test, featureCount: 3, labels: labels)))
    #expect(try #require(result.metrics.first { $0.name == "test:recall" }).value == 1)
    #expect(try #require(result.metrics.first { $0.name == "test:accuracy" }).value > 0.97)
    guard case .randomCutForest(let model) = result.model else { throw TrainingError.cancelled }
    var forest = try model.makeForest()
    let far = try forest.score([60, 50, -40].span)
    let near = try forest.score(blobs.rows.span.extracting(0..<3))
    #expect(far > model.threshold && near < model.threshold)
  }

  @Test func aFrozenForestCanSeedAStreamingOne() throws {
    let blobs = Blobs(rowCount: 2_000, dimensions: 2, k: 2, seed: 4)
    let result = try Learning.train(
      TrainingRequest(algorithm: .randomCutForest, hyperparameters: ["num_trees": "50"]),
      on: .rows(train: MemoryRows(blobs.rows, featureCount: 2), test: nil))
    guard case .randomCutForest(let model) = result.model else { throw TrainingError.cancelled }
    var forest = try model.makeForest()
    for row in 0..<500 {
      _ = try forest.scoreAndUpdate(blobs.rows.span.extracting((2 * row)..<(2 * row + 2)))
    }
    let isReady = forest.isReady
    #expect(isReady)
  }

  @Test func tooFewOrEqualRowsAreRefused() {
    for rows: [Float] in [[1], [3, 3, 3]] {
      #expect(throws: TrainingError.self) {
        try Learning.train(
          TrainingRequest(algorithm: .randomCutForest, hyperparameters: [:]),
          on: .rows(train: MemoryRows(rows, featureCount: 1), test: nil))
      }
    }
  }
}
