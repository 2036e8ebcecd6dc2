import Columns
import Dataflow
import Engine
import Foundation
import Kafka
import Synchronization
import Testing

/// The whole engine in this process, on the embedded broker.
@Suite struct DaemonTests {
  static func expectedEvens(_ numbers: Range<Int>) -> [String] {
    numbers.filter { $0 % 2 == 0 }.map { "{\"n\":\($0),\"twice\":\($0 * 2)}" }
  }

  @Test func everyRowIsDeliveredOnceAndInOrder() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<1_000)
    #expect(try await bench.run(bench.daemon(bench.plan()), until: 1_000))
    #expect(try bench.lines("out") == Self.expectedEvens(0..<1_000))
    #expect(try bench.lines("dead").isEmpty)
  }

  @Test func aRestartGoesOnWhereTheLastRunEnded() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<333)
    #expect(try await bench.run(bench.daemon(bench.plan()), until: 333))
    try bench.produceNumbers(333..<700)
    #expect(try await bench.run(bench.daemon(bench.plan()), until: 700))
    #expect(try bench.lines("out") == Self.expectedEvens(0..<700))
  }

  /// A test that fails leaves its daemon to nobody; whoever waits for it would wait for ever.
  @Test func aCancelledRunDeliversAndEnds() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<250)
    let daemon = try bench.daemon(bench.plan())
    let run = Task { try await daemon.run() }
    await PipelineBench.wait(for: daemon) { PipelineBench.isDone(daemon, 250) }
    run.cancel()
    #expect(try await run.value)
    #expect(try bench.lines("out") == Self.expectedEvens(0..<250))
  }

  @Test func aPipelineWithoutStateHasATaskPerPartition() async throws {
    let bench = try PipelineBench(partitions: 3)
    defer { #expect(throws: Never.self) { try bench.remove() } }
    for partition in 0..<3 {
      try bench.produceNumbers(partition * 200..<partition * 200 + 200, partition: Int32(partition))
    }
    let plan = try bench.plan()
    #expect(plan.parallelism == .partitionParallel(reason: "no operator keeps state"))
    #expect(try await bench.run(bench.daemon(plan), until: 600))
    let lines = try bench.lines("out")
    #expect(lines.count == 300)
    #expect(Set(lines) == Set(Self.expectedEvens(0..<600)))
  }

  @Test func aSingleTaskMergesPartitionsByTime() async throws {
    let bench = try PipelineBench(partitions: 3)
    defer { #expect(throws: Never.self) { try bench.remove() } }
    // Every third number in turn, so that only a merge by timestamp puts them in order.
    for partition in 0..<3 {
      try bench.produceNumbers(
        stride(from: partition, to: 6_000, by: 3), partition: Int32(partition))
    }
    let plan = try bench.plan(PipelineBench.counting, stream: "COUNTED")
    guard case .single = plan.parallelism else {
      Issue.record("a running count is not partition-parallel")
      return
    }
    #expect(try await bench.run(bench.daemon(plan), until: 6_000))
    #expect(try bench.lines("out") == (0..<6_000).map { "{\"n\":\($0),\"seen\":\($0 + 1)}" })
  }

  @Test func theBalancesHold() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produce([Array("{\"n\":1}".utf8), nil, Array("x".utf8), Array("{\"n\":2}".utf8)])
    let daemon = try bench.daemon(bench.plan())
    let counters = Mutex<TaskCounters?>(nil)
    #expect(
      try await bench.run(daemon, until: 4) {
        let now = daemon.statuses.first?.tasks[0]?.counters
        counters.withLock { $0 = now }
      })
    let final = try #require(counters.withLock { $0 })
    #expect(final.polled == final.decoded + final.deadLettered + final.skipped)
    #expect((final.decoded, final.deadLettered, final.skipped) == (2, 1, 1))
    #expect(final.outputRows == [1, 1, 1])
  }

  @Test func aRecordThatCannotBeDecodedIsADeadLetterAndAnErrorRow() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let bad: [[UInt8]?] = [
      Array("no json".utf8), Array(#"{"n":"x"}"#.utf8), [], nil,
      Array(#"{"n":1e400}"#.utf8), [0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D],
      Array(String(repeating: "[", count: 10_000).utf8), Array(#"{"n":NaN}"#.utf8),
    ]
    try bench.produce(bad + [Array(#"{"n":4}"#.utf8)])
    #expect(try await bench.run(bench.daemon(bench.plan()), until: Int64(bad.count + 1)))
    #expect(try bench.lines("out") == [#"{"n":4,"twice":8}"#])
    let dead = try bench.lines("dead").map(Self.object)
    #expect(dead.map { $0["offset"] as? Int } == [0, 1, 2, 4, 5, 6, 7])
    #expect(
      dead.allSatisfy { $0["topic"] as? String == "numbers" && $0["stage"] as? String == "decode" })
    for letter in dead {
      let offset = try #require(letter["offset"] as? Int)
      let raw = try #require(letter["rawData"] as? String)
      #expect(Data(base64Encoded: raw).map(Array.init) == bad[offset])
      #expect((letter["errorCode"] as? String)?.contains(".") == true)
    }
    #expect(try bench.lines("errors").count == 7)
  }

  /// The disk is full at the n-th write: the pipeline waits and goes on by itself.
  @Test(arguments: 1...6) func aFailedWriteLosesAndRepeatsNothing(failAt: Int)
    async throws
  {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<500)
    let disk = FailingDisk(failAt: failAt, code: 28)
    #expect(try await bench.run(bench.daemon(bench.plan(), disk: disk), until: 500))
    #expect(try bench.lines("out") == Self.expectedEvens(0..<500))
    try bench.produceNumbers(500..<600)
    #expect(try await bench.run(bench.daemon(bench.plan()), until: 600))
    #expect(try bench.lines("out") == Self.expectedEvens(0..<600))
  }

  /// However often a snapshot has no room, it has one segment of the journal.
  @Test func anAttemptToStoreASnapshotLeavesNothing() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<10)
    let disk = FailingDisk(refusing: "/snapshot-", count: 2)
    #expect(try await bench.run(bench.daemon(bench.plan(), disk: disk), until: 10))
    #expect(try bench.lines("out") == Self.expectedEvens(0..<10))
    // That of the birth, and that of the end.
    #expect(disk.created.count { $0.contains("/journal-") } == 2, "\(disk.created)")
  }

  /// A damaged snapshot is nobody's predecessor: two in a row do no harm as long as one is left between.
  @Test func theSnapshotBehindADamagedOneStaysInUse() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let plan = try bench.plan(PipelineBench.counting, stream: "COUNTED")
    let folder = bench.folder + "/data/numbers/task-0"
    for round in 0..<4 {
      if round > 1 {
        let newest = try FileManager.default.contentsOfDirectory(atPath: folder)
          .filter { $0.hasPrefix("snapshot-") }.max { ($0.count, $0) < ($1.count, $1) }
        let file = folder + "/" + (try #require(newest))
        try Data("damaged".utf8).write(to: URL(fileURLWithPath: file))
      }
      try bench.produceNumbers(round * 100..<round * 100 + 100)
      let daemon = bench.daemon(plan)
      async let result = daemon.run()
      // From where a replay would read is known of the snapshot that was read, too.
      await PipelineBench.wait(for: daemon) {
        PipelineBench.isDone(daemon, Int64(round) * 100 + 100)
          && daemon.statuses.first?.tasks[0]?.replayMargin != nil
      }
      daemon.stop()
      #expect(try await result)
    }
    #expect(try bench.lines("out") == (0..<400).map { "{\"n\":\($0),\"seen\":\($0 + 1)}" })
  }

  /// A disk that somebody has to look at stops the pipeline, and the next start makes what one
  /// undisturbed run makes.
  @Test(arguments: 1...6) func aBrokenDiskStopsThePipeline(failAt: Int) async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<500)
    let disk = FailingDisk(failAt: failAt)
    #expect(try await !bench.run(bench.daemon(bench.plan(), disk: disk), until: 500))
    try bench.produceNumbers(500..<600)
    #expect(try await bench.run(bench.daemon(bench.plan()), until: 600))
    #expect(try bench.lines("out") == Self.expectedEvens(0..<600))
  }

  @Test func stateWithoutACommitIsAnErrorAndNeverAFreshStart() async throws {
    let bench = try PipelineBench()
    let other = try PipelineBench()
    defer {
      #expect(throws: Never.self) {
        try bench.remove()
        try other.remove()
      }
    }
    try bench.produceNumbers(0..<10)
    #expect(try await bench.run(bench.daemon(bench.plan()), until: 10))
    try FileManager.default.copyItem(
      atPath: bench.folder + "/data", toPath: other.folder + "/data")
    try other.produceNumbers(0..<10)
    let daemon = try other.daemon(other.plan())
    #expect(try await !other.run(daemon, until: 10))
    let problem = try #require(daemon.statuses.first?.problem)
    #expect(problem.contains("has no commit") && problem.contains("remove"))
  }

  /// A folder of the same name and with snapshots of the same numbers, but of another life.
  @Test func theStateOfAnotherLifeIsAnError() async throws {
    let (bench, other) = (try PipelineBench(), try PipelineBench())
    defer {
      #expect(throws: Never.self) {
        try bench.remove()
        try other.remove()
      }
    }
    // Lives are drawn from a seed, which is another one with another folder.
    for (bench, data) in [(bench, "data"), (other, "elsewhere")] {
      try bench.produceNumbers(0..<10)
      #expect(try await bench.run(bench.daemon(bench.plan(), data: data), until: 10))
    }
    try FileManager.default.removeItem(atPath: other.folder + "/elsewhere")
    try FileManager.default.copyItem(
      atPath: bench.folder + "/data", toPath: other.folder + "/elsewhere")
    try other.produceNumbers(10..<20)
    let daemon = try other.daemon(other.plan(), data: "elsewhere")
    #expect(try await !other.run(daemon, until: 20))
    let problem = try #require(daemon.statuses.first?.problem)
    #expect(problem.contains("of life") && problem.contains("hint: "), "\(problem)")
  }

  /// A state of the right life that has gone on after the group's commit, as in a copy that was run elsewhere.
  @Test func stateThatIsAheadOfTheCommitIsAnError() async throws {
    let (bench, other) = (try PipelineBench(), try PipelineBench())
    defer {
      #expect(throws: Never.self) {
        try bench.remove()
        try other.remove()
      }
    }
    try bench.produceNumbers(0..<10)
    #expect(try await bench.run(bench.daemon(bench.plan()), until: 10))
    let text = try bench.committed(by: "cutbank.numbers")?.metadata
    var record = try #require(CommitRecord(text: text ?? ""))
    record.commit -= 1
    try FileManager.default.copyItem(
      atPath: bench.folder + "/data", toPath: other.folder + "/data")
    try other.commit(record.text, of: "cutbank.numbers", offset: 10)
    try other.produceNumbers(0..<20)
    let daemon = try other.daemon(other.plan())
    #expect(try await !other.run(daemon, until: 20))
    let problem = try #require(daemon.statuses.first?.problem)
    #expect(problem.contains("is not the one that the group's commit"), "\(problem)")
  }

  /// An error that ends a task is not taken for one of the disk because a disk has met it.
  @Test(
    arguments: [
      (StateError(section: "s", offset: 3, message: "damaged"), "cutbank state verify"),
      (Unforeseen(), "an error that was not foreseen: Unforeseen"),
    ] as [(any Error, String)])
  func errorsSayWhatTheyAre(error: any Error, text: String) async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<10)
    let disk = FailingDisk { path in if path.contains("/journal-") { throw error } }
    let daemon = try bench.daemon(bench.plan(), disk: disk)
    #expect(try await !bench.run(daemon, until: 10))
    let problem = try #require(daemon.statuses.first?.problem)
    #expect(problem.contains(text), "\(problem)")
  }

  /// What a newer program, or somebody else, has committed for the task is never passed over.
  @Test func aCommitThatCannotBeReadIsAnError() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<10)
    try bench.commit("cutbank2 life=l", of: "cutbank.numbers")
    let daemon = try bench.daemon(bench.plan())
    #expect(try await !bench.run(daemon, until: 10))
    let problem = try #require(daemon.statuses.first?.problem)
    #expect(problem.contains("cutbank2") && problem.contains("hint: "), "\(problem)")
  }

  static func object(_ line: String) -> [String: Any] {
    (try? JSONSerialization.jsonObject(with: Data(line.utf8))) as? [String: Any] ?? [:]
  }
}

