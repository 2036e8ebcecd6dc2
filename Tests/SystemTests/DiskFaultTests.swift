import Foundation
import RimSupport
import Testing

extension SystemTests {
  static func pipeline(_ outputs: String) -> String {
    """
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
    \(outputs)
    kafka: {session.timeout.ms: 4000, heartbeat.interval.ms: 300}
    commit_interval: 50ms
    """
  }

  static func numbers(_ range: Range<Int>) -> [String] { range.map { "{\"n\":\($0)}" } }

  static func rows(_ range: Range<Int>) -> [String] { range.map { "{\"N\":\($0)}" } }

  @Suite(
    "Fault 18: the disk is full or read-only", .timeLimit(.minutes(4)),
    .enabled(if: SmallVolume.isPossible, "mounting a small volume needs an administrator"))
  struct Fault18 {
    /// Journal, snapshots and outbox have no room: the task waits, and goes on by itself.
    @Test func aFullStateVolumePausesAndLosesNothing() async throws {
      let receiver = try await HostileReceiver()
      let stage = try Stage(topics: ["numbers": 1])
      let volume = try await SmallVolume(path: stage.path + "/state", kibibytes: 65_536)
      let file = try stage.write(
        SystemTests.pipeline(
          """
            - stream: OUT
              delivery: {to: file://./out, buffer: {size: 1MiB, interval: 1s}}
            - stream: OUT
              webhook: {url: '\(receiver.url())', allow: [127.0.0.0/8]}
          """), to: "numbers.yaml")
      let daemon = try stage.daemon(
        file, arguments: ["--data-directory", volume.path], through: volume.prefix(in: stage.path))
      try stage.produce(SystemTests.numbers(0..<500), to: "numbers")
      try await stage.expectRows(500, of: daemon)
      try volume.fill()
      // The last pages of files that exist take some commits more.
      var count = 500
      while !daemon.text.contains("is paused"), count < 5_000 {
        try stage.produce(SystemTests.numbers(count..<count + 250), to: "numbers")
        count += 250
      }
      let paused = try #require(await daemon.line(containing: "is paused"))
      #expect(paused.contains("o space left") || paused.contains("disk is full"), "\(paused)")
      try stage.produce(SystemTests.numbers(count..<count + 500), to: "numbers")
      count += 500
      #expect(daemon.isRunning)
      try volume.free()
      #expect(await daemon.line(containing: "goes on") != nil)
      try await stage.expectRows(count, of: daemon)
      #expect(Set(stage.rows()) == Set(SystemTests.rows(0..<count)))
      #expect(stage.rows().count == count)
      await receiver.requests(count)
      await stage.end(daemon)
      let ids = Dictionary(grouping: receiver.requests) { $0.header("webhook-id") ?? "" }
      #expect(ids.count == count)
      // A post that could not be noted is sent again, and is the same.
      #expect(ids.values.allSatisfy { Set($0.map(\.body)).count == 1 })
      let balance = try await stage.expectBalance(data: volume.visible)
      #expect(balance.outputs[1].rows == count, "\(balance)")
      try await receiver.stop()
    }

    /// Objects have no room: none is seen in part, the pipeline waits for it.
    @Test func aFullSinkShowsNoPartsAndGoesOn() async throws {
      let stage = try Stage(topics: ["numbers": 1])
      let volume = try await SmallVolume(path: stage.path + "/sink", kibibytes: 256)
      let file = try stage.write(
        SystemTests.pipeline(
          "  - stream: OUT\n"
            + "    delivery: {to: 'file://\(volume.path)', buffer: {size: 1MiB, records: 2000}}"),
        to: "numbers.yaml")
      try volume.fill()
      let daemon = try stage.daemon(file, through: volume.prefix(in: stage.path))
      try stage.produce(SystemTests.numbers(0..<2_000), to: "numbers")
      let fails = try #require(await daemon.line(containing: "fails and is tried again"))
      #expect(fails.contains("Directory.DiskFull"), "\(fails)")
      #expect(volume.files.filter { !$0.hasPrefix(".tmp") } == ["filler"])
      try volume.free()
      #expect(await daemon.line(containing: "delivery of numbers/OUT goes on") != nil)
      let objects = volume.files
      #expect(objects.count == 1 && volume.lines(objects[0]) == SystemTests.rows(0..<2_000))
      await stage.end(daemon)
      try await stage.expectBalance(delivered: .rows(2_000))
    }

    @Test func aSinkThatBecomesReadOnlyIsWaitedFor() async throws {
      let stage = try Stage(topics: ["numbers": 1])
      let volume = try await SmallVolume(path: stage.path + "/sink", kibibytes: 256)
      let file = try stage.write(
        SystemTests.pipeline(
          "  - stream: OUT\n"
            + "    delivery: {to: 'file://\(volume.path)', buffer: {size: 1MiB, records: 100}}"),
        to: "numbers.yaml")
      let daemon = try stage.daemon(file, through: volume.prefix(in: stage.path))
      try stage.produce(SystemTests.numbers(0..<100), to: "numbers")
      #expect(await daemon.waits { volume.files.count == 1 })
      try await volume.remount("ro")
      try stage.produce(SystemTests.numbers(100..<200), to: "numbers")
      let fails = try #require(await daemon.line(containing: "fails and is tried again"))
      #expect(fails.contains("Directory.ReadOnly") && fails.contains("mount the file system"))
      try await volume.remount("rw")
      #expect(await daemon.line(containing: "delivery of numbers/OUT goes on") != nil)
      let lines = volume.files.flatMap(volume.lines)
      #expect(Set(lines) == Set(SystemTests.rows(0..<200)) && lines.count == 200)
      await stage.end(daemon)
      try await stage.expectBalance(delivered: .rows(200))
    }
  }

