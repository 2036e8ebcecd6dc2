import LearnedModels
import Learning
import RandomCutForest
import Testing

/// Blobs around k centres, in random order, with what they cost around the generating centres.
struct Blobs {
  var rows: [Float] = []
  var cost = 0.0

  init(rowCount: Int, dimensions: Int, k: Int, offset: Double = 0, seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let centres = (0..<(k * dimensions)).map { _ in offset + random.uniform() * 20 - 10 }
    for _ in 0..<rowCount {
      let centre = Int(random.next(upperBound: UInt64(k)))
      for feature in 0..<dimensions {
        let noise = (0..<12).reduce(-6.0) { sum, _ in sum + random.uniform() } * 0.5
        rows.append(Float(centres[centre * dimensions + feature] + noise))
        cost += noise * noise
      }
    }
    cost /= Double(rowCount)
  }
}

@Suite struct KMeansTests {
  private func train(
    _ rows: [Float], _ dimensions: Int, _ hyperparameters: [String: String], seed: UInt64 = 0,
    progress: TrainingProgress = TrainingProgress()
  ) throws -> TrainingResult {
    try Learning.train(
      TrainingRequest(algorithm: .kMeans, hyperparameters: hyperparameters, seed: seed),
      on: .rows(train: MemoryRows(rows, featureCount: dimensions), test: nil), progress: progress)
  }

  @Test(arguments: 0..<8) func everySeedFindsTheGeneratingCentres(seed: UInt64) throws {
    let blobs = Blobs(rowCount: 20_000, dimensions: 8, k: 20, seed: 7)
    let result = try train(blobs.rows, 8, ["k": "20", "mini_batch_size": "1000"], seed: seed)
    let cost = try #require(result.metrics.first { $0.name == "train:msd" }).value
    #expect(cost <= 1.002 * blobs.cost)
  }

  @Test func rowsFarFromTheOriginLoseNothing() throws {
    let blobs = Blobs(rowCount: 10_000, dimensions: 4, k: 10, offset: 5_000, seed: 3)
    let result = try train(blobs.rows, 4, ["k": "10", "full_lloyd_max_iter": "10"])
    #expect(result.metrics[0].value <= 1.01 * blobs.cost)
  }

  @Test func theMetricIsWhatTheModelSays() throws {
    let blobs = Blobs(rowCount: 2_000, dimensions: 3, k: 5, seed: 1)
    let result = try train(
      blobs.rows, 3, ["k": "5", "eval_metrics": "[\"msd\",\"ssd\"]", "full_lloyd_max_iter": "5"])
    guard case .kMeans(let model) = result.model else { throw TrainingError.cancelled }
    var sum = 0.0
    for row in 0..<2_000 {
      let distance = try model.closest(to: blobs.rows.span.extracting((3 * row)..<(3 * row + 3)))
      sum += Double(distance.distance) * Double(distance.distance)
    }
    #expect(abs(result.metrics[0].value - sum / 2_000) < 1e-4 * sum / 2_000)
    #expect(abs(result.metrics[1].value - sum) < 1e-4 * sum)
  }

  /// The bounds only save work: the result is that of plain Lloyd passes.
  @Test func boundsChangeNothing() throws {
    let blobs = Blobs(rowCount: 3_000, dimensions: 2, k: 40, seed: 5)
    let result = try train(
      blobs.rows, 2, ["k": "12", "full_lloyd_max_iter": "1000", "local_lloyd_tol": "0"])
    guard case .kMeans(let model) = result.model else { throw TrainingError.cancelled }
    var sums = [Double](repeating: 0, count: 24)
    var counts = [Double](repeating: 0, count: 12)
    for row in 0..<3_000 {
      let cluster = try model.closest(to: blobs.rows.span.extracting((2 * row)..<(2 * row + 2)))
        .cluster
      counts[cluster] += 1
      for feature in 0..<2 { sums[2 * cluster + feature] += Double(blobs.rows[2 * row + feature]) }
    }
    for index in 0..<24 {
      #expect(abs(sums[index] / counts[index / 2] - Double(model.centres[index])) < 1e-3)
    }
  }

  @Test func refusalsNameValueAndRange() {
    let few: [Float] = [1, 2, 3, 4]
    let cases: [([Float], [String: String], String)] = [
      (few, ["k": "5"], "there are 4 rows for k = 5"),
      (few, [:], "hyperparameter k is required"),
      (few, ["k": "2", "kk": "1"], "hyperparameter kk is '1'"),
      (few, ["k": "2", "epochs": "0"], "hyperparameter epochs is '0'"),
      (few, ["k": "2", "feature_dim": "3"], "hyperparameter feature_dim is '3'"),
      ([1, 1, 1, 1], ["k": "2", "init_method": "kmeans++"], "only 1 different places"),
      ([1, .nan, 1, 1], ["k": "2"], "row 2: feature 0 is nan"),
    ]
    for (rows, hyperparameters, message) in cases {
      var text = ""
      do { _ = try train(rows, 1, hyperparameters) } catch { text = "\(error)" }
      #expect(text.contains(message), "\(text)")
    }
  }

  @Test func aCancelledTrainingEnds() {
    let blobs = Blobs(rowCount: 1_000, dimensions: 2, k: 3, seed: 5)
    #expect(throws: TrainingError.cancelled) {
      try train(
        blobs.rows, 2, ["k": "3"], progress: TrainingProgress(isCancelled: { true }))
    }
  }
}
