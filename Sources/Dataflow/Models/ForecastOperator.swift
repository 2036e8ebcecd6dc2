import Columns
import LearnedModels
import RandomCutForest
import StreamSQL

/// ML_FORECAST: the cursor's rows with the law that was predicted for each, how far out it lies, and the
/// law of the next one; one series for all rows or one for each key.
///
/// A key belongs to one variant as long as the weights stay. Results depend on the key's rows alone.
final class ForecastOperator: Operator, EndpointUser {
  private let parameters: ForecastParameters
  private let partitionBy: [Int]
  private let slot: EndpointSlot
  private let keyLimit: Int
  private let firstColumn: Int
  /// By added column whether somebody reads it: quantiles cost more than all else together.
  private let isRead: [Bool]
  private var keys: KeyTable
  private var series: [ForecastSeries] = []
  private var copies = ModelCopies()
  /// By variant, made for the slot's generation.
  private var scorers: [DeepARScorer] = []
  private var generation: Int64 = 0
  /// The dynamic features of the row at hand.
  private var features: [Float]

  init(
    input: Operator, parameters: ForecastParameters, partitionBy: [Int], slot: EndpointSlot,
    keyLimit: Int, schema: Schema, section: String, columnsRead: [Int]?
  ) {
    self.parameters = parameters
    self.partitionBy = partitionBy
    self.slot = slot
    self.keyLimit = keyLimit
    features = Array(repeating: 0, count: parameters.dynamicFeatures.count)
    let firstColumn = input.schema.columns.count
    self.firstColumn = firstColumn
    isRead = (firstColumn..<schema.columns.count).map { columnsRead?.contains($0) ?? true }
    keys = KeyTable(partitionBy.map { input.schema.columns[$0].type.storage })
    super.init(schema: schema, section: section, inputs: [input], isBounded: input.isBounded)
    slot.add(self)
  }

  func check(_ deployment: Deployment) throws {
    var frequency: DeepARFrequency?
    for variant in deployment.variants {
      guard case .deepAR(let model) = variant.model else {
        throw DataflowError(
          "\(variant.version) is a \(variant.model.algorithm.rawValue) model, ML_FORECAST asks deepar "
            + "models: use ML_PREDICT")
      }
      let shape = model.configuration
      try check(shape, variant.version)
      guard frequency == nil || frequency == shape.frequency else {
        throw DataflowError(
          "\(variant.version) has a value per \(shape.frequency.text), another variant one per "
            + "\(frequency?.text ?? "")")
      }
      frequency = shape.frequency
    }
  }

  /// A model may know fewer categories and features than it is given, namely none.
  private func check(_ shape: DeepARConfiguration, _ version: String) throws {
    let (categories, features) = (shape.cardinalities.count, shape.dynamicFeatureCount)
    guard categories == 0 || categories == parameters.categories.count,
      features == 0 || features == parameters.dynamicFeatures.count
    else {
      let sizes = shape.cardinalities.map { "\($0)" }.joined(separator: ", ")
      throw DataflowError(
        "\(version) was trained with \(categories) categories"
          + (categories > 0 ? " (of \(sizes) values)" : "")
          + " and \(features) dynamic features, ML_FORECAST gives it \(parameters.categories.count) "
          + "and \(parameters.dynamicFeatures.count): name the cursor's columns in the order of "
          + "training, categories => 'A, B', dynamic_features => 'C', or train without by "
          + "cardinality=ignore,num_dynamic_feat=ignore")
    }
  }

  override var hasState: Bool { true }

  override func run(_ context: ExecutionContext, _ pool: inout StringPool) {
    if generation != slot.generation {
      scorers = slot.deployment?.forecasters ?? []
      generation = slot.generation
    }
    addColumns(from: firstColumn, context, &pool) { input, evaluation, pool in
      let words = keys.keys(of: partitionBy.map { input.columns[$0] }, count: input.count)
      for row in 0..<input.count {
        do throws(DataflowError) {
          try forecast(input, row, words, &pool)
        } catch {
          evaluation.fail(row, .badModelInput, error.description)
        }
      }
    }
  }

  /// Where the added columns stand behind the cursor's.
  private enum Place {
    static let expected = 0
    static let lower = 1
    static let upper = 2
    static let tail = 3
    static let nextExpected = 4
    static let nextLower = 5
    static let nextUpper = 6
    static let version = 7
    static let variant = 8
    static let status = 9
  }

