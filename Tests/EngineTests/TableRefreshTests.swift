import Engine
import Foundation
import Kafka
import Testing

/// Reference tables whose rows change while a pipeline runs.
@Suite struct TableRefreshTests {
  static let program = """
    CREATE OR REPLACE STREAM "NAMED" ("n" BIGINT, "name" VARCHAR(32));
    CREATE OR REPLACE PUMP "NAME_PUMP" AS INSERT INTO "NAMED"
      SELECT STREAM s."n", t."name" FROM "NUMBERS" AS s
      LEFT JOIN "NAMES" AS t ON MOD(s."n", 2) = t."k";
    """

  static func plan(_ bench: PipelineBench, _ source: String) throws -> PipelinePlan {
    try bench.plan(
      program, stream: "NAMED",
      extra: """
        reference_tables:
          - table: NAMES
            \(source)
            refresh: 100ms
            columns: [{name: k, type: BIGINT}, {name: name, type: VARCHAR(32)}]
        """)
  }

  /// Replaces the table's file, as users should: by renaming.
  static func write(_ text: String, _ bench: PipelineBench) throws {
    try Data(text.utf8).write(
      to: URL(fileURLWithPath: bench.folder + "/names.csv"), options: .atomic)
  }

  static func fileSource(_ bench: PipelineBench) -> String {
    "file: \(bench.folder)/names.csv\n    format: csv"
  }

  /// Waits for the daemon's n-th activation.
  static func activation(_ daemon: Daemon, _ count: Int) async throws -> TableActivation {
    try await PipelineBench.nth(count, of: daemon) { $0.tableActivations }
  }

  static func names(_ bench: PipelineBench) throws -> [(n: Int, name: String)] {
    try bench.lines("out").map { line in
      let object = DaemonTests.object(line)
      return (object["n"] as? Int ?? -1, object["name"] as? String ?? "-")
    }
  }

