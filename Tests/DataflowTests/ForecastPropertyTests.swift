import Dataflow
import LearnedModels
import Testing

/// ML_FORECAST against a scorer that is fed key by key: whatever is cut, saved or exchanged in between.
@Suite struct ForecastPropertyTests {
  private struct Numbers {
    var state: UInt64

    mutating func next(_ limit: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(limit))
    }
  }

  /// One key, scored from its first value on, with a new memory from its last values at every exchange.
  private struct Peer {
    var state: DeepARState?
    var model: Int?
    /// The values of the periods before the first model.
    var early: [Int: Float] = [:]

    mutating func expect(
      _ input: ForecastTask.Input, _ scorers: inout [DeepARScorer], _ active: Int?
    ) throws -> (law: DeepARDistribution, tail: Double?, next: DeepARDistribution)? {
      let time = try #require(input.time)
      guard let active else {
        let period = Int(time / 3_600_000)
        if early[period] == nil { early[period] = input.value.map { Float($0) } ?? .nan }
        return nil
      }
      if model == nil, let series = earlySeries { state = try scorers[active].makeState(series) }
      if state == nil, input.value == nil { return nil }
      if let old = state, let model, model != active {
        state = try scorers[active].makeState(from: old.snapshot)
      }
      model = active
      var moving = try state ?? scorers[active].makeState(TimeSeries(start: time, target: []))
      let score = try scorers[active].step(input.value, at: time, state: &moving)
      state = moving
      return (score.distribution, score.tailProbability, moving.next)
    }

    /// From the first value on, or the first one after a gap that is longer than all that is kept.
    private var earlySeries: TimeSeries? {
      var periods = early.keys.sorted()[...]
      while let first = periods.first, early[first]?.isNaN == true { periods.removeFirst() }
      if let jump = Array(zip(periods, periods.dropFirst())).last(where: { $1 - $0 > 1_024 }) {
        periods = periods.drop { $0 < jump.1 || early[$0]?.isNaN == true }
      }
      guard let first = periods.first, let last = periods.last else { return nil }
      return TimeSeries(
        start: Int64(first) * 3_600_000, target: (first...last).map { early[$0] ?? .nan })
    }
  }

  private static func input(_ numbers: inout Numbers) -> [ForecastTask.Input] {
    var periods = [Int64](repeating: 0, count: 5)
    return (0..<400).map { _ in
      let key = numbers.next(5)
      let gaps = [1, 1, 1, 1, 1, 1, 2, 3, numbers.next(3) == 0 ? 900 : 5]
      periods[key] += Int64(gaps[numbers.next(gaps.count)])
      let value = Double(numbers.next(1_000)) / 10 * (key == 4 ? 1_000 : 1)
      return .init(
        key: "k\(key)", time: periods[key] * 3_600_000 + Int64(numbers.next(3_600_000)),
        value: numbers.next(12) == 0 ? nil : value)
    }
  }

  /// Models come before the first row or later, several at one row, and at rows one after the other.
  @Test(arguments: 1...24) func itIsTheScorerOfEachKey(seed: Int) throws {
    var numbers = Numbers(state: UInt64(seed))
    let input = Self.input(&numbers)
    let models = try [
      ForecastTask.model(1), ForecastTask.model(2, context: 9, prediction: 3),
      ForecastTask.model(3, likelihood: .gaussian), ForecastTask.model(4),
      ForecastTask.model(5, context: 2, prediction: 7),
    ]
    var scorers = models.map { DeepARScorer($0) }
    let deployments = try models.enumerated().map {
      try ForecastTask.deployment([("v\($0)", 1, false, $1)])
    }
    let task = try ForecastTask()
    var active: Int?
    var rows: [ForecastTask.Row] = []
    var owners: [Int?] = []
    while rows.count < input.count {
      let isEarly = active == nil && numbers.next(3) > 0
      switch numbers.next(4) {
      case 0 where !isEarly, 1 where !isEarly:
        for _ in 0...numbers.next(3) {
          let next = numbers.next(models.count)
          try task.activate(deployments[next])
          active = next
        }
      case 2: try task.restart(with: active.map { deployments[$0] })
      default: break
      }
      let length = numbers.next(2) == 0 ? 1 : 1 + numbers.next(60)
      let some = input[rows.count..<min(input.count, rows.count + length)]
      rows += task.rows(Array(some), batchSize: 1 + numbers.next(40))
      owners += repeatElement(active, count: rows.count - owners.count)
    }
    #expect(task.errors.isEmpty)
    var peers: [String: Peer] = [:]
    for (index, row) in rows.enumerated() {
      let expected = try peers[input[index].key, default: Peer()].expect(
        input[index], &scorers, owners[index])
      #expect(row.version == owners[index].map { "load/v\($0)" })
      #expect((row.status == "NO_MODEL") == (owners[index] == nil))
      if let next = row.next {
        let law = try #require(expected?.next)
        #expect(next == [law.mean, law.quantile(0.1), law.quantile(0.95)])
      }
      if let found = row.law {
        let law = try #require(expected?.law)
        #expect(found == [law.mean, law.quantile(0.1), law.quantile(0.95)])
        #expect(row.tail == expected?.tail)
      }
    }
    #expect(rows.count { $0.status == "SCORED" } > 20)
  }

  /// A model that looks further back than the one before it starts from what that one had kept.
  @Test func aLongerContextWaitsForWhatItNeeds() throws {
    let short = try ForecastTask.model(1, context: 6, prediction: 4)
    let long = try ForecastTask.model(2, context: 900, prediction: 4)
    let kept = short.historyLength + 4
    let task = try ForecastTask()
    try task.activate(ForecastTask.deployment([("short", 1, false, short)]))
    let input = (0..<2_000).map {
      ForecastTask.Input(key: "a", time: Int64($0) * 3_600_000, value: 50 + Double($0 % 24))
    }
    _ = task.rows(Array(input[..<1_800]))
    try task.activate(ForecastTask.deployment([("long", 1, false, long)]))
    let rows = task.rows(Array(input[1_800...]))
    let waiting = 900 - kept
    #expect(rows.map(\.status).firstIndex(of: "SCORED") == waiting)
    var scorer = DeepARScorer(long)
    var state = try scorer.makeState(
      TimeSeries(
        start: Int64(1_800 - kept) * 3_600_000,
        target: input[(1_800 - kept)..<1_800].map { Float($0.value ?? 0) }))
    var steps = 0
    for (row, value) in zip(rows, input[1_800...]) {
      let score = try scorer.step(value.value, at: try #require(value.time), state: &state)
      // Both read the context anew every fourth value, but not at the same ones.
      guard row.law != nil, steps < 2 else { continue }
      let mean = try #require(row.law?[0])
      #expect(abs(mean - score.distribution.mean) < 0.05 * score.distribution.mean.magnitude)
      steps += 1
    }
    #expect(steps == 2)
  }

  @Test func theCutOfBatchesChangesNothing() throws {
    var numbers = Numbers(state: 99)
    let input = Self.input(&numbers)
    let bytes = try ForecastTask.deployment(
      [
        ("a", 0.5, false, try ForecastTask.model(1)),
        ("b", 0.5, false, try ForecastTask.model(2)),
      ])
    let rows = try [1, 7, 1_024].map { size in
      let task = try ForecastTask()
      try task.activate(bytes)
      return task.rows(input, batchSize: size)
    }
    #expect(rows[0] == rows[1] && rows[1] == rows[2])
    #expect(Set(rows[0].map(\.variant)).count == 2)
    for key in Set(rows[0].map(\.key)) {
      #expect(Set(rows[0].filter { $0.key == key }.map(\.variant)).count == 1)
    }
  }
}
