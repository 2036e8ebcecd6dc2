import Engine
import Foundation
import LearnedModels
import RandomCutForest
import Registry
import Testing

/// Pipelines whose forests begin with one that was trained before.
@Suite struct SeededPipelineTests {
  private static let program = """
    CREATE OR REPLACE STREAM "SCORED" ("n" BIGINT, "score" DOUBLE);
    CREATE OR REPLACE PUMP "SCORE_PUMP" AS INSERT INTO "SCORED" SELECT STREAM "n", ANOMALY_SCORE
      FROM TABLE(RANDOM_CUT_FOREST(CURSOR(SELECT STREAM "n" FROM "NUMBERS"), 20, 64, 1000, 1));
    """
  private static let seeds = "seed_forests: {SCORE_PUMP: numbers-forest}"

  private static func forest(trees: Int = 20, seed: UInt64 = 2) throws -> FrozenForest {
    var random = SplitMix64(seed: seed)
    var forest = try RandomCutForest(
      ForestConfiguration(
        dimensions: 1, sampleSize: 64, numberOfTrees: trees, timeDecay: 0, outputAfter: 1))
    for tree in 0..<trees {
      for _ in 0..<64 { try forest.learn([Float(random.uniform() * 700)].span, inTree: tree) }
    }
    return FrozenForest(forest, scoreMean: 1, scoreDeviation: 0.1)
  }

  private static func promote(_ bench: PipelineBench, _ model: FrozenForest) throws {
    let registry = try Registry(folder: bench.folder + "/data/models")
    let job = try registry.begin(
      TrainingJob(
        model: "numbers-forest", pipeline: "", algorithm: "randomcutforest", hyperparameters: [:],
        seed: 0, data: TrainingData(source: "test"), parent: nil, createdAt: 1))
    let version = try registry.complete(
      job, artifact: LearnedModel.randomCutForest(model).encode(), at: 2)
    try registry.deploy(
      "numbers-forest",
      variants: [
        EndpointVariant(name: "champion", model: "numbers-forest", version: version.version)
      ], phase: .inService, reason: "test", by: "test", at: 3)
  }

  /// What a trained forest says of the numbers when it goes on by itself.
  private static func expected(_ count: Int, seed: UInt64 = 2) throws -> [Double] {
    var forest = try forest(seed: seed).makeStreamingForest(timeDecay: 1.0 / 1_000)
    var scores: [Double] = []
    for number in 0..<count { scores.append(try forest.scoreAndUpdate([Float(number)].span)) }
    return scores
  }

  /// The scores in their order; Foundation reads 17 digits only nearly, so the text is read here.
  private static func scores(_ bench: PipelineBench) throws -> [Double] {
    try bench.lines("out").map { line in
      let text = try #require(line.split(separator: ":").last).dropLast()
      return try #require(Double(text), "\(line)")
    }
  }

  /// A version that is promoted later does not touch the forest that lives.
  @Test func everyRowIsScoredFromTheFirstOnByTheForestThatServedThen() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try Self.promote(bench, Self.forest())
    let daemon = try bench.daemon(
      bench.plan(Self.program, stream: "SCORED", extra: Self.seeds))
    async let result = daemon.run()
    try bench.produceNumbers(0..<400)
    try await SwapTests.taken(daemon, 400)
    try Self.promote(bench, Self.forest(seed: 3))
    _ = try await SwapTests.activation(daemon, 2)
    try bench.produceNumbers(400..<700)
    try await SwapTests.taken(daemon, 700)
    daemon.stop()
    #expect(try await result)
    #expect(try Self.scores(bench) == Self.expected(700))
  }

  /// The disk refuses its n-th write: replay begins with the forest that the rows which left met,
  /// though another one serves now.
  @Test(arguments: 3...8) func aCrashChangesNothing(failAt: Int) async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try Self.promote(bench, Self.forest())
    let plan = try bench.plan(Self.program, stream: "SCORED", extra: Self.seeds)
    try bench.produceNumbers(0..<400)
    _ = try await bench.run(bench.daemon(plan, disk: FailingDisk(failAt: failAt)), until: 400)
    let haveLeft = try !Self.scores(bench).isEmpty
    try Self.promote(bench, Self.forest(seed: 3))
    try bench.produceNumbers(400..<700)
    let isFine = try await bench.run(bench.daemon(plan), until: 700)
    #expect(isFine)
    let scores = try Self.scores(bench)
    let isOfTheFirst = try scores == Self.expected(700)
    #expect(try isOfTheFirst || !haveLeft && scores == Self.expected(700, seed: 3))
  }

  @Test func aForestOfAnotherShapeIsRefusedAndTheStreamWarmsUp() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try Self.promote(bench, Self.forest(trees: 30))
    let plan = try bench.plan(Self.program, stream: "SCORED", extra: Self.seeds)
    try bench.produceNumbers(0..<100)
    let isFine = try await bench.run(bench.daemon(plan), until: 100)
    #expect(isFine)
    #expect(try Self.scores(bench)[..<64].allSatisfy { $0 == 0 })
    let audit = try Registry(folder: bench.folder + "/data/models").audit()
    #expect(audit.contains { $0.action == "refuse" && $0.detail.contains("30 trees") })
  }

  @Test func aPumpWithoutAForestIsRefusedWithItsPlace() throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let error = #expect(throws: ConfigurationRefused.self) {
      try bench.plan(Self.program, stream: "SCORED", extra: "seed_forests: {SCORE_PMP: f}")
    }
    let problem = try #require(error?.problems.first)
    #expect(problem.message.contains("no started pump 'SCORE_PMP'") && problem.line > 10)
    #expect(problem.hint == "did you mean SCORE_PUMP?")
  }
}
