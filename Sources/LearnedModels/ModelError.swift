/// Why the bytes of a model could not be read, or an input not be scored.
public enum ModelError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The artifact is damaged, cut short, or of another version.
  case corruptArtifact(section: String, reason: String)
  /// A row has another number of features than the model was trained on.
  case wrongFeatureCount(found: Int, expected: Int)
  /// A value of a row is NaN, infinite, or too large to compute with.
  case valueOutOfRange(feature: Int, value: Float)

  /// What is wrong and what to do, in one line.
  public var description: String {
    switch self {
    case .corruptArtifact(let section, let reason):
      "the model is corrupt: section '\(section)': \(reason); train it again or restore it from a copy"
    case .wrongFeatureCount(let found, let expected):
      "a row has \(found) features, the model was trained on \(expected)"
    case .valueOutOfRange(let feature, let value):
      "feature \(feature) is \(value); the model computes with finite values up to ±1e18"
    }
  }
}
