import Dataflow
import LearnedModels
import Testing

/// ML_FORECAST with categories and dynamic features.
@Suite struct ForecastFeatureTests {
  private struct Numbers {
    var state: UInt64

    mutating func next(_ limit: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(limit))
    }
  }

  /// Rows of five keys with categories of their own, a gap now and then.
  private static func input(_ numbers: inout Numbers, count: Int = 300) -> [ForecastTask.Input] {
    var periods = [Int64](repeating: 0, count: 5)
    return (0..<count).map { _ in
      let key = numbers.next(5)
      periods[key] += Int64([1, 1, 1, 1, 1, 2, 3, 9][numbers.next(8)])
      return .init(
        key: "k\(key)", time: periods[key] * 3_600_000,
        value: numbers.next(12) == 0 ? nil : Double(numbers.next(1_000)) / 10,
        category: Int64(key % 3), feature: Double(numbers.next(100)) / 50)
    }
  }

  private static func deployment(_ model: DeepARModel, _ name: String = "m") throws -> [UInt8] {
    try ForecastTask.deployment([(name, 1, false, model)])
  }

  /// One key, scored by a scorer that is given categories and features as the model wants them.
  private struct Peer {
    var state: DeepARState?
    var model: Int?
    var early: [ForecastTask.Input] = []

    mutating func expect(
      _ input: ForecastTask.Input, _ scorers: inout [DeepARScorer], _ active: Int?
    ) throws -> DeepARScore? {
      let time = try #require(input.time)
      guard let active else {
        early.append(input)
        return nil
      }
      let shape = scorers[active].model.configuration
      let categories =
        shape.cardinalities.isEmpty ? [] : [Int(try #require(input.category))]
      let hasFeatures = shape.dynamicFeatureCount > 0
      if model == nil, let series = Self.series(early, categories, hasFeatures) {
        state = try scorers[active].makeState(series)
      }
      if let old = state, let model, model != active {
        var snapshot = old.snapshot
        snapshot.categories = categories
        state =
          hasFeatures && snapshot.features.isEmpty
          ? nil : try scorers[active].makeState(from: snapshot)
      }
      model = active
      if state == nil, input.value == nil { return nil }
      var moving = state ?? scorers[active].emptyState(categories: categories)
      let score = try scorers[active].step(
        input.value, at: time, features: hasFeatures ? [Float(try #require(input.feature))] : [],
        state: &moving)
      state = moving
      return score
    }

    private static func series(
      _ rows: [ForecastTask.Input], _ categories: [Int], _ hasFeatures: Bool
    ) -> TimeSeries? {
      let known = rows.drop { $0.value == nil }
      guard let first = known.first?.time else { return nil }
      var series = TimeSeries(
        start: first, target: [], categories: categories, dynamicFeatures: hasFeatures ? [[]] : [])
      for row in known {
        while series.target.count < Int(((row.time ?? 0) - first) / 3_600_000) {
          series.target.append(.nan)
          if hasFeatures { series.dynamicFeatures[0].append(series.dynamicFeatures[0].last ?? 0) }
        }
        series.target.append(row.value.map { Float($0) } ?? .nan)
        if hasFeatures { series.dynamicFeatures[0].append(Float(row.feature ?? 0)) }
      }
      return series
    }
  }

  @Test func itIsTheScorerOfEachKey() throws {
    let compared = try (1...12).map { try Self.compare(seed: $0) }
    #expect(compared.reduce(0, +) > 240, "rows with a forecast by seed: \(compared)")
  }

  /// - Returns: How many rows had a forecast.
  private static func compare(seed: Int) throws -> Int {
    var numbers = Numbers(state: UInt64(seed))
    let input = Self.input(&numbers)
    let models = try [
      ForecastTask.model(1, cardinalities: [3], features: 1),
      ForecastTask.model(2, context: 8, prediction: 3, cardinalities: [4], features: 1),
      ForecastTask.model(3, features: 1), ForecastTask.model(4, cardinalities: [3]),
      ForecastTask.model(5),
    ]
    var scorers = models.map { DeepARScorer($0) }
    let deployments = try models.enumerated().map { try Self.deployment($1, "v\($0)") }
    let task = try ForecastTask(program: ForecastTask.featured)
    var active: Int?
    var rows: [ForecastTask.Row] = []
    var owners: [Int?] = []
    while rows.count < input.count {
      if numbers.next(4) == 0, active != nil || rows.count > 30 {
        let next = numbers.next(models.count)
        try task.activate(deployments[next])
        active = next
      } else if numbers.next(4) == 0 {
        try task.restart(with: active.map { deployments[$0] })
      }
      let length = 1 + numbers.next(40)
      let some = input[rows.count..<min(input.count, rows.count + length)]
      rows += task.rows(Array(some), batchSize: 1 + numbers.next(20))
      owners += repeatElement(active, count: rows.count - owners.count)
    }
    #expect(task.errors.isEmpty, "\(task.errors.first ?? "")")
    var peers: [String: Peer] = [:]
    for (index, row) in rows.enumerated() {
      let expected = try peers[input[index].key, default: Peer()].expect(
        input[index], &scorers, owners[index])
      #expect((row.status == "NO_MODEL") == (owners[index] == nil))
      // What comes next depends on features that are not known yet.
      if let owner = owners[index], models[owner].configuration.dynamicFeatureCount > 0 {
        #expect(row.next == nil)
      }
      guard let found = row.law else { continue }
      let law = try #require(expected?.distribution)
      #expect(found == [law.mean, law.quantile(0.1), law.quantile(0.95)])
      #expect(row.tail == expected?.tailProbability, "seed \(seed)")
    }
    return rows.count { $0.law != nil }
  }

  /// A category that came after the training waits for a model that knows it.
  @Test func anUnknownCategoryHasNoModelUntilOneKnowsIt() throws {
    let task = try ForecastTask(program: ForecastTask.featured)
    try task.activate(
      Self.deployment(try ForecastTask.model(1, cardinalities: [2], features: 1)))
    func rows(_ hours: Range<Int>) -> [ForecastTask.Input] {
      hours.flatMap { hour in
        (0..<2).map { key in
          ForecastTask.Input(
            key: "k\(key)", time: Int64(hour) * 3_600_000, value: Double(hour % 5),
            category: Int64(key + 1), feature: Double(hour % 3))
        }
      }
    }
    let before = task.rows(rows(0..<20))
    #expect(before.suffix(2).map(\.status) == ["SCORED", "NO_MODEL"])
    #expect(before.allSatisfy { ($0.version == nil) == ($0.key == "k1") })
    let wider = try Self.deployment(try ForecastTask.model(1, cardinalities: [3], features: 1))
    try task.restart(with: wider)
    let after = task.rows(rows(20..<22))
    #expect(after.map(\.status) == ["SCORED", "SCORED", "SCORED", "SCORED"])
    #expect(task.errors.isEmpty)
    // A model that knows less keeps what it cannot use for the next one.
    try task.activate(
      Self.deployment(try ForecastTask.model(2, cardinalities: [2], features: 1)))
    #expect(task.rows(rows(22..<24)).map(\.status) == ["SCORED", "NO_MODEL", "SCORED", "NO_MODEL"])
    try task.activate(wider)
    #expect(task.rows(rows(24..<25)).map(\.status) == ["SCORED", "SCORED"])
  }

  @Test func badRowsAreRefusedAndTheSeriesGoesOn() throws {
    let task = try ForecastTask(program: ForecastTask.featured)
    let bytes = try Self.deployment(try ForecastTask.model(1, cardinalities: [3], features: 1))
    try task.activate(bytes)
    var numbers = Numbers(state: 3)
    let good = Self.input(&numbers, count: 60)
    var input = good
    var bad = good[30]
    bad.category = 2 - (bad.category ?? 0)
    if bad.category == good[30].category { bad.category = 0 }
    input.insert(bad, at: 30)
    bad = good[30]
    bad.category = nil
    input.insert(bad, at: 30)
    bad = ForecastTask.Input(key: "new", time: 0, value: 1, category: -1, feature: 0)
    input.insert(bad, at: 30)
    bad = good[30]
    bad.feature = nil
    input.insert(bad, at: 30)
    bad.feature = .infinity
    input.insert(bad, at: 30)
    let rows = task.rows(input)
    let alone = try ForecastTask(program: ForecastTask.featured)
    try alone.activate(bytes)
    #expect(rows == alone.rows(good))
    let expected = [
      "P is inf", "P is NULL", "C is -1", "C is NULL", "a series has one category of each field",
    ]
    #expect(task.errors.count == expected.count)
    for (error, part) in zip(task.errors, expected) { #expect(error.contains(part)) }
  }

  @Test func aModelOfOtherFeaturesIsRefused() throws {
    let task = try ForecastTask(program: ForecastTask.featured)
    let error = #expect(throws: (any Error).self) {
      try task.activate(
        Self.deployment(try ForecastTask.model(1, cardinalities: [3, 2], features: 1)))
    }
    let text = "\(error.map { "\($0)" } ?? "")"
    #expect(text.contains("2 categories (of 3, 2 values) and 1 dynamic features"), "\(text)")
    #expect(text.contains("gives it 1 and 1"))
  }
}
