import Columns
import LearnedModels

/// What ML_FORECAST remembers of one key: its last values, and of every variant that scores it the
/// network's memory of them.
final class ForecastSeries {
  /// How many rows are kept while there is no model yet, for the first one to begin with.
  static let earlyLimit = 1_024

  /// A network's memory of the series.
  final class Memory {
    var state: DeepARState

    init(_ state: DeepARState) { self.state = state }
  }

  /// The category in each field, those of its first row.
  let categories: [Int]
  /// By variant of the deployment; nil for variants that do not score this key, and for those that do
  /// not know its categories.
  private(set) var memories: [Memory?] = []
  /// The variant whose results the rows carry.
  private(set) var serving = 0
  /// The activation that `memories` belong to.
  private(set) var generation: Int64 = 0
  /// Periods, missing ones too, since the first value or the last gap as long as a context.
  private(set) var periods = 0
  /// Quantiles of the law that is predicted for the next period, as far as they were computed.
  typealias Quantiles = (lower: Double?, upper: Double?)
  var nextQuantiles: Quantiles = (nil, nil)
  /// How many periods at the end have no value.
  private var missing = 0
  /// The spacing of the values that are remembered.
  private var frequency: DeepARFrequency?
  /// What was read from a snapshot, until the next row.
  private var restored: DeepARState.Snapshot?
  /// Rows from before the first model: times and values, NaN where one is missing.
  private var earlyTimes: [Int64] = []
  private var earlyValues: [Float] = []
  /// Their dynamic features, those of one row after the other.
  private var earlyFeatures: [Float] = []

  init(categories: [Int]) { self.categories = categories }

  /// Keeps a row for the first model.
  func remember(_ value: Double?, at time: Int64, _ features: [Float]) {
    if earlyTimes.count >= 2 * Self.earlyLimit {
      let count = earlyTimes.count - Self.earlyLimit
      earlyTimes.removeFirst(count)
      earlyValues.removeFirst(count)
      earlyFeatures.removeFirst(count * features.count)
    }
    earlyTimes.append(time)
    earlyValues.append(value.map { Float($0) } ?? .nan)
    earlyFeatures += features
  }

  /// The values of the serving variant, from which the memory of any model can be made.
  private var past: DeepARState.Snapshot? {
    let memory = serving < memories.count ? memories[serving] : nil
    return memory?.state.snapshot ?? restored
  }

  /// Goes over to other models: each reads the values that are remembered.
  func adopt(
    _ scorers: inout [DeepARScorer], serving: Int, shadows: [Int], generation: Int64
  ) {
    self.generation = generation
    let shape = scorers[serving].model.configuration
    let past = frequency == shape.frequency ? self.past : nil
    self.serving = serving
    memories = Array(repeating: nil, count: scorers.count)
    guard knows(shape) else {
      // Kept for a model that knows the categories.
      restored = past
      return
    }
    let early = earlySeries(shape)
    // A model that looks further back than the one before it may have to wait again.
    periods = past.map { min(periods, $0.values.count) } ?? 0
    if past == nil { missing = 0 }
    for index in [serving] + shadows where knows(scorers[index].model.configuration) {
      let state = state(&scorers[index], past: past, early: early)
      if state == nil, index == serving {
        periods = 0
        missing = 0
      } else if past == nil, let early, index == serving {
        for value in early.target {
          pass(gap: 0, isMissing: value.isNaN, context: shape.contextLength)
        }
      }
      let own = scorers[index].model.configuration.cardinalities.isEmpty ? [] : categories
      memories[index] = Memory(state ?? scorers[index].emptyState(categories: own))
    }
    nextQuantiles = (nil, nil)
    frequency = shape.frequency
    restored = nil
    earlyTimes = []
    earlyValues = []
    earlyFeatures = []
  }

  /// Whether a model has seen the categories in its training, or none at all.
  private func knows(_ shape: DeepARConfiguration) -> Bool {
    zip(categories, shape.cardinalities).allSatisfy { $0 < $1 }
  }

