import Foundation
import Kafka
import RimSupport
import Testing

extension Faults {
  @Suite("Fault 04: the broker is down and comes back", .timeLimit(.minutes(10)))
  struct Fault04 {
    @Test(.enabled(if: Faults.areLong, Faults.tooLong)) func nothingIsLostAndMemoryStaysFlat()
      async throws
    {
      let stage = try Stage(topics: ["numbers": 2])
      let file = try stage.write(Faults.pipeline(Faults.counts), to: "numbers.yaml")
      let daemon = try stage.daemon(file)
      for partition in 0..<2 {
        try stage.produce((0..<50).map { Faults.record($0) }, to: "numbers", partition: partition)
      }
      try await stage.expectRows(100, of: daemon)
      let before = daemon.residentBytes
      try stage.broker.stop(broker: 1)
      _ = try #require(await daemon.line(containing: "still trying"))
      try await Task.sleep(for: .seconds(Faults.areLong ? 300 : 3))
      #expect(daemon.isRunning, "\(daemon.text)")
      #expect(daemon.residentBytes < before + 32 << 20)
      try stage.broker.start(broker: 1)
      // The client's longest wait between two attempts is 10 s.
      try stage.produce((50..<60).map { Faults.record($0) }, to: "numbers")
      try await stage.expectRows(110, of: daemon, within: .seconds(60))
      await stage.end(daemon)
      try await stage.expectBalance()
      let seen = stage.rows().compactMap { $0.wholeMatch(of: /.*"seen":(\d+)\}/)?.output.1 }
      #expect(seen.compactMap { Int($0) } == Array(1...110))
    }
  }

  @Suite("Fault 05: leaders and coordinators move, bursts of errors", .timeLimit(.minutes(5)))
  struct Fault05 {
    @Test func isTransparent() async throws {
      let stage = try Stage(topics: ["numbers": 4], brokers: 3)
      let file = try stage.write(Faults.pipeline(Faults.counts), to: "numbers.yaml")
      let daemon = try stage.daemon(file)
      var produced = 0
      func produceMore() throws {
        for partition in 0..<4 {
          try stage.produce(
            (produced..<produced + 25).map { Faults.record($0) }, to: "numbers",
            partition: partition)
        }
        produced += 25
      }
      try produceMore()
      try await stage.expectRows(produced * 4, of: daemon)
      for broker in [Int32(2), 3, 1] {
        for partition in Int32(0)..<4 {
          try stage.broker.setLeader(
            of: TopicPartition(topic: "numbers", partition: partition), to: broker)
        }
        try produceMore()
        try stage.broker.setCoordinator(of: .group, "cutbank.numbers", to: broker % 3 + 1)
        try await stage.expectRows(produced * 4, of: daemon)
      }
      try stage.broker.fail(
        .fetch, with: [.notLeader, .notLeader, .unknownTopicOrPartition, .transport, .notLeader])
      try stage.broker.fail(
        .offsetCommit, with: [.coordinatorNotAvailable, .notCoordinator, .coordinatorLoading])
      try stage.broker.fail(.findCoordinator, with: [.coordinatorNotAvailable, .transport])
      try stage.broker.fail(.heartbeat, with: [.coordinatorNotAvailable, .notCoordinator])
      try produceMore()
      try await stage.expectRows(produced * 4, of: daemon)
      await stage.end(daemon)
      let balance = try await stage.expectBalance()
      #expect(balance.polled == produced * 4)
      let seen = stage.rows().compactMap { $0.wholeMatch(of: /.*"seen":(\d+)\}/)?.output.1 }
      #expect(seen.compactMap { Int($0) } == Array(1...produced * 4))
    }
  }

  @Suite("Fault 08: a sink slower than max.poll.interval", .timeLimit(.minutes(5)))
  struct Fault08 {
    @Test(.enabled(if: Faults.areLong, Faults.tooLong)) func theGroupKeepsItsMember() async throws {
      let receiver = try await HostileReceiver(then: .silence)
      let stage = try Stage(topics: ["numbers": 2])
      // A poll is missed after 4.5 s; the first request alone waits longer.
      let text =
        Faults.pipeline(
          to: receiver.url("/rows"),
          delivery: "buffer: {size: 1MiB, interval: 1s}, "
            + "http: {allow_insecure: true, allow: [127.0.0.1]}"
        ).replacing(
          "heartbeat.interval.ms: 300",
          with: "heartbeat.interval.ms: 300, "
            + "max.poll.interval.ms: 4500"
        ) + "\nsnapshot: {interval: 1s, records: 100}"
      let file = try stage.write(text, to: "numbers.yaml")
      try stage.write("shutdown_timeout: 1s", to: "cutbank.yaml")
      let daemon = try stage.daemon(file, arguments: ["--config", "cutbank.yaml"])
      _ = try #require(await daemon.line(containing: "the group gives"))
      for round in 0..<6 {
        try stage.produce(
          (round * 100..<round * 100 + 100).map { Faults.record($0) }, to: "numbers",
          partition: round % 2)
        try await Task.sleep(for: .milliseconds(Faults.areLong ? 10_000 : 1_500))
      }
      #expect(!daemon.text.contains("takes back"), "\(daemon.text)")
      let stuck = await receiver.requests(1)
      await stage.end(daemon)
      try await receiver.stop()
      let id = try #require(stuck.first?.header("X-Amz-Firehose-Request-Id"))
      #expect(!id.isEmpty)
      // Nothing was delivered, and what was taken is still there.
      let balance = try await stage.expectBalance(delivered: .asCounted)
      #expect(balance.outputs[0].delivered == 0 && balance.outputs[0].inFlight > 0, "\(balance)")
    }
  }

  @Suite("Fault 09: retention has passed the commit", .timeLimit(.minutes(5)))
  struct Fault09 {
    /// Ends a daemon at record 10 and lets the topic forget what comes after; its log start.
    private func outrun(_ stage: Stage, _ file: String) async throws {
      try stage.produce((0..<10).map { Faults.record($0) }, to: "numbers")
      let daemon = try stage.daemon(file)
      try await stage.expectRows(10, of: daemon)
      await stage.end(daemon)
      let padding = String(repeating: "x", count: 2_000)
      try stage.produce(
        (10..<6_000).map { "{\"n\":\($0),\"k\":\"k\",\"p\":\"\(padding)\"}" }, to: "numbers")
    }

    @Test func stopsAndSaysHowManyAreLost() async throws {
      let stage = try Stage(topics: ["numbers": 1])
      let file = try stage.write(Faults.pipeline(), to: "numbers.yaml")
      try await outrun(stage, file)
      let daemon = try stage.daemon(file)
      #expect(await daemon.exitCode() == 1)
      let found = try #require(
        daemon.text.firstMatch(
          of: /offset 10 < log start (\d+) on numbers\[0\]: (\d+) records lost/))
      #expect(Int(found.output.1) == Int(found.output.2).map { $0 + 10 })
      #expect(stage.rows().count == 10)
      Faults.tell("\(found.output.0)")
      // It has stopped where it was.
      let balance = try await stage.expectBalance()
      #expect(balance.polled == 10 && balance.lost == 0)
    }

    @Test func goesOnWhereItMayAndCountsThem() async throws {
      let stage = try Stage(topics: ["numbers": 1])
      let file = try stage.write(
        Faults.pipeline(kafka: "start: trim_horizon, offset_out_of_range: earliest"),
        to: "numbers.yaml")
      try await outrun(stage, file)
      let daemon = try stage.daemon(file)
      let line = try #require(await daemon.line(containing: "records lost"))
      let lost = try #require(
        line.firstMatch(of: /: (\d+) records lost/).flatMap { Int($0.output.1) })
      try await stage.expectRows(6_000 - lost, of: daemon)
      await stage.end(daemon)
      let balance = try await stage.expectBalance()
      #expect(balance.lost == lost && balance.polled == 6_000 - lost)
      #expect(Set(stage.rows()).count == stage.rows().count)
    }
  }

  @Suite("Fault 10: the topic is deleted and made again", .timeLimit(.minutes(5)))
  struct Fault10 {
    /// A broker that forgets everything is a topic with other records under known offsets.
    @Test func stopsWithTheReason() async throws {
      let first = try Program(nil, ["broker", "--port", "0", "--topic", "numbers:1"])
      let line = try #require(await first.line(containing: "listening on "))
      let address = String(line.split(separator: " ").last ?? "")
      let port = String(address.split(separator: ":").last ?? "")
      let stage = try Stage(address: address)
      let file = try stage.write(
        Faults.pipeline(extra: "snapshot: {interval: 1s, records: 25}"), to: "numbers.yaml")
      try stage.produce((0..<50).map { Faults.record($0) }, to: "numbers")
      let daemon = try stage.daemon(file)
      try await stage.expectRows(50, of: daemon)
      let isStored = await daemon.waits {
        stage.files.contains { $0.contains("/task-0/snapshot-") && !$0.hasSuffix(".tmp") }
      }
      try #require(isStored)
      first.signal(SIGKILL)
      #expect(await first.exitCode() == -1)
      let second = try Program(nil, ["broker", "--port", port, "--topic", "numbers:1"])
      _ = try #require(await second.line(containing: "listening on "), "\(second.text)")
      #expect(await daemon.exitCode() == 1, "\(daemon.text)")
      #expect(
        daemon.text.contains("offset 50 lies beyond the end 0 of numbers[0]: the topic was made"),
        "\(daemon.text)")
      second.signal(SIGTERM)
      #expect(await second.exitCode() == 0)
      #expect(try await stage.expectBalance(delivered: .asCounted).polled <= 50)
    }
  }

  @Suite("Fault 29: topics compressed by every codec", .timeLimit(.minutes(3)))
  struct Fault29 {
    @Test(arguments: ["gzip", "snappy", "lz4", "zstd"]) func areRead(codec: String) async throws {
      let stage = try Stage(topics: ["numbers": 1], compression: codec)
      let file = try stage.write(Faults.pipeline(), to: "numbers.yaml")
      try stage.produce((0..<1_000).map { Faults.record($0) }, to: "numbers")
      let daemon = try stage.daemon(file)
      try await stage.expectRows(1_000, of: daemon)
      await stage.end(daemon)
      #expect(stage.rows() == (0..<1_000).map { "{\"n\":\($0)}" })
      try await stage.expectBalance()
    }
  }
}
