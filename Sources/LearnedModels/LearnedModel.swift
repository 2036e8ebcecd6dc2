/// A trained model of any algorithm; a value that threads can share.
public enum LearnedModel: Sendable {
  /// Clusters.
  case kMeans(KMeansModel)
  /// A frozen forest.
  case randomCutForest(FrozenForest)
  /// A projection.
  case pca(PCAModel)
  /// Forecasts.
  case deepAR(DeepARModel)

  /// What was trained.
  public var algorithm: Algorithm {
    switch self {
    case .kMeans: .kMeans
    case .randomCutForest: .randomCutForest
    case .pca: .pca
    case .deepAR: .deepAR
    }
  }

  /// Values in a row to be scored; 1 for a model of time series.
  public var featureCount: Int {
    switch self {
    case .kMeans(let model): model.featureCount
    case .randomCutForest(let model): model.featureCount
    case .pca(let model): model.featureCount
    case .deepAR: 1
    }
  }

  /// The bytes of `model.bin`.
  public func encode() -> [UInt8] {
    switch self {
    case .kMeans(let model): model.artifact.encode()
    case .randomCutForest(let model): model.artifact.encode()
    case .pca(let model): model.artifact.encode()
    case .deepAR(let model): model.artifact.encode()
    }
  }

  /// Reads what `encode` wrote.
  ///
  /// - Throws: `corruptArtifact` when the bytes are damaged, cut short, or of another version.
  public init(decoding bytes: [UInt8]) throws(ModelError) {
    let artifact = try Artifact(decoding: bytes)
    switch artifact.algorithm {
    case .kMeans: self = .kMeans(try KMeansModel(artifact))
    case .randomCutForest: self = .randomCutForest(try FrozenForest(artifact))
    case .pca: self = .pca(try PCAModel(artifact))
    case .deepAR: self = .deepAR(try DeepARModel(artifact))
    }
  }
}
