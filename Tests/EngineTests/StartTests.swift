import Engine
import Foundation
import Kafka
import Testing

/// Where reading begins, and what happens when that place is gone.
@Suite struct StartTests {
  @Test(arguments: [
    ("trim_horizon", 0), ("earliest", 0), ("{offsets: {0: 90}}", 90), ("{offsets: {1: 5}}", 0),
  ]) func aNewGroupBegins(start: String, at first: Int) async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<200)
    let daemon = try bench.daemon(bench.plan(start: start))
    #expect(try await bench.run(daemon, until: Int64(200 - first)))
    #expect(try bench.lines("out") == DaemonTests.expectedEvens(first..<200))
  }

  /// The embedded broker keeps 5 MB of a partition.
  private func overflow(_ bench: PipelineBench, from first: Int) throws {
    let padding = String(repeating: "x", count: 20_000)
    try bench.produce(
      (first..<first + 600).map { Array("{\"n\":\($0),\"p\":\"\(padding)\"}".utf8) })
  }

  @Test func lostRecordsStopThePipelineWithTheirCount() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<100)
    #expect(try await bench.run(bench.daemon(bench.plan()), until: 100))
    try overflow(bench, from: 100)
    let daemon = try bench.daemon(bench.plan())
    #expect(try await !bench.run(daemon, until: 700))
    let problem = try #require(daemon.statuses.first?.problem)
    #expect(problem.contains("offset 100 < log start"))
    #expect(problem.contains("records lost"))
    #expect(problem.contains("offset_out_of_range"))
    // What was delivered before stays, and nothing was added.
    #expect(try bench.lines("out") == DaemonTests.expectedEvens(0..<100))
  }

  /// In a task of its own for the partition, and in one that merges all, as the group then is balanced
  /// otherwise.
  @Test(arguments: [false, true])
  func lostRecordsAreCountedWhereThatIsAllowed(isSingle: Bool) async throws {
    let merging = """

      CREATE OR REPLACE STREAM "COUNTS" ("seen" BIGINT);
      CREATE OR REPLACE PUMP "COUNT_PUMP" AS INSERT INTO "COUNTS"
        SELECT STREAM COUNT(*) OVER (ROWS 10 PRECEDING) FROM "NUMBERS";
      """
    let program = PipelineBench.evens + (isSingle ? merging : "")
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<100)
    #expect(try await bench.run(bench.daemon(bench.plan(program)), until: 100))
    try overflow(bench, from: 100)
    let plan = try bench.plan(
      program, start: "earliest, offset_out_of_range: earliest")
    let daemon = bench.daemon(plan)
    async let result = daemon.run()
    var polled: Int64 = 0
    var lost: Int64 = 0
    while polled + lost < 700, !(daemon.statuses.first?.hasFailed ?? false) {
      try await Task.sleep(for: .milliseconds(10))
      let counters = daemon.statuses.first?.tasks[0]?.counters
      (polled, lost) = (counters?.polled ?? 0, counters?.lost ?? 0)
    }
    daemon.stop()
    #expect(try await result)
    #expect(lost > 0 && polled + lost == 700)
    let lines = try bench.lines("out")
    #expect(Array(lines.prefix(50)) == DaemonTests.expectedEvens(0..<100))
    #expect(lines.dropFirst(50).elementsEqual(DaemonTests.expectedEvens(100 + Int(lost)..<700)))
  }
}

/// Start positions and topic settings that the embedded broker knows nothing of.
@Suite(
  .enabled(
    if: RealBroker.bootstrap != nil,
    "set CUTBANK_TEST_BROKERS=host:port to test times and compaction on a real broker"))
struct RealStartTests {
  @Test func aNewGroupBeginsAtATime() async throws {
    let bench = try PipelineBench(realBroker: try #require(RealBroker.bootstrap))
    defer { #expect(throws: Never.self) { try bench.remove() } }
    // A batch of records has one place in a broker's index of times.
    for first in stride(from: 0, to: 200, by: 20) { try bench.produceNumbers(first..<first + 20) }
    let daemon = try bench.daemon(bench.plan(start: "{timestamp: '1600000100000'}"))
    #expect(try await bench.run(daemon, until: 100))
    #expect(try bench.lines("out") == DaemonTests.expectedEvens(100..<200))
  }

  @Test(arguments: [("0", false), ("7200000", true)])
  func aCompactedInputNeedsALag(lag: String, isAccepted: Bool) async throws {
    let bench = try PipelineBench(
      realBroker: try #require(RealBroker.bootstrap),
      settings: ["cleanup.policy": "compact", "min.compaction.lag.ms": lag])
    defer { #expect(throws: Never.self) { try bench.remove() } }
    // Compacted topics take no record without a key.
    try bench.produceNumbers(0..<10, hasKeys: true)
    let daemon = try bench.daemon(bench.plan())
    #expect(try await bench.run(daemon, until: 10) == isAccepted)
    if !isAccepted {
      let problem = try #require(daemon.statuses.first?.problem)
      #expect(problem.contains("min.compaction.lag.ms") && problem.contains("at_least_once"))
    }
  }
}
