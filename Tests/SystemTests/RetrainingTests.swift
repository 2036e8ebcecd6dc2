import Foundation
import Glibc
import RimSupport
import Testing

extension SystemTests {
  /// A daemon that trains its own model again and again.
  @Suite(
    "Fault 23: models exchanged by a daemon, trainings that are killed", .timeLimit(.minutes(5)))
  struct Fault23 {
    private static func pipeline(
      every: String, hyperparameters: String = "{k: 3}", rollout: String = "{}"
    ) -> String {
      """
      name: cells
      application: |
        CREATE OR REPLACE STREAM "OUT" ("n" BIGINT, "version" VARCHAR(160), "status" VARCHAR(16));
        CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
        SELECT STREAM "n", "MODEL_VERSION", "STATUS"
        FROM TABLE(ML_PREDICT(CURSOR(SELECT STREAM "n" FROM "NUMBERS"), 'cells'));
      inputs:
        - stream: NUMBERS
          kafka: {topic: numbers, start: trim_horizon}
          format: json
          columns: [{name: n, type: BIGINT}]
      outputs:
        - stream: OUT
          delivery: {to: file://./out, buffer: {size: 1MiB, interval: 1s}}
      models:
        - name: cells
          algorithm: kmeans
          hyperparameters: \(hyperparameters)
          data: {topic: NUMBERS, columns: [n]}
          schedule: {every: \(every)}
          gate: {tolerance: 1000%}
          rollout: \(rollout)
      kafka: {session.timeout.ms: 4000, heartbeat.interval.ms: 300}
      commit_interval: 100ms
      """
    }

    private func stage() throws -> Stage { try Stage(topics: ["numbers": 1]) }

    private func produce(_ numbers: Range<Int>, to stage: Stage) throws {
      try stage.produce(
        numbers.map { "{\"n\":\($0)}" }, to: "numbers",
        start: 1_600_000_000_000 + Int64(numbers.lowerBound) * 1_000)
    }

    private func versions(_ stage: Stage) -> Set<String> {
      Set(
        stage.rows().compactMap { row in
          row.split(separator: "\"").first { $0.hasPrefix("cells/") }.map(String.init)
        })
    }

    @Test func onAnIntervalBringsOneVersionAfterTheOther() async throws {
      let stage = try stage()
      try produce(0..<1_000, to: stage)
      let daemon = try stage.daemon(try stage.write(Self.pipeline(every: "1s"), to: "cells.yaml"))
      let next = Counter(1_000)
      let hasSwapped = try await daemon.waits {
        let start = next.advance(by: 20)
        try self.produce(start..<start + 20, to: stage)
        // Two may be exchanged at the same row, so that the first of them scores none.
        return self.versions(stage).count >= 3
      }
      #expect(hasSwapped)
      try await stage.expectRows(next.value, of: daemon)
      await stage.end(daemon)
      let numbers = stage.rows().compactMap { row in
        row.split { ":,".contains($0) }.dropFirst().first.flatMap { Int($0) }
      }
      let isWhole = numbers == Array(0..<next.value)
      #expect(isWhole, "\(numbers.count) of \(next.value)")
      let list = try await stage.command("models", "show", "cells")
      #expect(list.text.contains("gate passed: holdout:msd"), "\(list.text)")
      #expect(list.text.contains("no worse than the"), "\(list.text)")
      try await stage.expectBalance(of: "cells")
    }

    @Test func aKilledTrainerIsAFailedJobAndTheStreamGoesOn() async throws {
      let stage = try stage()
      try produce(0..<1_000, to: stage)
      let file = try stage.write(
        Self.pipeline(every: "1h", hyperparameters: "{k: 3, epochs: 1000000000}"),
        to: "cells.yaml")
      let daemon = try stage.daemon(file)
      let isTraining = await daemon.waits { !daemon.children.isEmpty }
      #expect(isTraining)
      for child in daemon.children { kill(child, SIGKILL) }
      #expect(await daemon.line(containing: "Failed: it was killed") != nil)
      try produce(1_000..<1_100, to: stage)
      try await stage.expectRows(1_100, of: daemon)
      await stage.end(daemon)
      let shown = try await stage.command("models", "show", "cells")
      #expect(shown.text.contains("Failed  it was killed"), "\(shown.text)")
      try await stage.expectBalance(of: "cells")
    }

    @Test func aKilledDaemonTakesItsTrainerAlongAndFailsTheJobLater() async throws {
      let stage = try stage()
      try produce(0..<1_000, to: stage)
      let file = try stage.write(
        Self.pipeline(every: "1h", hyperparameters: "{k: 3, epochs: 1000000000}"),
        to: "cells.yaml")
      let daemon = try stage.daemon(file)
      let isTraining = await daemon.waits { !daemon.children.isEmpty }
      #expect(isTraining)
      let children = daemon.children
      await stage.kill(daemon)
      // They see the end of their input.
      for child in children { try await Program.expectEnd(ofProcess: child) }
      let again = try stage.daemon(file)
      let line = await again.line(containing: "training job 1 of cells is failed")
      #expect(line?.contains("ended before the job did") == true, "\(line ?? "")")
      try await stage.expectRows(1_000, of: again)
      await stage.end(again)
      let shown = try await stage.command("models", "show", "cells")
      #expect(shown.text.contains("Failed  the process that trained it ended"), "\(shown.text)")
      try await stage.expectBalance(of: "cells")
    }
  }
}
