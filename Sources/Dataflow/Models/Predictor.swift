import LearnedModels
import RandomCutForest

/// A model ready to say something about points, with the working memory of one task.
struct Predictor: ~Copyable {
  private let model: LearnedModel
  private var forest: RandomCutForest?

  /// Makes a predictor.
  ///
  /// - Throws: when a forest cannot be read.
  init(_ model: LearnedModel) throws {
    self.model = model
    if case .randomCutForest(let frozen) = model { forest = try frozen.makeForest() }
  }

  /// What the model says about points of `width` features each; NaN where it says nothing.
  mutating func predict(_ points: [Float], width: Int) -> Predictions {
    let count = points.count / width
    switch model {
    case .kMeans(let clusters): return Self.clusters(clusters, points, width, count)
    case .randomCutForest: return .scores((0..<count).map { score(points, $0 * width, width) })
    case .deepAR: return .scores([Double](repeating: .nan, count: count))
    case .pca(let projection): return Self.projections(projection, points, width, count)
    }
  }

  private mutating func score(_ points: [Float], _ start: Int, _ width: Int) -> Double {
    do {
      return try forest?.score(points.span.extracting(start..<start + width)) ?? .nan
    } catch {
      return .nan
    }
  }

  private static func clusters(
    _ model: KMeansModel, _ points: [Float], _ width: Int, _ count: Int
  ) -> Predictions {
    var clusters = [Int32](repeating: 0, count: count)
    var distances = [Float](repeating: .nan, count: count)
    for index in 0..<count {
      let point = points.span.extracting(index * width..<(index + 1) * width)
      guard let found = try? model.closest(to: point) else { continue }
      clusters[index] = Int32(truncatingIfNeeded: found.cluster)
      distances[index] = found.distance
    }
    return .clusters(clusters, distances: distances)
  }

  private static func projections(
    _ model: PCAModel, _ points: [Float], _ width: Int, _ count: Int
  ) -> Predictions {
    var values: [Float] = []
    values.reserveCapacity(count * model.componentCount)
    for index in 0..<count {
      let point = points.span.extracting(index * width..<(index + 1) * width)
      do {
        values += try model.project(point)
      } catch {
        values += repeatElement(.nan, count: model.componentCount)
      }
    }
    return .projections(values, width: model.componentCount)
  }
}
