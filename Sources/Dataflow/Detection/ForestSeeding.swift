import LearnedModels
import RandomCutForest

/// Where the forests of one table function begin: with one that was trained before, if the endpoint
/// serves one when they are made.
final class ForestSeeding: EndpointUser {
  private let function: String
  private let shape: Shape
  private let slot: EndpointSlot

  /// What a trained forest must be like.
  private struct Shape: Equatable {
    let trees: Int
    let sampleSize: Int
    let features: Int
    let shingleSize: Int

    var text: String {
      "\(trees) trees of \(sampleSize) points of \(features) × \(shingleSize) values"
    }
  }

  /// Forests of `function`, made as `configuration` says, begin with what the slot holds.
  init(_ function: String, _ configuration: ForestConfiguration, slot: EndpointSlot) {
    self.function = function
    self.slot = slot
    shape = Shape(
      trees: configuration.numberOfTrees, sampleSize: configuration.sampleSize,
      features: configuration.dimensions / configuration.shingleSize,
      shingleSize: configuration.shingleSize)
    slot.add(self)
  }

  func check(_ deployment: Deployment) throws {
    for variant in deployment.variants {
      guard case .randomCutForest(let forest) = variant.model else {
        throw DataflowError(
          "\(variant.version) is a \(variant.model.algorithm.rawValue) model, \(function) begins with "
            + "a randomcutforest")
      }
      let found = Shape(
        trees: forest.treeCount, sampleSize: forest.sampleSize,
        features: forest.featureCount / forest.shingleSize, shingleSize: forest.shingleSize)
      guard found == shape else {
        throw DataflowError(
          "\(variant.version) has \(found.text) (features × shingle), \(function) needs \(shape.text): "
            + "train with num_trees=\(shape.trees),num_samples_per_tree=\(shape.sampleSize),"
            + "shingle_size=\(shape.shingleSize) on rows of \(shape.features) features")
      }
    }
  }

  /// The forest with which a model begins, drawn by its seed; nil while nothing serves.
  func forest(ofSeed seed: UInt64) -> FrozenForest? {
    guard let deployment = slot.deployment,
      case .randomCutForest(let forest) = deployment.variants[slot.variant(of: seed)].model
    else { return nil }
    return forest
  }
}
