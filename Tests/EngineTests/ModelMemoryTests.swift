import Dataflow
import Engine
import Foundation
import RimSupport
import Synchronization
import Testing

/// Models beyond their memory wait on the disk, and nobody can tell by the rows.
@Suite struct ModelMemoryTests {
  static let keyCount = 40
  static let forests = """
    CREATE OR REPLACE STREAM "SCORED" ("n" BIGINT, "score" DOUBLE, "status" VARCHAR(16));
    CREATE OR REPLACE PUMP "SCORE_PUMP" AS INSERT INTO "SCORED"
      SELECT STREAM "n", "ANOMALY_SCORE", "STATUS" FROM TABLE(RANDOM_CUT_FOREST(
        CURSOR(SELECT STREAM "n", CAST(MOD("n", \(keyCount)) AS VARCHAR(8)) AS "key" FROM "NUMBERS")
        PARTITION BY "key", 10, 16));
    """
  /// Room for a few of the forests, which take some kilobytes each.
  static let tight = "64KiB"

  static func plan(_ bench: PipelineBench, _ extra: String) throws -> PipelinePlan {
    try bench.plan(forests, stream: "SCORED", extra: extra)
  }

  /// The rows of a run that nothing disturbs, all models in memory.
  static func straight(_ count: Int) async throws -> [String] {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<count)
    #expect(try await bench.run(bench.daemon(plan(bench, "")), until: Int64(count)))
    return try bench.lines("out")
  }

  @Test func aTightBudgetChangesNoRow() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let daemon = try bench.daemon(Self.plan(bench, "limits: {model_memory: \(Self.tight)}"))
    async let result = daemon.run()
    // Several batches at least, so that keys come again whose models have left memory.
    for first in stride(from: 0, to: 1_200, by: 400) {
      try bench.produceNumbers(first..<first + 400)
      try await SwapTests.taken(daemon, Int64(first) + 400)
    }
    let models = try #require(daemon.statuses.first?.tasks[0]?.models)
    #expect(models.counters.resident + models.counters.spilled == Self.keyCount)
    #expect(models.counters.residentBytes <= 64 << 10 && models.counters.evictions > 0)
    #expect(models.counters.loads > 0 && models.spilledBytes > 0)
    daemon.stop()
    #expect(try await result)
    let expected = try await Self.straight(1_200)
    #expect(try bench.lines("out") == expected)
    let files = try FileManager.default.contentsOfDirectory(
      atPath: bench.folder + "/data/numbers/task-0")
    #expect(!files.contains { $0.hasPrefix("models") }, "\(files)")
  }

  /// The budget may change from one start to the next, even after a crash: it is no part of the state.
  @Test(arguments: 2...5) func aCrashIsRecoveredUnderAnotherBudget(failAt: Int) async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let first = try Self.plan(bench, "limits: {model_memory: \(Self.tight)}")
    try bench.produceNumbers(0..<400)
    #expect(try await bench.run(bench.daemon(first), until: 400))
    let daemon = bench.daemon(first, disk: FailingDisk(failAt: failAt))
    async let result = daemon.run()
    let last = try await bench.produceNumbers(from: 400, to: daemon) { false }
    daemon.stop()
    #expect(try await !result)
    try bench.produceNumbers(last..<last + 200)
    let second = try Self.plan(bench, "limits: {model_memory: 90KiB}")
    #expect(try await bench.run(bench.daemon(second), until: Int64(last) + 200))
    let expected = try await Self.straight(last + 200)
    #expect(try bench.lines("out") == expected)
  }

  /// The last snapshot, which is copied part by part, holds all that was computed: only then may the
  /// pipeline change.
  @Test func aChangedPipelineGoesOnAfterAStopWithModelsOnTheDisk() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let first = try Self.plan(bench, "limits: {model_memory: \(Self.tight)}")
    try bench.produceNumbers(0..<400)
    #expect(try await bench.run(bench.daemon(first), until: 400))
    try bench.produceNumbers(400..<600)
    let second = try Self.plan(bench, "limits: {model_memory: \(Self.tight), keys: 1000}")
    #expect(try await bench.run(bench.daemon(second), until: 600))
    let expected = try await Self.straight(600)
    #expect(try bench.lines("out") == expected)
  }

  /// What cannot be read back ends the pipeline before anything of it leaves, and the next start has it.
  @Test func aModelThatCannotBeReadBackIsRestoredFromTheSnapshot() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let plan = try Self.plan(bench, "limits: {model_memory: \(Self.tight)}")
    let disk = ScratchDisk()
    let daemon = bench.daemon(plan, disk: disk)
    async let result = daemon.run()
    try bench.produceNumbers(0..<400)
    try await SwapTests.taken(daemon, 400)
    disk.refusesReads = true
    try bench.produceNumbers(400..<600)
    #expect(try await !result)
    let problem = daemon.statuses.first?.problem ?? ""
    #expect(problem.contains("a model cannot be read back"), "\(problem)")
    #expect(try await bench.run(bench.daemon(plan), until: 600))
    let expected = try await Self.straight(600)
    #expect(try bench.lines("out") == expected)
  }

  /// A disk that takes no models holds records up until it does.
  @Test func aDiskWithoutRoomForModelsIsWaitedFor() async throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    let disk = ScratchDisk()
    disk.refusesWrites = true
    let plan = try Self.plan(bench, "limits: {model_memory: \(Self.tight)}")
    let daemon = bench.daemon(plan, disk: disk)
    async let result = daemon.run()
    try bench.produceNumbers(0..<400)
    await PipelineBench.wait(for: daemon) {
      daemon.statuses.first?.tasks[0]?.problem?.contains("have no place to wait") ?? false
    }
    try bench.produceNumbers(400..<600)
    disk.refusesWrites = false
    try await SwapTests.taken(daemon, 600)
    #expect(daemon.statuses.first?.tasks[0]?.problem == nil)
    daemon.stop()
    #expect(try await result)
    let expected = try await Self.straight(600)
    #expect(try bench.lines("out") == expected)
  }
}

