import Delivery
import Foundation
import RimSupport
import Synchronization
import Testing
import Transport

/// A disk whose n-th call fails, or after whose n-th call the process is gone.
private final class FaultyFiles: FileSystem {
  private let real = PosixFileSystem()
  private let calls = Mutex(0)
  private let failAt: Int
  private let number: Int32
  private let staysBroken: Bool

  init(failAt: Int, number: Int32, staysBroken: Bool = false) {
    self.failAt = failAt
    self.number = number
    self.staysBroken = staysBroken
  }

  private func count(_ operation: String, _ path: String) throws(FileError) {
    let call = calls.withLock { calls -> Int in
      calls += 1
      return calls
    }
    guard call == failAt || staysBroken && call > failAt else { return }
    throw FileError(operation: operation, path: path, number: number)
  }

  func makeDirectory(_ path: String) throws(FileError) -> Bool {
    try count("make folder", path)
    return try real.makeDirectory(path)
  }

  func write(_ bytes: [UInt8], to path: String) throws(FileError) {
    do { try count("write", path) } catch {
      try real.write(Array(bytes.prefix(bytes.count / 2)), to: path)
      throw error
    }
    try real.write(bytes, to: path)
  }

  func publish(_ path: String, as name: String) throws(FileError) -> Bool {
    try count("publish", name)
    return try real.publish(path, as: name)
  }

  func remove(_ path: String) throws(FileError) {
    try count("remove", path)
    try real.remove(path)
  }

  func syncDirectory(_ path: String) throws(FileError) {
    try count("sync folder", path)
    try real.syncDirectory(path)
  }

  func list(_ path: String) throws(FileError) -> [String] {
    try count("list", path)
    return try real.list(path)
  }
}

struct DirectoryTests {
  let folder: TemporaryFolder
  let threads = BlockingThreads(count: 1)

  init() throws { folder = try TemporaryFolder() }

  private func destination(
    _ compression: Compression = .none, files: any FileSystem = PosixFileSystem(),
    owner: String = "p/out", below path: String = "out", removesUnfinished: Bool = true
  ) async throws -> DirectoryDestination {
    try await DirectoryDestination(
      path: folder.path + "/" + path, owner: owner, compression: compression, files: files,
      threads: threads, removesUnfinished: removesUnfinished)
  }

  @Test func storesOnceAndLeavesNothingElse() async throws {
    let directory = try await destination()
    let closed = try object("one\ntwo\n")
    #expect(try await directory.put(closed) == .stored)
    #expect(try await directory.put(closed) == .existed)
    #expect(folder.files() == ["out/" + closed.name])
    #expect(try folder.contents("out/" + closed.name) == closed.bytes)
    try await threads.stop()
  }

  @Test func anExistingObjectIsNeverReplaced() async throws {
    let directory = try await destination()
    let first = try object("first")
    _ = try await directory.put(first)
    #expect(try await directory.put(try object("other")) == .existed)
    #expect(try folder.contents("out/" + first.name) == first.bytes)
    try await threads.stop()
  }

  @Test func gzipIsReadableAndTheSameEveryTime() async throws {
    let text = (0..<5_000).map { "{\"row\":\($0),\"score\":1.25}\n" }.joined()
    let closed = try object(text)
    let packed = try Compression.gzip.compress(closed.bytes)
    #expect(packed == (try Compression.gzip.compress(closed.bytes)))
    #expect(Array(packed[3..<8]) == [0, 0, 0, 0, 0], "neither a name nor a time")
    #expect(packed.count < closed.bytes.count / 5)
    let directory = try await destination(.gzip)
    _ = try await directory.put(closed)
    let path = folder.path + "/out/" + closed.name
    #expect(try output(of: "/bin/gzip", ["-dc", path]) == closed.bytes)
    try await threads.stop()
  }

  @Test func leftOversOfTheSameOwnerAreRemovedAtStart() async throws {
    _ = try await destination()
    let broken = FaultyFiles(failAt: 4, number: EIO, staysBroken: true)
    let directory = try await destination(files: broken, owner: "p/other")
    await #expect(throws: DeliveryError.self) { try await directory.put(try object("x")) }
    #expect(folder.files().count == 1)
    _ = try await destination(owner: "p/third")
    _ = try await destination(owner: "p/other", removesUnfinished: false)
    #expect(folder.files().count == 1)
    _ = try await destination(owner: "p/other")
    #expect(folder.files() == [])
    try await threads.stop()
  }

  @Test func anyFailingCallEndsInOneWholeObject() async throws {
    let closed = try object(String(repeating: "row\n", count: 1_000))
    var failures = 0
    for call in 1...14 {
      let files = FaultyFiles(failAt: call, number: ENOSPC)
      let path = "fault\(call)"
      var directory: DirectoryDestination?
      while directory == nil {
        do { directory = try await destination(files: files, below: path) } catch { failures += 1 }
      }
      let time = InstantTime()
      let uploader = Uploader(destination: directory!, time: time, seed: 1)
      _ = try await uploader.deliver(closed)
      failures += time.sleeps.count
      #expect(folder.files().filter { $0.hasPrefix(path + "/") } == [path + "/" + closed.name])
      #expect(try folder.contents(path + "/" + closed.name) == closed.bytes)
      #expect(uploader.status.lastError == nil)
      #expect(uploader.status.deliveredRecords == 1)
    }
    #expect(failures >= 9)
    try await threads.stop()
  }

