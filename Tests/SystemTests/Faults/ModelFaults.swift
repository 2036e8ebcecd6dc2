import Foundation
import RimSupport
import Testing

extension Faults {
  @Suite("Fault 17: far more keys than memory has room for", .timeLimit(.minutes(60)))
  struct Fault17 {
    private static let hotKeys = 20
    private static let partitions = 16
    private static let scale =
      Faults.areLong
      ? Scale(
        keys: 2_000_000, keysPerRound: 40_000, models: 30_000, budget: "512MiB", trees: 50,
        sample: 256)
      : Scale(
        keys: 12_000, keysPerRound: 4_000, models: 3_000, budget: "8MiB", trees: 10, sample: 16)

    private struct Scale {
      let keys: Int
      let keysPerRound: Int
      let models: Int
      let budget: String
      let trees: Int
      let sample: Int
      /// Of so many cold rows one is looked at.
      var stride: Int { keys / 2_000 }
    }

    /// The scores of hot keys, and one of many rows of the others.
    private static var application: String {
      """
      CREATE OR REPLACE STREAM "SCORED" ("k" VARCHAR(16), "n" BIGINT, "score" DOUBLE,
        "status" VARCHAR(16));
      CREATE OR REPLACE STREAM "OUT" ("k" VARCHAR(16), "n" BIGINT, "score" DOUBLE,
        "status" VARCHAR(16));
      CREATE OR REPLACE PUMP "P" AS INSERT INTO "SCORED"
        SELECT STREAM "k", "n", ANOMALY_SCORE, STATUS FROM TABLE(RANDOM_CUT_FOREST(
          CURSOR(SELECT STREAM "k", "n" FROM "NUMBERS")
          PARTITION BY "k", \(scale.trees), \(scale.sample), 1000, 1));
      CREATE OR REPLACE PUMP "Q" AS INSERT INTO "OUT" SELECT STREAM * FROM "SCORED"
        WHERE "k" LIKE 'hot%' OR MOD("n", \(scale.stride)) = 0;
      """
    }

    private static func pipeline(_ name: String) -> String {
      Faults.pipeline(
        application, name: name, topic: name, to: "file://./\(name)",
        extra: "limits: {models: \(scale.models), model_memory: \(scale.budget)}")
    }

    /// Some rows of every hot key; their numbers are none of those that are looked at for the others.
    private static func hotRows(_ round: Int) -> [String] {
      (0..<10).flatMap { step in
        (0..<hotKeys).map { key in
          let value = (round * 10 + step) * 37 % 101 * scale.stride + 1
          return Faults.record(value, key: "hot\(key)")
        }
      }
    }

    private static func hot(_ rows: [String]) -> [String] { rows.filter { $0.contains("\"hot") } }

    @Test func hotKeysScoreAsIfTheOthersWereNotThere() async throws {
      let scale = Self.scale
      // A partition of the embedded broker keeps 5 MB; after the kill all since the snapshot is read again.
      let stage = try Stage(topics: ["calm": 1, "crowded": Self.partitions])
      let rounds = scale.keys / scale.keysPerRound
      let calm = try stage.daemon(stage.write(Self.pipeline("calm"), to: "calm.yaml"))
      let file = try stage.write(Self.pipeline("crowded"), to: "crowded.yaml")
      try stage.write("log: {status: 1s}", to: "cutbank.yaml")
      var crowded = try stage.daemon(file, arguments: ["--config", "cutbank.yaml"])
      var peak = 0
      for round in 0..<rounds {
        let hot = Self.hotRows(round)
        try stage.produce(hot, to: "calm")
        let partition = round % Self.partitions
        try stage.produce(hot, to: "crowded", partition: partition)
        let first = round * scale.keysPerRound
        try stage.produce(
          (first..<first + scale.keysPerRound).map { Faults.record($0, key: "cold\($0)") },
          to: "crowded", partition: partition)
        let count = (round + 1) * (hot.count + scale.keysPerRound / scale.stride)
        try await stage.expectRows(count, below: "crowded", of: crowded)
        peak = max(peak, crowded.peakBytes)
        if round == rounds / 2 {
          // In the middle of it the machine ends.
          await stage.kill(crowded)
          crowded = try stage.daemon(file, arguments: ["--config", "cutbank.yaml"])
        }
      }
      try await stage.expectRows(rounds * Self.hotRows(0).count, below: "calm", of: calm)
      let spilled = await crowded.line(containing: "model_evictions_total")
      #expect(spilled?.contains("rows_without_model_total") ?? false)
      #expect(spilled?.contains("rows_OUT=") ?? false)
      #expect(!crowded.text.contains("unaccounted"))
      await stage.end(calm)
      await stage.end(crowded)
      peak = max(peak, crowded.peakBytes)
      try check(stage, peak: peak)
      try await stage.expectBalance(of: "calm", delivered: .below("calm"))
      try await stage.expectBalance(of: "crowded", delivered: .below("crowded"))
    }

    private func check(_ stage: Stage, peak: Int) throws {
      let rows = stage.rows("crowded")
      #expect(Self.hot(rows) == stage.rows("calm"))
      #expect(Self.hot(rows).contains { $0.contains("SCORED") })
      let cold = rows.filter { !$0.contains("\"hot") }
      #expect(cold.count == Self.scale.keys / Self.scale.stride)
      for row in cold {
        let key = row.firstMatch(of: /cold(\d+)/).flatMap { Int($0.output.1) } ?? -1
        let hasModel = key < Self.scale.models - Self.hotKeys
        #expect(row.contains(hasModel ? "\"WARMING_UP\"" : "\"NO_MODEL\""), "\(row)")
      }
      Faults.tell("at most \(peak >> 20) MiB under \(Self.scale.budget) of models")
      if Faults.areLong { #expect(peak <= (512 << 20) / 5 * 6) }
    }
  }
}
