import Engine
import Foundation
import RimSupport
import Testing

/// A broker of the user's, named by the environment.
enum RealBroker {
  static let bootstrap = ProcessInfo.processInfo.environment["CUTBANK_TEST_BROKERS"]
}

extension PipelineBench {
  /// The committed rows of the topic that the pipeline writes, by partition.
  func outputRows() throws -> [[String]] { try outputRecords().map { $0.map(\.value) } }

  /// The committed records of the topic that the pipeline writes, by partition.
  func outputRecords() throws -> [[CommittedRecord]] {
    try CommittedRecords(brokers: bootstrap, logger: Self.logger).read(topic + "-out")
  }
}

/// Kafka outputs in transactions.
///
/// Apache Kafka 3.6.2 passes. A broker whose `InitProducerId` does not abort what the last producer of
/// the id left open, as kfake's, shows the rows of that transaction too, and fails these tests where a
/// transaction stays open.
@Suite(
  .enabled(
    if: RealBroker.bootstrap != nil,
    "set CUTBANK_TEST_BROKERS=host:port to test transactions on a real broker"))
struct TransactionTests {
  static func values(_ rows: [[String]]) -> [Int] {
    rows.flatMap { $0 }.compactMap { DaemonTests.object($0)["n"] as? Int }.sorted()
  }

  static func evens(_ range: Range<Int>) -> [Int] { range.filter { $0 % 2 == 0 } }

