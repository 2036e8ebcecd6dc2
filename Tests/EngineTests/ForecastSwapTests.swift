import Engine
import Foundation
import LearnedModels
import Registry
import Testing

/// Forecasters that are exchanged while a pipeline runs: the network's memory comes from the last values.
@Suite struct ForecastSwapTests {
  private static let program = """
    CREATE OR REPLACE STREAM "SCORED" ("n" BIGINT, "expected" DOUBLE, "tail" DOUBLE, "v" VARCHAR(160),
      "s" VARCHAR(16));
    CREATE OR REPLACE PUMP "SCORE_PUMP" AS INSERT INTO "SCORED"
      SELECT STREAM "n", EXPECTED, TAIL_PROBABILITY, "MODEL_VERSION", "STATUS"
      FROM TABLE(ML_FORECAST(
        CURSOR(SELECT STREAM "n", TO_TIMESTAMP("n" * 60000) AS "time" FROM "NUMBERS"), 'numbers',
        time => 'time', target => 'n'));
    """

  private static func model(_ seed: Int) throws -> DeepARModel {
    let shape = DeepARConfiguration(
      frequency: DeepARFrequency(unit: .minute), contextLength: 8, predictionLength: 5, cellCount: 6
    )
    return try DeepARModel(
      configuration: shape,
      weights: (0..<DeepARLayout(shape).weightCount).map { index in
        Float((index * 7_919 + seed * 104_729) % 1_009) / 1_009 - 0.5
      })
  }

  private static func promote(_ bench: PipelineBench, seed: Int) throws {
    let registry = try Registry(folder: bench.folder + "/data/models")
    let job = try registry.begin(
      TrainingJob(
        model: "numbers", pipeline: "", algorithm: "deepar", hyperparameters: [:], seed: 0,
        data: TrainingData(source: "test"), parent: nil, createdAt: 1))
    let version = try registry.complete(
      job, artifact: LearnedModel.deepAR(try model(seed)).encode(), at: 2)
    try registry.deploy(
      "numbers",
      variants: [EndpointVariant(name: "champion", model: "numbers", version: version.version)],
      phase: .inService, reason: "test", by: "test", at: 3)
  }

  private struct Row: Decodable, Hashable {
    let n: Int
    let expected: Double?
    let tail: Double?
    let v: String?
    let s: String
  }

  private static func rows(_ bench: PipelineBench) throws -> [Row] {
    try bench.lines("out").map { try JSONDecoder().decode(Row.self, from: Data($0.utf8)) }
  }

  /// What a scorer says that reads all values and is exchanged at the same rows.
  private static func expect(_ rows: [Row], isEqualToScoringFrom first: Int, second: Int) throws {
    #expect(rows.map(\.n) == Array(0..<rows.count))
    var scorers = try [model(1), model(2)].map { DeepARScorer($0) }
    var state: DeepARState?
    for row in rows {
      guard row.n >= first else {
        #expect(row.s == "NO_MODEL" && row.v == nil)
        continue
      }
      let which = row.n < second ? 0 : 1
      if row.n == first {
        state = try scorers[0].makeState(
          TimeSeries(start: 0, target: (0..<first).map { Float($0) }))
      }
      // Both exchanges may fall on one row: the second follows the first there, as in the pipeline.
      if row.n == second, let old = state {
        state = try scorers[1].makeState(from: old.snapshot)
      }
      var moving = try #require(state)
      let score = try scorers[which].step(
        Double(row.n), at: Int64(row.n) * 60_000, state: &moving)
      state = moving
      #expect(row.s == "SCORED" && row.v == "numbers/\(which + 1)")
      #expect(row.expected == score.distribution.mean && row.tail == score.tailProbability)
    }
  }

  /// The second exchange comes among the records, or before any record came after the first.
  @Test(arguments: [2_000, 100]) func everyRowIsScoredOnceAcrossASwap(last: Int) async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let daemon = try bench.daemon(bench.plan(Self.program, stream: "SCORED"))
    async let result = daemon.run()
    try bench.produceNumbers(0..<100)
    try await SwapTests.taken(daemon, 100)
    try Self.promote(bench, seed: 1)
    let first = try await SwapTests.activation(daemon, 1)
    try bench.produceNumbers(100..<last)
    try Self.promote(bench, seed: 2)
    let second = try await SwapTests.activation(daemon, 2)
    try bench.produceNumbers(last..<2_100)
    try await SwapTests.taken(daemon, 2_100)
    daemon.stop()
    #expect(try await result)
    let rows = try Self.rows(bench)
    #expect(rows.count == 2_100)
    try Self.expect(
      rows, isEqualToScoringFrom: Int(first.rowNumber), second: Int(second.rowNumber))
  }

  /// The disk refuses a write after the swap: replay meets the same memory at the same row.
  @Test(arguments: [5, 7]) func replayRebuildsTheMemory(failAt: Int) async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try Self.promote(bench, seed: 1)
    let plan = try bench.plan(Self.program, stream: "SCORED")
    let daemon = bench.daemon(plan, disk: FailingDisk(failAt: failAt))
    async let result = daemon.run()
    try bench.produceNumbers(0..<300)
    try Self.promote(bench, seed: 2)
    let swapped = try await bench.produceNumbers(from: 300, to: daemon) {
      daemon.activations.count >= 2
    }
    let last = try await bench.produceNumbers(from: swapped, to: daemon) { false } + 100
    daemon.stop()
    #expect(try await !result)
    try bench.produceNumbers(last - 100..<last)
    let again = bench.daemon(plan)
    #expect(try await bench.run(again, until: Int64(last)))
    let rows = try Self.rows(bench)
    #expect(rows.map(\.n) == Array(0..<last))
    let second = try #require(rows.firstIndex { $0.v == "numbers/2" })
    var scorers = try [Self.model(1), Self.model(2)].map { DeepARScorer($0) }
    var state = scorers[0].emptyState()
    for row in rows {
      if row.n == second { state = try scorers[1].makeState(from: state.snapshot) }
      let score = try scorers[row.n < second ? 0 : 1].step(
        Double(row.n), at: Int64(row.n) * 60_000, state: &state)
      #expect(row.s == (row.n < 8 ? "WARMING_UP" : "SCORED"))
      if row.n >= 8 {
        #expect(row.expected == score.distribution.mean && row.tail == score.tailProbability)
      }
    }
  }
}