/// The local disk with room for models that can be made to refuse.
final class ScratchDisk: Disk {
  private let local = LocalDisk()
  private let state = Mutex((reads: false, writes: false))

  var refusesReads: Bool {
    get { state.withLock { $0.reads } }
    set { state.withLock { $0.reads = newValue } }
  }
  var refusesWrites: Bool {
    get { state.withLock { $0.writes } }
    set { state.withLock { $0.writes = newValue } }
  }

  func createDirectory(_ path: String) throws { try local.createDirectory(path) }
  func list(_ path: String) throws -> [String] { try local.list(path) }
  func read(_ path: String) throws -> [UInt8]? { try local.read(path) }
  func read(_ path: String, from offset: Int, count: Int) throws -> [UInt8]? {
    try local.read(path, from: offset, count: count)
  }
  func replace(_ path: String, with bytes: [UInt8]) throws { try local.replace(path, with: bytes) }
  func create(_ path: String, with bytes: [UInt8]) throws -> Bool {
    try local.create(path, with: bytes)
  }
  func append(_ bytes: [UInt8], to path: String, at offset: Int) throws {
    try local.append(bytes, to: path, at: offset)
  }
  func note(_ bytes: [UInt8], in path: String, isDurable: Bool) throws {
    try local.note(bytes, in: path, isDurable: isDurable)
  }
  func move(_ path: String, to target: String) throws { try local.move(path, to: target) }
  func remove(_ path: String) throws { try local.remove(path) }
  func lock(_ path: String) throws -> (any FileLock)? { try local.lock(path) }
  func makeScratch(in folder: String) throws -> any ModelScratch {
    Scratch(disk: self, scratch: try local.makeScratch(in: folder))
  }

  private final class Scratch: ModelScratch {
    private let disk: ScratchDisk
    private let scratch: any ModelScratch

    init(disk: ScratchDisk, scratch: any ModelScratch) {
      self.disk = disk
      self.scratch = scratch
    }

    func write(_ bytes: [UInt8], at offset: Int64) throws {
      if disk.refusesWrites { throw MemoryScratch.Refusal() }
      try scratch.write(bytes, at: offset)
    }

    func read(_ count: Int, at offset: Int64) throws -> [UInt8] {
      if disk.refusesReads { throw MemoryScratch.Refusal() }
      return try scratch.read(count, at: offset)
    }
  }
}
