import Foundation
import RimSupport
import Testing

extension Faults {
  @Suite(
    "Fault 22: reloads that are refused, meet a stuck sink, come by the hundred",
    .timeLimit(.minutes(5)))
  struct Fault22 {
    @Test func aRefusedOneChangesNothing() async throws {
      let stage = try Stage(topics: ["numbers": 4])
      let file = try stage.write(Faults.pipeline(Faults.counts), to: "numbers.yaml")
      let daemon = try stage.daemon(file)
      try stage.produce((0..<10).map { Faults.record($0) }, to: "numbers", partition: 2)
      try await stage.expectRows(10, of: daemon)
      try stage.write(
        Faults.pipeline(Faults.counts).replacing("COUNT(*)", with: "COUNTT(*)"),
        to: "numbers.yaml")
      daemon.signal(SIGHUP)
      _ = try #require(await daemon.line(containing: "the daemon goes on as before"))
      let place = try #require(await daemon.line(containing: "numbers.yaml:5:"))
      #expect(place.contains("COUNTT"), "\(daemon.text)")
      try stage.produce((10..<20).map { Faults.record($0) }, to: "numbers", partition: 1)
      try await stage.expectRows(20, of: daemon)
      await stage.end(daemon)
      #expect(stage.rows().last == "{\"n\":19,\"seen\":20}")
      try await stage.expectBalance()
    }

    @Test func aHundredWithinASecondAreTwo() async throws {
      let stage = try Stage(topics: ["numbers": 4])
      let file = try stage.write(Faults.pipeline(Faults.counts), to: "numbers.yaml")
      let daemon = try stage.daemon(file)
      for partition in 0..<4 {
        try stage.produce((0..<25).map { Faults.record($0) }, to: "numbers", partition: partition)
      }
      try await stage.expectRows(100, of: daemon)
      // Another buffer, so that each reload would be one of the whole daemon.
      try stage.write(
        Faults.pipeline(Faults.counts).replacing("interval: 1s", with: "interval: 2s"),
        to: "numbers.yaml")
      let began = ContinuousClock.now
      for number in 0..<100 {
        daemon.signal(SIGHUP)
        if number % 10 == 9 { try await Task.sleep(for: .milliseconds(50)) }
      }
      let isQuick = ContinuousClock.now - began < .seconds(1)
      _ = try #require(await daemon.line(containing: "going on with the new configuration"))
      try stage.produce((25..<50).map { Faults.record($0) }, to: "numbers", partition: 3)
      try await stage.expectRows(125, of: daemon)
      await stage.end(daemon)
      let reloads = daemon.text.split(separator: "\n").filter { $0.contains("reload: ") }
      #expect(!isQuick || reloads.count <= 2, "\(reloads)")
      let seen = stage.rows().compactMap { $0.wholeMatch(of: /.*"seen":(\d+)\}/)?.output.1 }
      #expect(Set(seen.compactMap { Int($0) }) == Set(1...125))
      try await stage.expectBalance()
    }

