import Engine
import Foundation
import GRDB
import Kafka
import Logging
import RimSupport
import Synchronization
import Testing
import Transport

/// What becomes of one pipeline's trouble: it is told, and the others go on.
@Suite(.timeLimit(.minutes(3))) struct TroubleTests {
  /// The machine's clocks, on which nobody waits for long.
  private struct HastyTime: TimeSource {
    private let system = SystemTime()
    var now: Int64 { system.now }
    var elapsed: Int64 { system.elapsed }
    func sleep(milliseconds: Int64) async throws {
      try await system.sleep(milliseconds: min(50, milliseconds))
    }
  }

  /// Alerts that nobody can send any more stop the pipeline with a reason, and everything is closed.
  @Test func anOutboxThatCannotBeReadStopsThePipeline() async throws {
    let receiver = try await HostileReceiver()
    let bench = try PipelineBench()
    try bench.produceNumbers([0])
    let plan = try bench.plan(
      output: "webhook: {url: '\(receiver.url())', allow: [127.0.0.0/8]}")
    let daemon = bench.daemon(plan, time: HastyTime())
    async let isFine = daemon.run()
    _ = await receiver.requests(1)
    let outbox = try DatabaseQueue(path: bench.folder + "/data/outbox.sqlite")
    try await outbox.write { database in
      let tables = try String.fetchAll(
        database, sql: "SELECT name FROM sqlite_master WHERE type = 'table'")
      try database.execute(sql: "PRAGMA foreign_keys = OFF")
      for table in tables where !table.hasPrefix("sqlite_") {
        try database.execute(sql: "DROP TABLE \(table)")
      }
    }
    await PipelineBench.wait(for: daemon) { daemon.statuses.first?.hasFailed == true }
    let problem = try #require(daemon.statuses.first?.problem)
    #expect(problem.contains("no such table"), "\(problem)")
    daemon.stop()
    #expect(try await !isFine)
    try bench.remove()
    try await receiver.stop()
  }

  /// A pipeline whose brokers are away cannot commit before it changes: the reload does not wait for them.
  @Test func aReloadDoesNotWaitForBrokersThatAreAway() async throws {
    let (bench, other) = (try PipelineBench(), try PipelineBench())
    let steady = try bench.plan()
    var configuration = try other.plan(records: 100).configuration
    configuration.name = "other"
    let before = try PipelinePlan.make(configuration, dataDirectory: bench.folder + "/data").0
    configuration.sourceText += "\n"
    let after = try PipelinePlan.make(configuration, dataDirectory: bench.folder + "/data").0
    var settings = DaemonConfiguration()
    settings.dataDirectory = bench.folder + "/data"
    settings.shutdownTimeout = 500
    let log = LastLines()
    let daemon = Daemon(
      plans: [steady, before], configuration: settings, logger: Logger(label: "t") { _ in log },
      seed: 1)
    async let isFine = daemon.run()
    func wait(_ counts: [String: Int64]) async {
      await PipelineBench.wait(for: daemon) {
        daemon.statuses.count { $0.tasks[0]?.counters.polled == counts[$0.name] } == counts.count
      }
    }
    try bench.produceNumbers(0..<10)
    try other.produceNumbers(0..<10)
    await wait(["numbers": 10, "other": 10])
    other.broker?.close()
    try await daemon.reload([steady, after], settings)
    try bench.produceNumbers(10..<20)
    await PipelineBench.wait(for: daemon) {
      daemon.statuses.first { $0.name == "numbers" }?.tasks[0]?.counters.polled == 20
    }
    daemon.stop()
    #expect(try await isFine, "\(log.lines.joined(separator: "\n"))")
    try bench.remove()
    try other.remove()
  }
}
