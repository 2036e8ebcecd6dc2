import Foundation
import Testing

extension SystemTests {
  /// Pipelines whose files are changed: reloads, and starts after a kill.
  @Suite(.timeLimit(.minutes(3))) struct Changes {
    private static let streams = """
      CREATE OR REPLACE STREAM "OUT" ("n" BIGINT, "seen" BIGINT);
      CREATE OR REPLACE STREAM "OTHER" ("n" BIGINT, "seen" BIGINT);
      """

    /// A pipeline that counts every number, and those of which `condition` holds: of each key, or all.
    private static func pipeline(
      _ condition: String, snapshots: String = "60s", isKeyed: Bool = false
    ) -> String {
      let count =
        "COUNT(*) OVER (\(isKeyed ? "PARTITION BY \"k\" " : "")ROWS UNBOUNDED PRECEDING)"
      let application = """
        \(streams)
        CREATE OR REPLACE PUMP "Q" AS INSERT INTO "OTHER"
          SELECT STREAM "n", \(count) FROM "NUMBERS" WHERE "n" \(condition);
        CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
          SELECT STREAM "n", \(count) FROM "NUMBERS";
        """
      let text = Faults.pipeline(
        application, input: isKeyed ? "key: k" : "", extra: "snapshot: {interval: \(snapshots)}")
      return text.replacing(
        "outputs:\n",
        with: """
          outputs:
            - stream: OTHER
              delivery: {to: file://./other, buffer: {size: 1MiB, interval: 1s}}

          """)
    }

    /// A daemon that tells soon how many records it has taken.
    private func daemon(_ stage: Stage, _ file: String) throws -> Program {
      try stage.daemon(file, through: ["/usr/bin/env", "CUTBANK_LOG__STATUS=200ms"])
    }

    private static func rows(_ numbers: Range<Int>, from count: Int = 1) -> [String] {
      numbers.enumerated().map { "{\"n\":\($1),\"seen\":\($0 + count)}" }
    }

    /// Then the daemon is killed: the rows since the change need a snapshot that was made after it.
    @Test func aReloadKeepsTheStateOfWhatIsUnchangedAndAKillDoesNotGoBackBehindIt() async throws {
      let stage = try Stage(topics: ["numbers": 1])
      let file = try stage.write(Self.pipeline(">= 0"), to: "numbers.yaml")
      let daemon = try stage.daemon(file)
      try stage.produce((0..<10).map { Faults.record($0) }, to: "numbers")
      try await stage.expectRows(10, of: daemon)
      try await stage.expectRows(10, below: "other", of: daemon)
      try stage.write(Self.pipeline(">= 12"), to: "numbers.yaml")
      daemon.signal(SIGHUP)
      let told = try #require(await daemon.line(containing: "has changed: "))
      #expect(told.contains("sliding windows of pump \"Q\" begin anew"), "\(told)")
      #expect(!told.contains("\"P\""), "\(told)")
      try stage.produce((10..<20).map { Faults.record($0) }, to: "numbers")
      try await stage.expectRows(20, of: daemon)
      try await stage.expectRows(18, below: "other", of: daemon)
      await stage.kill(daemon)
      try stage.produce((20..<25).map { Faults.record($0) }, to: "numbers")
      let next = try stage.daemon(file)
      try await stage.expectRows(25, of: next)
      try await stage.expectRows(23, below: "other", of: next)
      await stage.end(next)
      #expect(stage.rows() == Self.rows(0..<25))
      // The count of the changed one begins anew, in the same second perhaps.
      #expect(
        stage.rows("other").sorted() == (Self.rows(0..<10) + Self.rows(12..<25)).sorted())
      try await stage.expectBalance(delivered: .asCounted)
    }

    /// What was committed is repeated as it was computed, then the changed pipeline goes on: one task of one
    /// or two partitions, and a task for each.
    @Test(arguments: [(1, false), (2, false), (2, true)])
    func aChangeAfterAKillComesBehindWhatWasCommitted(partitions: Int, isKeyed: Bool)
      async throws
    {
      let stage = try Stage(topics: ["numbers": partitions])
      func write(_ condition: String) throws -> String {
        try stage.write(
          Self.pipeline(condition, snapshots: "1h", isKeyed: isKeyed), to: "numbers.yaml")
      }
      func produce(_ numbers: Range<Int>) throws {
        for number in numbers {
          let partition = number % partitions
          try stage.produce(
            [Faults.record(number, key: "k\(partition)")], to: "numbers", partition: partition,
            key: "k\(partition)")
        }
      }
      let daemon = try stage.daemon(try write(">= 0"))
      try produce(0..<10)
      try await stage.expectRows(10, of: daemon)
      try await stage.expectRows(10, below: "other", of: daemon)
      await stage.kill(daemon)
      try produce(10..<20)
      let next = try stage.daemon(try write(">= 12"))
      _ = try #require(await next.line(containing: "first repeated as it was computed"))
      _ = try #require(await next.line(containing: "has changed: "))
      try await stage.expectRows(20, of: next)
      try await stage.expectRows(18, below: "other", of: next)
      await stage.end(next)
      let tasks = isKeyed ? partitions : 1
      let expected = (1...20 / tasks).flatMap { Array(repeating: $0, count: tasks) }
      let seen = stage.rows().compactMap { $0.wholeMatch(of: /.*"seen":(\d+)\}/)?.output.1 }
      #expect(seen.compactMap { Int($0) }.sorted() == expected, "\(stage.rows())")
      let others = stage.rows("other").compactMap { $0.wholeMatch(of: /.*"n":(\d+),.*/)?.output.1 }
      #expect(others.compactMap { Int($0) }.sorted() == Array(0..<10) + Array(12..<20))
      try await stage.expectBalance(delivered: .asCounted)
    }

    /// Pipelines of a folder come and go with a reload; one that goes delivers what it has.
    @Test func aReloadLooksIntoTheFolderAgain() async throws {
      let stage = try Stage(topics: ["numbers": 1])
      let folder = stage.path + "/pipelines"
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: false)
      func write(_ name: String) throws {
        try stage.write(
          Faults.pipeline(
            Faults.counts, name: name, to: "file://./\(name)",
            delivery: "buffer: {size: 1MiB, interval: 900s}"), to: "pipelines/\(name).yaml")
      }
      try write("first")
      let daemon = try daemon(stage, folder)
      try stage.produce((0..<10).map { Faults.record($0) }, to: "numbers")
      _ = try #require(await daemon.line(containing: "records=10 "))
      #expect(stage.rows("first").isEmpty)
      try write("second")
      try FileManager.default.removeItem(atPath: folder + "/first.yaml")
      daemon.signal(SIGHUP)
      let told = try #require(await daemon.line(containing: "going on with the new"))
      #expect(told.contains("new: second; gone: first"), "\(told)")
      // One that goes delivers what it has.
      try await stage.expectRows(10, below: "first", of: daemon)
      let hasRead = await daemon.waits {
        daemon.text.split(separator: "\n").contains {
          $0.contains("records=10 ") && $0.contains("pipeline second: status")
        }
      }
      #expect(hasRead)
      await stage.end(daemon)
      #expect(stage.rows("first") == Self.rows(0..<10))
      #expect(stage.rows("second") == Self.rows(0..<10))
      let empty = try await stage.command("validate", stage.path + "/data")
      #expect(empty.code == 78 && empty.text.contains("holds no pipeline"), "\(empty.text)")
    }

    @Test func aReloadThatCannotGoOnIsRefusedAndOneThatLosesAnOutputDelivers() async throws {
      let stage = try Stage(topics: ["numbers": 2, "others": 2])
      let slow = Self.pipeline(">= 0").replacing("interval: 1s}", with: "interval: 900s}")
      let file = try stage.write(slow, to: "numbers.yaml")
      let daemon = try daemon(stage, file)
      try stage.produce((0..<10).map { Faults.record($0) }, to: "numbers")
      _ = try #require(await daemon.line(containing: "records=10 "))
      try stage.write(slow.replacing("topic: numbers", with: "topic: others"), to: "numbers.yaml")
      daemon.signal(SIGHUP)
      let refused = try #require(await daemon.line(containing: "reload refused"))
      #expect(
        refused.contains("the inputs, or how tasks share them, of pipeline numbers"), "\(refused)")
      #expect(stage.rows("other").isEmpty)

      let first = try #require(slow.firstRange(of: "  - stream: OTHER"))
      let second = try #require(slow.firstRange(of: "  - stream: OUT"))
      try stage.write(
        String(slow[..<first.lowerBound] + slow[second.lowerBound...]), to: "numbers.yaml")
      daemon.signal(SIGHUP)
      _ = try #require(await daemon.line(containing: "going on with the new configuration"))
      try await stage.expectRows(10, below: "other", of: daemon)
      await stage.end(daemon)
      #expect(stage.rows("other") == Self.rows(0..<10))
      #expect(stage.rows() == Self.rows(0..<10))
    }
  }
}
