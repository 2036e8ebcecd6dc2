/// What the network remembers of one series: its last values and the state of the memory cells.
public struct DeepARState: Hashable, Sendable {
  /// Everything from which a state can be made again, bit for bit by the same model.
  public struct Snapshot: Hashable, Sendable {
    /// The last values, the newest last.
    public var values: [Float]
    /// How many values the series has had.
    public var count: Int
    /// The period that comes next, as the frequency counts.
    public var nextPeriod: Int
    /// How many values the memory cells have taken since they last read the context anew.
    public var stepsSinceEncoding: Int
    /// The categories of the series.
    public var categories: [Int]
    /// The dynamic features of the last values, those of one value after the other; none for models
    /// without.
    public var features: [Float]

    /// Creates a snapshot from its parts.
    public init(
      values: [Float], count: Int, nextPeriod: Int, stepsSinceEncoding: Int, categories: [Int] = [],
      features: [Float] = []
    ) {
      self.values = values
      self.count = count
      self.nextPeriod = nextPeriod
      self.stepsSinceEncoding = stepsSinceEncoding
      self.categories = categories
      self.features = features
    }
  }

  /// How many values the series has had.
  public internal(set) var count: Int
  /// The period that comes next, as the frequency counts.
  public internal(set) var nextPeriod: Int
  /// The predicted law of the value that comes next; without meaning where `isNextKnown` is false.
  public internal(set) var next: DeepARDistribution
  /// Whether the next law is known already: with dynamic features it follows from those of the value.
  public var isNextKnown: Bool { features.width == 0 }
  /// The categories of the series.
  public let categories: [Int]
  /// The mean size of the values by which the network's inputs are divided.
  public internal(set) var scale: Double

  /// The last values; value i is at i modulo the capacity.
  var ring: [Float]
  var steps: Int
  /// Whether the context had anything but zeros, so that its scale means something.
  var hasScale: Bool
  /// The dynamic features of the last values.
  var features: DeepARFeatureRing
  /// layers × cells each.
  var hidden: [Float]
  var cell: [Float]

  init(model: DeepARModel, categories: [Int], nextPeriod: Int) {
    let cells = model.configuration.layerCount * model.configuration.cellCount
    count = 0
    self.nextPeriod = nextPeriod
    next = DeepARDistribution(likelihood: model.configuration.likelihood, first: 0)
    self.categories = categories
    scale = model.usualScale
    ring = Array(
      repeating: 0, count: model.historyLength + model.configuration.predictionLength)
    features = DeepARFeatureRing(
      width: model.configuration.dynamicFeatureCount,
      capacity: model.configuration.contextLength + model.configuration.predictionLength)
    steps = 0
    hasScale = false
    hidden = Array(repeating: 0, count: cells)
    cell = hidden
  }

  mutating func push(_ value: Float) {
    ring[count % ring.count] = value
    count += 1
    nextPeriod += 1
  }

  /// The newest value; 0 before the first.
  var last: Float { count > 0 ? ring[(count - 1) % ring.count] : 0 }

  /// Everything from which this state can be made again.
  public var snapshot: Snapshot {
    let kept = min(count, ring.count)
    return Snapshot(
      values: ((count - kept)..<count).map { ring[$0 % ring.count] }, count: count,
      nextPeriod: nextPeriod, stepsSinceEncoding: steps, categories: categories,
      features: features.newest(before: count, atMost: kept))
  }

  /// Writes the features that are known at a position, or those nearest to it.
  func writeFeatures(_ input: inout [Float], at place: Int, position: Int) {
    guard features.width > 0 else { return }
    features.write(&input, at: place, position: position)
  }
}

/// What the network says about one value.
public struct DeepARScore: Hashable, Sendable {
  /// The law that was predicted for the value.
  public let distribution: DeepARDistribution
  /// How probable a value at least as far out is; nil without a value or without a law.
  public let tailProbability: Double?
}