    @Test(.enabled(if: Faults.areLong, Faults.tooLong)) func aStuckSinkDoesNotHoldItUp()
      async throws
    {
      let receiver = try await HostileReceiver(
        [.silence],
        then: .computed { request in
          let id = request.header("X-Amz-Firehose-Request-Id") ?? ""
          return .json(200, "{\"requestId\":\"\(id)\",\"timestamp\":1}")
        })
      let stage = try Stage(topics: ["numbers": 4])
      let text = Faults.pipeline(
        Faults.counts, to: receiver.url("/rows"),
        delivery: "buffer: {size: 1MiB, interval: 1s}, "
          + "http: {allow_insecure: true, allow: [127.0.0.1]}")
      let file = try stage.write(text, to: "numbers.yaml")
      let daemon = try stage.daemon(file)
      for partition in 0..<4 {
        try stage.produce((0..<25).map { Faults.record($0) }, to: "numbers", partition: partition)
      }
      let first = await receiver.requests(1)
      try stage.write(text.replacing("interval: 1s", with: "interval: 2s"), to: "numbers.yaml")
      daemon.signal(SIGHUP)
      _ = try #require(await daemon.line(containing: "going on with the new configuration"))
      // The request that never was answered comes again, with its id.
      let again = await receiver.requests(2)
      let ids = again.map { $0.header("X-Amz-Firehose-Request-Id") ?? "" }
      #expect(ids.filter { $0 == ids.first }.count >= 2, "\(ids)")
      #expect(again.contains { $0.body == first.first?.body })
      try stage.produce((25..<30).map { Faults.record($0) }, to: "numbers", partition: 1)
      _ = await receiver.requests(3)
      await stage.end(daemon)
      #expect(try await stage.expectBalance(delivered: .rows(105)).polled == 105)
      try await receiver.stop()
    }
  }

  @Suite("Fault 22: hundreds of reloads leave nothing behind", .timeLimit(.minutes(30)))
  struct Fault22Remains {
    /// Outputs of each kind that holds something open: objects, a topic, a webhook that is never called.
    private static func pipeline(_ number: Int) -> String {
      Faults.pipeline(
        Faults.numbers + "\n"
          + [("COPY", ">="), ("ALERTS", "<")].map { stream, relation in
            """
            CREATE OR REPLACE STREAM "\(stream)" ("n" BIGINT);
            CREATE OR REPLACE PUMP "P_\(stream)" AS INSERT INTO "\(stream)"
              SELECT STREAM "n" FROM "NUMBERS" WHERE "n" \(relation) 0;
            """
          }.joined(separator: "\n"),
        output: """
          delivery: {to: "file://./out", buffer: {size: 1MiB, interval: \(1 + number % 2)s}}
            - stream: COPY
              kafka: {topic: results}
            - stream: ALERTS
              webhook: {url: "http://127.0.0.1:9/", allow: [127.0.0.0/8]}
          """, extra: "guarantee: at_least_once")
    }

    /// Each is a change for which the pipeline leaves its group and begins anew; of those that come before it
    /// is back in the group, too, nothing may stay.
    @Test(.enabled(if: Faults.areLong, Faults.tooLong)) func threadsFilesAndMemoryStayAsTheyWere()
      async throws
    {
      let stage = try Stage(topics: ["numbers": 4, "results": 1])
      let file = try stage.write(Self.pipeline(0), to: "numbers.yaml")
      let daemon = try stage.daemon(file)
      var (reloads, records) = (0, 0)
      func swap(_ count: Int) async throws {
        for _ in 0..<count {
          reloads += 1
          try stage.write(Self.pipeline(reloads), to: "numbers.yaml")
          daemon.signal(SIGHUP)
          let due = reloads
          let isDone = await daemon.waits {
            daemon.text.split(separator: "\n").count { $0.contains("changed: numbers") } >= due
          }
          try #require(isDone)
        }
        for partition in 0..<4 {
          try stage.produce(
            (records..<records + 10).map { Faults.record($0) }, to: "numbers", partition: partition)
        }
        records += 10
        try await stage.expectRows(4 * records, of: daemon)
      }
      // Before rows come the program may not listen to signals yet.
      try await swap(0)
      for _ in 0..<5 { try await swap(2) }
      let (files, threads, memory) = (
        daemon.openFileCount, daemon.threadCount, daemon.residentBytes
      )
      for _ in 0..<20 { try await swap(10) }
      // Threads of pools go some seconds after they were last needed.
      let isSettled = await daemon.outlives(within: .seconds(60)) {
        daemon.openFileCount <= files + 8 && daemon.threadCount <= threads + 8
      }
      let seen =
        "after 10 reloads \(files) files, \(threads) threads, \(memory >> 20) MiB; after "
        + "\(reloads) \(daemon.openFileCount), \(daemon.threadCount), \(daemon.residentBytes >> 20)"
      Faults.tell(seen)
      #expect(isSettled, "\(seen)")
      #expect(daemon.residentBytes - memory < 24 << 20, "\(seen)")
      await stage.end(daemon)
      #expect(stage.rows().count == 4 * records)
      try await stage.expectBalance()
    }
  }

  @Suite("Fault 25: few files, one processor, little memory", .timeLimit(.minutes(5)))
  struct Fault25 {
    @Test(arguments: [
      ["/usr/bin/prlimit", "--nofile=64"], ["/usr/bin/taskset", "-c", "0"],
      ["/usr/bin/prlimit", "--data=268435456"],
    ]) func itWorks(limits: [String]) async throws {
      let stage = try Stage(topics: ["numbers": 4])
      let file = try stage.write(Faults.pipeline(Faults.counts), to: "numbers.yaml")
      for partition in 0..<4 {
        try stage.produce(
          (0..<500).map { Faults.record($0) }, to: "numbers", partition: partition)
      }
      let daemon = try stage.daemon(file, through: limits)
      try await stage.expectRows(2_000, of: daemon)
      await stage.end(daemon)
      try await stage.expectBalance()
    }
  }

  @Suite("Fault 27: state of a newer version", .timeLimit(.minutes(3))) struct Fault27 {
    @Test func isRefusedAndLeftAlone() async throws {
      let stage = try Stage(topics: ["numbers": 1])
      let file = try stage.write(Faults.pipeline(Faults.counts), to: "numbers.yaml")
      try stage.produce((0..<10).map { Faults.record($0) }, to: "numbers")
      let daemon = try stage.daemon(file)
      try await stage.expectRows(10, of: daemon)
      await stage.end(daemon)
      // The version stands after the tag of eight letters.
      let names = stage.files.filter { $0.hasPrefix("data/numbers/task-0/snapshot-") }
      var original: [String: [UInt8]] = [:]
      var written: [String: [UInt8]] = [:]
      for name in names {
        var bytes = try stage.folder.contents(name)
        original[name] = bytes
        bytes[8] = 0xFF
        bytes[9] = 0x7F
        try Data(bytes).write(to: URL(fileURLWithPath: stage.path + "/" + name))
        written[name] = bytes
      }
      let older = try stage.daemon(file)
      #expect(await older.exitCode() == 1)
      #expect(older.text.contains("was written by a newer cutbank, and is left as it is"))
      for (name, bytes) in written { #expect(try stage.folder.contents(name) == bytes) }
      // The newer one goes on as if nothing had been.
      for (name, bytes) in original {
        try Data(bytes).write(to: URL(fileURLWithPath: stage.path + "/" + name))
      }
      try stage.produce([Faults.record(10)], to: "numbers")
      let newer = try stage.daemon(file)
      try await stage.expectRows(11, of: newer)
      await stage.end(newer)
      #expect(stage.rows().last == "{\"n\":10,\"seen\":11}")
      #expect(try await stage.expectBalance().polled == 11)
    }
  }

  @Suite("Fault 28: the state is restored on another host", .timeLimit(.minutes(3)))
  struct Fault28 {
    @Test func itGoesOnThere() async throws {
      let stage = try Stage(topics: ["numbers": 4])
      let file = try stage.write(Faults.pipeline(Faults.counts), to: "numbers.yaml")
      for partition in 0..<4 {
        try stage.produce((0..<25).map { Faults.record($0) }, to: "numbers", partition: partition)
      }
      let daemon = try stage.daemon(file)
      try await stage.expectRows(100, of: daemon)
      await stage.end(daemon)
      let host = try TemporaryFolder()
      for name in ["data", "numbers.yaml"] {
        try FileManager.default.copyItem(
          atPath: stage.path + "/" + name, toPath: host.path + "/" + name)
      }
      try stage.produce([Faults.record(25)], to: "numbers")
      let other = try Program(
        nil, ["run", host.path + "/numbers.yaml", "--brokers", stage.address], folder: host.path)
      try #require(
        await other.waits { host.files().contains { $0.hasPrefix("out/") && !$0.contains("/.") } })
      await stage.end(other)
      let rows = try host.files().filter { $0.hasPrefix("out/") }.flatMap { name in
        String(decoding: try host.contents(name), as: UTF8.self).split(separator: "\n")
      }
      #expect(rows == ["{\"n\":25,\"seen\":101}"])
      // A hundred there and one here.
      try await stage.expectBalance(delivered: .rows(101), data: host.path + "/data")
    }

    @Test func withoutItNothingBeginsAfresh() async throws {
      let stage = try Stage(topics: ["numbers": 1])
      let file = try stage.write(Faults.pipeline(Faults.counts), to: "numbers.yaml")
      try stage.produce((0..<10).map { Faults.record($0) }, to: "numbers")
      let daemon = try stage.daemon(file)
      try await stage.expectRows(10, of: daemon)
      await stage.end(daemon)
      let host = try TemporaryFolder()
      let other = try Program(
        nil, ["run", file, "--brokers", stage.address], folder: host.path)
      #expect(await other.exitCode() == 1)
      #expect(other.text.contains("which the group's commit names"), "\(other.text)")
      #expect(other.text.contains("run the pipeline where its state is"))
      #expect(try await stage.expectBalance().polled == 10)
    }
  }
}
