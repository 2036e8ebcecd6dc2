import Columns
import Dataflow
import LearnedModels
import StreamSQL
import Testing

/// A task that asks the endpoint `cells`.
final class PredictTask {
  static let program = """
    CREATE STREAM O (K VARCHAR(8), X DOUBLE, CLOSEST_CLUSTER INTEGER, D DOUBLE, V VARCHAR(160),
      W VARCHAR(64), STATUS VARCHAR(16));
    CREATE PUMP P AS INSERT INTO O SELECT STREAM K, X, CLOSEST_CLUSTER, DISTANCE_TO_CLUSTER,
      MODEL_VERSION, VARIANT, STATUS
    FROM TABLE(ML_PREDICT(CURSOR(SELECT STREAM K, X FROM S) PARTITION BY K, 'cells'));
    """
  static let schema = Schema([
    ColumnDefinition(name: "K", type: .varchar(8)), ColumnDefinition(name: "X", type: .double),
  ])
  let dataflow: Dataflow
  var pool = StringPool()
  var cause: Int64 = 0

  static func plan(_ program: String = program) -> CompileResult {
    compile(
      program, file: "p.sql", sources: [SourceStream(name: "S", schema: schema, key: "K")],
      options: CompileOptions())
  }

  init() throws {
    let plan = try #require(Self.plan().plan)
    dataflow = try Dataflow(plan: plan, configuration: DataflowConfiguration(watched: ["O"]))
  }

  static func clusters(_ centres: [Float]) -> [UInt8] {
    LearnedModel.kMeans(KMeansModel(centres: centres, dimensions: 1)).encode()
  }

  static func deployment(
    _ variants: [(String, weight: Double, isShadow: Bool, [Float])], alertAbove: Double? = nil
  ) throws -> [UInt8] {
    try Deployment(
      variants: variants.map { name, weight, isShadow, centres in
        try Deployment.Variant(
          name: name, version: "cells/\(centres.count)", weight: weight, isShadow: isShadow,
          artifact: clusters(centres))
      }, alertAbove: alertAbove
    ).encoded()
  }

  func activate(_ bytes: [UInt8]) throws {
    let slot = Dataflow.slot(ofEndpoint: "cells")
    try dataflow.activate(slot, dataflow.value(of: slot, bytes: bytes), pool: &pool)
  }

  /// What comes out for rows: `key x cluster distance version variant status`.
  func rows(_ input: [(String, Double)], batchSize: Int = 1_024) -> [String] {
    var lines: [String] = []
    for start in stride(from: 0, to: input.count, by: batchSize) {
      var batch = Batch(schema: Self.schema)
      for (key, value) in input[start..<min(input.count, start + batchSize)] {
        batch.rowtimes.append(cause)
        batch.causes.append(cause)
        batch.columns[0].append(pool.intern(key))
        batch.columns[1].append(value)
        cause += 1
      }
      var output = dataflow.makeOutput()
      dataflow.process(&batch, source: 0, pool: &pool, output: &output)
      let rows = output.streams[0].batch
      for row in 0..<rows.count {
        lines.append(
          rows.columns.map { column in
            if column.nulls[row] { return "-" }
            switch column.type.storage {
            case .integer: return "\(column.integers[row])"
            case .floating: return "\(column.doubles[row])"
            case .text: return pool.string(column.texts[row])
            }
          }.joined(separator: " "))
      }
    }
    return lines
  }
}