/// Scores and forecasts series with one network; owns the working memory of a step.
public struct DeepARScorer: Sendable {
  /// The network.
  public let model: DeepARModel
  var input: [Float]
  var gates: [Float]
  var outputs: [Float]

  /// Creates a scorer of a network.
  public init(_ model: DeepARModel) {
    self.model = model
    input = Array(repeating: 0, count: model.layout.inputCount)
    gates = Array(repeating: 0, count: 4 * model.layout.cells)
    outputs = Array(repeating: 0, count: model.layout.outputCount)
  }

  /// Reads a history, which may be empty; the state then predicts the value that follows it, of a model
  /// with dynamic features as soon as `step` gives those of that value.
  ///
  /// - Throws: `DeepARError` for a series that does not fit the model.
  public mutating func makeState(_ series: TimeSeries) throws(DeepARError) -> DeepARState {
    try model.check(series, length: series.target.count)
    var filled = series.filled(model.configuration.frequency)
    let features = filled.dynamicFeatures
    filled.dynamicFeatures = []
    return state(filled: filled, past: features)
  }

  /// The state of a series of which no value is known.
  ///
  /// - Parameter categories: Its categories, as the model knows them.
  /// - Returns: A state that waits for the first value.
  public mutating func emptyState(categories: [Int] = []) -> DeepARState {
    state(filled: TimeSeries(start: 0, target: [], categories: categories))
  }

  /// The state after a checked history without gaps.
  ///
  /// - Parameters:
  ///   - series: With dynamic features also for the value that comes next, which is predicted then.
  ///   - past: Dynamic features of the history alone.
  /// - Returns: The state, which predicts the value after the history.
  package mutating func state(filled series: TimeSeries, past: [[Float]] = []) -> DeepARState {
    let frequency = model.configuration.frequency
    var state = DeepARState(
      model: model, categories: series.categories,
      nextPeriod: frequency.period(of: series.start))
    let skipped = max(0, series.target.count - state.ring.count)
    state.count = skipped
    state.nextPeriod += skipped
    for value in series.target[skipped...] { state.push(value) }
    for position in max(0, state.count - state.features.capacity)..<state.count
    where !past.isEmpty {
      state.features.set(past.map { $0[position] }, at: position)
    }
    encode(&state, origin: state.count, dynamicFeatures: series.dynamicFeatures)
    return state
  }

  /// The state that a snapshot describes; of another model's snapshot, with this model's memory.
  ///
  /// Where this model looks further back than the other one did, the series begins with the first
  /// value of the snapshot: what came before it is not known.
  ///
  /// - Throws: `DeepARError` for categories that this model does not know.
  public mutating func makeState(
    from snapshot: DeepARState.Snapshot
  ) throws(DeepARError) -> DeepARState {
    try model.check(
      TimeSeries(
        start: 0, target: snapshot.values, categories: snapshot.categories,
        dynamicFeatures: Array(repeating: [], count: model.configuration.dynamicFeatureCount)),
      length: 0)
    var state = DeepARState(
      model: model, categories: snapshot.categories,
      nextPeriod: snapshot.nextPeriod - snapshot.values.count)
    if snapshot.values.count >= state.ring.count {
      state.count = snapshot.count - snapshot.values.count
    }
    for value in snapshot.values { state.push(value) }
    state.features.set(last: snapshot.features, before: state.count)
    let steps = min(max(0, snapshot.stepsSinceEncoding), state.count)
    encode(
      &state,
      origin: steps < model.configuration.predictionLength ? state.count - steps : state.count,
      dynamicFeatures: [])
    return state
  }

