import Columns
import LearnedModels
import RandomCutForest
import StreamSQL

/// RANDOM_CUT_FOREST and RANDOM_CUT_FOREST_WITH_EXPLANATION: the cursor's rows with their scores, one
/// forest for all or one for each key.
///
/// The rows of a call are grouped by key and scored key by key, because many forests do not fit the
/// processor's caches; they come out in the order of input.
final class RandomCutForestOperator: Operator {
  /// A forest with the rows that wait for it.
  private final class Model {
    var forest: RandomCutForest
    var rows: [Int32] = []

    init(_ forest: consuming RandomCutForest) { self.forest = forest }
  }

  private let parameters: RandomCutForestParameters
  private let partitionBy: [Int]
  private let seed: UInt64
  private var modelLimit = 1
  private var seeding: ForestSeeding?
  private var keys: KeyTable
  private var models: [Model] = []
  private var copies = ModelCopies()
  private var points: [Float] = []
  private var explanation: [UInt8] = []

  init(
    input: Operator, parameters: RandomCutForestParameters, partitionBy: [Int], seed: UInt64,
    seededBy slot: EndpointSlot?, limits: DataflowLimits, schema: Schema, section: String
  ) throws {
    self.parameters = parameters
    self.partitionBy = partitionBy
    self.seed = seed
    keys = KeyTable(partitionBy.map { input.schema.columns[$0].type.storage })
    super.init(
      schema: schema, section: section, inputs: [input], isBounded: input.isBounded)
    let forest = configuration(seed: seed)
    seeding = slot.map { ForestSeeding("RANDOM_CUT_FOREST", forest, slot: $0) }
    do {
      let size = try forest.byteCount()
      if !partitionBy.isEmpty { modelLimit = try limits.models(ofBytes: size) }
    } catch {
      throw DataflowError("RANDOM_CUT_FOREST: \(error)")
    }
  }

  private func configuration(seed: UInt64) -> ForestConfiguration {
    ForestConfiguration(
      dimensions: parameters.features.count * parameters.shingleSize,
      shingleSize: parameters.shingleSize, sampleSize: parameters.subSampleSize,
      numberOfTrees: parameters.numberOfTrees, timeDecay: 1 / Double(parameters.timeDecay),
      outputAfter: parameters.subSampleSize, seed: seed)
  }

  override var hasState: Bool { true }

  override func run(_ context: ExecutionContext, _ pool: inout StringPool) {
    let input = inputs[0].output
    output.removeAll()
    guard !input.isEmpty else { return }
    counters.rowsIn += Int64(input.count)
    var evaluation = Evaluation(count: input.count)
    checkFeatures(parameters.features, input, &evaluation)
    var result = Column(zeros: input.count, storage: .floating)
    let touched = assign(input, &evaluation, &result, pool)
    var texts = [StringID](repeating: .empty, count: input.count)
    for model in touched {
      copies.willChange(model, section: section) { $0.write(models[model].forest.snapshot()) }
      if parameters.explanation == .none {
        score(models[model], input, &result, &evaluation)
      } else {
        explain(models[model], input, &result, &texts, &evaluation, &pool)
      }
      models[model].rows.removeAll(keepingCapacity: true)
    }
    for index in input.columns.indices {
      output.columns[index] = Column(type: schema.columns[index].type, values: input.columns[index])
    }
    output.rowtimes = input.rowtimes
    output.causes = input.causes
    output.columns[input.columns.count] = Column(type: .double, values: result)
    if parameters.explanation != .none {
      let place = input.columns.count + 1
      var column = Column(type: schema.columns[place].type)
      column.texts = texts
      column.nulls = result.nulls
      output.columns[place] = column
    }
    if !partitionBy.isEmpty { writeStatus(of: result, &pool) }
    if evaluation.hasFailures {
      report(evaluation, input, context, pool)
      output.keep(Rows(count: input.count).filter { !evaluation.failed[$0] })
    }
    counters.passed += Int64(output.count)
  }

  /// With a forest for each key, says why a row has no score; a forest that is warm scores above 0.
  private func writeStatus(of scores: Column, _ pool: inout StringPool) {
    let names = ["NO_MODEL", "WARMING_UP", "SCORED"].map { pool.intern($0) }
    let place = schema.columns.count - 1
    var column = Column(type: schema.columns[place].type, capacity: scores.count)
    for row in 0..<scores.count {
      column.append(scores.isNull(row) ? names[0] : names[scores.doubles[row] > 0 ? 2 : 1])
    }
    output.columns[place] = column
  }

  /// Gives every row to its model; rows beyond the limit of models keep the score NULL.
  private func assign(
    _ input: Batch, _ evaluation: inout Evaluation, _ result: inout Column,
    _ pool: borrowing StringPool
  ) -> [Int] {
    var touched: [Int] = []
    let words = keys.keys(of: partitionBy.map { input.columns[$0] }, count: input.count)
    for row in 0..<input.count where !evaluation.failed[row] {
      let number: Int
      if let known = keys.find(words, row: row) {
        number = known
      } else if models.count < modelLimit {
        do {
          models.append(try makeModel(input, row, pool))
        } catch {
          evaluation.fail(row, .badModelInput, "\(error)")
          continue
        }
        number = keys.insert(words, row: row).number
      } else {
        result.nulls[row] = true
        continue
      }
      if models[number].rows.isEmpty { touched.append(number) }
      models[number].rows.append(Int32(truncatingIfNeeded: row))
    }
    return touched
  }

