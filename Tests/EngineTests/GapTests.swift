import Engine
import Foundation
import Kafka
import Logging
import Synchronization
import Testing
import Transport

/// Records that are gone, while the brokers do not say where those begin that are left.
@Suite struct GapTests {
  private static func error(_ code: KafkaError.Code, isFatal: Bool = false) -> KafkaError {
    KafkaError(code, "injected", operation: "query watermarks", isFatal: isFatal)
  }

  /// A bench whose daemon has taken a hundred records; what came then is gone in part.
  private static func bench(
    _ sql: String = PipelineBench.evens, stream: String = "EVENS"
  ) async throws -> PipelineBench {
    let bench = try PipelineBench()
    try bench.produceNumbers(0..<100)
    #expect(try await bench.run(bench.daemon(bench.plan(sql, stream: stream)), until: 100))
    // The embedded broker keeps 5 MB of a partition.
    let padding = String(repeating: "x", count: 20_000)
    try bench.produce(
      (100..<700).map { Array("{\"n\":\($0),\"p\":\"\(padding)\"}".utf8) },
      start: 1_600_000_000_000 + 7_200_000)
    return bench
  }

  private static func daemon(
    _ bench: PipelineBench, gap: String, _ broker: AlteredBroker, _ log: LastLines
  ) throws -> Daemon {
    var configuration = DaemonConfiguration()
    configuration.dataDirectory = bench.folder + "/data"
    configuration.shutdownTimeout = 20_000
    return Daemon(
      plans: [try bench.plan(start: "earliest, offset_out_of_range: \(gap)")],
      configuration: configuration, logger: Logger(label: bench.folder) { _ in log },
      time: SystemTime(), disk: LocalDisk(), broker: broker, seed: 1)
  }

  private static func isTold(_ log: LastLines) -> Bool {
    log.lines.contains { $0.contains("waits to be told where numbers") }
  }

  @Test(arguments: [KafkaError.Code.timedOut, .transport, .leaderNotAvailable])
  func theyAreAskedAgain(code: KafkaError.Code) async throws {
    let bench = try await Self.bench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let log = LastLines(from: .warning)
    // Another one asks, too, how near the task is to the log's start: once.
    let daemon = try Self.daemon(
      bench, gap: "earliest", AlteredBroker(silence: Self.error(code), count: 3), log)
    async let result = daemon.run()
    await PipelineBench.wait(for: daemon) {
      let counters = daemon.statuses.first?.tasks[0]?.counters
      return daemon.statuses.first?.hasFailed == true
        || (counters?.polled ?? 0) + (counters?.lost ?? 0) >= 700
    }
    let lost = Int(daemon.statuses.first?.tasks[0]?.counters.lost ?? 0)
    daemon.stop()
    #expect(try await result, "\(daemon.statuses)")
    try bench.expectBalance()
    #expect(Self.isTold(log), "\(log.lines)")
    #expect(lost > 0)
    let wanted = DaemonTests.expectedEvens(0..<100) + DaemonTests.expectedEvens(100 + lost..<700)
    #expect(try bench.lines("out") == wanted)
  }

  /// What ends the task is the gap, and how large it is is told.
  @Test func theGapIsToldOnceTheyAnswer() async throws {
    let bench = try await Self.bench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let log = LastLines(from: .warning)
    let daemon = try Self.daemon(
      bench, gap: "stop", AlteredBroker(silence: Self.error(.timedOut), count: 3), log)
    #expect(try await !daemon.run())
    let problem = try #require(daemon.statuses.first?.problem)
    #expect(problem.contains("offset 100 < log start"), "\(problem)")
    #expect(Self.isTold(log), "\(log.lines)")
  }

  @Test func anErrorThatNeverPassesIsNamed() async throws {
    let bench = try await Self.bench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let daemon = try Self.daemon(
      bench, gap: "earliest",
      AlteredBroker(silence: Self.error(.fenced, isFatal: true), count: .max), LastLines())
    #expect(try await !daemon.run())
    let problem = try #require(daemon.statuses.first?.problem)
    #expect(problem.contains("kafka: query watermarks: injected [_FENCED]"), "\(problem)")
  }

  /// A topic that was made anew holds less than its members remember: what they remember is not waited for.
  @Test func whatIsGoneIsNotWaitedFor() async throws {
    let sums = """
      CREATE OR REPLACE STREAM "SUMS" ("seen" BIGINT);
      CREATE OR REPLACE PUMP "P" AS INSERT INTO "SUMS"
        SELECT STREAM COUNT(*) FROM "NUMBERS"
        GROUP BY STEP("NUMBERS".ROWTIME BY INTERVAL '1' HOUR);
      """
    let bench = try await Self.bench(sums, stream: "SUMS")
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let isPassed = Mutex(false)
    var broker = AlteredBroker()
    let isRemembered = Gate()
    broker.whenAskedForMarks = { (timeout: Duration) throws(KafkaError) in
      // Who looks where a task begins waits for longer than who is at work.
      guard timeout < .seconds(10) else { return }
      isRemembered.pass()
      isPassed.withLock { $0 = true }
    }
    broker.cachedMarks = { marks in
      guard !isPassed.withLock({ $0 }) else { return marks }
      isRemembered.open()
      return Watermarks(low: 0, high: 10_000)
    }
    let plan = try bench.plan(
      sums, stream: "SUMS", start: "earliest, offset_out_of_range: earliest",
      extra: "idle_timeout: 200ms")
    let daemon = bench.daemon(plan, broker: broker)
    async let result = daemon.run()
    // One hour ends with the records that are left, theirs when nothing more comes.
    await PipelineBench.wait(for: daemon) {
      daemon.statuses.first?.hasFailed == true
        || daemon.statuses.first?.tasks[0]?.outputs.first?.rows == 2
    }
    daemon.stop()
    #expect(try await result, "\(daemon.statuses)")
  }
}
