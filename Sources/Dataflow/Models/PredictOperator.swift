import Columns
import LearnedModels
import StreamSQL

/// ML_PREDICT: the cursor's rows with what the endpoint's models say of them.
///
/// A key is served by one variant as long as the weights stay; without PARTITION BY every record draws
/// for itself. Which variant it is follows from the key or the record's number alone.
final class PredictOperator: Operator, EndpointUser {
  private let parameters: PredictParameters
  private let partitionBy: [Int]
  private let slot: EndpointSlot
  private let firstColumn: Int
  private var points: [Float] = []
  /// By variant, made for the slot's generation.
  private var predictors: [PredictorBox] = []
  private var generation: Int64 = 0

  init(
    input: Operator, parameters: PredictParameters, partitionBy: [Int], slot: EndpointSlot,
    schema: Schema, section: String
  ) {
    self.parameters = parameters
    self.partitionBy = partitionBy
    self.slot = slot
    firstColumn = input.schema.columns.count
    super.init(schema: schema, section: section, inputs: [input], isBounded: input.isBounded)
    slot.add(self)
  }

  func check(_ deployment: Deployment) throws {
    for variant in deployment.variants {
      if case .deepAR = variant.model {
        throw DataflowError("\(variant.version) is a forecaster: ask it by ML_FORECAST")
      }
      let count = variant.model.featureCount
      guard count == parameters.features.count else {
        let names = parameters.features.map { schema.columns[$0].name }
        throw DataflowError(
          "\(variant.version) was trained on \(count) features, ML_PREDICT gives it "
            + "\(names.count): \(names.joined(separator: ", "))")
      }
    }
  }

  override func run(_ context: ExecutionContext, _ pool: inout StringPool) {
    addColumns(from: firstColumn, context, &pool) { input, evaluation, pool in
      checkFeatures(parameters.features, input, &evaluation)
      if let deployment = slot.deployment {
        serve(deployment, input, &evaluation, &pool)
      } else {
        let status = pool.intern("NO_MODEL")
        for row in 0..<input.count {
          output.columns[firstColumn + Place.status].set(status, at: row)
        }
      }
    }
  }

  /// Where the added columns stand behind the cursor's.
  private enum Place {
    static let cluster = 0
    static let distance = 1
    static let score = 2
    static let projection = 3
    static let version = 4
    static let variant = 5
    static let status = 6
  }

  /// Lets every variant score the rows of its keys, and the shadows their share of them.
  private func serve(
    _ deployment: Deployment, _ input: Batch, _ evaluation: inout Evaluation,
    _ pool: inout StringPool
  ) {
    if generation != slot.generation {
      predictors = deployment.variants.map { PredictorBox($0.model) }
      generation = slot.generation
    }
    var rows = [[Int32]](repeating: [], count: deployment.variants.count)
    let shadows = deployment.variants.indices.filter { deployment.variants[$0].isShadow }
    for row in 0..<input.count {
      let hash =
        partitionBy.isEmpty
        ? spread(UInt64(bitPattern: input.causes[row]))
        : modelSeed(0, partitionBy, input, row, pool)
      guard !evaluation.failed[row] else { continue }
      let variant = slot.variant(of: hash)
      rows[variant].append(Int32(truncatingIfNeeded: row))
      for shadow in shadows where slot.shadows(shadow, hash) {
        rows[shadow].append(Int32(truncatingIfNeeded: row))
      }
    }
    let scored = pool.intern("SCORED")
    for (index, variant) in deployment.variants.enumerated() where !rows[index].isEmpty {
      gather(input, rows[index])
      let start = slot.stopwatch()
      let predictions = predictors[index].predict(points, width: parameters.features.count)
      slot.counters[index].nanoseconds += slot.stopwatch() - start
      count(predictions, of: index, deployment)
      guard !variant.isShadow else { continue }
      write(predictions, rows[index], &evaluation, &pool)
      let version = pool.intern(variant.version)
      let name = pool.intern(variant.name)
      for row in rows[index] {
        output.columns[firstColumn + Place.version].set(version, at: Int(row))
        output.columns[firstColumn + Place.variant].set(name, at: Int(row))
        output.columns[firstColumn + Place.status].set(scored, at: Int(row))
      }
    }
  }

  private func count(_ predictions: Predictions, of variant: Int, _ deployment: Deployment) {
    slot.counters[variant].rows += Int64(predictions.count)
    let threshold = deployment.alertAbove ?? .infinity
    for index in 0..<predictions.count {
      if !predictions.isFinite(index) {
        slot.counters[variant].failed += 1
      } else if predictions.magnitude(index) > threshold {
        slot.counters[variant].alerts += 1
      }
    }
  }

  private func write(
    _ predictions: Predictions, _ rows: [Int32], _ evaluation: inout Evaluation,
    _ pool: inout StringPool
  ) {
    for (index, row) in rows.enumerated() {
      let row = Int(row)
      guard predictions.isFinite(index) else {
        evaluation.fail(row, .badModelInput, "the model's result is no finite number")
        continue
      }
      switch predictions {
      case .clusters(let clusters, let distances):
        output.columns[firstColumn + Place.cluster].set(Int64(clusters[index]), at: row)
        output.columns[firstColumn + Place.distance].set(Double(distances[index]), at: row)
      case .scores(let scores):
        output.columns[firstColumn + Place.score].set(scores[index], at: row)
      case .projections(let values, let width):
        let text = Self.list(values[index * width..<(index + 1) * width])
        output.columns[firstColumn + Place.projection].set(pool.intern(text.span), at: row)
      }
    }
  }

  /// A JSON list of numbers.
  private static func list(_ values: ArraySlice<Float>) -> [UInt8] {
    var text: [UInt8] = [UInt8(ascii: "[")]
    for (index, value) in values.enumerated() {
      if index > 0 { text.append(UInt8(ascii: ",")) }
      text.append(contentsOf: "\(value)".utf8)
    }
    text.append(UInt8(ascii: "]"))
    return text
  }

  private func gather(_ input: Batch, _ rows: [Int32]) {
    let width = parameters.features.count
    points.removeAll(keepingCapacity: true)
    points.append(contentsOf: repeatElement(0, count: rows.count * width))
    for (offset, feature) in parameters.features.enumerated() {
      let column = input.columns[feature]
      let isFloating = column.type.storage == .floating
      for (index, row) in rows.enumerated() {
        let row = Int(row)
        points[index * width + offset] =
          isFloating ? Float(column.doubles[row]) : Float(column.integers[row])
      }
    }
  }
}

/// A predictor that an array can hold.
private final class PredictorBox {
  private var predictor: Predictor

  init(_ model: LearnedModel) {
    do {
      predictor = try Predictor(model)
    } catch {
      preconditionFailure("a model that was decoded makes a predictor: \(error)")
    }
  }

  func predict(_ points: [Float], width: Int) -> Predictions {
    predictor.predict(points, width: width)
  }
}