  @Test(arguments: [
    (ENOSPC, "Directory.DiskFull", DeliveryError.Remedy.retry),
    (EACCES, "Directory.PermissionDenied", .operatorAction),
    (EROFS, "Directory.ReadOnly", .operatorAction), (EIO, "Directory.InputOutput", .retry),
  ])
  func errorsSayWhatHelps(_ number: Int32, _ code: String, _ remedy: DeliveryError.Remedy)
    async throws
  {
    let files = FaultyFiles(failAt: 1, number: number)
    let error = await #expect(throws: DeliveryError.self) {
      try await destination(files: files)
    }
    #expect(error?.code == code)
    #expect(error?.remedy == remedy)
    #expect(error?.message.contains(folder.path) == true)
    try await threads.stop()
  }

  @Test func aFileInTheWayIsNamed() async throws {
    try Data().write(to: URL(fileURLWithPath: folder.path + "/out"))
    let error = await #expect(throws: DeliveryError.self) { try await destination() }
    #expect(error?.code == "Directory.NotAFolder")
    try await threads.stop()
  }

  @Test func namesOutsideTheFolderAreRefused() async throws {
    let directory = try await destination()
    let closed = try object("x")
    for name in ["../evil", "a/../../evil", "a/", "a\0b"] {
      let evil = ClosedObject(
        identity: closed.identity, name: name, bytes: [1], recordCount: 1, oldestRowTime: 0)
      let error = await #expect(throws: DeliveryError.self) { try await directory.put(evil) }
      #expect(error?.code == "Directory.InvalidName")
    }
    #expect(folder.files() == [])
    try await threads.stop()
  }
}

private final class Script: Destination {
  let outcomes: Mutex<[DeliveryError?]>

  init(_ outcomes: [DeliveryError?]) { self.outcomes = Mutex(outcomes) }

  func put(_ object: ClosedObject) async throws -> PutResult {
    if let error = outcomes.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { throw error }
    return .stored
  }
}

/// Goes on whether or not the delivery was given up.
private final class Deaf: Destination {
  let start = Gate()
  let end = Gate()
  let hasLetGo = Mutex(false)

  func put(_ object: ClosedObject) async throws -> PutResult {
    start.open()
    await end.wait()
    hasLetGo.withLock { $0 = true }
    return .stored
  }
}

/// Something that a task waits for and another one brings about.
private final class Gate: Sendable {
  private let stream: AsyncStream<Void>
  private let opening: AsyncStream<Void>.Continuation

  init() { (stream, opening) = AsyncStream.makeStream() }

  func open() { opening.yield() }

  /// Not ended by a cancellation of the task.
  func wait() async {
    let stream = stream
    await Task { for await _ in stream { return } }.value
  }
}

struct UploaderTests {
  private func error(_ remedy: DeliveryError.Remedy, after: Int64? = nil) -> DeliveryError {
    DeliveryError(
      code: "X", message: "m", hint: "h", remedy: remedy, retryAfterMilliseconds: after)
  }

  @Test func triesUntilStoredWithFullJitter() async throws {
    let time = InstantTime()
    let failures = Array(repeating: Optional(error(.retry)), count: 12)
    let uploader = Uploader(destination: Script(failures), time: time, seed: 7)
    #expect(try await uploader.deliver(try object("x")) == .stored)
    #expect(time.sleeps.count == 12)
    for (index, sleep) in time.sleeps.enumerated() {
      #expect((0...min(120_000, 1_000 << Int64(index))).contains(sleep))
    }
    #expect(Set(time.sleeps).count > 6)
  }

  @Test func obeysRetryAfter() async throws {
    let time = InstantTime()
    let uploader = Uploader(
      destination: Script([error(.retry, after: 500_000)]), time: time, seed: 7)
    _ = try await uploader.deliver(try object("x"))
    #expect(time.sleeps == [500_000])
  }

  @Test func refusedObjectsAreGivenBack() async throws {
    let uploader = Uploader(destination: Script([error(.none)]), time: InstantTime(), seed: 7)
    await #expect(throws: DeliveryError.self) { try await uploader.deliver(try object("x")) }
    #expect(uploader.status.pendingObjects == 0)
    #expect(uploader.status.deliveredObjects == 0)
    #expect(uploader.status.lastError?.code == "X")
  }

  /// What was given up is under way until the destination lets go of it.
  @Test func idleMeansThatTheDestinationHasLetGo() async throws {
    let destination = Deaf()
    let uploader = Uploader(destination: destination, time: InstantTime(), seed: 7)
    await uploader.waitUntilIdle()
    let delivery = Task { try await uploader.deliver(try object("x")) }
    await destination.start.wait()
    delivery.cancel()
    let idle = Task {
      await uploader.waitUntilIdle()
      return destination.hasLetGo.withLock { $0 }
    }
    destination.end.open()
    #expect(await idle.value)
    _ = try await delivery.value
    #expect(uploader.status.pendingObjects == 0)
  }

  @Test func statusTellsTheOldestUndelivered() async throws {
    struct Never: Destination {
      let started: AsyncStream<Void>.Continuation
      func put(_ object: ClosedObject) async throws -> PutResult {
        started.yield()
        try await Task.sleep(for: .seconds(3_600))
        return .stored
      }
    }
    let (stream, continuation) = AsyncStream<Void>.makeStream()
    let uploader = Uploader(
      destination: Never(started: continuation), time: InstantTime(), seed: 7)
    let old = try object("xyz", rowTime: 1_000)
    let new = try object("x", row: 2, rowTime: 2_000)
    let tasks = [old, new].map { object in Task { try await uploader.deliver(object) } }
    var events = stream.makeAsyncIterator()
    for _ in tasks { await events.next() }
    #expect(uploader.status.oldestRowTime == 1_000)
    #expect(uploader.status.pendingBytes == 4)
    for task in tasks {
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
    }
    #expect(uploader.status.oldestRowTime == nil)
  }
}
