import Engine
import Logging
import RimSupport
import Synchronization
import Testing

/// What the log tells of the balances every so often.
@Suite struct StatusReportTests {
  /// What is wrong with the counts of two tasks, and what is told of it.
  struct Imbalance: CustomTestStringConvertible {
    let testDescription: String
    let told: [String]
    let disturb: @Sendable (inout [TaskStatus]) -> Void
  }

  static let imbalances = [
    Imbalance(testDescription: "a record is missing", told: ["13 records polled, 10 decoded"]) {
      $0[0].counters.polled += 1
    },
    Imbalance(testDescription: "a record came from nowhere", told: ["12 records polled, 11"]) {
      $0[1].counters.decoded += 1
    },
    Imbalance(
      testDescription: "what one task lacks the other has too much",
      told: ["13 records polled", "11 records polled"]
    ) {
      $0[0].counters.polled += 1
      $0[1].counters.polled -= 1
    },
    Imbalance(testDescription: "a row is missing", told: ["ALERTS", "rows: 9"]) {
      $0[0].outputs[1].rows += 1
    },
    Imbalance(testDescription: "a row was delivered twice", told: ["OUT", "delivered: 7"]) {
      $0[1].outputs[0].delivered += 1
    },
    Imbalance(
      testDescription: "records and rows", told: ["12 records polled, 10", "3 skipped", "OUT"]
    ) {
      $0[0].counters.skipped += 2
      $0[0].outputs[0].inFlight -= 1
    },
  ]

  /// A task whose counts are even.
  private static var even: TaskStatus {
    var counters = TaskCounters(outputs: 2)
    counters.polled = 12
    counters.decoded = 10
    counters.deadLettered = 1
    counters.skipped = 1
    return TaskStatus(
      counters: counters,
      outputs: [
        OutputBalance(name: "OUT", rows: 10, delivered: 6, deadLettered: 1, inFlight: 3),
        OutputBalance(name: "ALERTS", rows: 8, delivered: 8, deadLettered: 0, inFlight: 0),
      ])
  }

  /// The first line that a report tells of two tasks.
  private static func line(of tasks: [TaskStatus]) async throws -> String {
    let board = StatusBoard()
    for (number, status) in tasks.enumerated() {
      board.update(TaskName(pipeline: "numbers", number: number), status)
    }
    let (time, log) = (ManualTime(), LastLines())
    let report = StatusReport(
      try PassingPipeline.plan(), board: board, time: time,
      logger: Logger(label: "test") { _ in log },
      interval: { 1_000 })
    let telling = Task { try await report.run() }
    try await time.advance { !log.lines.isEmpty }
    telling.cancel()
    return log.lines[0]
  }

  @Test func evenCountsAreTold() async throws {
    let line = try await Self.line(of: [Self.even, Self.even])
    #expect(line.contains(" info ") && !line.contains("unaccounted"), "\(line)")
    #expect(line.contains("20 = 12 delivered + 2 refused + 6 in flight"), "\(line)")
  }

  /// A reload that makes the interval shorter need not wait for the end of the longer one.
  @Test func aShorterIntervalIsTakenUp() async throws {
    let board = StatusBoard()
    board.update(TaskName(pipeline: "numbers", number: 0), Self.even)
    let (time, log) = (ManualTime(), LastLines())
    let asked = Atomic(0)
    let begin = time.elapsed
    let report = StatusReport(
      try PassingPipeline.plan(), board: board, time: time,
      logger: Logger(label: "test") { _ in log },
      interval: { asked.add(1, ordering: .relaxed).oldValue == 0 ? 86_400_000 : 90_000 })
    let telling = Task { try await report.run() }
    try await time.advance { !log.lines.isEmpty }
    telling.cancel()
    #expect(time.elapsed - begin < 86_400_000)
  }

  @Test(arguments: imbalances)
  func whatIsUnaccountedForIsAnError(_ imbalance: Imbalance) async throws {
    var tasks = [Self.even, Self.even]
    imbalance.disturb(&tasks)
    let line = try await Self.line(of: tasks)
    #expect(line.contains(" error ") && line.contains("unaccounted"), "\(line)")
    for text in imbalance.told { #expect(line.contains(text), "\(line)") }
  }
}
