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
    var model = -1

    mutating func expect(
      _ input: ForecastTask.Input, _ scorers: inout [DeepARScorer], _ active: Int
    ) throws -> (law: DeepARDistribution, tail: Double?, next: DeepARDistribution)? {
      guard let time = input.time else { return nil }
      if state == nil, input.value == nil { return nil }
      if let old = state, model != active {
        state = try scorers[active].makeState(from: old.snapshot)
      }
      model = active
      var moving = try state ?? scorers[active].makeState(TimeSeries(start: time, target: []))
      let score = try scorers[active].step(input.value, at: time, state: &moving)
      state = moving
      return (score.distribution, score.tailProbability, moving.next)
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

  @Test(arguments: 1...6) func itIsTheScorerOfEachKey(seed: Int) throws {
    var numbers = Numbers(state: UInt64(seed))
    let input = Self.input(&numbers)
    let models = try [
      ForecastTask.model(1), ForecastTask.model(2, context: 9, prediction: 3),
      ForecastTask.model(3, likelihood: .gaussian),
    ]
    var scorers = models.map { DeepARScorer($0) }
    let deployments = try models.enumerated().map {
      try ForecastTask.deployment([("v\($0)", 1, false, $1)])
    }
    let task = try ForecastTask()
    var active = 0
    try task.activate(deployments[0])
    var rows: [ForecastTask.Row] = []
    var owners: [Int] = []
    while rows.count < input.count {
      switch numbers.next(4) {
      case 0:
        active = numbers.next(models.count)
        try task.activate(deployments[active])
      case 1: try task.restart(with: deployments[active])
      default: break
      }
      let some = input[rows.count..<min(input.count, rows.count + 1 + numbers.next(60))]
      rows += task.rows(Array(some), batchSize: 1 + numbers.next(40))
      owners += repeatElement(active, count: rows.count - owners.count)
    }
    #expect(task.errors.isEmpty)
    var peers: [String: Peer] = [:]
    for (index, row) in rows.enumerated() {
      let expected = try peers[input[index].key, default: Peer()].expect(
        input[index], &scorers, owners[index])
      #expect(row.version == "load/v\(owners[index])")
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
    #expect(rows.count { $0.status == "SCORED" } > 100)
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
