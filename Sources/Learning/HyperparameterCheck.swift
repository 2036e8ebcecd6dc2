public import LearnedModels

extension TrainingRequest {
  /// The names that an algorithm knows.
  public static func hyperparameterNames(of algorithm: Algorithm) -> [String] {
    switch algorithm {
    case .kMeans: KMeansSettings.known
    case .randomCutForest: ForestSettings.known
    case .pca: PCASettings.known
    case .deepAR: DeepARHyperparameters.known
    }
  }

  /// Checks names and ranges before there are any data.
  ///
  /// - Parameter featureCount: Values of a row; nil when only the data will tell.
  /// - Throws: The first hyperparameter that training would refuse.
  public func check(featureCount: Int?) throws(HyperparameterError) {
    let count = featureCount ?? hyperparameters["feature_dim"].flatMap { Int($0) } ?? 10_000
    try algorithm.check(hyperparameters, featureCount: count)
  }
}