  @Suite(
    "Fault 18: the disk fails", .timeLimit(.minutes(4)),
    .enabled(if: Places.strace != nil, "strace is not installed: apt-get install strace"))
  struct Fault18BrokenDisk {
    /// Every write to a file and every sync fails with EIO for a while, and nothing is lost.
    @Test(.enabled(if: Faults.areLong, Faults.tooLong)) func writesThatFailAreDoneAgain()
      async throws
    {
      let receiver = try await HostileReceiver()
      let stage = try Stage(topics: ["numbers": 1])
      let file = try stage.write(
        SystemTests.pipeline(
          """
            - stream: OUT
              delivery: {to: file://./out, buffer: {size: 1MiB, records: 100, interval: 900s}}
            - stream: OUT
              webhook: {url: '\(receiver.url())', allow: [127.0.0.0/8]}
          """), to: "numbers.yaml")
      let daemon = try stage.daemon(file)
      try stage.produce(SystemTests.numbers(0..<100), to: "numbers")
      try await stage.expectRows(100, of: daemon)
      await receiver.requests(100)
      let calls = "fsync,fdatasync,pwrite64"
      let strace: String = try #require(Places.strace)
      let fault = try Program(
        strace,
        [
          "-f", "-p", "\(daemon.id)", "-o", "/dev/null", "-e", "trace=\(calls)", "-e",
          "inject=\(calls):error=EIO",
        ])
      let attached = try #require(await fault.line(containing: "attached"))
      try #require(!attached.contains("Operation not permitted"), "\(attached)")
      try stage.produce(SystemTests.numbers(100..<300), to: "numbers")
      let paused = try #require(await daemon.line(containing: "is paused"))
      #expect(paused.lowercased().contains("o error"), "\(paused)")
      // Its end lets go of all threads; what it is asked it may hear late.
      fault.signal(SIGKILL)
      _ = await fault.exitCode()
      #expect(await daemon.line(containing: "task numbers/0 goes on") != nil)
      try await stage.expectRows(300, of: daemon)
      await receiver.requests(300)
      await stage.end(daemon)
      #expect(stage.rows().sorted() == SystemTests.rows(0..<300).sorted())
      let ids = Dictionary(grouping: receiver.requests) { $0.header("webhook-id") ?? "" }
      #expect(ids.count == 300)
      try await stage.expectBalance()
      try await receiver.stop()
    }
  }

  @Suite(
    "Fault 19: a crash between write and name", .timeLimit(.minutes(4)),
    .enabled(if: Places.strace != nil, "strace is not installed: apt-get install strace"))
  struct Fault19 {
    /// Kills the daemon when it is about to do a system call for the n-th time.
    private func run(killedAt call: String, _ number: Int, in stage: Stage, file: String)
      async throws
    {
      let strace: String = try #require(Places.strace)
      let daemon = try stage.daemon(
        file,
        through: [
          strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=\(call)", "-e",
          "inject=\(call):signal=KILL:when=\(number)",
        ])
      _ = await daemon.exitCode()
    }

    /// Calls are counted by thread; the first link of one is that of the journal, which is created the same
    /// way.
    @Test(arguments: [("?link,linkat", 2), ("?link,linkat", 3), ("?unlink,unlinkat", 2)])
    func onlyWholeObjectsAreSeen(call: String, number: Int) async throws {
      let stage = try Stage(topics: ["numbers": 1])
      let file = try stage.write(
        SystemTests.pipeline(
          "  - stream: OUT\n"
            + "    delivery: {to: file://./out, buffer: {size: 1MiB, records: 100}}"),
        to: "numbers.yaml")
      try stage.produce(SystemTests.numbers(0..<500), to: "numbers")
      try await run(killedAt: call, number, in: stage, file: file)
      let after = stage.objects()
      #expect(after.count < 5 && after.allSatisfy { $0.rows.count == 100 })
      let isUnfinished = stage.files.contains { $0.hasPrefix("out/.tmp/") }
      #expect(isUnfinished || call.contains("unlink"), "it had no name yet: \(stage.files)")
      // Of somebody else: left alone.
      try stage.write("mine", to: "out/.tmp/0123456789abcdef-other")

      let daemon = try stage.daemon(file)
      try await stage.expectRows(500, of: daemon)
      await stage.end(daemon)
      #expect(stage.rows().sorted() == SystemTests.rows(0..<500).sorted())
      let left = stage.files.filter { $0.hasPrefix("out/.tmp/") }
      #expect(left == ["out/.tmp/0123456789abcdef-other"])
      try await stage.expectBalance()
    }
  }
}
