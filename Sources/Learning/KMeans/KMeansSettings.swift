/// The hyperparameters of k-means: SageMaker's, and two of ours.
struct KMeansSettings {
  enum Seeding: String { case random, plusPlus = "kmeans++" }

  static let known = [
    "feature_dim", "k", "epochs", "mini_batch_size", "init_method", "extra_center_factor",
    "half_life_time_size", "local_lloyd_init_method", "local_lloyd_max_iter",
    "local_lloyd_num_trials", "local_lloyd_tol", "eval_metrics", "full_lloyd_max_iter",
    "pca_components",
  ]

  let k: Int
  let epochs: Int
  let miniBatchSize: Int
  let seeding: Seeding
  let extraCenterFactor: Int
  let halfLife: Int
  let localSeeding: Seeding
  let localIterations: Int
  let localTrials: Int
  let tolerance: Double
  let metrics: [String]
  /// Ours: passes of Lloyd's algorithm over all rows after the streaming ones.
  let fullIterations: Int
  /// Ours: the components of the projection that comes first; 0 for none.
  let components: Int

  init(
    _ texts: [String: String], featureCount: Int
  ) throws(HyperparameterError) {
    let parameters = try Hyperparameters(texts, known: Self.known)
    try parameters.check(featureCount: featureCount)
    k = try parameters.integer("k", in: 1...1_000_000)
    epochs = try parameters.integer("epochs", in: 1...Int.max, default: 1)
    miniBatchSize = try parameters.integer("mini_batch_size", in: 1...10_000_000, default: 5_000)
    seeding =
      Seeding(rawValue: try parameters.word("init_method", of: ["random", "kmeans++"])) ?? .random
    extraCenterFactor = try parameters.integerOrAuto("extra_center_factor", in: 1...1_000) ?? 4
    halfLife = try parameters.integer("half_life_time_size", in: 0...Int.max, default: 0)
    let local = try parameters.word("local_lloyd_init_method", of: ["kmeans++", "random"])
    localSeeding = Seeding(rawValue: local) ?? .plusPlus
    localIterations = try parameters.integer("local_lloyd_max_iter", in: 1...Int.max, default: 300)
    localTrials = try parameters.integerOrAuto("local_lloyd_num_trials", in: 1...10_000) ?? 3
    tolerance = try parameters.number("local_lloyd_tol", in: 0...1, default: 1e-4)
    metrics = try parameters.words("eval_metrics", of: ["msd", "ssd"], default: ["msd"])
    fullIterations = try parameters.integer("full_lloyd_max_iter", in: 0...100_000, default: 0)
    components = try parameters.integer("pca_components", in: 0...featureCount, default: 0)
  }
}

extension Hyperparameters {
  /// `feature_dim` may be left out; given, it must be what the data have.
  func check(featureCount: Int) throws(HyperparameterError) {
    let given = try integer("feature_dim", in: 1...10_000_000, default: featureCount)
    guard given == featureCount else {
      throw HyperparameterError(
        name: "feature_dim", value: "\(given)", range: "\(featureCount), as the rows have")
    }
  }
}
