import Engine
import Foundation
import LearnedModels
import Registry
import Testing

/// Models that are exchanged while a pipeline runs.
@Suite struct SwapTests {
  static let program = """
    CREATE OR REPLACE STREAM "SCORED" ("n" BIGINT, "v" VARCHAR(160), "s" VARCHAR(16));
    CREATE OR REPLACE PUMP "SCORE_PUMP" AS INSERT INTO "SCORED"
      SELECT STREAM "n", "MODEL_VERSION", "STATUS"
      FROM TABLE(ML_PREDICT(CURSOR(SELECT STREAM "n" FROM "NUMBERS"), 'cells'));
    """

  /// A version of the model `cells` that serves the endpoint from now on.
  static func promote(_ bench: PipelineBench, centres: [Float], dimensions: Int = 1) throws {
    let registry = try Registry(folder: bench.folder + "/data/models")
    let job = try registry.begin(
      TrainingJob(
        model: "cells", pipeline: "", algorithm: "kmeans", hyperparameters: [:], seed: 0,
        data: TrainingData(source: "test"), parent: nil, createdAt: 1))
    let model = LearnedModel.kMeans(KMeansModel(centres: centres, dimensions: dimensions))
    let version = try registry.complete(job, artifact: model.encode(), at: 2)
    try registry.deploy(
      "cells",
      variants: [EndpointVariant(name: "champion", model: "cells", version: version.version)],
      phase: .inService, reason: "test", by: "test", at: 3)
  }

  /// The rows as (number, version, status).
  static func rows(_ bench: PipelineBench) throws -> [(n: Int, version: String, status: String)] {
    try bench.lines("out").map { line in
      let object = DaemonTests.object(line)
      return (
        object["n"] as? Int ?? -1, object["v"] as? String ?? "-", object["s"] as? String ?? "-"
      )
    }
  }

  /// Waits for the daemon's n-th activation.
  static func activation(_ daemon: Daemon, _ count: Int) async throws -> EndpointActivation {
    try await PipelineBench.nth(count, of: daemon) { $0.activations }
  }

  static func taken(_ daemon: Daemon, _ count: Int64) async throws {
    await PipelineBench.wait(for: daemon) {
      daemon.statuses.flatMap(\.tasks.values).reduce(0) { $0 + $1.counters.polled } >= count
    }
  }

  @Test func everyRowIsScoredOnceAcrossSwaps() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let daemon = try bench.daemon(bench.plan(Self.program, stream: "SCORED"))
    async let result = daemon.run()
    try bench.produceNumbers(0..<500)
    try await Self.taken(daemon, 500)
    try Self.promote(bench, centres: [0])
    let first = try await Self.activation(daemon, 1)
    try bench.produceNumbers(500..<20_000)
    try Self.promote(bench, centres: [0, 100])
    let second = try await Self.activation(daemon, 2)
    try bench.produceNumbers(20_000..<20_500)
    try await Self.taken(daemon, 20_500)
    daemon.stop()
    #expect(try await result)
    let rows = try Self.rows(bench)
    #expect(rows.map(\.n) == Array(0..<20_500))
    for row in rows {
      let expected =
        row.n < Int(first.rowNumber) ? "-" : row.n < Int(second.rowNumber) ? "cells/1" : "cells/2"
      #expect(row.version == expected && (row.status == "NO_MODEL") == (expected == "-"))
    }
    #expect(first.rowNumber == 500)
  }

  /// The disk refuses its n-th write after the swap: replay meets the same model at the same row.
  @Test(arguments: 4...9) func replayMeetsTheSwapAtItsRow(failAt: Int) async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try Self.promote(bench, centres: [0])
    let plan = try bench.plan(Self.program, stream: "SCORED")
    let daemon = bench.daemon(plan, disk: FailingDisk(failAt: failAt))
    async let result = daemon.run()
    try bench.produceNumbers(0..<300)
    try Self.promote(bench, centres: [0, 100])
    let swapped = try await bench.produceNumbers(from: 300, to: daemon) {
      daemon.activations.count >= 2
    }
    let last = try await bench.produceNumbers(from: swapped, to: daemon) { false } + 100
    daemon.stop()
    #expect(try await !result)
    try bench.produceNumbers(last - 100..<last)
    let again = bench.daemon(plan)
    let isFine = try await bench.run(again, until: Int64(last))
    #expect(isFine, "\(again.statuses.map(\.problem))")
    let rows = try Self.rows(bench)
    let isWhole = rows.map(\.n) == Array(0..<last)
    #expect(isWhole)
    #expect(rows.allSatisfy { $0.status == "SCORED" })
    let versions = rows.map(\.version)
    #expect(versions == versions.sorted() && versions.last == "cells/2")
  }

  @Test func aModelOfOtherFeaturesIsRefusedAndTheChampionGoesOn() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try Self.promote(bench, centres: [0])
    let daemon = try bench.daemon(bench.plan(Self.program, stream: "SCORED"))
    async let result = daemon.run()
    _ = try await Self.activation(daemon, 1)
    try Self.promote(bench, centres: [1, 2, 3, 4], dimensions: 2)
    let registry = try Registry(folder: bench.folder + "/data/models")
    await PipelineBench.wait(for: daemon) {
      (try? registry.audit())?.contains { $0.action == "refuse" } ?? false
    }
    try bench.produceNumbers(0..<100)
    try await Self.taken(daemon, 100)
    daemon.stop()
    #expect(try await result)
    #expect(try Self.rows(bench).allSatisfy { $0.version == "cells/1" })
    let refusal = try registry.audit().last { $0.action == "refuse" }
    #expect(refusal?.detail.contains("2 features") == true)
  }
}
