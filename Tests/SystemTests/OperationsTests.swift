import Foundation
import RimSupport
import Testing

extension SystemTests {
  /// What operators do with a daemon: dead letters, the service manager.
  @Suite(.timeLimit(.minutes(3))) struct Operations {
    /// Numbers through a filter, with dead letters after a second.
    private static let pipeline = """
      name: numbers
      application: |
        CREATE OR REPLACE STREAM "OUT" (n BIGINT);
        CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
        SELECT STREAM n FROM "SOURCE_SQL_STREAM_001";
      inputs:
        - stream: SOURCE_SQL_STREAM_001
          kafka: {topic: numbers, start: trim_horizon}
          format: json
          columns: [{name: N, type: BIGINT, path: $.n}]
      outputs:
        - stream: OUT
          delivery: {to: file://./out, buffer: {size: 1MiB, interval: 1s}}
      kafka: {session.timeout.ms: 4000, heartbeat.interval.ms: 300}
      commit_interval: 100ms
      """

    private func stage(partitions: Int = 1) throws -> Stage {
      try Stage(topics: ["numbers": partitions])
    }

    @Test func deadLettersAreListedShownAndReplayedOnce() async throws {
      let stage = try stage()
      try stage.produce(["{\"n\":1}", "no json", "{\"n\":\"x\"}", "{\"n\":2}"], to: "numbers")
      let file = try stage.write(Self.pipeline, to: "numbers.yaml")
      let daemon = try stage.daemon(file)
      try await stage.expectRows(2, of: daemon)
      await stage.end(daemon)

      func letters(_ arguments: String...) async throws -> (code: Int32, text: String) {
        let program = try Program(
          nil,
          ["dlq", arguments[0], file, "--brokers", stage.address]
            + arguments.dropFirst(), folder: stage.path)
        return (await program.exitCode(), program.text)
      }
      let list = try await letters("list")
      #expect(list.code == 0 && list.text.contains("2 dead letters"), "\(list.text)")
      #expect(list.text.contains("decode"), "\(list.text)")
      let shown = try await letters("show", "--id", "numbers-0-1-0")
      #expect(shown.text.contains("numbers/0 offset 1, stage decode"), "\(shown.text)")
      #expect(shown.text.contains("7 bytes: no json"), "\(shown.text)")
      let dry = try await letters("replay", "--dry-run")
      #expect(dry.text.contains("numbers-0-2-0 -> numbers"), "\(dry.text)")
      let first = try await letters("replay")
      #expect(first.code == 0 && first.text.contains("2 replayed, 0"), "\(first.text)")
      let second = try await letters("replay")
      #expect(second.text.contains("0 replayed, 2 were replayed before"), "\(second.text)")

      // The replayed records are read as any others: they fail again, with new offsets.
      try stage.produce(["{\"n\":3}"], to: "numbers")
      let next = try stage.daemon(file)
      try await stage.expectRows(3, of: next)
      await stage.end(next)
      let after = try await letters("list")
      #expect(after.text.contains("4 dead letters"), "\(after.text)")
    }

    /// How many rows the stream has seen, for pipelines with state.
    private static let counting = pipeline.replacing(
      "(n BIGINT)", with: "(n BIGINT, seen BIGINT)"
    ).replacing(
      "SELECT STREAM n FROM \"SOURCE_SQL_STREAM_001\"",
      with: "SELECT STREAM n, COUNT(*) OVER (ROWS UNBOUNDED PRECEDING) FROM "
        + "\"SOURCE_SQL_STREAM_001\"")

    @Test(arguments: [1, 4]) func historyTeachesAndReachesNoOutput(partitions: Int) async throws {
      let stage = try stage(partitions: partitions)
      for partition in 0..<partitions {
        try stage.produce(
          ["no json"] + (1..<110).map { "{\"n\":\($0)}" }, to: "numbers", partition: partition)
      }
      let offsets = (0..<partitions).map { "\($0): 100" }.joined(separator: ", ")
      let file = try stage.write(
        Self.counting.replacing("start: trim_horizon", with: "start: {offsets: {\(offsets)}}")
          + "\nhistory: {records: 1000}", to: "numbers.yaml")
      let daemon = try stage.daemon(file)
      try await stage.expectRows(10 * partitions, of: daemon)
      await stage.end(daemon)
      let rows = stage.rows()
      if partitions == 1 {
        #expect(rows == (100..<110).map { "{\"N\":\($0),\"SEEN\":\($0)}" })
      } else {
        // What lies before the start is merged and counted, whichever partition it lies in.
        let live = rows.filter { row in (100..<110).contains { row.hasPrefix("{\"N\":\($0),") } }
        #expect(rows.count == 10 * partitions && live.count == rows.count, "\(rows)")
        #expect(rows.contains { $0.hasSuffix("\"SEEN\":\(109 * partitions)}") }, "\(rows)")
      }
      #expect(!stage.files.contains { $0.contains("dead-letters/2") })
    }

    /// The embedded broker looks up no times, and all that it holds is recent.
    @Test func historyOfADurationIsEverythingOnTheEmbeddedBroker() async throws {
      let stage = try stage()
      try stage.produce((0..<110).map { "{\"n\":\($0)}" }, to: "numbers")
      let file = try stage.write(
        Self.counting.replacing("start: trim_horizon", with: "start: {offsets: {0: 100}}")
          + "\nhistory: {duration: 1h}", to: "numbers.yaml")
      let daemon = try stage.daemon(file)
      try await stage.expectRows(10, of: daemon)
      await stage.end(daemon)
      #expect(stage.rows() == (100..<110).map { "{\"N\":\($0),\"SEEN\":\($0 + 1)}" })
    }

    @Test(arguments: [1, 4]) func aReloadGoesOnWithNewFilesOrAsBefore(partitions: Int)
      async throws
    {
      let stage = try stage(partitions: partitions)
      let file = try stage.write(Self.counting, to: "numbers.yaml")
      for number in 0..<8 {
        try stage.produce(["{\"n\":\(number)}"], to: "numbers", partition: number % partitions)
      }
      let daemon = try stage.daemon(file)
      try await stage.expectRows(8, of: daemon)

      try stage.write(
        Self.counting.replacing("format: json", with: "format: jsno"), to: "numbers.yaml")
      daemon.signal(SIGHUP)
      let refused = try #require(await daemon.line(containing: "numbers.yaml:9:"))
      #expect(refused.contains("jsno"), "\(refused)")

      // Another buffer is another configuration; the count goes on.
      try stage.write(
        Self.counting.replacing("interval: 1s", with: "interval: 2s"), to: "numbers.yaml")
      daemon.signal(SIGHUP)
      #expect(await daemon.line(containing: "going on with the new configuration") != nil)
      try stage.produce(["{\"n\":8}"], to: "numbers", partition: partitions - 1)
      try await stage.expectRows(9, of: daemon)
      await stage.end(daemon)
      let seen = stage.rows().compactMap { $0.split(separator: ":").last }.map { $0.dropLast() }
      #expect(seen.compactMap { Int($0) }.sorted() == Array(1...9), "\(stage.rows())")
      #expect(stage.rows().contains("{\"N\":8,\"SEEN\":9}"))

      // The state is found by the pipeline's file too.
      let folder = try await stage.command("state", "inspect", "data/numbers/task-0")
      let found = try await stage.command("state", "inspect", file)
      #expect(found.code == 0 && found.text == folder.text, "\(found.text)")
      let verified = try await stage.command("state", "verify", file, "--task", "0")
      #expect(verified.code == 0 && verified.text.contains("everything can be read"))
      let none = try await stage.command("state", "verify", file, "--task", "1")
      #expect(none.code == 1 && none.text.contains("numbers.yaml has no state"), "\(none.text)")
    }

    /// With several partitions every task of a stateless pipeline has a breaker of its own.
    @Test(arguments: [1, 4]) func tooManyBadRecordsPauseThePipelineUntilItIsLookedAt(
      partitions: Int
    ) async throws {
      let stage = try stage(partitions: partitions)
      let file = try stage.write(
        Self.pipeline + "\ncircuit_breaker: {percent: 50, records: 20}", to: "numbers.yaml")
      let daemon = try stage.daemon(file)
      _ = try #require(await daemon.line(containing: "the group gives"))
      // The very first records count: nothing went well before. However they are cut into batches, the last
      // of them pauses the task.
      let bad = partitions - 1
      try stage.produce(Array(repeating: "bad", count: 20), to: "numbers", partition: bad)
      let paused = try #require(await daemon.line(containing: "is paused"))
      #expect(paused.contains("records could not be decoded"), "\(paused)")
      for partition in 0..<partitions {
        try stage.produce(["{\"n\":\(partition)}"], to: "numbers", partition: partition)
      }
      // The other tasks go on.
      try await stage.expectRows(partitions - 1, of: daemon)
      #expect(!stage.rows().contains("{\"N\":\(bad)}"))
      daemon.signal(SIGHUP)
      #expect(await daemon.line(containing: "goes on") != nil)
      try await stage.expectRows(partitions, of: daemon)
      await stage.end(daemon)
      #expect(stage.rows().sorted() == (0..<partitions).map { "{\"N\":\($0)}" })
    }

    /// The name by which brokers know a daemon is nobody else's, and free when its holder has ended.
    @Test func eachDaemonOfADataDirectoryHasANameOfItsOwn() async throws {
      let stage = try stage()
      let file = try stage.write(
        Self.pipeline.replacing(
          "delivery: {to: file://./out, buffer: {size: 1MiB, interval: 1s}}",
          with: "kafka: {topic: numbers-out}"), to: "numbers.yaml")
      try FileManager.default.createDirectory(
        atPath: stage.path + "/data", withIntermediateDirectories: false)
      let other = try Program(
        "/usr/bin/flock",
        ["--no-fork", "data/instance", "sh", "-c", "echo held; exec sleep 600"],
        folder: stage.path)
      _ = try #require(await other.line(containing: "held"))
      func names() async throws -> [String: String] {
        // The embedded broker knows no transactions; the name is taken before that is found out.
        let daemon = try stage.daemon(file)
        #expect(await daemon.exitCode() == 1)
        #expect(daemon.text.contains("knows no transactions"), "\(daemon.text)")
        let files = stage.files.filter { $0.hasPrefix("data/instance") }
        return Dictionary(
          uniqueKeysWithValues: try files.map {
            ($0, String(decoding: try stage.folder.contents($0), as: UTF8.self))
          })
      }
      let held = try await names()
      #expect(held.keys.sorted() == ["data/instance", "data/instance-2"])
      #expect(held["data/instance"]?.isEmpty == true && held["data/instance-2"]?.count == 16)
      #expect(try await names() == held)
      other.signal(SIGKILL)
      _ = await other.exitCode()
      let released = try await names()
      #expect(released["data/instance"]?.count == 16)
      #expect(released["data/instance"] != released["data/instance-2"])
      #expect(released["data/instance-2"] == held["data/instance-2"])
    }

    @Test func theServiceManagerHearsOfStartAndStop() async throws {
      let stage = try stage()
      let file = try stage.write(Self.pipeline, to: "numbers.yaml")
      let socket = stage.path + "/notify"
      let listener = try Program("/usr/bin/env", ["python3", "-c", Self.listener, socket])
      _ = try #require(await listener.line(containing: "listening"))
      let daemon = try stage.daemon(
        file, through: ["/usr/bin/env", "NOTIFY_SOCKET=\(socket)", "WATCHDOG_USEC=200000"])
      #expect(await listener.line(containing: "READY=1 STATUS=running numbers") != nil)
      #expect(await listener.line(containing: "WATCHDOG=1") != nil)
      daemon.signal(SIGTERM)
      #expect(await listener.line(containing: "STOPPING=1") != nil)
      #expect(await daemon.exitCode() == 0, "\(daemon.text)")
      listener.signal(SIGKILL)
    }

    /// Prints each datagram as a line.
    private static let listener = """
      import socket, sys
      s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
      s.bind(sys.argv[1])
      print("listening", flush=True)
      while True:
          print(s.recv(4096).decode().replace("\\n", " "), flush=True)
      """
  }
}