  /// Takes a row into its series and writes what was predicted for it, and what comes next.
  private func forecast(
    _ input: Batch, _ row: Int, _ words: [UInt64], _ pool: inout StringPool
  ) throws(DataflowError) {
    let value = try target(input, row)
    let time = try time(input, row)
    try gather(input, row)
    guard let one = try find(input, words, row) else {
      output.columns[firstColumn + Place.status].set(pool.intern("NO_MODEL"), at: row)
      return
    }
    guard let deployment = slot.deployment else {
      one.remember(value, at: time, features)
      output.columns[firstColumn + Place.status].set(pool.intern("NO_MODEL"), at: row)
      return
    }
    if one.generation != generation {
      let hash = spread(modelSeed(0, partitionBy, input, row, pool))
      one.adopt(
        &scorers, serving: slot.variant(of: hash),
        shadows: deployment.variants.indices.filter {
          deployment.variants[$0].isShadow && slot.shadows($0, hash)
        }, generation: generation)
    }
    guard one.memories[one.serving] != nil else {
      // The model does not know the categories of this series.
      one.remember(value, at: time, features)
      output.columns[firstColumn + Place.status].set(pool.intern("NO_MODEL"), at: row)
      return
    }
    let variant = deployment.variants[one.serving]
    output.columns[firstColumn + Place.version].set(pool.intern(variant.version), at: row)
    output.columns[firstColumn + Place.variant].set(pool.intern(variant.name), at: row)
    let status = try score(one, value, time, row)
    output.columns[firstColumn + Place.status].set(pool.intern(status), at: row)
  }

  /// The row's value; nil when it is missing.
  private func target(_ input: Batch, _ row: Int) throws(DataflowError) -> Double? {
    let column = input.columns[parameters.target]
    if column.isNull(row) { return nil }
    let value =
      column.type.storage == .floating ? column.doubles[row] : Double(column.integers[row])
    guard value.magnitude <= 1e18 else {
      throw DataflowError(
        "\(schema.columns[parameters.target].name) is \(value); forecasts take finite values up to "
          + "±1e18, and NULL for a missing one")
    }
    return value
  }

  private func time(_ input: Batch, _ row: Int) throws(DataflowError) -> Int64 {
    guard let index = parameters.timeColumn else { return input.rowtimes[row] }
    guard !input.columns[index].isNull(row) else {
      throw DataflowError("\(schema.columns[index].name), the time of the row, is NULL")
    }
    return input.columns[index].integers[row]
  }

  /// Puts the row's dynamic features into `features`.
  private func gather(_ input: Batch, _ row: Int) throws(DataflowError) {
    for (place, index) in parameters.dynamicFeatures.enumerated() {
      let column = input.columns[index]
      let isFloating = column.type.storage == .floating
      let value = isFloating ? column.doubles[row] : Double(column.integers[row])
      guard !column.isNull(row), value.magnitude <= 1e18 else {
        throw DataflowError(
          "\(schema.columns[index].name) is \(column.isNull(row) ? "NULL" : "\(value)"); a dynamic "
            + "feature is known for every row, only the forecast column may be NULL")
      }
      features[place] = Float(value)
    }
  }

  private func category(
    _ input: Batch, _ row: Int, _ index: Int
  ) throws(DataflowError) -> Int {
    let column = input.columns[index]
    guard !column.isNull(row), column.integers[row] >= 0 else {
      throw DataflowError(
        "\(schema.columns[index].name) is "
          + (column.isNull(row) ? "NULL" : "\(column.integers[row])")
          + "; categories are numbered from 0")
    }
    return Int(column.integers[row])
  }

  /// The row's series; nil when there is no room for one more.
  private func find(
    _ input: Batch, _ words: [UInt64], _ row: Int
  ) throws(DataflowError) -> ForecastSeries? {
    if let known = keys.find(words, row: row) {
      for (field, index) in parameters.categories.enumerated() {
        let found = try category(input, row, index)
        guard found == series[known].categories[field] else {
          throw DataflowError(
            "\(schema.columns[index].name) is \(found), but the series began with "
              + "\(series[known].categories[field]): a series has one category of each field, "
              + "PARTITION BY what tells series apart")
        }
      }
      copies.willChange(known, section: section) {
        series[known].save(into: &$0, featureCount: parameters.dynamicFeatures.count)
      }
      return series[known]
    }
    guard series.count < keyLimit else { return nil }
    var categories: [Int] = []
    for index in parameters.categories { categories.append(try category(input, row, index)) }
    let number = keys.insert(words, row: row).number
    series.append(ForecastSeries(categories: categories))
    return series[number]
  }

