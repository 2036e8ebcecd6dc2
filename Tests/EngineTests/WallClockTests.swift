import Engine
import Kafka
import Synchronization
import Testing
import Transport

/// The wall clock is set while a daemon runs.
@Suite struct WallClockTests {
  /// The machine's clocks, of which the wall clock can be set.
  private final class SetTime: TimeSource {
    private let step = Atomic<Int64>(0)

    var now: Int64 { SystemTime().now + step.load(ordering: .relaxed) }
    var elapsed: Int64 { SystemTime().elapsed }

    func set(_ milliseconds: Int64) { step.store(milliseconds, ordering: .relaxed) }

    func sleep(milliseconds: Int64) async throws {
      try await SystemTime().sleep(milliseconds: milliseconds)
    }
  }

  private static func delivered(_ daemon: Daemon) -> Int64 {
    daemon.statuses.first?.tasks.values.first?.outputs.first?.delivered ?? 0
  }

  private static func snapshots(_ daemon: Daemon) -> Int {
    daemon.statuses.first?.tasks.values.first?.snapshots.stored ?? 0
  }

  /// Objects are closed by the time since they were opened, delivered after a commit, and snapshots
  /// follow: none of it waits for an hour that the clock lost.
  @Test func nothingWaitsForTheHourThatTheClockIsSetBack() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let time = SetTime()
    let plan = try bench.plan(
      output: "delivery: {to: file://\(bench.folder)/out, buffer: {interval: 1s}}",
      extra: "snapshot: {records: 50}")
    let daemon = bench.daemon(plan, time: time)
    async let result = daemon.run()
    var first = 0
    for hours in [0, -1, 1, 0] as [Int64] {
      time.set(hours * 3_600_000)
      let before = Self.snapshots(daemon)
      try bench.produceNumbers(first..<first + 100)
      first += 100
      let expected = Int64(first / 2)
      await PipelineBench.wait(for: daemon) { Self.delivered(daemon) == expected }
      // The second half of the way to a snapshot.
      await PipelineBench.wait(for: daemon) { Self.snapshots(daemon) > before }
    }
    daemon.stop()
    #expect(try await result)
    #expect(try bench.lines("out").sorted() == DaemonTests.expectedEvens(0..<first).sorted())
  }
}