@Suite struct PredictTests {
  @Test func rowsAreDeliveredWithoutAModelAndScoredFromTheActivationOn() throws {
    let task = try PredictTask()
    #expect(task.dataflow.slots == ["endpoint/cells"])
    #expect(task.rows([("a", 1)]) == ["a 1.0 - - - - NO_MODEL"])
    try task.activate(PredictTask.deployment([("champion", 1, false, [0, 10])]))
    #expect(
      task.rows([("a", 1), ("b", 8)]) == [
        "a 1.0 0 1.0 cells/2 champion SCORED", "b 8.0 1 2.0 cells/2 champion SCORED",
      ])
    try task.activate(PredictTask.deployment([("champion", 1, false, [0, 10, 8])]))
    #expect(task.rows([("b", 8)]) == ["b 8.0 2 0.0 cells/3 champion SCORED"])
  }

  @Test func aKeySticksToItsVariantAndTheSharesFollowTheWeights() throws {
    let task = try PredictTask()
    try task.activate(
      PredictTask.deployment([("a", 0.75, false, [0]), ("b", 0.25, false, [0, 1])]))
    let keys = (0..<2_000).map { ("k\($0)", 0.5) }
    let first = task.rows(keys)
    #expect(task.rows(keys, batchSize: 7) == first)
    let share = Double(first.count { $0.contains(" b ") }) / 2_000
    #expect(abs(share - 0.25) < 0.04)
  }

  @Test func aShadowOnlyCounts() throws {
    let task = try PredictTask()
    try task.activate(
      PredictTask.deployment(
        [("champion", 1, false, [0]), ("shadow", 1, true, [100])], alertAbove: 50))
    let rows = task.rows([("a", 1), ("b", 2), ("c", 90)])
    #expect(rows.allSatisfy { $0.contains(" champion ") })
    let counters = task.dataflow.variantCounters[0].counters
    #expect(counters.map(\.rows) == [3, 3])
    #expect(counters.map(\.alerts) == [1, 2])
    #expect(counters.map(\.isShadow) == [false, true])
  }

  @Test func whatDoesNotFitIsRefusedAndTheChampionStays() throws {
    let task = try PredictTask()
    try task.activate(PredictTask.deployment([("champion", 1, false, [0, 10])]))
    let wide = try Deployment(variants: [
      Deployment.Variant(
        name: "x", version: "cells/9", weight: 1, isShadow: false,
        artifact: LearnedModel.kMeans(KMeansModel(centres: [1, 2], dimensions: 2)).encode())
    ]).encoded()
    let error = #expect(throws: DataflowError.self) { try task.activate(wide) }
    #expect(error?.description.contains("2 features") == true)
    var damaged = try PredictTask.deployment([("champion", 1, false, [0, 10])])
    damaged[damaged.count - 3] ^= 1
    #expect(throws: (any Error).self) { try task.activate(damaged) }
    #expect(throws: (any Error).self) { try task.activate(Array(damaged.prefix(40))) }
    #expect(throws: (any Error).self) { try task.activate([]) }
    #expect(task.rows([("a", 1)]) == ["a 1.0 0 1.0 cells/2 champion SCORED"])
  }

  @Test func aDeploymentIsReadAsItWasWritten() throws {
    let bytes = try PredictTask.deployment(
      [("a", 0.5, false, [1]), ("b", 2, true, [2, 3])], alertAbove: 4)
    #expect(try Deployment(decoding: bytes).encoded() == bytes)
    #expect(throws: DataflowError.self) {
      try PredictTask.deployment([("a", 1, true, [1])])
    }
    #expect(throws: DataflowError.self) {
      try PredictTask.deployment([("a", .infinity, false, [1])])
    }
  }

  @Test(arguments: [
    ("ML_PREDICT(CURSOR(SELECT STREAM X FROM S))", "name of an endpoint"),
    ("ML_PREDICT(CURSOR(SELECT STREAM X FROM S), 3)", "name of an endpoint"),
    ("ML_PREDICT(CURSOR(SELECT STREAM K FROM S), 'e')", "no numeric column"),
    ("ML_PREDICT(CURSOR(SELECT STREAM X FROM S), 'e', 'f')", "name of an endpoint"),
    ("ML_PREDICT(CURSOR(SELECT STREAM X FROM S), a => 'e')", "positional"),
  ])
  func wrongCallsAreRefused(call: String, message: String) {
    let result = PredictTask.plan(
      "CREATE STREAM O (S VARCHAR(16)); CREATE PUMP P AS INSERT INTO O SELECT STREAM STATUS "
        + "FROM TABLE(\(call));")
    #expect(result.plan == nil)
    #expect(result.diagnostics.contains { $0.message.contains(message) })
  }

  @Test func aPredictionKeepsPartitionsApart() throws {
    let plan = try #require(PredictTask.plan().plan)
    #expect(plan.parallelism == .partitionParallel)
    #expect(plan.endpoints == ["cells"])
  }
}
