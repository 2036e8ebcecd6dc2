/// The hyperparameters of PCA, with SageMaker's names.
struct PCASettings {
  static let known = [
    "feature_dim", "mini_batch_size", "num_components", "algorithm_mode", "extra_components",
    "subtract_mean",
  ]

  let components: Int
  let miniBatchSize: Int
  let isRandomized: Bool
  let extraComponents: Int
  let subtractsMean: Bool

  init(components: Int, miniBatchSize: Int) {
    self.components = components
    self.miniBatchSize = miniBatchSize
    isRandomized = false
    extraComponents = 0
    subtractsMean = true
  }

  init(_ texts: [String: String], featureCount: Int) throws(HyperparameterError) {
    let parameters = try Hyperparameters(texts, known: Self.known)
    try parameters.check(featureCount: featureCount)
    components = try parameters.integer("num_components", in: 1...featureCount)
    miniBatchSize = try parameters.integer("mini_batch_size", in: 1...10_000_000, default: 5_000)
    isRandomized =
      try parameters.word("algorithm_mode", of: ["regular", "randomized"]) == "randomized"
    let extra = try parameters.integer("extra_components", in: -1...1_000_000, default: -1)
    extraComponents = extra < 0 ? max(10, components) : extra
    subtractsMean = try parameters.word("subtract_mean", of: ["true", "false"]) == "true"
    guard isRandomized || featureCount <= 10_000 else {
      throw HyperparameterError(
        name: "algorithm_mode", value: "regular",
        range: "randomized for more than 10000 features; there are \(featureCount)")
    }
  }
}
