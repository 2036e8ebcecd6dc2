import Columns
import RandomCutForest
import StreamSQL

/// ML_DETECT_ANOMALIES: the cursor's rows with score, grade, confidence, threshold, expectation, attribution
/// and status; one detector for all rows or one for each key.
///
/// The rows of a call are grouped by key and judged key by key, because many forests do not fit the
/// processor's caches; they come out in the order of input.
final class DetectAnomaliesOperator: Operator {
  /// A detector with the rows that wait for it.
  private final class Model {
    var detector: Detector
    var rows: [Int32] = []

    init(_ detector: consuming Detector) { self.detector = detector }
  }

  private let features: [Int]
  private let parameters: DetectorParameters
  private let partitionBy: [Int]
  private let seed: UInt64
  private var modelLimit = 1
  private var seeding: ForestSeeding?
  private let firstColumn: Int
  /// Whether anybody reads the attribution, which takes longer than the score.
  private let needsAttribution: Bool
  private var keys: KeyTable
  private var models: [Model] = []
  private var copies = ModelCopies()

  init(
    input: Operator, parameters: DetectAnomaliesParameters, partitionBy: [Int], seed: UInt64,
    seededBy slot: EndpointSlot?, limits: DataflowLimits, schema: Schema, section: String,
    columnsRead: [Int]?
  ) throws {
    features = parameters.features
    self.parameters = DetectorParameters(parameters.options)
    self.partitionBy = partitionBy
    self.seed = seed
    firstColumn = input.schema.columns.count
    needsAttribution = columnsRead?.contains(firstColumn + 7) ?? true
    keys = KeyTable(partitionBy.map { input.schema.columns[$0].type.storage })
    super.init(
      schema: schema, section: section, inputs: [input], isBounded: input.isBounded)
    let forest = Detector.configuration(
      self.parameters, features: features.count, seed: seed)
    seeding = slot.map { ForestSeeding("ML_DETECT_ANOMALIES", forest, slot: $0) }
    do {
      let size = try forest.byteCount()
      if !partitionBy.isEmpty { modelLimit = try limits.models(ofBytes: size) }
    } catch {
      throw DataflowError("ML_DETECT_ANOMALIES: \(error)")
    }
  }

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
    for number in assign(input, &evaluation, pool) {
      copies.willChange(number, section: section) { models[number].detector.save(into: &$0) }
      judge(models[number], input, &evaluation, &pool)
      models[number].rows.removeAll(keepingCapacity: true)
    }
    if evaluation.hasFailures {
      report(evaluation, input, context, pool)
      output.keep(Rows(count: input.count).filter { !evaluation.failed[$0] })
    }
    counters.passed += Int64(output.count)
  }

  /// Gives every row to the detector of its key and returns which have rows; rows beyond the limit of
  /// detectors stay without one.
  private func assign(
    _ input: Batch, _ evaluation: inout Evaluation, _ pool: borrowing StringPool
  ) -> [Int] {
    var touched: [Int] = []
    let words = keys.keys(of: partitionBy.map { input.columns[$0] }, count: input.count)
    for row in 0..<input.count where !evaluation.failed[row] {
      let number: Int
      if let known = keys.find(words, row: row) {
        number = known
      } else {
        guard models.count < modelLimit else { continue }
        let own = modelSeed(seed, partitionBy, input, row, pool)
        do {
          models.append(Model(try makeDetector(own)))
        } catch {
          evaluation.fail(row, .badModelInput, "\(error)")
          continue
        }
        number = keys.insert(words, row: row).number
      }
      if models[number].rows.isEmpty { touched.append(number) }
      models[number].rows.append(Int32(truncatingIfNeeded: row))
    }
    return touched
  }

  private func makeDetector(_ own: UInt64) throws -> Detector {
    guard let trained = seeding?.forest(ofSeed: own) else {
      return try Detector(parameters, features: features.count, seed: own)
    }
    return try Detector(parameters, features: features.count, trained: trained)
  }

  /// Lets a detector judge the rows that wait for it.
  private func judge(
    _ model: Model, _ input: Batch, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) {
    let rows = model.rows
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
    saveKeys(into: &writer, pool)
    for (index, model) in models.enumerated() {
      writer.section(section, slice: index + 1) { model.detector.save(into: &$0) }
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
      models[number].detector.save(into: &section)
    }
  }

  override func forgetSaved() { copies.forget() }

  override func restore(from reader: StateReader, _ pool: inout StringPool) throws {
    var head = try reader.section(section)
    let count = try head.integer(Int64.self)
    try keys.restore(from: &head, &pool)
    try head.finish()
    guard count == reader.sliceCount(section) - 1, keys.count == count else {
      throw head.failure("\(count) detectors are announced")
    }
    models = []
    for index in 0..<Int(count) {
      var slice = try reader.section(section, slice: index + 1)
      let model = Model(try Detector(parameters, features: features.count, seed: 0))
      try model.detector.restore(from: &slice)
      try slice.finish()
      models.append(model)
    }
  }

  override func remapStrings(_ remap: inout StringRemapper) { keys.remapStrings(&remap) }
}