  /// Lets all variants of a series take a value, and writes what the serving one says.
  private func score(
    _ one: ForecastSeries, _ value: Double?, _ time: Int64, _ row: Int
  ) throws(DataflowError) -> String {
    guard let memory = one.memories[one.serving] else { return "NO_MODEL" }
    slot.counters[one.serving].rows += 1
    // A series begins with its first value.
    if value == nil, memory.state.count == 0 { return "WARMING_UP" }
    let shape = scorers[one.serving].model.configuration
    let gap =
      memory.state.count == 0
      ? 0 : shape.frequency.period(of: time) - memory.state.nextPeriod
    let known = gap == 0 ? one.nextQuantiles : nil
    let score: DeepARScore
    let start = slot.stopwatch()
    do throws(DeepARError) {
      score = try scorers[one.serving].step(
        value, at: time, features: shape.dynamicFeatureCount > 0 ? features : [],
        state: &memory.state)
    } catch {
      slot.counters[one.serving].failed += 1
      throw DataflowError(
        gap < 0
          ? "the row's period, one of \(shape.frequency.text), is scored already: aggregate the stream "
            + "to one row per period" : error.description)
    }
    slot.counters[one.serving].nanoseconds += slot.stopwatch() - start
    one.pass(gap: gap, isMissing: value == nil, context: shape.contextLength)
    count(score, of: one.serving)
    scoreShadows(of: one, value, time)
    one.nextQuantiles = (nil, nil)
    if one.periods >= shape.contextLength, memory.state.isNextKnown {
      one.nextQuantiles = write(memory.state.next, Place.nextExpected, row, known: (nil, nil))
    }
    guard one.periods > shape.contextLength else { return "WARMING_UP" }
    _ = write(score.distribution, Place.expected, row, known: known ?? (nil, nil))
    if let tail = score.tailProbability {
      output.columns[firstColumn + Place.tail].set(tail, at: row)
    }
    return value == nil ? "IMPUTED" : "SCORED"
  }

  /// Expectation and the quantiles that are read, in three columns from `place` on; returns the quantiles.
  private func write(
    _ law: DeepARDistribution, _ place: Int, _ row: Int, known: ForecastSeries.Quantiles
  ) -> ForecastSeries.Quantiles {
    output.columns[firstColumn + place].set(law.mean, at: row)
    var quantiles = known
    if isRead[place + 1] {
      let lower = known.lower ?? law.quantile(parameters.lower)
      output.columns[firstColumn + place + 1].set(lower, at: row)
      quantiles.lower = lower
    }
    if isRead[place + 2] {
      let upper = known.upper ?? law.quantile(parameters.upper)
      output.columns[firstColumn + place + 2].set(upper, at: row)
      quantiles.upper = upper
    }
    return quantiles
  }

  private func scoreShadows(of one: ForecastSeries, _ value: Double?, _ time: Int64) {
    for (index, memory) in one.memories.enumerated() where index != one.serving {
      guard let memory else { continue }
      slot.counters[index].rows += 1
      let start = slot.stopwatch()
      defer { slot.counters[index].nanoseconds += slot.stopwatch() - start }
      do throws(DeepARError) {
        let known = scorers[index].model.configuration.dynamicFeatureCount > 0 ? features : []
        count(
          try scorers[index].step(value, at: time, features: known, state: &memory.state),
          of: index)
      } catch {
        slot.counters[index].failed += 1
      }
    }
  }

  private func count(_ score: DeepARScore, of variant: Int) {
    guard let threshold = slot.deployment?.alertAbove, let tail = score.tailProbability else {
      return
    }
    // The negative decimal logarithm of the tail probability.
    if -logarithm(max(tail, 1e-300)) / 2.302_585_092_994_046 > threshold {
      slot.counters[variant].alerts += 1
    }
  }

  // MARK: State

  override func save(into writer: inout StateWriter, _ pool: borrowing StringPool) {
    saveKeys(into: &writer, pool)
    for (index, one) in series.enumerated() {
      writer.section(section, slice: index + 1) {
        one.save(into: &$0, featureCount: parameters.dynamicFeatures.count)
      }
    }
  }

  private func saveKeys(into writer: inout StateWriter, _ pool: borrowing StringPool) {
    writer.section(section) { section in
      section.write(Int64(series.count))
      keys.save(into: &section, pool)
    }
  }

  override func beginSave(
    _ snapshot: Int64, into writer: inout StateWriter, _ pool: borrowing StringPool
  ) {
    saveKeys(into: &writer, pool)
    copies.begin(snapshot, models: Array(0..<series.count), section: section, into: &writer)
  }

  override func continueSave(
    into writer: inout StateWriter, _ pool: borrowing StringPool
  ) -> Bool {
    copies.copyOne(section: section, into: &writer) { number, section in
      series[number].save(into: &section, featureCount: parameters.dynamicFeatures.count)
    }
  }

  override func forgetSaved() { copies.forget() }

  override func restore(from reader: StateReader, _ pool: inout StringPool) throws {
    var head = try reader.section(section)
    let count = try head.integer(Int64.self)
    try keys.restore(from: &head, &pool)
    try head.finish()
    guard count == reader.sliceCount(section) - 1, keys.count == count else {
      throw head.failure("\(count) series are announced")
    }
    series = []
    for index in 0..<Int(count) {
      var slice = try reader.section(section, slice: index + 1)
      series.append(
        try ForecastSeries(
          from: &slice, categoryCount: parameters.categories.count,
          featureCount: parameters.dynamicFeatures.count))
      try slice.finish()
    }
  }

  override func remapStrings(_ remap: inout StringRemapper) { keys.remapStrings(&remap) }
}

extension Deployment {
  /// A scorer for every variant; only of deployments that ML_FORECAST has checked.
  fileprivate var forecasters: [DeepARScorer] {
    variants.compactMap { variant in
      guard case .deepAR(let model) = variant.model else { return nil }
      return DeepARScorer(model)
    }
  }
}
