import Columns
import LearnedModels
import RandomCutForest
import StreamSQL

/// The forest of one key.
private final class Forest: KeyedModel {
  struct Parameters {
    let configuration: ForestConfiguration
    let seeding: ForestSeeding?
  }

  var forest: RandomCutForest

  init(_ parameters: Parameters, seed: UInt64) throws {
    if let trained = parameters.seeding?.forest(ofSeed: seed) {
      forest = try trained.makeStreamingForest(timeDecay: parameters.configuration.timeDecay)
    } else {
      var own = parameters.configuration
      own.seed = seed
      forest = try RandomCutForest(own)
    }
  }

  init(_ parameters: Parameters, from reader: inout SectionReader) throws {
    let bytes = try reader.byteArray()
    do {
      forest = try RandomCutForest(snapshot: bytes.span)
    } catch {
      throw reader.failure("\(error)")
    }
  }

  var byteCount: Int { forest.byteCount }

  func save(into writer: inout SectionWriter) { writer.write(forest.snapshot()) }
}

/// RANDOM_CUT_FOREST and RANDOM_CUT_FOREST_WITH_EXPLANATION: the cursor's rows with their scores, one
/// forest for all or one for each key.
///
/// The rows come out in the order of input.
final class RandomCutForestOperator: Operator {
  private let parameters: RandomCutForestParameters
  private let isKeyed: Bool
  private let models: KeyedModels<Forest>
  private var points: [Float] = []
  private var explanation: [UInt8] = []

  init(
    input: Operator, parameters: RandomCutForestParameters, partitionBy: [Int], seed: UInt64,
    seededBy slot: EndpointSlot?, limits: DataflowLimits, space: ScratchSpace?, schema: Schema,
    section: String
  ) throws {
    self.parameters = parameters
    isKeyed = !partitionBy.isEmpty
    let configuration = ForestConfiguration(
      dimensions: parameters.features.count * parameters.shingleSize,
      shingleSize: parameters.shingleSize, sampleSize: parameters.subSampleSize,
      numberOfTrees: parameters.numberOfTrees, timeDecay: 1 / Double(parameters.timeDecay),
      outputAfter: parameters.subSampleSize, seed: seed)
    do {
      let size = try configuration.byteCount()
      if isKeyed { try limits.check(modelBytes: size) }
    } catch {
      throw DataflowError("RANDOM_CUT_FOREST: \(error)")
    }
    let seeding = slot.map { ForestSeeding("RANDOM_CUT_FOREST", configuration, slot: $0) }
    models = KeyedModels(
      Forest.Parameters(configuration: configuration, seeding: seeding), partitionBy: partitionBy,
      of: input.schema, seed: seed, limits: limits, section: section, space: space)
    super.init(
      schema: schema, section: section, inputs: [input], isBounded: input.isBounded)
  }

  override var residence: (any ModelResidence)? { isKeyed ? models : nil }

  override var hasState: Bool { true }

  override func run(_ context: ExecutionContext, _ pool: inout StringPool) {
    let input = inputs[0].output
    output.removeAll()
    guard !input.isEmpty else { return }
    counters.rowsIn += Int64(input.count)
    var evaluation = Evaluation(count: input.count)
    checkFeatures(parameters.features, input, &evaluation)
    var result = Column(zeros: input.count, storage: .floating)
    var texts = [StringID](repeating: .empty, count: input.count)
    let unmodelled = models.process(input, &evaluation, &pool) { model, rows, evaluation, pool in
      if parameters.explanation == .none {
        score(model, rows, input, &result, &evaluation)
      } else {
        explain(model, rows, input, &result, &texts, &evaluation, &pool)
      }
    }
    for row in unmodelled { result.nulls[Int(row)] = true }
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
    if isKeyed { writeStatus(of: result, &pool) }
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
    _ model: Forest, _ rows: [Int32], _ input: Batch, _ result: inout Column,
    _ evaluation: inout Evaluation
  ) {
    gather(input, rows)
    let points = self.points
    var scores = [Double](repeating: 0, count: rows.count)
    do {
      var span = scores.mutableSpan
      try model.forest.scoreAndUpdate(points: points.span, count: rows.count, into: &span)
    } catch {
      for row in rows { evaluation.fail(Int(row), .badModelInput, "\(error)") }
      return
    }
    for (index, row) in rows.enumerated() { result.doubles[Int(row)] = scores[index] }
  }

  private func explain(
    _ model: Forest, _ rows: [Int32], _ input: Batch, _ result: inout Column,
    _ texts: inout [StringID], _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) {
    gather(input, rows)
    let width = parameters.features.count
    let points = self.points
    for (index, row) in rows.enumerated() {
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
    models.save(into: &writer, pool)
  }

  override func beginSave(
    _ snapshot: Int64, into writer: inout StateWriter, _ pool: borrowing StringPool
  ) { models.beginSave(snapshot, into: &writer, pool) }

  override func continueSave(
    into writer: inout StateWriter, _ pool: borrowing StringPool
  ) -> Bool {
    models.continueSave(into: &writer)
  }

  override func forgetSaved() { models.forgetSaved() }

  override func restore(from reader: StateReader, _ pool: inout StringPool) throws {
    try models.restore(from: reader, &pool)
  }

  override func remapStrings(_ remap: inout StringRemapper) { models.remapStrings(&remap) }
}