  @Test func rowsMeetTheTableThatWasThereWhenTheyCame() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try Self.write("0,even\n1,odd\n", bench)
    try bench.produceNumbers(0..<400)
    let daemon = try bench.daemon(Self.plan(bench, Self.fileSource(bench)))
    async let result = daemon.run()
    #expect(try await Self.activation(daemon, 1).rowNumber == 0)
    try await SwapTests.taken(daemon, 400)
    try Self.write("0,gerade\n", bench)
    let second = try await Self.activation(daemon, 2)
    #expect((second.rowNumber, second.rowCount) == (400, 1))
    try bench.produceNumbers(400..<800)
    try await SwapTests.taken(daemon, 800)
    daemon.stop()
    #expect(try await result)
    let rows = try Self.names(bench)
    #expect(rows.map(\.n) == Array(0..<800))
    for row in rows {
      let expected =
        row.n < 400 ? ["even", "odd"][row.n % 2] : ["gerade", "-"][row.n % 2]
      #expect(row.name == expected)
    }
  }

  /// A file that is gone or wrong changes nothing, and its successor is taken up.
  @Test func aBadFileLeavesTheRowsInUse() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try Self.write("0,even\n1,odd\n", bench)
    let daemon = try bench.daemon(Self.plan(bench, Self.fileSource(bench)))
    async let result = daemon.run()
    _ = try await Self.activation(daemon, 1)
    try Self.write("0,even\nno number,odd\n", bench)
    try bench.produceNumbers(0..<100)
    try await SwapTests.taken(daemon, 100)
    try FileManager.default.removeItem(atPath: bench.folder + "/names.csv")
    try bench.produceNumbers(100..<200)
    try await SwapTests.taken(daemon, 200)
    try Self.write("0,null\n1,eins\n", bench)
    let second = try await Self.activation(daemon, 2)
    #expect(second.rowNumber == 200)
    try bench.produceNumbers(200..<300)
    try await SwapTests.taken(daemon, 300)
    daemon.stop()
    #expect(try await result)
    let expected = (0..<300).map { n in
      n < 200 ? ["even", "odd"][n % 2] : ["null", "eins"][n % 2]
    }
    #expect(try Self.names(bench).map(\.name) == expected)
  }

  @Test func withoutStateABadFileIsRefusedAndWithStateItIsNot() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let plan = try Self.plan(bench, Self.fileSource(bench))
    await #expect(throws: ConfigurationRefused.self) { try await bench.daemon(plan).run() }
    try Self.write("0,even\n1,odd\n", bench)
    try bench.produceNumbers(0..<100)
    #expect(try await bench.run(bench.daemon(plan), until: 100))
    try Self.write("broken\n", bench)
    try bench.produceNumbers(100..<200)
    #expect(try await bench.run(bench.daemon(plan), until: 200))
    let expected = (0..<200).map { ["even", "odd"][$0 % 2] }
    #expect(try Self.names(bench).map(\.name) == expected)
  }

  /// The disk refuses its n-th write around the exchange: replay meets the same rows at the same record.
  @Test(arguments: 4...9) func replayMeetsTheExchangeAtItsRow(failAt: Int) async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try Self.write("0,a\n1,a\n", bench)
    let plan = try Self.plan(bench, Self.fileSource(bench))
    let daemon = bench.daemon(plan, disk: FailingDisk(failAt: failAt))
    async let result = daemon.run()
    try bench.produceNumbers(0..<300)
    try Self.write("0,b\n1,b\n", bench)
    let swapped = try await bench.produceNumbers(from: 300, to: daemon) {
      daemon.tableActivations.count >= 2
    }
    let last = try await bench.produceNumbers(from: swapped, to: daemon) { false } + 100
    daemon.stop()
    #expect(try await !result)
    try bench.produceNumbers(last - 100..<last)
    let again = bench.daemon(plan)
    let isFine = try await bench.run(again, until: Int64(last))
    #expect(isFine, "\(again.statuses.map(\.problem))")
    let rows = try Self.names(bench)
    #expect(rows.map(\.n) == Array(0..<last))
    let names = rows.map(\.name)
    #expect(names == names.sorted() && names.last == "b")
  }

  // MARK: Topics

  static func produce(
    _ bench: PipelineBench, _ records: [(key: String?, value: String?)]
  ) throws {
    let producer = try Producer(
      ProducerConfiguration(brokers: bench.bootstrap), logger: PipelineBench.logger)
    let topic = try producer.topic("names")
    for (key, value) in records {
      try producer.produce(
        to: topic, key: key.map { Array($0.utf8) }, value: value.map { Array($0.utf8) },
        timeout: .seconds(10))
    }
    try producer.flush(timeout: .seconds(20))
  }

  @Test func aTopicIsTheNewestRowOfEachKey() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.broker?.createTopic("names", partitions: 3)
    try Self.produce(
      bench, [("a", "{\"k\":0,\"name\":\"old\"}"), ("b", "{\"k\":1,\"name\":\"odd\"}")])
    try Self.produce(bench, [("a", "{\"k\":0,\"name\":\"even\"}"), ("c", "{\"k\":7}")])
    try bench.produceNumbers(0..<100)
    let daemon = try bench.daemon(Self.plan(bench, "kafka: {topic: names}"))
    async let result = daemon.run()
    let first = try await Self.activation(daemon, 1)
    #expect((first.rowNumber, first.rowCount) == (0, 3))
    try await SwapTests.taken(daemon, 100)
    // A tombstone, a record that is no row, and one without a key.
    try Self.produce(bench, [("b", "no row"), (nil, "{\"k\":1}"), ("c", nil)])
    #expect(try await Self.activation(daemon, 2).rowCount == 2)
    try Self.produce(bench, [("b", nil)])
    let last = try await Self.activation(daemon, 3)
    #expect((last.rowNumber, last.rowCount) == (100, 1))
    try bench.produceNumbers(100..<200)
    try await SwapTests.taken(daemon, 200)
    daemon.stop()
    #expect(try await result)
    let expected = (0..<200).map { $0 % 2 == 0 ? "even" : $0 < 100 ? "odd" : "-" }
    #expect(try Self.names(bench).map(\.name) == expected)
  }

  @Test func recordsWaitForATopicThatIsNotThere() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.broker?.createTopic("names", partitions: 1)
    try Self.produce(bench, [("even", "0"), ("odd", "1")])
    try bench.broker?.setError(.unknownTopicOrPartition, of: "names")
    try bench.produceNumbers(0..<10)
    let daemon = try bench.daemon(
      Self.plan(bench, "kafka: {topic: names, key_column: name}\n    format: csv"))
    async let result = daemon.run()
    await PipelineBench.wait(for: daemon) {
      daemon.statuses.first?.tasks[0]?.problem == "waits for the rows of table/NAMES"
    }
    #expect(daemon.statuses.first?.tasks[0]?.counters.polled == 0)
    try bench.broker?.setError(.noError, of: "names")
    try await SwapTests.taken(daemon, 10)
    daemon.stop()
    #expect(try await result)
    #expect(try Self.names(bench).map(\.name) == (0..<10).map { ["even", "odd"][$0 % 2] })
  }
}
