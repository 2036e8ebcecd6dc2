import Columns
import RandomCutForest
import StreamSQL

/// The detector of one key.
private final class KeyedDetector: KeyedModel {
  struct Parameters {
    let detector: DetectorParameters
    let features: Int
    let seeding: ForestSeeding?
  }

  var detector: Detector

  init(_ parameters: Parameters, seed: UInt64) throws {
    if let trained = parameters.seeding?.forest(ofSeed: seed) {
      detector = try Detector(parameters.detector, features: parameters.features, trained: trained)
    } else {
      detector = try Detector(parameters.detector, features: parameters.features, seed: seed)
    }
  }

  init(_ parameters: Parameters, from reader: inout SectionReader) throws {
    detector = try Detector(parameters.detector, features: parameters.features, seed: 0)
    try detector.restore(from: &reader)
  }

  var byteCount: Int { detector.byteCount }

  func save(into writer: inout SectionWriter) { detector.save(into: &writer) }
}

/// ML_DETECT_ANOMALIES: the cursor's rows with score, grade, confidence, threshold, expectation, attribution
/// and status; one detector for all rows or one for each key.
///
/// The rows come out in the order of input.
final class DetectAnomaliesOperator: Operator {
  private let features: [Int]
  private let isKeyed: Bool
  private let firstColumn: Int
  /// Whether anybody reads the attribution, which takes longer than the score.
  private let needsAttribution: Bool
  private let models: KeyedModels<KeyedDetector>

  init(
    input: Operator, parameters: DetectAnomaliesParameters, partitionBy: [Int], seed: UInt64,
    seededBy slot: EndpointSlot?, limits: DataflowLimits, space: ScratchSpace?, schema: Schema,
    section: String, columnsRead: [Int]?
  ) throws {
    features = parameters.features
    isKeyed = !partitionBy.isEmpty
    firstColumn = input.schema.columns.count
    needsAttribution = columnsRead?.contains(firstColumn + 7) ?? true
    let own = DetectorParameters(parameters.options)
    let forest = Detector.configuration(own, features: features.count, seed: seed)
    do {
      let size = try forest.byteCount()
      if isKeyed { try limits.check(modelBytes: size) }
    } catch {
      throw DataflowError("ML_DETECT_ANOMALIES: \(error)")
    }
    models = KeyedModels(
      KeyedDetector.Parameters(
        detector: own, features: features.count,
        seeding: slot.map { ForestSeeding("ML_DETECT_ANOMALIES", forest, slot: $0) }),
      partitionBy: partitionBy, of: input.schema, seed: seed, limits: limits, section: section,
      space: space)
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
    checkFeatures(features, input, &evaluation)
    for index in input.columns.indices {
      output.columns[index] = Column(type: schema.columns[index].type, values: input.columns[index])
    }
    for index in firstColumn..<schema.columns.count {
      let type = schema.columns[index].type
      output.columns[index] = Column(
        type: type, values: Column(nulls: input.count, storage: type.storage))
    }
    output.rowtimes = input.rowtimes
    output.causes = input.causes
    setStatus("NO_MODEL", ofRows: 0..<Int32(input.count), &pool)
    _ = models.process(input, &evaluation, &pool) { model, rows, evaluation, pool in
      judge(model, rows, input, &evaluation, &pool)
    }
    if evaluation.hasFailures {
      report(evaluation, input, context, pool)
      output.keep(Rows(count: input.count).filter { !evaluation.failed[$0] })
    }
    counters.passed += Int64(output.count)
  }

  /// Lets a detector judge the rows that wait for it.
  private func judge(
    _ model: KeyedDetector, _ rows: [Int32], _ input: Batch, _ evaluation: inout Evaluation,
    _ pool: inout StringPool
  ) {
    let width = features.count
    var points = [Double](repeating: 0, count: rows.count * width)
    for (offset, feature) in features.enumerated() {
      let column = input.columns[feature]
      let isFloating = column.type.storage == .floating
      for (index, row) in rows.enumerated() {
        points[index * width + offset] =
          isFloating ? column.doubles[Int(row)] : Double(column.integers[Int(row)])
      }
    }
    setStatus("WARMING_UP", ofRows: rows, &pool)
    let scored = pool.intern("SCORED")
    do {
      guard needsAttribution else {
        return try model.detector.detect(points) { number, detection in
          write(detection, Int(rows[number]), scored, &pool)
        }
      }
      for (number, row) in rows.enumerated() {
        let point = Array(points[number * width..<(number + 1) * width])
        write(try model.detector.detectWithAttribution(point), Int(row), scored, &pool)
      }
    } catch {
      for row in rows { evaluation.fail(Int(row), .badModelInput, "\(error)") }
    }
  }

  private func setStatus(
    _ status: String, ofRows rows: some Sequence<Int32>, _ pool: inout StringPool
  ) {
    let id = pool.intern(status)
    for row in rows { output.columns[firstColumn + 8].set(id, at: Int(row)) }
  }

  private func write(
    _ detection: Detection, _ row: Int, _ scored: StringID, _ pool: inout StringPool
  ) {
    let numbers = [detection.score, detection.grade, detection.confidence]
    for (offset, value) in numbers.enumerated() {
      output.columns[firstColumn + offset].set(detection.isWarm ? value : 0, at: row)
    }
    guard detection.isWarm else { return }
    output.columns[firstColumn + 8].set(scored, at: row)
    output.columns[firstColumn + 3].set(detection.threshold, at: row)
    let lower = zip(detection.expected, detection.spread).map { $0 - $1 }
    let upper = zip(detection.expected, detection.spread).map { $0 + $1 }
    for (offset, values) in [(4, detection.expected), (5, lower), (6, upper)] {
      if features.count == 1 {
        output.columns[firstColumn + offset].set(values[0], at: row)
      } else {
        output.columns[firstColumn + offset].set(object(values, &pool), at: row)
      }
    }
    if needsAttribution {
      output.columns[firstColumn + 7].set(object(detection.attribution, &pool), at: row)
    }
  }

  /// A JSON object of one number per feature.
  private func object(_ values: [Double], _ pool: inout StringPool) -> StringID {
    var text: [UInt8] = [UInt8(ascii: "{")]
    for (index, value) in values.enumerated() {
      if index > 0 { text.append(UInt8(ascii: ",")) }
      RowText.appendString(Array(schema.columns[features[index]].name.utf8), to: &text)
      text.append(contentsOf: ":\(value)".utf8)
    }
    text.append(UInt8(ascii: "}"))
    return pool.intern(text.span)
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
