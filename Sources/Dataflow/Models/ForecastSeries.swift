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

  /// By variant of the deployment; nil for variants that do not score this key.
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

  init() {}

  /// Keeps a row for the first model.
  func remember(_ value: Double?, at time: Int64) {
    if earlyTimes.count >= 2 * Self.earlyLimit {
      earlyTimes.removeFirst(earlyTimes.count - Self.earlyLimit)
      earlyValues.removeFirst(earlyValues.count - Self.earlyLimit)
    }
    earlyTimes.append(time)
    earlyValues.append(value.map { Float($0) } ?? .nan)
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
    let shape = scorers[serving].model.configuration
    let early = earlySeries(shape)
    let past = frequency == shape.frequency ? self.past : nil
    // A model that looks further back than the one before it may have to wait again.
    periods = past.map { min(periods, $0.values.count) } ?? 0
    if past == nil { missing = 0 }
    var memories = [Memory?](repeating: nil, count: scorers.count)
    for index in [serving] + shadows {
      var state: DeepARState?
      do throws(DeepARError) {
        if let past {
          state = try scorers[index].makeState(from: past)
        } else if let early {
          state = try scorers[index].makeState(early)
        }
      } catch {
        // The values lie outside of this model's law: it begins without a past.
        state = nil
      }
      if state == nil, index == serving {
        periods = 0
        missing = 0
      } else if past == nil, let early, index == serving {
        for value in early.target {
          pass(gap: 0, isMissing: value.isNaN, context: shape.contextLength)
        }
      }
      memories[index] = Memory(state ?? scorers[index].emptyState())
    }
    self.memories = memories
    nextQuantiles = (nil, nil)
    self.serving = serving
    self.generation = generation
    frequency = shape.frequency
    restored = nil
    earlyTimes = []
    earlyValues = []
  }

  /// The rows from before the first model as one series: of several rows in a period the first counts.
  private func earlySeries(_ shape: DeepARConfiguration) -> TimeSeries? {
    var target: [Float] = []
    var first = 0
    for index in max(0, earlyTimes.count - Self.earlyLimit)..<earlyTimes.count {
      let period = shape.frequency.period(of: earlyTimes[index])
      if target.isEmpty || period - first - target.count >= Self.earlyLimit {
        target = []
        first = period
      }
      let gap = period - first - target.count
      guard gap >= 0, !target.isEmpty || !earlyValues[index].isNaN else { continue }
      target += repeatElement(.nan, count: gap)
      target.append(earlyValues[index])
    }
    guard !target.isEmpty else { return nil }
    return TimeSeries(start: shape.frequency.start(of: first), target: target)
  }

  /// Counts a row that came `gap` periods after the one that was expected.
  func pass(gap: Int, isMissing: Bool, context: Int) {
    missing += gap + (isMissing ? 1 : 0)
    periods += gap + 1
    if missing >= context { periods = isMissing ? 0 : 1 }
    if !isMissing { missing = 0 }
  }

  // MARK: State

  func save(into section: inout SectionWriter) {
    section.write(frequency?.text ?? "")
    section.write(Int64(periods))
    section.write(Int64(missing))
    section.write(earlyTimes)
    section.write(earlyValues)
    let past = self.past
    section.write(past != nil)
    guard let past else { return }
    section.write(past.values)
    section.write([past.count, past.nextPeriod, past.stepsSinceEncoding].map { Int64($0) })
  }

  init(from section: inout SectionReader) throws(StateError) {
    let text = try section.text()
    frequency = DeepARFrequency(text)
    guard text.isEmpty || frequency != nil else { throw section.failure("bad frequency \(text)") }
    periods = Int(try section.integer(Int64.self))
    missing = Int(try section.integer(Int64.self))
    earlyTimes = try section.integers()
    earlyValues = try section.floats()
    guard earlyTimes.count == earlyValues.count else {
      throw section.failure("\(earlyTimes.count) times, \(earlyValues.count) values")
    }
    guard try section.boolean() else { return }
    let values = try section.floats()
    let counts = try section.integers()
    guard counts.count == 3, counts[0] >= Int64(values.count), values.allSatisfy(\.isFinite) else {
      throw section.failure("bad values of a series")
    }
    restored = DeepARState.Snapshot(
      values: values, count: Int(counts[0]), nextPeriod: Int(counts[1]),
      stepsSinceEncoding: Int(counts[2]), categories: [])
  }
}
