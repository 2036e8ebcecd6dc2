import Foundation
import RimSupport
import Testing

extension SystemTests {
  /// Forecasters with categories and dynamic features that daemons train and roll out.
  @Suite(.timeLimit(.minutes(10))) struct Forecasters {
    private static let shape =
      "time_freq: min, context_length: 4, prediction_length: 4, epochs: 3, "
      + "num_batches_per_epoch: 10, mini_batch_size: 8, num_cells: 8, learning_rate: 0.02"

    private static func pipeline(
      _ data: String = "topic: LOAD", shape: String = shape, every: String = "1s",
      rollout: String = "{}", output: String = "jsonl"
    ) -> String {
      """
      name: load
      application: |
        CREATE OR REPLACE STREAM "OUT" ("site" VARCHAR(8), "kind" INTEGER, "minute" TIMESTAMP,
          "load" DOUBLE, "price" DOUBLE, "version" VARCHAR(160), "variant" VARCHAR(64),
          "status" VARCHAR(16));
        CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
        SELECT STREAM "site", "kind", "minute", "load", "price", "MODEL_VERSION", "VARIANT", "STATUS"
        FROM TABLE(ML_FORECAST(
          CURSOR(SELECT STREAM "site", "kind", "minute", "load", "price" FROM "LOAD")
          PARTITION BY "site", 'load', time => 'minute', target => 'load', categories => 'kind',
          dynamic_features => 'price'));
      inputs:
        - stream: LOAD
          kafka: {topic: load, start: trim_horizon}
          format: json
          key: site
          columns:
            - {name: site, type: VARCHAR(8)}
            - {name: kind, type: INTEGER}
            - {name: minute, type: TIMESTAMP}
            - {name: load, type: DOUBLE}
            - {name: price, type: DOUBLE}
      outputs:
        - stream: OUT
          delivery: {to: file://./out, format: \(output), buffer: {interval: 1s, records: 200}}
      models:
        - name: load
          algorithm: deepar
          hyperparameters: {\(shape)}
          data: {\(data), columns: [load], key: [site], categories: [kind], time: minute,
            dynamic_features: [price]}
          schedule: {every: \(every)}
          gate: {tolerance: 1000%}
          rollout: \(rollout)
      # The embedded broker waits for a killed member until its session ends.
      kafka: {session.timeout.ms: 4000, heartbeat.interval.ms: 300}
      commit_interval: 100ms
      """
    }

    private static let sites = 6

    /// Minutes of six sites a partition, whose values the price tells: to repeat an earlier one is a
    /// poor forecast.
    private func produce(_ minutes: Range<Int>, to stage: Stage, partition: Int = 0) throws {
      let lines = minutes.flatMap { minute in
        (0..<Self.sites).map { number -> String in
          let isHigh = minute * 7_919 % 11 % 2 == 0
          return "{\"site\":\"s\(partition)\(number)\",\"kind\":\(number % 3),\"minute\":"
            + "\"\(Self.time(of: minute))\",\"load\":\(isHigh ? 90 + number : 1),"
            + "\"price\":\(isHigh ? 1 : 0)}"
        }
      }
      try stage.produce(lines, to: "load", partition: partition)
    }

    private static func time(of minute: Int) -> String {
      let date = Date(timeIntervalSince1970: 1_600_000_020 + Double(minute) * 60)
      return date.formatted(.iso8601.dateTimeSeparator(.space)).replacing("Z", with: "")
    }

    private struct Row: Decodable {
      let site: String
      let minute: String
      let version: String?
      let variant: String?
      let status: String

      var number: Int? { version.flatMap { Int($0.dropFirst("load/".count)) } }
    }

    private func rows(_ stage: Stage) throws -> [Row] {
      try stage.rows().map { try JSONDecoder().decode(Row.self, from: Data($0.utf8)) }
    }

    /// Both daemons serve what the one with task 0 trains: as a shadow, a canary, and for all.
    @Test func twoDaemonsServeWhatOneTrains() async throws {
      let stage = try Stage(topics: ["load": 2])
      for partition in 0..<2 { try produce(0..<300, to: stage, partition: partition) }
      let file = try stage.write(
        Self.pipeline(
          rollout: "{shadow: {for: 0s, records: 20}, canary: {weight: 50%, for: 0s, records: 20}}"),
        to: "load.yaml")
      var daemons: [Program] = []
      for _ in 0..<2 {
        let daemon = try stage.daemon(
          file, through: ["/usr/bin/env", "CUTBANK_REGISTRY_DIRECTORY=\(stage.path)/registry"])
        // The second one takes a partition from the first, perhaps while it trains.
        _ = try #require(await daemon.line(containing: "the group gives [\""))
        daemons.append(daemon)
      }
      let (one, two) = (daemons[0], daemons[1])
      let next = Counter(300)
      let isServed = try await one.waits(within: .seconds(400)) {
        guard stage.rows().count == 2 * Self.sites * next.value else { return false }
        let found = try self.rows(stage)
        let areServed = [0, 1].allSatisfy { partition in
          let own = found.filter { $0.site.hasPrefix("s\(partition)") && $0.status == "SCORED" }
          return Set(own.filter { $0.variant == "champion" }.compactMap(\.version)).count > 1
            && own.contains { $0.variant == "candidate" }
        }
        if areServed, [one, two].allSatisfy({ $0.text.contains("endpoint load: task ") }) {
          return true
        }
        let minute = next.advance(by: 10)
        for partition in 0..<2 {
          try self.produce(minute..<minute + 10, to: stage, partition: partition)
        }
        return false
      }
      #expect(isServed, "\(two.text)")
      for daemon in daemons { await stage.end(daemon) }
      let begun = daemons.map { Set($0.text.matches(of: /training job (\d+) begins/).map(\.1)) }
      #expect(begun[0].isDisjoint(with: begun[1]) && !begun[0].union(begun[1]).isEmpty)
      try check(try rows(stage), count: next.value)
      #expect(stage.files.contains("registry/registry.sqlite"))
      #expect(!stage.files.contains { $0.hasPrefix("data/models/") })
    }

    /// Every row once, by versions that only rise.
    private func check(_ rows: [Row], count: Int) throws {
      #expect(Set(rows.map { $0.site + $0.minute }).count == rows.count)
      #expect(rows.count == 2 * Self.sites * count)
      for (site, own) in Dictionary(grouping: rows, by: \.site) {
        let versions = own.sorted { $0.minute < $1.minute }.compactMap(\.number)
        #expect(versions == versions.sorted(), "\(site)")
      }
    }

    /// What the daemon delivers it can train on, in every form that has columns.
    @Test(arguments: ["jsonl, compression: zstd", "csv", "parquet"])
    func whatIsDeliveredTrains(format: String) async throws {
      let stage = try Stage(topics: ["load": 1])
      try produce(0..<300, to: stage)
      let text = Self.pipeline("delivered: OUT", output: format)
      let daemon = try stage.daemon(try stage.write(text, to: "load.yaml"))
      _ = try #require(await daemon.line(containing: "the gate has passed load/1"))
      await stage.end(daemon)
      let shown = try await stage.command("models", "show", "load", "1")
      #expect(shown.text.contains("(windows, the newest first: "), "\(shown.text)")
    }

    /// The next daemon fails the job of the one that was killed, goes on from its checkpoint, and
    /// publishes one version; nothing is left behind.
    @Test func aKilledDaemonsTrainingGoesOn() async throws {
      let stage = try Stage(topics: ["load": 1])
      try produce(0..<300, to: stage)
      let shape = Self.shape.replacing("epochs: 3", with: "epochs: 1500")
      let file = try stage.write(
        Self.pipeline(shape: shape, every: "1h"), to: "load.yaml")
      let daemon = try stage.daemon(file)
      let folder = stage.path + "/data/models/jobs"
      let children = await killed(daemon, onceThereIs: folder + "/1/checkpoint/checkpoint.bin")
      #expect(children.count == 1)
      for child in children { try await Program.expectEnd(ofProcess: child) }

      let again = try stage.daemon(file)
      let failed = await again.line(containing: "training job 1 of load is failed")
      #expect(failed?.contains("the process that trained it ended before the job did") == true)
      // The training has little of a loaded machine: it runs at low priority.
      _ = try #require(
        await again.line(containing: "serves champion load/1", within: .seconds(300)))
      try produce(300..<310, to: stage)
      try await stage.expectRows(310 * Self.sites, of: again)
      await stage.end(again)
      #expect(again.text.contains("it goes on with the rows of job 1"))
      #expect(again.text.matches(of: /the gate has passed/).count == 1)
      let found = try rows(stage)
      #expect(Set(found.map { $0.site + $0.minute }).count == 310 * Self.sites)
      #expect(Set(found.compactMap(\.version)) == ["load/1"])
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
      let shown = try await stage.command("models", "show", "load")
      let lines = shown.text.split(separator: "\n")
      #expect(lines.count { $0.hasPrefix("version ") } == 1, "\(shown.text)")
      #expect(lines.contains { $0.hasPrefix("job 1 ") && $0.contains("Failed") })
      #expect(lines.contains { $0.hasPrefix("job 2 ") && $0.contains("Completed") })
    }

