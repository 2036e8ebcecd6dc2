/// What can be trained; the raw values are SageMaker's names.
public enum Algorithm: String, Sendable, CaseIterable {
  /// Clusters around k centres.
  case kMeans = "kmeans"
  /// A frozen forest of random cuts, which scores how anomalous a row is.
  case randomCutForest = "randomcutforest"
  /// A linear projection onto the directions of greatest variance.
  case pca
  /// Probabilistic forecasts by an autoregressive recurrent network.
  case deepAR = "deepar"
}
