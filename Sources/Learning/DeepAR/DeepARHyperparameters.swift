import LearnedModels

/// DeepAR's hyperparameters as SageMaker names them, and three of our own.
package struct DeepARHyperparameters {
  /// How many categories the fields of a series have.
  enum Cardinality {
    case fromData
    case ignored
    case given([Int])
  }

  let frequency: DeepARFrequency
  let contextLength: Int
  let predictionLength: Int
  let epochs: Int
  let cardinality: Cardinality
  /// Nil: as many as the data have.
  let dynamicFeatureCount: Int?
  let embeddingDimension: Int
  let likelihood: DeepARLikelihood
  let layerCount: Int
  let cellCount: Int
  let dropout: Double
  let learningRate: Double
  let batchSize: Int
  let patience: Int?
  let evaluationSamples: Int
  let quantiles: [Double]
  let batchesPerEpoch: Int
  let scaleSamplingExponent: Double

  static let known = [
    "context_length", "prediction_length", "epochs", "time_freq", "cardinality",
    "num_dynamic_feat", "embedding_dimension", "likelihood", "num_layers", "num_cells",
    "dropout_rate", "learning_rate", "mini_batch_size", "early_stopping_patience",
    "num_eval_samples", "test_quantiles", "num_batches_per_epoch", "scale_sampling_exponent",
  ]

  package init(_ texts: [String: String]) throws(HyperparameterError) {
    let given = try Hyperparameters(texts, known: Self.known)
    guard let frequency = given["time_freq"].flatMap({ DeepARFrequency($0) }) else {
      throw HyperparameterError(
        name: "time_freq", value: given["time_freq"],
        range: "M, W, D, B, H or min, with a number in front if wanted, such as 5min")
    }
    self.frequency = frequency
    contextLength = try given.integer("context_length", in: 1...2_000)
    predictionLength = try given.integer("prediction_length", in: 1...2_000)
    epochs = try given.integer("epochs", in: 1...100_000)
    cardinality = try Self.cardinality(given["cardinality"])
    switch given["num_dynamic_feat"] ?? "auto" {
    case "auto": dynamicFeatureCount = nil
    case "ignore", "": dynamicFeatureCount = 0
    default: dynamicFeatureCount = try given.integer("num_dynamic_feat", in: 1...1_000)
    }
    embeddingDimension = try given.integer("embedding_dimension", in: 1...100, default: 10)
    let law = try given.word(
      "likelihood", of: DeepARLikelihood.allCases.map(\.rawValue))
    likelihood = DeepARLikelihood(rawValue: law) ?? .studentT
    layerCount = try given.integer("num_layers", in: 1...8, default: 2)
    cellCount = try given.integer("num_cells", in: 1...200, default: 40)
    dropout = try given.number("dropout_rate", in: 0...0.9, default: 0.1)
    learningRate = try given.number("learning_rate", in: 1e-5...1e-1, default: 1e-3)
    batchSize = try given.integer("mini_batch_size", in: 1...1_028, default: 128)
    patience =
      given.has("early_stopping_patience")
      ? try given.integer("early_stopping_patience", in: 1...100_000) : nil
    evaluationSamples = try given.integer("num_eval_samples", in: 1...10_000, default: 100)
    quantiles = try Self.quantiles(given["test_quantiles"])
    batchesPerEpoch = try given.integer("num_batches_per_epoch", in: 1...100_000, default: 50)
    scaleSamplingExponent = try given.number(
      "scale_sampling_exponent", in: 0...1, default: 0)
  }

  private static func items(_ text: String) -> [Substring] {
    text.split { "[]\", ".contains($0) }
  }

  private static func cardinality(
    _ text: String?
  ) throws(HyperparameterError) -> Cardinality {
    switch text ?? "auto" {
    case "auto": return .fromData
    case "ignore", "": return .ignored
    case let list:
      let sizes = items(list).compactMap { Int($0) }.filter { (1...1_000_000).contains($0) }
      guard sizes.count == items(list).count, !sizes.isEmpty else {
        throw HyperparameterError(
          name: "cardinality", value: text,
          range: "auto, ignore or a list of integers of at least 1, such as [8,3]")
      }
      return .given(sizes)
    }
  }

  private static func quantiles(_ text: String?) throws(HyperparameterError) -> [Double] {
    guard let text else { return (1...9).map { Double($0) / 10 } }
    let quantiles = items(text).compactMap { Double($0) }.filter { $0 > 0 && $0 < 1 }
    guard quantiles.count == items(text).count, !quantiles.isEmpty else {
      throw HyperparameterError(
        name: "test_quantiles", value: text,
        range: "a list of numbers between 0 and 1, such as [0.1,0.5,0.9]")
    }
    return quantiles
  }
}