  private func makeModel(
    _ input: Batch, _ row: Int, _ pool: borrowing StringPool
  ) throws -> Model {
    let own = modelSeed(seed, partitionBy, input, row, pool)
    if let trained = seeding?.forest(ofSeed: own) {
      return Model(try trained.makeStreamingForest(timeDecay: 1 / Double(parameters.timeDecay)))
    }
    return Model(try RandomCutForest(configuration(seed: own)))
  }

  private func gather(_ input: Batch, _ rows: [Int32]) {
    let width = parameters.features.count
    points.removeAll(keepingCapacity: true)
    points.append(contentsOf: repeatElement(0, count: rows.count * width))
    for (offset, feature) in parameters.features.enumerated() {
      let column = input.columns[feature]
      if column.type.storage == .floating {
        for (index, row) in rows.enumerated() {
          points[index * width + offset] = Float(column.doubles[Int(row)])
        }
      } else {
        for (index, row) in rows.enumerated() {
          points[index * width + offset] = Float(column.integers[Int(row)])
        }
      }
    }
  }

  private func score(
    _ model: Model, _ input: Batch, _ result: inout Column, _ evaluation: inout Evaluation
  ) {
    gather(input, model.rows)
    let points = self.points
    var scores = [Double](repeating: 0, count: model.rows.count)
    do {
      var span = scores.mutableSpan
      try model.forest.scoreAndUpdate(points: points.span, count: model.rows.count, into: &span)
    } catch {
      for row in model.rows { evaluation.fail(Int(row), .badModelInput, "\(error)") }
      return
    }
    for (index, row) in model.rows.enumerated() { result.doubles[Int(row)] = scores[index] }
  }

  private func explain(
    _ model: Model, _ input: Batch, _ result: inout Column, _ texts: inout [StringID],
    _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) {
    gather(input, model.rows)
    let width = parameters.features.count
    let points = self.points
    for (index, row) in model.rows.enumerated() {
      do {
        let point = points.span.extracting(index * width..<(index + 1) * width)
        let attribution = try model.forest.attribution(point)
        result.doubles[Int(row)] = try model.forest.scoreAndUpdate(point)
        writeExplanation(attribution, input)
        texts[Int(row)] = pool.intern(explanation.span)
      } catch {
        evaluation.fail(Int(row), .badModelInput, "\(error)")
      }
    }
  }

  private func writeExplanation(_ attribution: Attribution, _ input: Batch) {
    let width = parameters.features.count
    explanation.removeAll(keepingCapacity: true)
    explanation.append(UInt8(ascii: "{"))
    for (offset, feature) in parameters.features.enumerated() {
      var high = 0.0
      var low = 0.0
      for position in stride(from: offset, to: attribution.high.count, by: width) {
        high += attribution.high[position]
        low += attribution.low[position]
      }
      if offset > 0 { explanation.append(UInt8(ascii: ",")) }
      RowText.appendString(Array(input.schema.columns[feature].name.utf8), to: &explanation)
      explanation.append(contentsOf: ":{".utf8)
      if parameters.explanation == .directional {
        explanation.append(contentsOf: "\"DIRECTION\":\"\(high > low ? "HIGH" : "LOW")\",".utf8)
        appendNumber("STRENGTH", abs(high - low))
        explanation.append(UInt8(ascii: ","))
      }
      appendNumber("ATTRIBUTION_SCORE", high + low)
      explanation.append(UInt8(ascii: "}"))
    }
    explanation.append(UInt8(ascii: "}"))
  }

  private func appendNumber(_ name: String, _ value: Double) {
    explanation.append(contentsOf: "\"\(name)\":\"".utf8)
    let scaled = (value * 10_000).rounded(.toNearestOrAwayFromZero)
    TextFormat.appendDecimal(Int64(min(scaled, 1e17)), scale: 4, to: &explanation)
    explanation.append(UInt8(ascii: "\""))
  }

  override func save(into writer: inout StateWriter, _ pool: borrowing StringPool) {
    saveKeys(into: &writer, pool)
    for (index, model) in models.enumerated() {
      writer.section(section, slice: index + 1) { $0.write(model.forest.snapshot()) }
    }
  }

  private func saveKeys(into writer: inout StateWriter, _ pool: borrowing StringPool) {
    writer.section(section) { section in
      section.write(Int64(models.count))
      keys.save(into: &section, pool)
    }
  }

  override func beginSave(
    _ snapshot: Int64, into writer: inout StateWriter, _ pool: borrowing StringPool
  ) {
    saveKeys(into: &writer, pool)
    copies.begin(snapshot, count: models.count, section: section, into: &writer)
  }

  override func continueSave(
    into writer: inout StateWriter, _ pool: borrowing StringPool
  ) -> Bool {
    copies.copyOne(section: section, into: &writer) { number, section in
      section.write(models[number].forest.snapshot())
    }
  }

  override func forgetSaved() { copies.forget() }

  override func restore(from reader: StateReader, _ pool: inout StringPool) throws {
    var head = try reader.section(section)
    let count = try head.integer(Int64.self)
    try keys.restore(from: &head, &pool)
    try head.finish()
    guard count == reader.sliceCount(section) - 1, keys.count == count else {
      throw head.failure("\(count) forests are announced")
    }
    models = []
    for index in 0..<Int(count) {
      var slice = try reader.section(section, slice: index + 1)
      let bytes = try slice.byteArray()
      try slice.finish()
      do {
        models.append(Model(try RandomCutForest(snapshot: bytes.span)))
      } catch {
        throw slice.failure("\(error)")
      }
    }
  }

  override func remapStrings(_ remap: inout StringRemapper) { keys.remapStrings(&remap) }
}
