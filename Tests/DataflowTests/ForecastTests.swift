import Columns
import Dataflow
import LearnedModels
import StreamSQL
import Testing

private let hour: Int64 = 3_600_000

@Suite struct ForecastTests {
  private func wave(_ hours: Range<Int>, key: String = "a") -> [ForecastTask.Input] {
    hours.map { .init(key: key, time: Int64($0) * hour, value: 10 + Double($0 % 24)) }
  }

  private func champion(_ seed: Int = 1, context: Int = 6) throws -> [UInt8] {
    try ForecastTask.deployment(
      [("champion", 1, false, try ForecastTask.model(seed, context: context))])
  }

  @Test func rowsAreScoredOnceTheirContextIsFull() throws {
    let task = try ForecastTask()
    try task.activate(champion())
    let rows = task.rows(wave(0..<12))
    #expect(
      rows.map(\.status) == Array(repeating: "WARMING_UP", count: 6)
        + Array(repeating: "SCORED", count: 6))
    #expect(rows.map { $0.next != nil } == (0..<12).map { $0 >= 5 })
    #expect(rows.map { $0.tail != nil && $0.law != nil } == (0..<12).map { $0 >= 6 })
    #expect(rows.allSatisfy { $0.version == "load/champion" && $0.variant == "champion" })
    // What was predicted for the next row is what the next row is measured by.
    for (row, next) in zip(rows, rows.dropFirst()) where row.next != nil {
      #expect(row.next == next.law)
    }
    for row in rows {
      guard let next = row.next else { continue }
      #expect(next[1] < next[0] && next[0] < next[2])
    }
    let anomaly = task.rows([.init(key: "a", time: 12 * hour, value: 1_000)])
    #expect(try #require(anomaly[0].tail) < 0.1 * (rows.compactMap(\.tail).min() ?? 0))
  }

  @Test func rowsBeforeTheFirstModelAreItsContext() throws {
    let task = try ForecastTask()
    let before = task.rows(wave(0..<30))
    #expect(before.allSatisfy { $0.status == "NO_MODEL" && $0.version == nil && $0.next == nil })
    try task.restart(with: try champion())
    let after = task.rows(wave(30..<40))
    #expect(after.allSatisfy { $0.status == "SCORED" })
    var scorer = DeepARScorer(try ForecastTask.model(1))
    let state = try scorer.makeState(
      TimeSeries(start: 0, target: wave(0..<30).map { Float($0.value ?? 0) }))
    #expect(after[0].law?[0] == state.next.mean)
  }

  @Test func missingValuesAndGapsAreSaid() throws {
    let task = try ForecastTask()
    try task.activate(champion())
    var input = [ForecastTask.Input(key: "a", time: 0, value: nil)] + wave(1..<8)
    input.append(.init(key: "a", time: 8 * hour, value: nil))
    input += wave(11..<13) + wave(19..<26)
    let rows = task.rows(input)
    let warming = Array(repeating: "WARMING_UP", count: 7)
    // After six hours without a value nothing in the context is known.
    #expect(
      rows.map(\.status) == warming + ["SCORED", "IMPUTED", "SCORED", "SCORED"]
        + warming.dropLast() + ["SCORED"])
    #expect(rows[8].tail == nil && rows[8].law != nil && rows[8].next != nil)
  }

  @Test func badRowsAreRefusedAndTheSeriesGoesOn() throws {
    let task = try ForecastTask()
    try task.activate(champion())
    let good = wave(0..<20)
    var input = good
    input.insert(.init(key: "a", time: 9 * hour + 5, value: 1), at: 10)
    input.insert(.init(key: "a", time: 4 * hour, value: 1), at: 11)
    input.insert(.init(key: "a", time: nil, value: 1), at: 12)
    input.insert(.init(key: "a", time: 50 * hour, value: .infinity), at: 13)
    input.insert(.init(key: "a", time: 50 * hour, value: 1e19), at: 14)
    let rows = task.rows(input)
    let alone = try ForecastTask()
    try alone.activate(champion())
    #expect(rows == alone.rows(good))
    #expect(task.errors.count == 5)
    #expect(task.errors[0].contains("one row per period"))
    #expect(task.errors[2].contains("is NULL") && task.errors[3].contains("X is inf"))

    let counts = try ForecastTask()
    try counts.activate(
      try ForecastTask.deployment(
        [("c", 1, false, try ForecastTask.model(1, likelihood: .negativeBinomial))]))
    _ = counts.rows([.init(key: "a", time: 0, value: 2), .init(key: "a", time: hour, value: -1)])
    #expect(counts.errors.count == 1 && counts.errors[0].contains("counts"))
  }

  @Test func beyondTheLimitOfKeysNothingIsForecast() throws {
    let task = try ForecastTask(keyLimit: 2)
    try task.activate(champion())
    let rows = task.rows(
      ["a", "b", "c", "a"].enumerated().map {
        .init(key: $1, time: Int64($0) * hour, value: 1)
      })
    #expect(rows.map(\.status) == ["WARMING_UP", "WARMING_UP", "NO_MODEL", "WARMING_UP"])
  }

  @Test func aShadowOnlyCounts() throws {
    let task = try ForecastTask()
    try task.activate(
      try ForecastTask.deployment(
        [
          ("champion", 1, false, try ForecastTask.model(1)),
          ("shadow", 1, true, try ForecastTask.model(2)),
        ], alertAbove: 0))
    let alone = try ForecastTask()
    try alone.activate(champion())
    #expect(task.rows(wave(0..<30)) == alone.rows(wave(0..<30)))
    let counters = task.dataflow.variantCounters[0].counters
    #expect(counters.map(\.rows) == [30, 30])
    #expect(counters.allSatisfy { $0.alerts > 20 })
  }

  @Test func whatCannotForecastIsRefused() throws {
    let task = try ForecastTask()
    func refusal(_ bytes: [UInt8]) -> String {
      do {
        try task.activate(bytes)
        return "taken"
      } catch {
        return "\(error)"
      }
    }
    let clusters = try Deployment(variants: [
      Deployment.Variant(
        name: "x", version: "load/9", weight: 1, isShadow: false,
        artifact: LearnedModel.kMeans(KMeansModel(centres: [1], dimensions: 1)).encode())
    ]).encoded()
    #expect(refusal(clusters).contains("ML_PREDICT"))
    let categories = try ForecastTask.model(1, cardinalities: [3])
    let unnamed = refusal(try ForecastTask.deployment([("a", 1, false, categories)]))
    #expect(unnamed.contains("1 categories (of 3 values) and 0 dynamic features"))
    #expect(unnamed.contains("gives it 0 and 0") && unnamed.contains("cardinality=ignore"))
    let mixed = try ForecastTask.deployment(
      [
        ("a", 1, false, try ForecastTask.model(1)),
        ("b", 1, false, try ForecastTask.model(1, frequency: "5min")),
      ])
    #expect(refusal(mixed).contains("5min"))
    #expect(refusal(try champion()) == "taken")
  }

  @Test(arguments: [
    ("ML_FORECAST(CURSOR(SELECT STREAM X FROM S))", "name of an endpoint"),
    ("ML_FORECAST(CURSOR(SELECT STREAM K FROM S), 'e')", "no numeric column"),
    ("ML_FORECAST(CURSOR(SELECT STREAM X, X + 1 AS Y FROM S), 'e')", "finds 2 numeric columns"),
    ("ML_FORECAST(CURSOR(SELECT STREAM X, T FROM S), 'e', target => 'T')", "numeric column"),
    ("ML_FORECAST(CURSOR(SELECT STREAM X FROM S), 'e', target => X)", "constants, not columns"),
    ("ML_FORECAST(CURSOR(SELECT STREAM X FROM S), 'e', time => 'X')", "names a TIMESTAMP"),
    ("ML_FORECAST(CURSOR(SELECT STREAM X FROM S), 'e', lower => 1.5)", "between 0 and 1"),
    ("ML_FORECAST(CURSOR(SELECT STREAM X FROM S), 'e', upper => 0.05)", "must be less than"),
    ("ML_FORECAST(CURSOR(SELECT STREAM X FROM S), 'e', horizon => 3)", "no option horizon"),
    (
      "ML_FORECAST(CURSOR(SELECT STREAM X, P FROM S), 'e', categories => 'P')",
      "'P' is DOUBLE, the columns named here are integer"
    ),
    (
      "ML_FORECAST(CURSOR(SELECT STREAM X, K FROM S), 'e', dynamic_features => 'K')",
      "columns named here are numeric"
    ),
    (
      "ML_FORECAST(CURSOR(SELECT STREAM X, C FROM S), 'e', categories => 'C,, X')",
      "one pair of quotes"
    ),
    ("ML_FORECAST(CURSOR(SELECT STREAM X FROM S), 'e', categories => 'C')", "has no column 'C'"),
    (
      "ML_FORECAST(CURSOR(SELECT STREAM X, C FROM S), 'e', categories => 'C', dynamic_features => 'C')",
      "'C' is named twice"
    ),
    (
      "ML_FORECAST(CURSOR(SELECT STREAM X, C FROM S), 'e', target => 'C', categories => 'C')",
      "outside PARTITION BY, categories and features"
    ),
  ])
  func wrongCallsAreRefused(call: String, message: String) {
    let result = ForecastTask.plan(
      "CREATE STREAM O (S VARCHAR(16)); CREATE PUMP P AS INSERT INTO O SELECT STREAM STATUS "
        + "FROM TABLE(\(call));")
    #expect(result.plan == nil)
    #expect(
      result.diagnostics.contains { $0.message.contains(message) }, "\(result.diagnostics)")
  }

  @Test func aForecastIsKeptByItsKey() throws {
    let plan = try #require(ForecastTask.plan().plan)
    #expect(plan.parallelism == .partitionParallel)
    #expect(plan.endpoints == ["load"])
    let one = ForecastTask.plan(
      "CREATE STREAM O (S VARCHAR(16)); CREATE PUMP P AS INSERT INTO O SELECT STREAM STATUS "
        + "FROM TABLE(ML_FORECAST(CURSOR(SELECT STREAM X FROM S), 'e', time => 'rowtime'));")
    guard case .single = try #require(one.plan).parallelism else {
      Issue.record("a series of all rows needs one task")
      return
    }
  }
}
