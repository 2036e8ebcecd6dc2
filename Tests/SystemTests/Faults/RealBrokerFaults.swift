import Foundation
import Kafka
import RimSupport
import Testing

/// The faults that need a real cluster; those of `Faults` go on beside them.
@Suite(.serialized) struct ClusterFaults {
  /// Brokers of the user's, for what the embedded broker does not know.
  private static let brokers = ProcessInfo.processInfo.environment["CUTBANK_TEST_BROKERS"]

  /// Whether there are brokers, or nodes can be started.
  static let hasBrokers = brokers != nil || KafkaNodes.arePossible

  /// Why the suites of a real broker did not run.
  static let missing: Comment =
    "the embedded broker knows no transactions: set CUTBANK_TEST_BROKERS=host:port or CUTBANK_TEST_KAFKA"

  /// A stage on the user's brokers; where there are none, on a node of its own.
  static func stage(topics: [String: Int]) async throws -> Stage {
    if let brokers { return try Stage(realBrokers: brokers, topics: topics) }
    let nodes = try await KafkaNodes(count: 1)
    return try Stage(realBrokers: nodes.address(.plain), nodes: nodes, topics: topics)
  }

  /// The file of a pipeline with the shortest session that brokers take as they are delivered.
  static func realPipeline(
    _ application: String, _ stage: Stage, name: String = "numbers",
    to place: String = "file://./out",
    input: String = "", output: String? = nil, extra: String = ""
  ) -> String {
    Faults.pipeline(
      application, name: name + stage.suffix, topic: "numbers" + stage.suffix, to: place,
      input: input, output: output, extra: extra
    ).replacing("session.timeout.ms: 4000", with: "session.timeout.ms: 6000")
  }

  /// A stage on the user's broker, with a pipeline that writes a topic in transactions.
  static func transactional(
    _ partitions: Int = 4, extra: String = ""
  ) async throws -> (stage: Stage, file: String) {
    let stage = try await stage(topics: ["numbers": partitions, "scores": 1])
    let text = realPipeline(
      Faults.scores, stage, input: "key: k", output: "kafka: {topic: scores\(stage.suffix)}",
      extra: "snapshot: {interval: 5s, records: 5000}\n" + extra)
    return (stage, try stage.write(text, to: "numbers.yaml"))
  }

