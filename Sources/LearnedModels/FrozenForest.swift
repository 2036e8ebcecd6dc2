import Columns
public import RandomCutForest

/// A random cut forest that was trained once and learns no more.
public struct FrozenForest: Sendable, Equatable {
  /// Values in a row to be scored.
  public let featureCount: Int
  /// Trees of the forest.
  public let treeCount: Int
  /// Points that each tree holds at most.
  public let sampleSize: Int
  /// Time steps that make a row; 1 for rows that stand alone.
  public let shingleSize: Int
  /// The forest's state; a streaming forest can start from it.
  public let snapshot: [UInt8]
  /// The mean of the scores of the training rows.
  public let scoreMean: Double
  /// The standard deviation of the scores of the training rows.
  public let scoreDeviation: Double

  /// A forest as it is now, with the scores that its training rows have.
  public init(
    _ forest: consuming RandomCutForest, scoreMean: Double, scoreDeviation: Double
  ) {
    var forest = forest
    let shape = forest.configuration
    (featureCount, treeCount) = (shape.dimensions, shape.numberOfTrees)
    (sampleSize, shingleSize) = (shape.sampleSize, shape.shingleSize)
    snapshot = forest.snapshot()
    self.scoreMean = scoreMean
    self.scoreDeviation = scoreDeviation
  }

  /// Scores above this are anomalies: three standard deviations over the mean.
  public var threshold: Double { scoreMean + 3 * scoreDeviation }

  /// The forest, ready to score; each thread needs its own.
  ///
  /// - Throws: `corruptArtifact` when the snapshot cannot be read.
  public func makeForest() throws(ModelError) -> RandomCutForest { try Self.forest(snapshot) }

  /// A forest that goes on with a stream of time steps and learns from it.
  ///
  /// - Parameter timeDecay: The part of its weight that a point loses with every later one.
  /// - Returns: The forest; each owner needs its own.
  /// - Throws: `corruptArtifact` when the snapshot cannot be read.
  public func makeStreamingForest(timeDecay: Double) throws(ModelError) -> RandomCutForest {
    var forest = try makeForest()
    do throws(ForestError) {
      try forest.beginStream(timeDecay: timeDecay)
    } catch {
      throw .corruptArtifact(section: "forest", reason: "\(error)")
    }
    return forest
  }

  private static func forest(_ snapshot: [UInt8]) throws(ModelError) -> RandomCutForest {
    do throws(ForestError) {
      return try RandomCutForest(snapshot: snapshot.span)
    } catch {
      throw .corruptArtifact(section: "forest", reason: "\(error)")
    }
  }

  package var artifact: Artifact {
    Artifact(.randomCutForest) { writer in
      writer.section("scores") {
        $0.write(scoreMean)
        $0.write(scoreDeviation)
      }
      writer.section("forest") { $0.write(snapshot) }
    }
  }

  package init(_ artifact: Artifact) throws(ModelError) {
    do throws(StateError) {
      var scores = try artifact.section("scores")
      scoreMean = try scores.double()
      scoreDeviation = try scores.double()
      try scores.finish()
      var reader = try artifact.section("forest")
      snapshot = try reader.byteArray()
      try reader.finish()
    } catch {
      throw ModelError(error)
    }
    let shape = try Self.forest(snapshot).configuration
    (featureCount, treeCount) = (shape.dimensions, shape.numberOfTrees)
    (sampleSize, shingleSize) = (shape.sampleSize, shape.shingleSize)
  }
}
