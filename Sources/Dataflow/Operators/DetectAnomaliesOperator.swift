import Columns
import RandomCutForest
import StreamSQL

/// ML_DETECT_ANOMALIES: the cursor's rows with score, grade, confidence, threshold, expectation, attribution
/// and status; one detector for all rows or one for each key.
final class DetectAnomaliesOperator: Operator {
  private final class Model {
    var detector: Detector

    init(_ detector: consuming Detector) { self.detector = detector }
  }

  private let features: [Int]
  private let parameters: DetectorParameters
  private let partitionBy: [Int]
  private let seed: UInt64
  private let modelLimit: Int
  private let firstColumn: Int
  private var keys: KeyTable
  private var models: [Model] = []

  init(
    input: Operator, parameters: DetectAnomaliesParameters, partitionBy: [Int], seed: UInt64,
    modelLimit: Int, schema: Schema, section: String
  ) throws {
    features = parameters.features
    self.parameters = DetectorParameters(parameters.options)
    self.partitionBy = partitionBy
    self.seed = seed
    self.modelLimit = modelLimit
    firstColumn = input.schema.columns.count
    keys = KeyTable(partitionBy.map { input.schema.columns[$0].type.storage })
    super.init(
      schema: schema, section: section, inputs: [input], isBounded: input.isBounded)
    do {
      try Detector.configuration(self.parameters, features: features.count, seed: seed).validate()
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
    var evaluation = Evaluation(count: input.count, startTime: 0)
    checkFeatures(features, input, &evaluation)
    for index in input.columns.indices {
      output.columns[index] = Column(type: schema.columns[index].type, values: input.columns[index])
    }
    for index in firstColumn..<schema.columns.count {
      output.columns[index] = Column(type: schema.columns[index].type, capacity: input.count)
    }
    output.rowtimes = input.rowtimes
    output.causes = input.causes
    let words = keys.keys(of: partitionBy.map { input.columns[$0] }, count: input.count)
    for row in 0..<input.count {
      var detection: Detection?
      if !evaluation.failed[row] {
        do {
          detection = try detect(input, row, words, pool)
        } catch {
          evaluation.fail(row, .badModelInput, "\(error)")
        }
      }
      append(detection, &pool)
    }
    if evaluation.hasFailures {
      report(evaluation, input, context, pool)
      output.keep(Rows(count: input.count).filter { !evaluation.failed[$0] })
    }
    counters.passed += Int64(output.count)
  }

  /// What the row's detector says; nil when there is no room for a detector of its key.
  private func detect(
    _ input: Batch, _ row: Int, _ words: [UInt64], _ pool: borrowing StringPool
  ) throws -> Detection? {
    let number: Int
    if let known = keys.find(words, row: row) {
      number = known
    } else {
      guard models.count < modelLimit else { return nil }
      let own = modelSeed(seed, partitionBy, input, row, pool)
      models.append(Model(try Detector(parameters, features: features.count, seed: own)))
      number = keys.insert(words, row: row).number
    }
    let point = features.map { feature in
      let column = input.columns[feature]
      return column.type.storage == .floating
        ? column.doubles[row] : Double(column.integers[row])
    }
    return try models[number].detector.detect(point)
  }

  private func append(_ detection: Detection?, _ pool: inout StringPool) {
    let status = detection.map { $0.isWarm ? "SCORED" : "WARMING_UP" } ?? "NO_MODEL"
    output.columns[firstColumn + 8].append(pool.intern(status))
    guard let detection, detection.isWarm else {
      for offset in 0..<8 {
        if detection != nil, offset < 3 {
          output.columns[firstColumn + offset].append(0.0)
        } else {
          output.columns[firstColumn + offset].appendNull()
        }
      }
      return
    }
    output.columns[firstColumn].append(detection.score)
    output.columns[firstColumn + 1].append(detection.grade)
    output.columns[firstColumn + 2].append(detection.confidence)
    output.columns[firstColumn + 3].append(detection.threshold)
    let lower = zip(detection.expected, detection.spread).map { $0 - $1 }
    let upper = zip(detection.expected, detection.spread).map { $0 + $1 }
    for (offset, values) in [(4, detection.expected), (5, lower), (6, upper)] {
      if features.count == 1 {
        output.columns[firstColumn + offset].append(values[0])
      } else {
        output.columns[firstColumn + offset].append(object(values, &pool))
      }
    }
    output.columns[firstColumn + 7].append(object(detection.attribution, &pool))
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
    writer.section(section) { section in
      section.write(Int64(models.count))
      keys.save(into: &section, pool)
    }
    for (index, model) in models.enumerated() {
      writer.section(section, slice: index + 1) { model.detector.save(into: &$0) }
    }
  }

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
