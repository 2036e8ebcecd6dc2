import Columns
import Hotspots
import StreamSQL

/// HOTSPOTS: the cursor's rows with the dense regions of the window that ends with each.
final class HotspotsOperator: Operator {
  private let features: [Int]
  private let windowSize: Int
  private let scanRadius: Double
  private let minimumPoints: Int
  private let partitionBy: [Int]
  private let modelLimit: Int
  private var keys: KeyTable
  private var models: [Model] = []
  private var copies = ModelCopies()
  private var text: [UInt8] = []

  /// A window with the last result.
  private struct Model {
    var detector: HotspotDetector
    var result: [UInt8]
  }

  init(
    input: Operator, features: [Int], windowSize: Int, scanRadius: Double, minimumPoints: Int,
    partitionBy: [Int], modelLimit: Int, schema: Schema, section: String
  ) {
    self.features = features
    self.windowSize = windowSize
    self.scanRadius = scanRadius
    self.minimumPoints = minimumPoints
    self.partitionBy = partitionBy
    self.modelLimit = modelLimit
    keys = KeyTable(partitionBy.map { input.schema.columns[$0].type.storage })
    super.init(
      schema: schema, section: section, inputs: [input], isBounded: input.isBounded)
  }

  override var hasState: Bool { true }

  private func makeModel() -> Model {
    Model(
      detector: HotspotDetector(
        dimensions: features.count, windowSize: windowSize, scanRadius: scanRadius,
        minimumPoints: minimumPoints),
      result: Array("{\"hotspots\":[]}".utf8))
  }

  override func run(_ context: ExecutionContext, _ pool: inout StringPool) {
    let input = inputs[0].output
    output.removeAll()
    guard !input.isEmpty else { return }
    counters.rowsIn += Int64(input.count)
    var evaluation = Evaluation(count: input.count)
    checkFeatures(features, input, &evaluation)
    let place = input.columns.count
    var results = Column(type: schema.columns[place].type, capacity: input.count)
    var status = Column(type: .varchar(16), capacity: input.count)
    let names = ["NO_MODEL", "WARMING_UP", "SCORED"].map { pool.intern($0) }
    let words = keys.keys(of: partitionBy.map { input.columns[$0] }, count: input.count)
    var point = [Double](repeating: 0, count: features.count)
    for row in 0..<input.count {
      guard !evaluation.failed[row], let model = model(words, row) else {
        results.appendNull()
        status.append(names[0])
        continue
      }
      for (index, feature) in features.enumerated() {
        let column = input.columns[feature]
        point[index] =
          column.type.storage == .floating ? column.doubles[row] : Double(column.integers[row])
      }
      copies.willChange(model, section: section) { $0.write(models[model].detector.points) }
      models[model].detector.add(point)
      if models[model].detector.hasChanged { write(model) }
      let result = models[model].result
      results.append(pool.intern(result.span))
      status.append(names[models[model].detector.count < windowSize ? 1 : 2])
    }
    for index in input.columns.indices {
      output.columns[index] = Column(type: schema.columns[index].type, values: input.columns[index])
    }
    output.columns[place] = results
    if !partitionBy.isEmpty { output.columns[place + 1] = status }
    output.rowtimes = input.rowtimes
    output.causes = input.causes
    if evaluation.hasFailures {
      report(evaluation, input, context, pool)
      output.keep(Rows(count: input.count).filter { !evaluation.failed[$0] })
    }
    counters.passed += Int64(output.count)
  }

  private func model(_ words: [UInt64], _ row: Int) -> Int? {
    if let known = keys.find(words, row: row) { return known }
    guard models.count < modelLimit else { return nil }
    models.append(makeModel())
    return keys.insert(words, row: row).number
  }

  private func write(_ model: Int) {
    text.removeAll(keepingCapacity: true)
    text.append(contentsOf: "{\"hotspots\":[".utf8)
    for (index, spot) in models[model].detector.hotspots().enumerated() {
      if index > 0 { text.append(UInt8(ascii: ",")) }
      text.append(contentsOf: "{\"density\":\(spot.density),\"minValues\":[".utf8)
      append(spot.minimum)
      text.append(contentsOf: "],\"maxValues\":[".utf8)
      append(spot.maximum)
      text.append(contentsOf: "]}".utf8)
    }
    text.append(contentsOf: "]}".utf8)
    models[model].result = text
  }

  private func append(_ values: [Double]) {
    for (index, value) in values.enumerated() {
      if index > 0 { text.append(UInt8(ascii: ",")) }
      text.append(contentsOf: value.description.utf8)
    }
  }

  override func save(into writer: inout StateWriter, _ pool: borrowing StringPool) {
    saveKeys(into: &writer, pool)
    for (index, model) in models.enumerated() {
      writer.section(section, slice: index + 1) { $0.write(model.detector.points) }
    }
  }

  private func saveKeys(into writer: inout StateWriter, _ pool: borrowing StringPool) {
    writer.section(section) { section in
      keys.save(into: &section, pool)
      section.write(Int64(models.count))
    }
  }

  override func beginSave(
    _ snapshot: Int64, into writer: inout StateWriter, _ pool: borrowing StringPool
  ) {
    saveKeys(into: &writer, pool)
    copies.begin(snapshot, models: Array(0..<models.count), section: section, into: &writer)
  }

  override func continueSave(
    into writer: inout StateWriter, _ pool: borrowing StringPool
  ) -> Bool {
    copies.copyOne(section: section, into: &writer) { number, section in
      section.write(models[number].detector.points)
    }
  }

  override func forgetSaved() { copies.forget() }

  override func restore(from reader: StateReader, _ pool: inout StringPool) throws {
    var head = try reader.section(section)
    try keys.restore(from: &head, &pool)
    let count = Int(try head.integer(Int64.self))
    guard count == keys.count else { throw head.failure("\(count) windows for other keys") }
    models = []
    // Earlier versions wrote all windows behind the keys.
    if reader.sliceCount(section) == 1 {
      for _ in 0..<count { try restoreModel(from: &head) }
    } else {
      for index in 0..<count {
        var slice = try reader.section(section, slice: index + 1)
        try restoreModel(from: &slice)
        try slice.finish()
      }
    }
    try head.finish()
  }

  private func restoreModel(from section: inout SectionReader) throws(StateError) {
    let points = try section.doubles()
    guard points.count % features.count == 0, points.allSatisfy(\.isFinite) else {
      throw section.failure("the points of a window are damaged")
    }
    var model = makeModel()
    for start in stride(from: 0, to: points.count, by: features.count) {
      model.detector.add(points.span.extracting(start..<(start + features.count)))
    }
    models.append(model)
    write(models.count - 1)
  }

  override func remapStrings(_ remap: inout StringRemapper) { keys.remapStrings(&remap) }
}

/// Fails the rows of which a numeric column of a model is NULL or too large to compute with.
func checkFeatures(_ features: [Int], _ input: Batch, _ evaluation: inout Evaluation) {
  for feature in features {
    let column = input.columns[feature]
    let name = input.schema.columns[feature].name
    for row in 0..<input.count {
      if column.isNull(row) {
        evaluation.fail(row, .badModelInput, "column \(name) is NULL")
      } else if column.type.storage == .floating, !(abs(column.doubles[row]) <= 1e30) {
        evaluation.fail(
          row, .badModelInput,
          "column \(name) is \(column.doubles[row]), more than a model can compute with")
      }
    }
  }
}