  /// A model's memory of what came before; nil when there is nothing that it can read.
  private func state(
    _ scorer: inout DeepARScorer, past: DeepARState.Snapshot?, early: TimeSeries?
  ) -> DeepARState? {
    let shape = scorer.model.configuration
    let own = shape.cardinalities.isEmpty ? [] : categories
    do throws(DeepARError) {
      if var past {
        // A model with dynamic features cannot follow one without.
        guard shape.dynamicFeatureCount == 0 || !past.features.isEmpty else { return nil }
        past.categories = own
        return try scorer.makeState(from: past)
      }
      guard var early else { return nil }
      early.categories = own
      if shape.dynamicFeatureCount == 0 { early.dynamicFeatures = [] }
      return try scorer.makeState(early)
    } catch {
      // The values lie outside of this model's law: it begins without a past.
      return nil
    }
  }

  /// The rows from before the first model as one series: of several rows in a period the first counts.
  private func earlySeries(_ shape: DeepARConfiguration) -> TimeSeries? {
    var target: [Float] = []
    let width = earlyTimes.isEmpty ? 0 : earlyFeatures.count / earlyTimes.count
    var features = [[Float]](repeating: [], count: width)
    var first = 0
    for index in max(0, earlyTimes.count - Self.earlyLimit)..<earlyTimes.count {
      let period = shape.frequency.period(of: earlyTimes[index])
      if target.isEmpty || period - first - target.count >= Self.earlyLimit {
        target = []
        features = Array(repeating: [], count: width)
        first = period
      }
      let gap = period - first - target.count
      guard gap >= 0, !target.isEmpty || !earlyValues[index].isNaN else { continue }
      target += repeatElement(.nan, count: gap)
      target.append(earlyValues[index])
      for feature in 0..<width {
        // In a gap they are taken to be as they were.
        features[feature] += repeatElement(features[feature].last ?? 0, count: gap)
        features[feature].append(earlyFeatures[index * width + feature])
      }
    }
    guard !target.isEmpty else { return nil }
    return TimeSeries(
      start: shape.frequency.start(of: first), target: target, dynamicFeatures: features)
  }

  /// Counts a row that came `gap` periods after the one that was expected.
  func pass(gap: Int, isMissing: Bool, context: Int) {
    missing += gap + (isMissing ? 1 : 0)
    periods += gap + 1
    if missing >= context { periods = isMissing ? 0 : 1 }
    if !isMissing { missing = 0 }
  }

  // MARK: State

  /// Categories and features stand in the state of those calls only that name some.
  func save(into section: inout SectionWriter, featureCount: Int) {
    section.write(frequency?.text ?? "")
    section.write(Int64(periods))
    section.write(Int64(missing))
    section.write(earlyTimes)
    section.write(earlyValues)
    if !categories.isEmpty { section.write(categories.map { Int64($0) }) }
    if featureCount > 0 { section.write(earlyFeatures) }
    let past = self.past
    section.write(past != nil)
    guard let past else { return }
    section.write(past.values)
    section.write([past.count, past.nextPeriod, past.stepsSinceEncoding].map { Int64($0) })
    if featureCount > 0 { section.write(past.features) }
  }

  init(
    from section: inout SectionReader, categoryCount: Int, featureCount: Int
  ) throws(StateError) {
    let text = try section.text()
    frequency = DeepARFrequency(text)
    periods = Int(try section.integer(Int64.self))
    missing = Int(try section.integer(Int64.self))
    earlyTimes = try section.integers()
    earlyValues = try section.floats()
    categories = categoryCount > 0 ? try section.integers().map { Int($0) } : []
    if featureCount > 0 { earlyFeatures = try section.floats() }
    guard text.isEmpty || frequency != nil else { throw section.failure("bad frequency \(text)") }
    guard earlyTimes.count == earlyValues.count, categories.count == categoryCount,
      categories.allSatisfy({ $0 >= 0 }), earlyFeatures.count == featureCount * earlyTimes.count
    else {
      throw section.failure("\(earlyTimes.count) times, \(earlyValues.count) values")
    }
    guard try section.boolean() else { return }
    let values = try section.floats()
    let counts = try section.integers()
    let features = featureCount > 0 ? try section.floats() : []
    guard counts.count == 3, counts[0] >= Int64(values.count), values.allSatisfy(\.isFinite),
      features.allSatisfy(\.isFinite), features.isEmpty || features.count % featureCount == 0
    else {
      throw section.failure("bad values of a series")
    }
    restored = DeepARState.Snapshot(
      values: values, count: Int(counts[0]), nextPeriod: Int(counts[1]),
      stepsSinceEncoding: Int(counts[2]), features: features)
  }
}
