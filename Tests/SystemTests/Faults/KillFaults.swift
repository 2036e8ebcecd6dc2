import Foundation
import RimSupport
import Testing

extension Faults {
  /// A daemon that is disturbed, and one beside it that reads the same topic in peace.
  private struct Pair {
    static let partitions = 4
    let stage: Stage
    let file: String
    let peaceful: Program

    /// Starts the peaceful one.
    init(snapshot: String, extra: String = "") throws {
      stage = try Stage(topics: ["numbers": Self.partitions])
      let settings = "snapshot: \(snapshot)\n" + extra
      file = try stage.write(
        Faults.pipeline(Faults.scores, input: "key: k", extra: settings), to: "numbers.yaml")
      let other = try stage.write(
        Faults.pipeline(
          Faults.scores, name: "peaceful", to: "file://./peace", input: "key: k",
          extra: settings), to: "peaceful.yaml")
      peaceful = try stage.daemon(other)
    }

    /// Begins to produce.
    func load(perSecond: Int) -> Task<Int, any Error> {
      Task { [stage] in
        try await stage.load("numbers", partitions: Self.partitions, perSecond: perSecond)
      }
    }

    /// Ends the load, lets both daemons come to its end and compares what they have delivered.
    func expectEqual(_ load: Task<Int, any Error>, _ daemon: Program) async throws {
      load.cancel()
      let count = try await load.value * Self.partitions
      try await stage.expectRows(count, of: daemon, within: .seconds(180))
      try await stage.expectRows(count, below: "peace", of: peaceful, within: .seconds(180))
      await stage.end(daemon)
      await stage.end(peaceful)
      let disturbed = stage.objects()
      #expect(disturbed.allSatisfy { Faults.isInOrder($0.rows) })
      let rows = disturbed.flatMap(\.rows).sorted()
      #expect(rows.count == count && Set(rows).count == count)
      #expect(rows == stage.rows("peace").sorted())
      try await stage.expectBalance()
      try await stage.expectBalance(of: "peaceful", delivered: .below("peace"))
    }
  }

  @Suite("Fault 01: kill -9 at random instants under load", .timeLimit(.minutes(60)))
  struct Fault01 {
    @Test func filesEqualThoseOfAnUndisturbedRun() async throws {
      let pair = try Pair(snapshot: "{interval: 5s, records: 5000}")
      let load = pair.load(perSecond: Faults.areLong ? 2_000 : 800)
      // The instants belong to this seed; they are counted from the start of each daemon.
      var generator = SeededInstants(seed: 7)
      for _ in 0..<(Faults.areLong ? 100 : 5) {
        let daemon = try pair.stage.daemon(pair.file)
        try await Task.sleep(for: .milliseconds(generator.next(below: 9_000)))
        try #require(daemon.isRunning, "\(daemon.text)")
        await pair.stage.kill(daemon)
      }
      let began = ContinuousClock.now
      let daemon = try pair.stage.daemon(pair.file)
      _ = try #require(await daemon.line(containing: "the group gives [\""))
      Faults.tell("in the group again after \(ContinuousClock.now - began)")
      try await pair.expectEqual(load, daemon)
    }
  }

  @Suite(
    "Fault 02: killed while a snapshot is written; a damaged snapshot", .timeLimit(.minutes(5)))
  struct Fault02 {
    @Test(.enabled(if: Faults.areLong, Faults.tooLong)) func theOneBeforeIsUsed() async throws {
      let pair = try Pair(snapshot: "{interval: 1s, records: 500}")
      let load = pair.load(perSecond: 800)
      for _ in 0..<(Faults.areLong ? 20 : 2) {
        let daemon = try pair.stage.daemon(pair.file)
        let before = Set(snapshots(pair.stage))
        // A name with .tmp is being written, one without was just moved there.
        try #require(await daemon.waits { !before.isSuperset(of: snapshots(pair.stage)) })
        await pair.stage.kill(daemon)
      }
      let second = try pair.stage.daemon(pair.file)
      // Once rows come it is past its replay, and its end is a snapshot that the commit names.
      let rows = pair.stage.rows().count
      try await pair.stage.expectRows(rows + 500, of: second)
      await pair.stage.end(second)
      // Half of the newest one: as if the disk had lied.
      let newest = try #require(
        snapshots(pair.stage).filter { $0.contains("/task-0/") }.max {
          Self.number($0) < Self.number($1)
        })
      let bytes = try pair.stage.folder.contents(newest)
      try Data(bytes.prefix(bytes.count / 2)).write(
        to: URL(fileURLWithPath: pair.stage.path + "/" + newest))
      let daemon = try pair.stage.daemon(pair.file)
      let warning = try #require(await daemon.line(containing: "is damaged and was set aside"))
      #expect(warning.contains("snapshot \(Self.number(newest)) of task numbers/0"), "\(warning)")
      #expect(
        pair.stage.files.contains("data/numbers/task-0/corrupt/snapshot-\(Self.number(newest))"))
      try await pair.expectEqual(load, daemon)
    }

    private func snapshots(_ stage: Stage) -> [String] {
      stage.files.filter {
        $0.hasPrefix("data/numbers/task-") && $0.contains("/snapshot-") && !$0.contains("corrupt")
      }
    }

    private static func number(_ name: String) -> Int {
      name.firstMatch(of: /snapshot-(\d+)/).flatMap { Int($0.output.1) } ?? -1
    }
  }

  @Suite("Fault 03: SIGTERM under load", .timeLimit(.minutes(10))) struct Fault03 {
    @Test func everythingTakenIsDeliveredOnce() async throws {
      let pair = try Pair(snapshot: "{interval: 5s, records: 5000}")
      let load = pair.load(perSecond: 800)
      for _ in 0..<(Faults.areLong ? 20 : 2) {
        let before = pair.stage.rows().count
        let daemon = try pair.stage.daemon(pair.file)
        try await pair.stage.expectRows(before + 500, of: daemon)
        let asked = ContinuousClock.now
        await pair.stage.end(daemon)
        #expect(ContinuousClock.now - asked < .seconds(60))
      }
      try await pair.expectEqual(load, try pair.stage.daemon(pair.file))
    }
  }

  @Suite("Fault 07: a second daemon joins and leaves", .timeLimit(.minutes(60)))
  struct Fault07 {
    /// Both see one data directory, as a state that moves with its partition must be seen.
    @Test func eachRecordIsScoredOnceAsByOne() async throws {
      let pair = try Pair(snapshot: "{interval: 5s, records: 5000}")
      let load = pair.load(perSecond: Faults.areLong ? 2_000 : 800)
      let first = try pair.stage.daemon(pair.file)
      _ = try #require(await first.line(containing: "the group gives [\""))
      for _ in 0..<(Faults.areLong ? 12 : 2) {
        let second = try pair.stage.daemon(pair.file)
        _ = try #require(await second.line(containing: "the group gives [\""))
        let before = pair.stage.rows().count
        try await pair.stage.expectRows(before + 1_000, of: second)
        if Faults.areLong { try await Task.sleep(for: .seconds(20)) }
        await pair.stage.end(second)
      }
      try await pair.expectEqual(load, first)
    }
  }
}

/// Instants from a seed.
struct SeededInstants {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// The next number, from 0 on.
  mutating func next(below limit: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % limit
  }
}
