import Engine
import Foundation
import Testing
import Transport

/// ROWTIME from a column: rows in its order, whatever the order in which they came.
@Suite struct EventTimeTests {
  /// A window per key, a running sum and the rows themselves: each depends on order in its own way.
  static let program = """
    CREATE OR REPLACE STREAM "SUMS" ("t" TIMESTAMP, "n" BIGINT, "total" BIGINT);
    CREATE OR REPLACE PUMP "SUM_PUMP" AS INSERT INTO "SUMS"
      SELECT STREAM FLOOR(s.ROWTIME TO MINUTE), SUM("n"), COUNT(*)
      FROM "NUMBERS" AS s GROUP BY FLOOR(s.ROWTIME TO MINUTE);
    CREATE OR REPLACE PUMP "RUN_PUMP" AS INSERT INTO "SUMS"
      SELECT STREAM s.ROWTIME, "n", SUM("n") OVER (RANGE INTERVAL '30' SECOND PRECEDING)
      FROM "NUMBERS" AS s;
    """

  static func plan(
    _ bench: PipelineBench, eventTime: String = "{column: at, lateness: 60s}",
    sql: String = program, streams: [String] = ["SUMS"], extra: String = ""
  ) throws -> PipelinePlan {
    let indented = sql.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
    let outputs = streams.map { stream in
      """
        - stream: \(stream)
          delivery: {to: file://\(bench.folder)/\(stream), buffer: {interval: 900s, records: 100}}
      """
    }
    let text = """
      name: times
      application: |
      \(indented)
      inputs:
        - stream: NUMBERS
          kafka: {topic: numbers, start: earliest}
          columns: [{name: at, type: TIMESTAMP}, {name: n, type: BIGINT}]
          event_time: \(eventTime)
      outputs:
      \(outputs.joined(separator: "\n"))
      dead_letter: {to: file://\(bench.folder)/dead, buffer: {interval: 900s}}
      \(extra)
      """
    let (configuration, _) = try PipelineConfiguration.read(
      file: "times.yaml", text: text, environment: [:],
      daemon: KafkaSettings(brokers: bench.bootstrap, properties: PipelineBench.quickGroup),
      readFile: { _ in "" })
    return try PipelinePlan.make(configuration, dataDirectory: bench.folder + "/data").0
  }