    /// A training that diverges on what has come since is a failed job, and the champion stays.
    @Test func theChampionOutlivesATrainingThatDiverges() async throws {
      let stage = try Stage(topics: ["load": 1])
      try produce(0..<300, to: stage)
      var file = try stage.write(Self.pipeline(every: "1h"), to: "load.yaml")
      var daemon = try stage.daemon(file)
      _ = try #require(await daemon.line(containing: "serves champion load/1"))
      await stage.end(daemon)
      // Values that lie further apart than the numbers of a gradient reach.
      let wild = (0..<300).map { minute in
        "{\"site\":\"wild\",\"kind\":0,\"minute\":\"\(Self.time(of: minute))\","
          + "\"load\":\(minute % 13 == 5 ? "1e18" : "1e-18"),\"price\":0}"
      }
      try stage.produce(wild, to: "load")
      file = try stage.write(
        Self.pipeline(shape: Self.shape + ", likelihood: gaussian"), to: "load.yaml")
      daemon = try stage.daemon(file)
      let failed = await daemon.line(containing: "training job 2 Failed: ")
      #expect(failed?.contains("exit code 1: error: the training diverged: in epoch ") == true)
      #expect(failed?.contains("look for extreme values") == true)
      try produce(300..<310, to: stage)
      try await stage.expectRows(310 * Self.sites + wild.count, of: daemon)
      await stage.end(daemon)
      let late = try rows(stage).filter { $0.site != "wild" }.suffix(Self.sites)
      #expect(late.allSatisfy { $0.version == "load/1" && $0.variant == "champion" })
    }

    /// Kills a daemon as soon as a file is there, from a thread that no other test keeps waiting.
    ///
    /// - Returns: The processes that it had started.
    private func killed(_ daemon: Program, onceThereIs file: String) async -> [Int32] {
      let children = await withCheckedContinuation { continuation in
        Thread.detachNewThread {
          let end = ContinuousClock.now + .seconds(120)
          while daemon.isRunning, ContinuousClock.now < end,
            !FileManager.default.fileExists(atPath: file)
          { Thread.sleep(forTimeInterval: 0.002) }
          let children = daemon.children
          daemon.signal(SIGKILL)
          continuation.resume(returning: children)
        }
      }
      #expect(await daemon.exitCode() == -1, "\(daemon.text)")
      #expect(FileManager.default.fileExists(atPath: file), "\(daemon.text)")
      return children
    }
  }
}