  /// Checks that the even numbers of a range are there once each, and nothing else; says which are not.
  static func expectOnce(_ range: Range<Int>, in rows: [[String]]) {
    let counts = values(rows).reduce(into: [:]) { $0[$1, default: 0] += 1 }
    let missing = evens(range).filter { counts[$0] == nil }
    let repeated = counts.filter { $0.value > 1 }.keys.sorted()
    let foreign = counts.keys.filter { !range.contains($0) || $0 % 2 != 0 }.sorted()
    #expect(
      missing.isEmpty && repeated.isEmpty && foreign.isEmpty,
      "missing \(missing), repeated \(repeated), foreign \(foreign)")
  }

  @Test func rowsAreWrittenOnceOverARestart() async throws {
    let bench = try PipelineBench(realBroker: try #require(RealBroker.bootstrap))
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<1_000)
    #expect(try await bench.run(bench.daemon(bench.plan(toTopic: true)), until: 1_000))
    try bench.produceNumbers(1_000..<1_500)
    #expect(try await bench.run(bench.daemon(bench.plan(toTopic: true)), until: 1_500))
    let rows = try bench.outputRows()
    Self.expectOnce(0..<1_500, in: rows)
    // With one partition, a task's rows keep their order.
    #expect(rows[0].compactMap { DaemonTests.object($0)["n"] as? Int } == Self.evens(0..<1_500))
  }

  @Test func tasksOfAWorkerShareTransactions() async throws {
    let bench = try PipelineBench(realBroker: try #require(RealBroker.bootstrap), partitions: 5)
    defer { #expect(throws: Never.self) { try bench.remove() } }
    for partition in 0..<5 {
      try bench.produceNumbers(partition * 400..<partition * 400 + 400, partition: Int32(partition))
    }
    #expect(try await bench.run(bench.daemon(bench.plan(toTopic: true)), until: 2_000))
    Self.expectOnce(0..<2_000, in: try bench.outputRows())
  }

  /// Behind the records of a transaction stands its mark, which nobody is given: time goes on past it.
  @Test func windowsOverRecordsOfATransactionEndWhenNothingComes() async throws {
    let bench = try PipelineBench(realBroker: try #require(RealBroker.bootstrap))
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceInTransaction(0..<5)
    let sums = """
      CREATE OR REPLACE STREAM "SUMS" ("total" BIGINT);
      CREATE OR REPLACE PUMP "P" AS INSERT INTO "SUMS"
        SELECT STREAM SUM("n") FROM "NUMBERS"
        GROUP BY STEP("NUMBERS".ROWTIME BY INTERVAL '1' MINUTE);
      """
    let plan = try bench.plan(sums, stream: "SUMS", toTopic: true, extra: "idle_timeout: 200ms")
    let daemon = bench.daemon(plan)
    async let result = daemon.run()
    await PipelineBench.wait(for: daemon) {
      daemon.statuses.first?.tasks[0]?.outputs.first?.rows == 1
    }
    daemon.stop()
    #expect(try await result)
  }

  /// Whatever the n-th commit meets, each row is in the topic once.
  @Test(arguments: FaultyBroker.Fault.allCases, [1, 2, 3])
  func aFaultInACommitLosesAndRepeatsNothing(fault: FaultyBroker.Fault, failAt: Int) async throws {
    let bench = try PipelineBench(realBroker: try #require(RealBroker.bootstrap))
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<300)
    let broker = FaultyBroker(fault, at: failAt)
    let daemon = try bench.daemon(bench.plan(toTopic: true), broker: broker)
    #expect(try await bench.run(daemon, until: 300))
    try bench.produceNumbers(300..<600)
    let second = try bench.daemon(bench.plan(toTopic: true), broker: broker)
    #expect(try await bench.run(second, until: 600))
    #expect(broker.hasHappened)
    Self.expectOnce(0..<600, in: try bench.outputRows())
  }
}

@Suite struct EmbeddedTransactionTests {
  @Test func theEmbeddedBrokerIsNotTrustedWithTransactions() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<10)
    let daemon = try bench.daemon(bench.plan(toTopic: true))
    #expect(try await !bench.run(daemon, until: 10))
    let problem = try #require(daemon.statuses.first?.problem)
    #expect(problem.contains("knows no transactions"))
    #expect(problem.contains("guarantee: at_least_once"))
  }

  @Test func atLeastOnceWritesEveryRow() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<1_000)
    let plan = try bench.plan(toTopic: true, extra: "guarantee: at_least_once")
    #expect(try await bench.run(bench.daemon(plan), until: 1_000))
    let found = TransactionTests.values(try bench.outputRows())
    #expect(found.count == 500)
    // A row may come twice, never not at all.
    #expect(Set(found) == Set(TransactionTests.evens(0..<1_000)))
  }

  /// Equal keys are in one partition, in order; a row whose key is NULL has none.
  @Test func rowsHaveTheKeyOfTheirColumn() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<300)
    let sql = """
      CREATE OR REPLACE STREAM "KEYED" ("n" BIGINT, "digit" BIGINT);
      CREATE OR REPLACE PUMP "KEYED_PUMP" AS INSERT INTO "KEYED"
        SELECT STREAM "n", CASE WHEN MOD("n", 10) = 7 THEN NULL ELSE MOD("n", 10) END FROM "NUMBERS";
      """
    let plan = try bench.plan(
      sql, stream: "KEYED", output: "kafka: {topic: \(bench.topic)-out, key: digit}",
      extra: "guarantee: at_least_once")
    #expect(try await bench.run(bench.daemon(plan), until: 300))
    let partitions = try bench.outputRecords()
    var places: [String: Set<Int>] = [:]
    for (partition, records) in partitions.enumerated() {
      var last: [String: Int] = [:]
      for record in records {
        let number = try #require(DaemonTests.object(record.value)["n"] as? Int)
        #expect(record.key == (number % 10 == 7 ? nil : "\(number % 10)"))
        guard let key = record.key else { continue }
        places[key, default: []].insert(partition)
        #expect(last.updateValue(number, forKey: key) ?? -1 < number)
      }
    }
    #expect(places.count == 9)
    #expect(places.values.allSatisfy { $0.count == 1 })
    #expect(TransactionTests.values(partitions.map { $0.map(\.value) }) == Array(0..<300))
  }
}