private struct Unforeseen: Error {}

/// The local disk, whose n-th write of this process fails: with a code that ends the pipeline, or another.
final class FailingDisk: Disk {
  private let local = LocalDisk()
  private let check: @Sendable (_ path: String) throws -> Void
  private let creations = Mutex<[String]>([])

  /// A disk each of whose writes meets `check` first.
  init(_ check: @escaping @Sendable (_ path: String) throws -> Void) { self.check = check }

  convenience init(failAt: Int, code: Int32 = 13) {
    let written = Mutex(0)
    self.init { path in
      let number = written.withLock { written in
        written += 1
        return written
      }
      if number == failAt {
        throw DiskError(operation: "write", path: path, code: code, text: "refused")
      }
    }
  }

  /// A disk without room for the first `count` of the files whose paths have `text`.
  convenience init(refusing text: String, count: Int) {
    let written = Mutex(0)
    self.init { path in
      guard path.contains(text) else { return }
      let number = written.withLock { written in
        written += 1
        return written
      }
      if number <= count {
        throw DiskError(operation: "write", path: path, code: 28, text: "refused")
      }
    }
  }

  /// The files that were created.
  var created: [String] { creations.withLock { $0 } }

  func createDirectory(_ path: String) throws { try local.createDirectory(path) }
  func list(_ path: String) throws -> [String] { try local.list(path) }
  func read(_ path: String) throws -> [UInt8]? { try local.read(path) }
  func read(_ path: String, from offset: Int, count: Int) throws -> [UInt8]? {
    try local.read(path, from: offset, count: count)
  }
  func replace(_ path: String, with bytes: [UInt8]) throws {
    try check(path)
    try local.replace(path, with: bytes)
  }
  func create(_ path: String, with bytes: [UInt8]) throws -> Bool {
    try check(path)
    creations.withLock { $0.append(path) }
    return try local.create(path, with: bytes)
  }
  func append(_ bytes: [UInt8], to path: String, at offset: Int) throws {
    try check(path)
    try local.append(bytes, to: path, at: offset)
  }
  // What is noted belongs to no commit, and is not counted.
  func note(_ bytes: [UInt8], in path: String, isDurable: Bool) throws {
    try local.note(bytes, in: path, isDurable: isDurable)
  }
  func move(_ path: String, to target: String) throws { try local.move(path, to: target) }
  func remove(_ path: String) throws { try local.remove(path) }
  func lock(_ path: String) throws -> (any FileLock)? { try local.lock(path) }
  func makeScratch(in folder: String) throws -> any ModelScratch {
    try local.makeScratch(in: folder)
  }
}
