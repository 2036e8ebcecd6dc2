import Engine
import Foundation
import Testing

/// CURRENT_ROW_TIMESTAMP in a pipeline: the clock as it was read, also when rows are computed again.
@Suite struct ClockReplayTests {
  private static let program = """
    CREATE OR REPLACE STREAM "OFTEN" ("n" BIGINT, "now" TIMESTAMP, "began" TIMESTAMP);
    CREATE OR REPLACE PUMP "OFTEN_PUMP" AS INSERT INTO "OFTEN"
      SELECT STREAM "n", CURRENT_ROW_TIMESTAMP, CURRENT_TIMESTAMP FROM "NUMBERS";
    CREATE OR REPLACE STREAM "RARE" ("n" BIGINT, "now" TIMESTAMP, "began" TIMESTAMP);
    CREATE OR REPLACE PUMP "RARE_PUMP" AS INSERT INTO "RARE" SELECT STREAM * FROM "OFTEN";
    """

  /// Objects of ten rows leave before the crash; the great one is computed again after it.
  @Test(arguments: [4, 7]) func aRowHasTheSameTimeWhenItIsComputedAgain(failAt: Int) async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let plan = try bench.plan(
      Self.program, stream: "OFTEN", records: 10,
      also: "  - stream: RARE\n    delivery: "
        + "{to: file://\(bench.folder)/rare, buffer: {interval: 900s, records: 10000}}")
    let daemon = bench.daemon(plan, disk: FailingDisk(failAt: failAt))
    async let result = daemon.run()
    let last = try await bench.produceNumbers(from: 0, to: daemon) { false } + 100
    daemon.stop()
    #expect(try await !result)
    let before = try bench.lines("out")
    try bench.produceNumbers(last - 100..<last)
    let again = bench.daemon(plan)
    let isFine = try await bench.run(again, until: Int64(last))
    #expect(isFine, "\(again.statuses.map(\.problem))")
    let often = try bench.lines("out")
    let rows = often.map(DaemonTests.object)
    #expect(rows.map { $0["n"] as? Int } == (0..<last).map { $0 })
    #expect(try bench.lines("rare") == often)
    #expect(before.count < last && before == Array(often.prefix(before.count)))
    let times = rows.compactMap { $0["now"] as? String }
    #expect(times.count == last && times == times.sorted() && times[0] < times[last - 1])
    #expect(Set(rows.compactMap { $0["began"] as? String }).count == 1)
  }
}
