import LearnedModels

/// The metric by which trials are compared.
public struct Objective: Sendable, Equatable {
  /// The metric's name, such as `test:msd`.
  public let name: String
  /// Whether more is better.
  public let isMaximized: Bool

  /// A metric.
  init(_ name: String, isMaximized: Bool = false) {
    self.name = name
    self.isMaximized = isMaximized
  }

  /// Lower is better, whatever the metric.
  func loss(_ value: Double) -> Double { isMaximized ? -value : value }

  /// The metrics that SageMaker tunes by, the usual one first; those of the training data are ours.
  static func known(_ algorithm: Algorithm) -> [Objective] {
    switch algorithm {
    case .kMeans:
      [
        Objective("test:msd"), Objective("test:ssd"), Objective("train:msd"),
        Objective("train:ssd"),
      ]
    case .randomCutForest: [Objective("test:f1", isMaximized: true)]
    case .pca: []
    case .deepAR:
      [
        Objective("test:mean_wQuantileLoss"), Objective("test:RMSE"),
        Objective("train:final_loss"),
      ]
    }
  }

  /// The metric of a name, or the first that the data allow.
  init(
    named name: String?, of algorithm: Algorithm, hasTest: Bool
  ) throws(TrainingError) {
    let known = Self.known(algorithm)
    guard let usual = known.first else {
      throw .data(
        DataError(
          message: "\(algorithm.rawValue) has no metric by which trials could be compared",
          hint: "train it without --tune"))
    }
    if let name, !known.contains(where: { $0.name == name }) {
      throw .data(
        DataError(
          message: "the objective '\(name)' is not known for \(algorithm.rawValue)",
          hint: "one of \(known.map(\.name).joined(separator: ", "))"))
    }
    let chosen =
      known.first { $0.name == name } ?? known.first { hasTest || $0.isOfTraining } ?? usual
    guard hasTest || chosen.isOfTraining else {
      throw .data(
        DataError(
          message: "the objective \(chosen.name) is measured on test data, and there are none",
          hint: "name some with --test"))
    }
    self = chosen
  }

  private var isOfTraining: Bool { name.hasPrefix("train:") }

  /// The hyperparameters with which a training measures the metric.
  func measuring(_ texts: [String: String], of algorithm: Algorithm) -> [String: String] {
    let wanted =
      switch algorithm {
      case .kMeans: String(name.split(separator: ":").last ?? "")
      case .randomCutForest: "precision_recall_fscore"
      case .pca, .deepAR: ""
      }
    guard !wanted.isEmpty, texts["eval_metrics"]?.contains(wanted) != true else { return texts }
    var texts = texts
    // What was asked for is measured too; an empty text means nothing was.
    let asked = (texts["eval_metrics"] ?? "").split { "[]\", ".contains($0) }.map(String.init)
    texts["eval_metrics"] = (asked + [wanted]).joined(separator: ",")
    return texts
  }
}

extension Algorithm {
  /// The hyperparameters by which a model can be tuned; their limits are those of a training.
  var tunable: [(name: String, kind: ParameterRange.Kind)] {
    switch self {
    case .kMeans:
      [
        ("k", .integer), ("mini_batch_size", .integer), ("extra_center_factor", .integer),
        ("init_method", .text), ("epochs", .integer), ("half_life_time_size", .integer),
        ("local_lloyd_init_method", .text), ("local_lloyd_max_iter", .integer),
        ("local_lloyd_num_trials", .integer), ("local_lloyd_tol", .number),
        ("full_lloyd_max_iter", .integer),
      ]
    case .randomCutForest: [("num_samples_per_tree", .integer), ("num_trees", .integer)]
    case .pca: []
    case .deepAR:
      [
        ("epochs", .integer), ("context_length", .integer), ("mini_batch_size", .integer),
        ("learning_rate", .number), ("num_cells", .integer), ("num_layers", .integer),
        ("dropout_rate", .number), ("embedding_dimension", .integer), ("likelihood", .text),
        ("num_batches_per_epoch", .integer), ("scale_sampling_exponent", .number),
      ]
    }
  }

  /// The metric that is known after every epoch, lower being better; nil when none is known before
  /// the end.
  var epochMetric: String? { self == .deepAR ? "train:loss" : nil }

  /// Fails with the first hyperparameter that a training would refuse.
  func check(_ texts: [String: String], featureCount: Int) throws(HyperparameterError) {
    switch self {
    case .kMeans: _ = try KMeansSettings(texts, featureCount: featureCount)
    case .randomCutForest: _ = try ForestSettings(texts, featureCount: featureCount)
    case .pca: _ = try PCASettings(texts, featureCount: featureCount)
    case .deepAR: _ = try DeepARHyperparameters(texts)
    }
  }
}
