import Columns

/// A projection onto orthonormal directions, the one of greatest variance first.
public struct PCAModel: Sendable, Equatable {
  /// What is subtracted from a row first; zeros when the mean is kept.
  public let mean: [Double]
  /// `componentCount` × `featureCount` values, direction after direction.
  public let components: [Double]
  /// The variance of the training rows along each direction.
  public let variances: [Double]

  /// A model of directions that lie one after the other.
  public init(mean: [Double], components: [Double], variances: [Double]) {
    precondition(!mean.isEmpty && !variances.isEmpty)
    precondition(components.count == mean.count * variances.count)
    self.mean = mean
    self.components = components
    self.variances = variances
  }

  /// Values in a row to be projected.
  public var featureCount: Int { mean.count }
  /// Values of a projection.
  public var componentCount: Int { variances.count }

  /// The coordinates of a row along the directions.
  ///
  /// - Throws: When the row has the wrong length or a value that cannot be used.
  /// - Complexity: O(`featureCount` × `componentCount`).
  public func project(_ row: Span<Float>) throws(ModelError) -> [Float] {
    try ModelError.check(row, count: featureCount)
    var projection: [Float] = []
    projection.reserveCapacity(componentCount)
    for component in 0..<componentCount {
      var sum = 0.0
      for feature in 0..<featureCount {
        sum +=
          components[component * featureCount + feature] * (Double(row[feature]) - mean[feature])
      }
      projection.append(Float(sum))
    }
    return projection
  }

  func write(to writer: inout StateWriter, section: String) {
    writer.section(section) {
      $0.write(mean)
      $0.write(components)
      $0.write(variances)
    }
  }

  package var artifact: Artifact { Artifact(.pca) { write(to: &$0, section: "components") } }

  package init(_ artifact: Artifact) throws(ModelError) {
    do throws(StateError) {
      try self.init(artifact, section: "components")
    } catch {
      throw ModelError(error)
    }
  }

  init(_ artifact: Artifact, section: String) throws(StateError) {
    var reader = try artifact.section(section)
    let mean = try reader.doubles()
    let components = try reader.doubles()
    let variances = try reader.doubles()
    try reader.finish()
    guard !mean.isEmpty, !variances.isEmpty, components.count == mean.count * variances.count,
      mean.allSatisfy(\.isFinite), components.allSatisfy(\.isFinite)
    else {
      throw reader.failure("\(components.count) values for \(mean.count) features")
    }
    self.init(mean: mean, components: components, variances: variances)
  }
}