  /// Scores a value, or nil for a missing one, and predicts the one after it.
  ///
  /// Periods that were left out count as missing. The memory cells read the context anew when they
  /// have taken as many values as the model was trained to predict.
  ///
  /// - Parameters:
  ///   - value: the value, nil or NaN when it is missing.
  ///   - milliseconds: any moment in the value's period.
  ///   - features: the dynamic features of the value, as many as the model has; finite.
  ///   - state: the series' memory, which moves on.
  /// - Returns: what was predicted for the value, and how far out it lies.
  /// - Throws: `DeepARError` when the period is in the past, for a value outside of the law's domain,
  ///   and for another number of features than the model has.
  public mutating func step(
    _ value: Double?, at milliseconds: Int64, features: [Float] = [], state: inout DeepARState
  ) throws(DeepARError) -> DeepARScore {
    guard features.count == state.features.width else {
      throw DeepARError(
        "the value has \(features.count) dynamic features where the model has "
          + "\(state.features.width)")
    }
    let period = model.configuration.frequency.period(of: milliseconds)
    guard period >= state.nextPeriod else {
      throw DeepARError(
        "the value's period \(period) is not after the last one, \(state.nextPeriod - 1)")
    }
    if let value { try model.configuration.likelihood.check(Float(value), index: state.count) }
    skip(to: period, state: &state)
    if !state.isNextKnown { predict(&state, with: features) }
    let distribution = state.next
    let seen = value.flatMap { $0 == $0 ? $0 : nil }
    take(seen.map { Float($0) } ?? state.last, state: &state)
    return DeepARScore(
      distribution: distribution,
      tailProbability: seen.flatMap { distribution.tailProbability($0) })
  }

  private mutating func skip(to period: Int, state: inout DeepARState) {
    var missing = period - state.nextPeriod
    guard missing > 0 else { return }
    if state.count == 0 {
      state.nextPeriod = period
      encode(&state, origin: 0, dynamicFeatures: [])
      return
    }
    if missing > model.configuration.predictionLength {
      let last = state.last
      if missing > state.ring.count {
        state.count += missing - state.ring.count
        state.nextPeriod = period - state.ring.count
        missing = state.ring.count
      }
      let features = state.features.row(at: state.count - 1)
      for _ in 0..<missing {
        state.features.set(features, at: state.count)
        state.push(last)
      }
      encode(&state, origin: state.count, dynamicFeatures: [])
    } else {
      for _ in 0..<missing {
        // What was not told of a period is taken to be as it was.
        if !state.isNextKnown {
          predict(&state, with: state.features.row(at: state.count - 1))
        }
        take(state.last, state: &state)
      }
    }
  }

  /// Predicts the value that comes next from its dynamic features.
  private mutating func predict(_ state: inout DeepARState, with features: [Float]) {
    state.features.set(features, at: state.count)
    advance(&state, position: state.count, dynamicFeatures: [])
  }

  private mutating func take(_ value: Float, state: inout DeepARState) {
    state.push(value)
    if state.steps + 1 < model.configuration.predictionLength, state.hasScale {
      state.steps += 1
      if state.isNextKnown { advance(&state, position: state.count, dynamicFeatures: []) }
    } else {
      encode(&state, origin: state.count, dynamicFeatures: [])
    }
  }

  /// Reads the context before `origin` into fresh memory cells, then the values up to the newest.
  private mutating func encode(
    _ state: inout DeepARState, origin: Int, dynamicFeatures: [[Float]]
  ) {
    state.steps = state.count - origin
    var sum = 0.0
    let first = max(0, origin - model.configuration.contextLength)
    for index in first..<origin { sum += Double(state.ring[index % state.ring.count].magnitude) }
    state.hasScale = sum > 0
    state.scale = sum > 0 ? sum / Double(origin - first) : model.usualScale
    for index in state.hidden.indices {
      state.hidden[index] = 0
      state.cell[index] = 0
    }
    // Without the next value's dynamic features the network waits before it.
    let end = state.isNextKnown || !dynamicFeatures.isEmpty ? state.count + 1 : state.count
    for position in (origin - model.configuration.contextLength + 1)..<end {
      advance(&state, position: position, dynamicFeatures: dynamicFeatures)
    }
  }
}
