import Foundation
import Kafka
import Logging
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
      kafka: {session.timeout.ms: 3000, heartbeat.interval.ms: 300}
      commit_interval: 100ms
      """

    private func broker() async throws -> (Program, String) {
      let broker = try Program(nil, ["broker", "--port", "0", "--topic", "numbers:1"])
      let line = try #require(await broker.line(containing: "listening on "))
      return (broker, String(line.split(separator: " ").last ?? ""))
    }

    private func produce(_ values: [String], to address: String) throws {
      let producer = try Producer(
        ProducerConfiguration(brokers: address), logger: Logger(label: "test"))
      let topic = try producer.topic("numbers")
      for value in values {
        try producer.produce(
          to: topic, partition: 0, key: Array("k".utf8), value: Array(value.utf8),
          timeout: .seconds(30))
      }
      try producer.flush(timeout: .seconds(30))
    }

    /// The folder tells of no change that could be awaited portably, so it is looked at.
    private func waitForRows(_ count: Int, in folder: TemporaryFolder, of daemon: Program)
      async throws
    {
      while try rows(in: folder).count < count {
        try #require(daemon.isRunning, "\(daemon.text)")
        try await Task.sleep(for: .milliseconds(20))
      }
    }

    private func rows(in folder: TemporaryFolder) throws -> [String] {
      try folder.files().filter { $0.hasPrefix("out/") && !$0.contains("/.") }.flatMap { name in
        String(decoding: try folder.contents(name), as: UTF8.self).split(separator: "\n")
          .map(String.init)
      }
    }

    @Test func deadLettersAreListedShownAndReplayedOnce() async throws {
      let (broker, address) = try await broker()
      try produce(["{\"n\":1}", "no json", "{\"n\":\"x\"}", "{\"n\":2}"], to: address)
      let folder = try TemporaryFolder()
      let file = folder.path + "/numbers.yaml"
      try Data(Self.pipeline.utf8).write(to: URL(fileURLWithPath: file))
      let daemon = try Program(nil, ["run", file, "--brokers", address], folder: folder.path)
      try await waitForRows(2, in: folder, of: daemon)
      daemon.signal(SIGTERM)
      #expect(await daemon.exitCode() == 0, "\(daemon.text)")

      func letters(_ arguments: String...) async throws -> (code: Int32, text: String) {
        let program = try Program(
          nil, ["dlq", arguments[0], file, "--brokers", address] + arguments.dropFirst(),
          folder: folder.path)
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
      try produce(["{\"n\":3}"], to: address)
      let next = try Program(nil, ["run", file, "--brokers", address], folder: folder.path)
      try await waitForRows(3, in: folder, of: next)
      next.signal(SIGTERM)
      #expect(await next.exitCode() == 0, "\(next.text)")
      let after = try await letters("list")
      #expect(after.text.contains("4 dead letters"), "\(after.text)")
      broker.signal(SIGTERM)
      #expect(await broker.exitCode() == 0)
    }

    /// How many rows the stream has seen, for pipelines with state.
    private static let counting = pipeline.replacing(
      "(n BIGINT)", with: "(n BIGINT, seen BIGINT)"
    ).replacing(
      "SELECT STREAM n FROM \"SOURCE_SQL_STREAM_001\"",
      with: "SELECT STREAM n, COUNT(*) OVER (ROWS UNBOUNDED PRECEDING) FROM "
        + "\"SOURCE_SQL_STREAM_001\"")

    private func write(_ text: String, to file: String) throws {
      try Data(text.utf8).write(to: URL(fileURLWithPath: file))
    }

    @Test func historyTeachesAndReachesNoOutput() async throws {
      let (broker, address) = try await broker()
      try produce(["no json"] + (1..<110).map { "{\"n\":\($0)}" }, to: address)
      let folder = try TemporaryFolder()
      let file = folder.path + "/numbers.yaml"
      try write(
        Self.counting.replacing("start: trim_horizon", with: "start: {offsets: {0: 100}}")
          + "\nhistory: {records: 1000}", to: file)
      let daemon = try Program(nil, ["run", file, "--brokers", address], folder: folder.path)
      try await waitForRows(10, in: folder, of: daemon)
      daemon.signal(SIGTERM)
      #expect(await daemon.exitCode() == 0, "\(daemon.text)")
      let rows = try rows(in: folder)
      #expect(rows == (100..<110).map { "{\"N\":\($0),\"SEEN\":\($0)}" })
      #expect(!folder.files().contains { $0.contains("dead-letters/2") })
      broker.signal(SIGTERM)
      #expect(await broker.exitCode() == 0)
    }

    @Test func aReloadGoesOnWithNewFilesOrAsBefore() async throws {
      let (broker, address) = try await broker()
      let folder = try TemporaryFolder()
      let file = folder.path + "/numbers.yaml"
      try write(Self.counting, to: file)
      try produce(["{\"n\":0}", "{\"n\":1}"], to: address)
      let daemon = try Program(nil, ["run", file, "--brokers", address], folder: folder.path)
      try await waitForRows(2, in: folder, of: daemon)

      try write(Self.counting.replacing("format: json", with: "format: jsno"), to: file)
      daemon.signal(SIGHUP)
      let refused = try #require(await daemon.line(containing: "numbers.yaml:9:"))
      #expect(refused.contains("jsno"), "\(refused)")

      // Another buffer is another configuration; the count goes on.
      try write(Self.counting.replacing("interval: 1s", with: "interval: 2s"), to: file)
      daemon.signal(SIGHUP)
      #expect(await daemon.line(containing: "going on with the new configuration") != nil)
      try produce(["{\"n\":2}"], to: address)
      try await waitForRows(3, in: folder, of: daemon)
      daemon.signal(SIGTERM)
      #expect(await daemon.exitCode() == 0, "\(daemon.text)")
      let rows = try rows(in: folder).sorted()
      #expect(rows == (0..<3).map { "{\"N\":\($0),\"SEEN\":\($0 + 1)}" })
      broker.signal(SIGTERM)
      #expect(await broker.exitCode() == 0)
    }

    @Test func tooManyBadRecordsPauseThePipelineUntilItIsLookedAt() async throws {
      let (broker, address) = try await broker()
      let folder = try TemporaryFolder()
      let file = folder.path + "/numbers.yaml"
      try write(Self.pipeline + "\ncircuit_breaker: {percent: 50, records: 20}", to: file)
      let daemon = try Program(nil, ["run", file, "--brokers", address], folder: folder.path)
      _ = try #require(await daemon.line(containing: "the group gives"))
      // The first take opens the window, later ones are counted in it.
      try produce(["{\"n\":0}"], to: address)
      try await waitForRows(1, in: folder, of: daemon)
      try produce(Array(repeating: "bad", count: 100), to: address)
      let paused = try #require(await daemon.line(containing: "is paused"))
      #expect(paused.contains("100 of the last 100 records"), "\(paused)")
      try produce(["{\"n\":1}"], to: address)
      daemon.signal(SIGHUP)
      #expect(await daemon.line(containing: "goes on") != nil)
      try await waitForRows(2, in: folder, of: daemon)
      daemon.signal(SIGTERM)
      #expect(await daemon.exitCode() == 0, "\(daemon.text)")
      broker.signal(SIGTERM)
      #expect(await broker.exitCode() == 0)
    }

    @Test func theServiceManagerHearsOfStartAndStop() async throws {
      let (broker, address) = try await broker()
      let folder = try TemporaryFolder()
      let file = folder.path + "/numbers.yaml"
      try Data(Self.pipeline.utf8).write(to: URL(fileURLWithPath: file))
      let socket = folder.path + "/notify"
      let listener = try Program("/usr/bin/env", ["python3", "-c", Self.listener, socket])
      _ = try #require(await listener.line(containing: "listening"))
      let daemon = try Program(
        "/usr/bin/env",
        [
          "NOTIFY_SOCKET=\(socket)", "WATCHDOG_USEC=200000", Program.cutbank, "run", file,
          "--brokers", address,
        ], folder: folder.path)
      #expect(await listener.line(containing: "READY=1 STATUS=running numbers") != nil)
      #expect(await listener.line(containing: "WATCHDOG=1") != nil)
      daemon.signal(SIGTERM)
      #expect(await listener.line(containing: "STOPPING=1") != nil)
      #expect(await daemon.exitCode() == 0, "\(daemon.text)")
      listener.signal(SIGKILL)
      broker.signal(SIGTERM)
      #expect(await broker.exitCode() == 0)
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