  /// Waits until the topic holds so many committed rows.
  static func rows(
    _ count: Int, of stage: Stage, _ daemon: Program
  ) async throws -> [String] {
    try #require(
      await daemon.waits {
        (try? stage.records(of: "scores").count) ?? 0 >= count
      })
    return try stage.records(of: "scores")
  }

  /// The same records through a pipeline that is left in peace.
  static func undisturbed(_ count: Int, _ stage: Stage) async throws -> [String] {
    let file = try stage.write(
      realPipeline(
        Faults.scores, stage, name: "peaceful", to: "file://./peace", input: "key: k"),
      to: "peaceful.yaml")
    let daemon = try stage.daemon(file)
    try await stage.expectRows(count, below: "peace", of: daemon)
    await stage.end(daemon)
    return stage.rows("peace")
  }

  @Suite(
    "Fault 01 over a transactional topic: kill -9 at random instants",
    .timeLimit(.minutes(60)), .enabled(if: ClusterFaults.hasBrokers, ClusterFaults.missing))
  struct Fault01Topics {
    @Test func rowsAreInTheTopicOnce() async throws {
      let (stage, file) = try await ClusterFaults.transactional()
      let load = Task {
        try await stage.load("numbers", partitions: 4, perSecond: Faults.areLong ? 2_000 : 800)
      }
      var generator = SeededInstants(seed: 11)
      for _ in 0..<(Faults.areLong ? 100 : 5) {
        let daemon = try stage.daemon(file)
        try await Task.sleep(for: .milliseconds(generator.next(below: 9_000)))
        try #require(daemon.isRunning, "\(daemon.text)")
        await stage.kill(daemon)
      }
      load.cancel()
      let count = try await load.value * 4
      let daemon = try stage.daemon(file)
      let rows = try await ClusterFaults.rows(count, of: stage, daemon)
      await stage.end(daemon)
      #expect(rows.count == count && Set(rows).count == count)
      #expect(Faults.isInOrder(rows))
      try await stage.expectBalance(delivered: .rows(count))
      #expect(rows.sorted() == (try await ClusterFaults.undisturbed(count, stage)).sorted())
    }
  }

  @Suite(
    "Fault 06: the producer is fenced", .timeLimit(.minutes(5)),
    .enabled(if: ClusterFaults.hasBrokers, ClusterFaults.missing))
  struct Fault06 {
    @Test func anotherTakesItsPlaceAndRowsAreThereOnce() async throws {
      let (stage, file) = try await ClusterFaults.transactional(1)
      let daemon = try stage.daemon(file)
      try stage.produce((0..<100).map { Faults.record($0) }, to: "numbers")
      _ = try await ClusterFaults.rows(100, of: stage, daemon)
      let instance = String(decoding: try stage.folder.contents("data/instance"), as: UTF8.self)
      for worker in 0..<ProcessInfo.processInfo.activeProcessorCount {
        let name = "cutbank.numbers\(stage.suffix).\(instance).\(worker)"
        let other = try Producer(
          ProducerConfiguration(brokers: stage.address, transactionalID: name),
          logger: Stage.logger)
        try other.initTransactions(timeout: .seconds(30))
      }
      try stage.produce((100..<200).map { Faults.record($0) }, to: "numbers")
      let rows = try await ClusterFaults.rows(200, of: stage, daemon)
      #expect(daemon.text.lowercased().contains("fenced"), "\(daemon.text)")
      await stage.end(daemon)
      #expect(rows.count == 200 && Set(rows).count == 200)
      try await stage.expectBalance(delivered: .rows(200))
      #expect(rows == (try await ClusterFaults.undisturbed(200, stage)))
    }
  }

  @Suite(
    "Fault 26: two daemons with one group.instance.id", .timeLimit(.minutes(5)),
    .enabled(if: ClusterFaults.hasBrokers, ClusterFaults.missing))
  struct Fault26 {
    @Test func theFencedOneEndsAndSaysWhy() async throws {
      let stage = try await ClusterFaults.stage(topics: ["numbers": 2])
      let text = ClusterFaults.realPipeline(Faults.counts, stage).replacing(
        "kafka: {session", with: "kafka: {group.instance.id: one, session")
      let file = try stage.write(text, to: "numbers.yaml")
      let first = try stage.daemon(file)
      try stage.produce((0..<10).map { Faults.record($0) }, to: "numbers")
      try await stage.expectRows(10, of: first)
      let second = try stage.daemon(file)
      #expect(await first.exitCode() == 1)
      #expect(first.text.lowercased().contains("fenced"), "\(first.text)")
      try stage.produce((10..<20).map { Faults.record($0) }, to: "numbers")
      try await stage.expectRows(20, of: second)
      await stage.end(second)
      #expect(stage.rows().last == "{\"n\":19,\"seen\":20}")
      #expect(try await stage.expectBalance().polled == 20)
    }
  }

  @Suite(
    "Fault 26 with one data directory: two daemons that write one topic", .timeLimit(.minutes(5)),
    .enabled(if: ClusterFaults.hasBrokers, ClusterFaults.missing))
  struct Fault26Directory {
    /// Each has a name of its own to the brokers, so that none takes the other's place.
    @Test func noneFencesTheOther() async throws {
      let (stage, file) = try await ClusterFaults.transactional()
      func produce(_ numbers: Range<Int>) throws {
        for partition in 0..<4 {
          try stage.produce(
            numbers.map { Faults.record($0, key: "k\(partition)") }, to: "numbers",
            partition: partition)
        }
      }
      let first = try stage.daemon(file)
      _ = try #require(await first.line(containing: "tasks [0, 1, 2, 3]"))
      let second = try stage.daemon(file)
      _ = try #require(await second.line(containing: "data/instance belongs to another daemon"))
      _ = try #require(await second.line(containing: "the group gives [\""))
      try produce(0..<500)
      _ = try await ClusterFaults.rows(2_000, of: stage, second)
      // The next one takes the name of the one that has ended.
      await stage.end(first)
      let third = try stage.daemon(file)
      _ = try #require(await third.line(containing: "the group gives [\""))
      try produce(500..<1_000)
      let rows = try await ClusterFaults.rows(4_000, of: stage, third)
      for daemon in [second, third] {
        #expect(!daemon.text.lowercased().contains("fenced"), "\(daemon.text)")
        await stage.end(daemon)
      }
      #expect(!first.text.lowercased().contains("fenced"), "\(first.text)")
      let names = stage.files.filter { $0.hasPrefix("data/instance") }
      #expect(names.sorted() == ["data/instance", "data/instance-2"])
      #expect(rows.count == 4_000 && Set(rows).count == 4_000)
      #expect(Faults.isInOrder(rows))
      try await stage.expectBalance(delivered: .rows(4_000))
    }
  }

  @Suite(
    "Fault 28 with state in topics: an unclean state goes on with another data directory",
    .timeLimit(.minutes(5)), .enabled(if: ClusterFaults.hasBrokers, ClusterFaults.missing))
  struct Fault28Topics {
    @Test func foldersOfAMachineDoNotNameAPipeline() async throws {
      let stage = try await ClusterFaults.stage(topics: ["numbers": 1])
      let file = try stage.write(
        ClusterFaults.realPipeline(
          Faults.counts, stage, extra: "state: {store: topics}\nsnapshot: {interval: 1h}"),
        to: "numbers.yaml")
      for round in 0..<3 {
        let daemon = try stage.daemon(file, arguments: ["--data-directory", "machine-\(round)"])
        try stage.produce(
          (round * 10..<round * 10 + 10).map { Faults.record($0) }, to: "numbers")
        try await stage.expectRows(round * 10 + 10, of: daemon)
        #expect(!daemon.text.contains("has changed"), "\(daemon.text)")
        await stage.kill(daemon)
      }
      #expect(stage.rows() == (0..<30).map { "{\"n\":\($0),\"seen\":\($0 + 1)}" })
      let verified = try await stage.command("state", "verify", file, "--brokers", stage.address)
      #expect(verified.code == 0, "\(verified.text)")
      let found = try await stage.command("state", "inspect", file, "--brokers", stage.address)
      #expect(found.code == 0 && found.text.contains("commit: cutbank1 life="), "\(found.text)")
      #expect(found.text.contains("journal[0]: ") && found.text.contains("records: "))
      let away = try await stage.command("state", "verify", file, "--brokers", "127.0.0.1:9")
      #expect(away.code == 75 && away.text.contains("cannot be read"), "\(away.text)")
      let unnamed = try await stage.command("state", "verify", file)
      #expect(unnamed.code == 78 && unnamed.text.contains("no Kafka brokers are set"))
    }
  }

  @Suite(
    "Fault 30: aborted transactions in the input", .timeLimit(.minutes(5)),
    .enabled(if: ClusterFaults.hasBrokers, ClusterFaults.missing))
  struct Fault30 {
    @Test func areNotScored() async throws {
      let stage = try await ClusterFaults.stage(topics: ["numbers": 1])
      let file = try stage.write(
        ClusterFaults.realPipeline(Faults.counts, stage), to: "numbers.yaml")
      let producer = try Producer(
        ProducerConfiguration(brokers: stage.address, transactionalID: "writer" + stage.suffix),
        logger: Stage.logger)
      try producer.initTransactions(timeout: .seconds(30))
      let topic = try producer.topic("numbers" + stage.suffix)
      for round in 0..<10 {
        try producer.beginTransaction()
        for number in round * 10..<round * 10 + 10 {
          try producer.produce(
            to: topic, partition: 0, key: nil, value: Array(Faults.record(number).utf8),
            timeout: .seconds(10))
        }
        try producer.flush(timeout: .seconds(20))
        if round % 2 == 0 {
          try producer.commitTransaction(timeout: .seconds(20))
        } else {
          try producer.abortTransaction(timeout: .seconds(20))
        }
      }
      let daemon = try stage.daemon(file)
      try await stage.expectRows(50, of: daemon)
      await stage.end(daemon)
      let committed = (0..<100).filter { $0 / 10 % 2 == 0 }
      #expect(
        stage.rows()
          == committed.enumerated().map { "{\"n\":\($0.element),\"seen\":\($0.offset + 1)}" })
      try await stage.expectBalance()
    }
  }
}
