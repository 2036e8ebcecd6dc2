import Foundation
import Kafka
import RimSupport
import Testing

extension ClusterFaults {
  @Suite(
    "Fault 07 over a transactional topic: a second daemon joins and leaves",
    .timeLimit(.minutes(60)), .enabled(if: ClusterFaults.hasBrokers, ClusterFaults.missing))
  struct Fault07Topics {
    /// Each has a data directory of its own, as its name to the brokers asks for; state is in topics.
    @Test func eachRecordIsScoredOnceAsByOne() async throws {
      let (stage, file) = try await ClusterFaults.transactional(extra: "state: {store: topics}")
      try stage.write("log: {status: 1s}", to: "cutbank.yaml")
      let other = try TemporaryFolder()
      let load = Task {
        try await stage.load("numbers", partitions: 4, perSecond: Faults.areLong ? 2_000 : 800)
      }
      let first = try stage.daemon(file, arguments: ["--config", "cutbank.yaml"])
      _ = try #require(await first.line(containing: "the group gives [\""))
      for _ in 0..<(Faults.areLong ? 20 : 2) {
        let second = try Program(
          nil, ["run", file, "--brokers", stage.address], folder: other.path)
        _ = try #require(await second.line(containing: "the group gives [\""))
        // How long it stays is part of the fault.
        try await Task.sleep(for: .seconds(Faults.areLong ? 10 : 2))
        try #require(first.isRunning && second.isRunning, "\(first.text)\(second.text)")
        await stage.end(second)
      }
      load.cancel()
      let count = try await load.value * 4
      let rows = try await ClusterFaults.rows(count, of: stage, first)
      try await stage.expectBalance(of: first, records: count)
      await stage.end(first)
      #expect(rows.count == count && Set(rows).count == count)
      #expect(Faults.isInOrder(rows))
      #expect(rows.sorted() == (try await ClusterFaults.undisturbed(count, stage)).sorted())
    }
  }

  @Suite(
    "Fault 07 with static members: each comes back to what it had", .timeLimit(.minutes(10)),
    .enabled(if: ClusterFaults.hasBrokers, ClusterFaults.missing))
  struct Fault07Static {
    @Test func aRestartMovesNothing() async throws {
      let stage = try await ClusterFaults.stage(topics: ["numbers": 4])
      var files: [String] = []
      for name in ["one", "two"] {
        let text = ClusterFaults.realPipeline(Faults.scores, stage, input: "key: k").replacing(
          "kafka: {session.timeout.ms: 6000",
          with: "kafka: {group.instance.id: \(name), session.timeout.ms: 30000")
        files.append(try stage.write(text, to: "\(name).yaml"))
      }
      let one = try stage.daemon(files[0])
      _ = try #require(await one.line(containing: "tasks [0, 1, 2, 3]"))
      var two = try stage.daemon(files[1])
      let given = try #require(await two.line(containing: "the group gives [\""))
      let tasks = try #require(given.firstMatch(of: /tasks (\[[0-9, ]+\])/)).output.1
      func produce(_ numbers: Range<Int>) throws {
        for partition in 0..<4 {
          try stage.produce(
            numbers.map { Faults.record($0, key: "k\(partition)") }, to: "numbers",
            partition: partition)
        }
      }
      try produce(0..<100)
      try await stage.expectRows(400, of: one)
      let before = one.text.matches(of: /takes back/).count
      for round in 1...2 {
        await stage.end(two)
        two = try stage.daemon(files[1])
        _ = try #require(await two.line(containing: "tasks \(tasks)"))
        try produce(round * 100..<round * 100 + 100)
        try await stage.expectRows(400 * (round + 1), of: two)
      }
      #expect(one.text.matches(of: /takes back/).count == before, "\(one.text)")
      await stage.end(one)
      await stage.end(two)
      let rows = stage.rows()
      #expect(rows.count == 1_200 && Set(rows).count == 1_200)
      #expect(stage.objects().allSatisfy { Faults.isInOrder($0.rows) })
      try await stage.expectBalance()
    }
  }

  @Suite(
    "Fault 10 with more partitions: they are read without a restart", .timeLimit(.minutes(5)),
    .enabled(if: ClusterFaults.hasBrokers, ClusterFaults.missing))
  struct Fault10Partitions {
    @Test(arguments: [true, false]) func newOnesAreRead(isKeyed: Bool) async throws {
      let stage = try await ClusterFaults.stage(topics: ["numbers": 2])
      var text = ClusterFaults.realPipeline(
        isKeyed ? Faults.scores : Faults.numbers, stage, input: isKeyed ? "key: k" : "")
      if !Faults.areLong {
        text = text.replacing(
          "kafka: {session", with: "kafka: {topic.metadata.refresh.interval.ms: 2000, session")
      }
      let daemon = try stage.daemon(try stage.write(text, to: "numbers.yaml"))
      func produce(to partitions: Range<Int>, _ numbers: Range<Int>) throws {
        for partition in partitions {
          try stage.produce(
            numbers.map { Faults.record($0, key: "k\(partition)") }, to: "numbers",
            partition: partition)
        }
      }
      try produce(to: 0..<2, 0..<100)
      try await stage.expectRows(200, of: daemon)
      try stage.addPartitions(to: "numbers", upTo: 4)
      let began = ContinuousClock.now
      try produce(to: 0..<4, 100..<200)
      try await stage.expectRows(600, of: daemon)
      Faults.tell("new partitions were read after \(ContinuousClock.now - began)")
      await stage.end(daemon)
      #expect(stage.rows().count == 600)
      try await stage.expectBalance()
    }
  }
}