  @Test(arguments: [
    ("{column: att, lateness: 1s}", "", "did you mean at?"),
    ("{column: at}", "", "event_time.lateness is missing"),
    ("{column: at, lateness: 5}", "late: 3", "unknown key late"),
    ("{column: at, lateness: 5s, late: NUMBERS}", "", "has the name of another stream"),
    ("{column: at, lateness: 5s}", "history: {records: 5}", "do not go together"),
  ]) func whatCannotWorkIsRefused(eventTime: String, extra: String, problem: String) throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let error = #expect(throws: ConfigurationRefused.self) {
      try Self.plan(bench, eventTime: eventTime, extra: extra)
    }
    let text = error?.description ?? ""
    #expect(text.contains(problem), "\(text)")
  }

  static func record(_ second: Int, _ number: Int) -> [UInt8] {
    let minute = second / 60
    let text = [second % 60, minute % 60].map { $0 < 10 ? "0\($0)" : "\($0)" }
    return Array(
      "{\"at\":\"2024-05-01 1\(minute / 60):\(text[1]):\(text[0])\",\"n\":\(number)}".utf8)
  }

  /// Rows of random times, in order, with pairs of equal time; the last ones let all others out.
  static func sorted(seed: UInt64, count: Int) -> [(second: Int, number: Int)] {
    var generator = SplitMix64(seed: seed)
    var second = 0
    let rows = (0..<count).map { number in
      second += Int.random(in: 0..<4, using: &generator)
      return (second, number)
    }
    return rows + [(second + 200, count), (second + 400, count + 1)]
  }

  /// The same rows, each moved back by less than the lateness bound; equal times keep their order.
  static func disordered(
    _ rows: [(second: Int, number: Int)], seed: UInt64
  ) -> [(second: Int, number: Int)] {
    var generator = SplitMix64(seed: seed)
    var delays: [Int: Int] = [:]
    let keyed = rows.enumerated().map { index, row in
      let delay = delays[row.second] ?? Int.random(in: 0..<59, using: &generator)
      delays[row.second] = delay
      return (key: row.second + delay, index: index, row: row)
    }
    return keyed.sorted { ($0.key, $0.index) < ($1.key, $1.index) }.map(\.row)
  }

  /// What comes out when the rows arrive in portions.
  static func output(
    _ rows: [(second: Int, number: Int)], portions: Int, failAt: Int? = nil
  ) async throws -> [String] {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let plan = try plan(bench)
    if let failAt {
      try bench.produce(rows.prefix(rows.count / 2).map { record($0.second, $0.number) })
      let disk = FailingDisk(failAt: failAt)
      #expect(try await !bench.run(bench.daemon(plan, disk: disk), until: Int64(rows.count / 2)))
      try bench.produce(rows.dropFirst(rows.count / 2).map { record($0.second, $0.number) })
      #expect(try await bench.run(bench.daemon(plan), until: Int64(rows.count)))
      return try bench.lines("SUMS")
    }
    let size = (rows.count + portions - 1) / portions
    let daemon = bench.daemon(plan)
    async let result = daemon.run()
    for start in stride(from: 0, to: rows.count, by: size) {
      let end = min(rows.count, start + size)
      try bench.produce(rows[start..<end].map { record($0.second, $0.number) })
      try await SwapTests.taken(daemon, Int64(end))
    }
    daemon.stop()
    #expect(try await result)
    #expect(try bench.lines("dead").isEmpty)
    return try bench.lines("SUMS")
  }

  @Test(arguments: 1...3 as ClosedRange<UInt64>)
  func disorderWithinTheBoundGivesWhatSortedInputGives(seed: UInt64) async throws {
    let rows = Self.sorted(seed: seed, count: 600)
    let shuffled = Self.disordered(rows, seed: seed &+ 100)
    #expect(shuffled.map(\.number) != rows.map(\.number))
    let expected = try await Self.output(rows, portions: 1)
    #expect(expected.count > 600)
    #expect(try await Self.output(shuffled, portions: 1) == expected)
    #expect(try await Self.output(shuffled, portions: 7) == expected)
  }

  /// The disk refuses a write: what was held is held again.
  @Test(arguments: 2...5) func aCrashChangesNothing(failAt: Int) async throws {
    let rows = Self.sorted(seed: 9, count: 400)
    let shuffled = Self.disordered(rows, seed: 10)
    let expected = try await Self.output(rows, portions: 1)
    #expect(try await Self.output(shuffled, portions: 1, failAt: failAt) == expected)
  }

  static let copying = """
    CREATE OR REPLACE STREAM "O" ("at" TIMESTAMP, "n" BIGINT);
    CREATE OR REPLACE PUMP "P" AS INSERT INTO "O" SELECT STREAM "at", "n" FROM "NUMBERS";
    CREATE OR REPLACE STREAM "L" ("n" BIGINT, "watermark" TIMESTAMP, "time" TIMESTAMP);
    CREATE OR REPLACE PUMP "LATE_PUMP" AS INSERT INTO "L"
      SELECT STREAM "n", "WATERMARK", l.ROWTIME FROM "LATE" AS l;
    """

  /// 100 s, 40 s (on the watermark), 39 s (late), 200 s, 100 s (late), 139 s (late).
  static let withLate = [(100, 0), (40, 1), (39, 2), (200, 3), (100, 4), (139, 5), (140, 6)]

  @Test func lateRowsGoToTheirStreamWithTheWatermark() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let plan = try Self.plan(
      bench, eventTime: "{column: at, lateness: 60s, late: LATE}", sql: Self.copying,
      streams: ["O", "L", "LATE"])
    #expect(plan.explain().contains("ROWTIME is at, up to 60.0 s late; later rows go to LATE"))
    try bench.produce(Self.withLate.map { Self.record($0.0, $0.1) })
    let daemon = bench.daemon(plan)
    var late: Int64 = 0
    #expect(
      try await bench.run(daemon, until: 7) {
        late = daemon.statuses.first?.tasks[0]?.counters.late ?? 0
      })
    #expect(late == 3)
    let rows = try bench.lines("O").map { DaemonTests.object($0)["n"] as? Int }
    #expect(rows == [1, 0, 6])
    #expect(
      try bench.lines("L") == [
        #"{"n":2,"watermark":"2024-05-01 10:00:40.000","time":"2024-05-01 10:00:40.000"}"#,
        #"{"n":4,"watermark":"2024-05-01 10:02:20.000","time":"2024-05-01 10:02:20.000"}"#,
        #"{"n":5,"watermark":"2024-05-01 10:02:20.000","time":"2024-05-01 10:02:20.000"}"#,
      ])
    #expect(try bench.lines("LATE").count == 3)
    #expect(try bench.lines("dead").isEmpty)
  }

  @Test func withoutALateStreamTheyAreDeadLettersAndSoIsTheFuture() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let sql = Self.copying.split(separator: "\n").prefix(2).joined(separator: "\n")
    let plan = try Self.plan(bench, sql: sql, streams: ["O", "error_stream"])
    let future = Array("{\"at\":\"2999-01-01 00:00:00\",\"n\":8}".utf8)
    let timeless = Array("{\"n\":9}".utf8)
    try bench.produce(Self.withLate.map { Self.record($0.0, $0.1) } + [future, timeless])
    try bench.produce([Self.record(300, 7)])
    #expect(try await bench.run(bench.daemon(plan), until: 10))
    let dead = try bench.lines("dead").map(DaemonTests.object)
    #expect(
      dead.map { $0["errorCode"] as? String } == [
        "Record.Late", "Record.Late", "Record.Late", "Record.FutureTimestamp",
        "Record.NoEventTime",
      ])
    #expect(dead.map { $0["offset"] as? Int } == [2, 4, 5, 7, 8])
    let messages = dead.compactMap { $0["errorMessage"] as? String }
    #expect(messages[0].contains("before the watermark") && messages[0].contains("10:00:40"))
    #expect(try bench.lines("error_stream").count == 5)
    #expect(try bench.lines("O").map { DaemonTests.object($0)["n"] as? Int } == [1, 0, 6, 3])
  }

  /// The fourth row finds no room; the fifth lets the first three out and is held.
  @Test func whatCannotBeHeldIsADeadLetterAndTimeGoesOn() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let sql = Self.copying.split(separator: "\n").prefix(2).joined(separator: "\n")
    let plan = try Self.plan(bench, sql: sql, streams: ["O"], extra: "limits: {held_rows: 3}")
    let rows = [(101, 0), (100, 1), (102, 2), (103, 3), (170, 4), (240, 5)]
    try bench.produce(rows.map { Self.record($0.0, $0.1) })
    #expect(try await bench.run(bench.daemon(plan), until: 6))
    #expect(try bench.lines("O").map { DaemonTests.object($0)["n"] as? Int } == [1, 0, 2, 4])
    let dead = try bench.lines("dead").map(DaemonTests.object)
    #expect(dead.map { $0["errorCode"] as? String } == ["Record.TooManyHeld"])
    #expect(dead.first?["offset"] as? Int == 3)
    #expect((dead.first?["errorMessage"] as? String)?.contains("limits: held_rows") == true)
  }

  /// Without records time goes on after the idle time-out, and what is held comes out.
  @Test func anIdleTopicLetsRowsOut() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let sql = Self.copying.split(separator: "\n").prefix(2).joined(separator: "\n")
    let plan = try Self.plan(bench, sql: sql, streams: ["O"], extra: "idle_timeout: 200ms")
    try bench.produce([(20, 0), (10, 1), (30, 2)].map { Self.record($0.0, $0.1) })
    let daemon = bench.daemon(plan)
    async let result = daemon.run()
    await PipelineBench.wait(for: daemon) {
      daemon.statuses.first?.tasks[0]?.counters.outputRows.first ?? 0 >= 3
    }
    daemon.stop()
    #expect(try await result)
    #expect(try bench.lines("O").map { DaemonTests.object($0)["n"] as? Int } == [1, 0, 2])
  }
}
