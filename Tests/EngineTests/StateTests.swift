import Columns
import Dataflow
import Engine
import RimSupport
import Synchronization
import Testing

/// A disk in memory.
final class MemoryDisk: Disk {
  private let storage = Mutex<[String: [UInt8]]>([:])
  /// How long files that are appended to may become.
  private let room: Int
  /// The notes that were on stable storage before anything else was done.
  private let durable = Mutex<[[UInt8]]>([])

  init(room: Int = .max) { self.room = room }

  var durableNotes: [[UInt8]] { durable.withLock { $0 } }

  var files: [String: [UInt8]] {
    get { storage.withLock { $0 } }
    set { storage.withLock { $0 = newValue } }
  }

  func createDirectory(_ path: String) throws {}
  func list(_ path: String) throws -> [String] {
    let below = files.keys.filter { $0.hasPrefix(path + "/") }.map { $0.dropFirst(path.count + 1) }
    return Set(below.map { String($0.prefix { $0 != "/" }) }).sorted()
  }
  func read(_ path: String) throws -> [UInt8]? { files[path] }
  func read(_ path: String, from offset: Int, count: Int) throws -> [UInt8]? {
    files[path].map { Array($0.dropFirst(offset).prefix(count)) }
  }
  func replace(_ path: String, with bytes: [UInt8]) throws { files[path] = bytes }
  func create(_ path: String, with bytes: [UInt8]) throws -> Bool {
    guard files[path] == nil else { return false }
    files[path] = bytes
    return true
  }
  func append(_ bytes: [UInt8], to path: String, at offset: Int) throws {
    let file = Array((files[path] ?? []).prefix(offset)) + bytes
    guard file.count <= room else {
      throw DiskError(operation: "append", path: path, code: 28, text: "no space left on device")
    }
    files[path] = file
  }
  func note(_ bytes: [UInt8], in path: String, isDurable: Bool) throws {
    files[path] = bytes
    if isDurable { durable.withLock { $0.append(bytes) } }
  }
  func move(_ path: String, to target: String) throws {
    files[target] = files.removeValue(forKey: path)
  }
  func remove(_ path: String) throws { files[path] = nil }
  func lock(_ path: String) throws -> (any FileLock)? { Held() }
  func makeScratch(in folder: String) throws -> any ModelScratch { MemoryScratch() }
}

/// A file that nobody else asks for.
private final class Held: FileLock {}

@Suite struct StateFileTests {
  static func snapshot(_ number: Int64, commit: Int64 = 7) -> Snapshot {
    var writer = StateWriter()
    writer.section("part") { $0.write("life") }
    writer.section("operator/0") { $0.write(Array(repeating: UInt8(3), count: 200)) }
    return Snapshot(
      number: number, commit: commit, fingerprint: "f", pipelineText: "name: p",
      applicationText: "-- sql", slices: writer.slices)
  }

  static let steps = [
    NumberedStep(rowNumber: 0, step: .tick(time: 1_700_000_000_000)),
    NumberedStep(rowNumber: 0, step: .take(partition: 2, count: 900, nextOffset: 901)),
    NumberedStep(rowNumber: 900, step: .skip(partition: 1, nextOffset: 78)),
    NumberedStep(rowNumber: 901, step: .close(output: 1, firstRow: 7)),
    NumberedStep(rowNumber: 900, step: .bound(time: -5)),
    NumberedStep(rowNumber: 900, step: .done(output: 1, firstRow: 33)),
  ]

  @Test func aSnapshotReadsBack() throws {
    let disk = MemoryDisk()
    let store = try LocalSnapshotStore(folder: "s", disk: disk)
    #expect(try store.isEmpty())
    try store.store(Self.snapshot(4))
    let read = try #require(try store.load(4))
    #expect(read.commit == 7 && read.applicationText == "-- sql" && read.fingerprint == "f")
    #expect(read.slices.map(\.section) == ["part", "operator/0"])
    #expect(read.slices.map(\.bytes) == Self.snapshot(4).slices.map(\.bytes))
    #expect(try store.load(5) == nil)
    #expect(try !store.isEmpty())
  }

  /// A snapshot of two models, of which those in `unchanged` are where their snapshots say.
  static func models(_ number: Int64, unchanged: [Int: Int64] = [:]) -> Snapshot {
    var snapshot = snapshot(number)
    var writer = StateWriter()
    for slice in 1...2 {
      if let origin = unchanged[slice] {
        writer.reference("operator/1", slice: slice, origin: origin)
      } else {
        writer.section("operator/1", slice: slice) { $0.write(number * 10 + Int64(slice)) }
      }
    }
    snapshot.slices += writer.slices
    return snapshot
  }

  static func values(_ snapshot: Snapshot?) throws -> [Int64] {
    let reader = StateReader(try #require(snapshot).slices)
    return try (0..<2).map { slice in
      var section = try reader.section("operator/1", slice: slice)
      return try section.integer()
    }
  }

  @Test func whatHasNotChangedIsReadFromTheSnapshotThatHasIt() throws {
    let disk = MemoryDisk()
    let store = try LocalSnapshotStore(folder: "s", disk: disk)
    try store.store(Self.models(1))
    try store.store(Self.models(2, unchanged: [2: 1]))
    let third = store.makeWriter(Self.models(3, unchanged: [1: 2, 2: 1]))
    try third.add([])
    #expect(disk.files["s/snapshot-3"] == nil)
    try third.finish()
    #expect(try Self.values(store.load(3)) == [21, 12])
    // A later program, which has read nothing yet, keeps what it will need.
    let later = try LocalSnapshotStore(folder: "s", disk: disk)
    try later.discard(before: 3)
    #expect(disk.files.keys.sorted() == ["s/snapshot-1", "s/snapshot-2", "s/snapshot-3"])
    try later.store(Self.models(4, unchanged: [1: 2]))
    try later.store(Self.models(5))
    try later.discard(before: 4)
    #expect(disk.files.keys.sorted() == ["s/snapshot-2", "s/snapshot-4", "s/snapshot-5"])
    try later.discard(before: 5)
    #expect(disk.files.keys.sorted() == ["s/snapshot-5"])
    let told = try StateInspection(folder: "s", disk: disk)
    #expect(told.lines.contains { $0.contains("operator/1: 16 bytes in 2 slices") })
  }

  @Test func aSnapshotWhoseEarlierOneIsGoneOrDamagedIsSetAside() throws {
    for damage in [[], [UInt8(1)]] {
      let disk = MemoryDisk()
      let store = try LocalSnapshotStore(folder: "s", disk: disk)
      try store.store(Self.models(1))
      try store.store(Self.models(2, unchanged: [2: 1]))
      disk.files["s/snapshot-1"] = damage.isEmpty ? nil : damage
      #expect(throws: StateError.self) { try store.load(2) }
      #expect(disk.files["s/corrupt/snapshot-2"] != nil)
    }
  }

  /// Snapshots that could not be read, and which of them stay when ten have come after them.
  @Test(
    arguments: [
      (former: [], own: [], stay: []),
      (former: [1, 2], own: [3], stay: [1, 2, 3]),
      (former: [1, 2, 3, 5], own: [], stay: [2, 3, 5]),
      (former: [1, 2, 3], own: [4, 5], stay: [3, 4, 5]),
      // Whoever sets more aside than are kept keeps them all.
      (former: [1], own: [2, 3, 4, 5], stay: [2, 3, 4, 5]),
      // Numbers that have not come yet are older than all others.
      (former: [2, 97, 98, 99], own: [], stay: [2, 98, 99]),
      (former: [97, 98, 99], own: [1, 2], stay: [1, 2, 99]),
    ] as [(former: [Int64], own: [Int64], stay: [Int64])])
  func theNewestDamagedSnapshotsStay(former: [Int64], own: [Int64], stay: [Int64]) throws {
    let disk = MemoryDisk()
    for number in former { disk.files["s/corrupt/snapshot-\(number)"] = [0] }
    let store = try LocalSnapshotStore(folder: "s", disk: disk)
    for number in own {
      disk.files["s/snapshot-\(number)"] = [0]
      #expect(throws: StateError.self) { try store.load(number) }
    }
    #expect(Self.damaged(disk) == (former + own).sorted(), "a start removes nothing")
    for number in 10...20 as ClosedRange<Int64> {
      try store.store(Self.models(number))
      try store.discard(before: number - 1)
    }
    #expect(Self.damaged(disk) == stay)
    #expect(try store.load(20) != nil)
  }

  private static func damaged(_ disk: MemoryDisk) -> [Int64] {
    disk.files.keys.filter { $0.hasPrefix("s/corrupt/snapshot-") }
      .compactMap { Int64($0.dropFirst("s/corrupt/snapshot-".count)) }.sorted()
  }

  @Test func aLargeSnapshotIsWrittenPartByPartAndIsThereAtTheEnd() throws {
    let disk = MemoryDisk()
    let store = try LocalSnapshotStore(folder: "s", disk: disk)
    let writer = store.makeWriter(Self.snapshot(1))
    for number in 1...5 {
      var part = StateWriter()
      part.section("operator/1", slice: number) {
        $0.write(Array(repeating: UInt8(number), count: 3 << 20))
      }
      try writer.add(part.slices)
    }
    #expect(disk.files.keys.sorted() == ["s/snapshot-1.tmp"])
    // Another owner starts meanwhile: what is half written is nothing.
    let other = MemoryDisk()
    other.files = disk.files
    #expect(try LocalSnapshotStore(folder: "s", disk: other).isEmpty())
    #expect(other.files.isEmpty)
    try writer.finish()
    let slices = try #require(try store.load(1)).slices
    #expect(slices.count == 7)
    for number in 1...5 {
      var section = SectionReader(section: "operator/1", bytes: slices[1 + number].bytes)
      #expect(try section.byteArray() == Array(repeating: UInt8(number), count: 3 << 20))
    }
    // The file is read in pieces: what is damaged behind the first is told by its place in the file.
    let whole = try #require(disk.files["s/snapshot-1"])
    disk.files["s/snapshot-1"]?[10 << 20] ^= 1
    // Whoever wants the beginning only is not kept by that.
    #expect(throws: StateError.self) { try LocalSnapshotStore.peek(1, in: "s", disk: disk) }
    let begun = try LocalSnapshotStore.peek(1, in: "s", disk: disk) { $0.slices.count >= 2 }
    #expect(try #require(begun).slices.prefix(2).map(\.bytes) == slices.prefix(2).map(\.bytes))
    let error = #expect(throws: StateError.self) { try store.load(1) }
    let offset = try #require(error).offset
    #expect(offset > 9 << 20 && offset <= 10 << 20 && offset < whole.count)
  }

  @Test func everyDamagedByteIsNoticedAndTheFileSetAside() throws {
    let disk = MemoryDisk()
    let store = try LocalSnapshotStore(folder: "s", disk: disk)
    try store.store(Self.snapshot(1))
    let whole = try #require(disk.files["s/snapshot-1"])
    // The bytes of the version say that a newer program wrote the file: see the next test.
    for index in whole.indices where index != 8 && index != 9 {
      disk.files["s/snapshot-1"] = whole
      disk.files["s/snapshot-1"]?[index] ^= 0x40
      #expect(throws: StateError.self, "byte \(index)") { try store.load(1) }
      #expect(disk.files["s/snapshot-1"] == nil && disk.files["s/corrupt/snapshot-1"] != nil)
    }
    for length in 0..<whole.count {
      disk.files["s/snapshot-1"] = Array(whole[..<length])
      #expect(throws: StateError.self, "length \(length)") { try store.load(1) }
    }
  }

  @Test(arguments: [8, 9]) func aNewerFormatIsRefusedAndLeftAlone(byte: Int) throws {
    let disk = MemoryDisk()
    let store = try LocalSnapshotStore(folder: "s", disk: disk)
    try store.store(Self.snapshot(1))
    disk.files["s/snapshot-1"]?[byte] = 99
    let before = disk.files
    do {
      _ = try store.load(1)
      Issue.record("a newer format was read")
    } catch let error as StateProblem {
      #expect(error.message.contains("newer cutbank"))
      #expect(error.hint.contains("run that version"))
    }
    #expect(disk.files == before)
  }

  @Test func inspectionTellsWhatIsThereAndWhatIsDamaged() throws {
    let disk = MemoryDisk()
    let store = try LocalSnapshotStore(folder: "s", disk: disk)
    #expect(try store.beginSegment() == 0)
    try store.store(Self.snapshot(0))
    _ = try store.append(JournalBlock(epoch: 1, commit: 8, steps: Self.steps))
    _ = try store.append(JournalBlock(epoch: 1, commit: 9, steps: []))
    let sound = try StateInspection(folder: "s", disk: disk)
    #expect(sound.problems.isEmpty)
    #expect(sound.lines.contains { $0.contains("2 blocks, 6 steps, commits 8 to 9") })
    #expect(sound.lines.contains { $0.contains("snapshot-0") && $0.contains("after commit 7") })
    disk.files["s/snapshot-0"]?[90] ^= 1
    let damaged = try StateInspection(folder: "s", disk: disk)
    #expect(damaged.problems.count == 1 && damaged.problems[0].contains("s/snapshot-0"))
    disk.files["s/snapshot-0"]?[9] = 99
    let newer = try StateInspection(folder: "s", disk: disk)
    #expect(newer.problems.count == 1 && newer.problems[0].contains("newer cutbank"))
    #expect(newer.hints.contains { $0.contains("left as it is") })
  }

  @Test func inspectionTellsTheNewestSnapshotLast() throws {
    let disk = MemoryDisk()
    let store = try LocalSnapshotStore(folder: "s", disk: disk)
    for number in [98, 99, 100] as [Int64] { try store.store(Self.snapshot(number)) }
    let told = try StateInspection(folder: "s", disk: disk).lines.filter {
      $0.hasPrefix("snapshot-")
    }
    #expect(told.map { $0.prefix { $0 != ":" } } == ["snapshot-98", "snapshot-99", "snapshot-100"])
  }

  @Test func theJournalEndsWhereTheCommitSaysAndGoesOnFromThere() throws {
    let disk = MemoryDisk()
    let store = try LocalSnapshotStore(folder: "s", disk: disk)
    #expect(try store.beginSegment() == 0)
    let first = try store.append(JournalBlock(epoch: 1, commit: 8, steps: Self.steps))
    let second = try store.append(JournalBlock(epoch: 1, commit: 9, steps: []))
    let zombie = try store.append(JournalBlock(epoch: 1, commit: 10, steps: Self.steps))
    #expect(first.segment == 0 && first.end < second.end && second.end < zombie.end)

    let again = try LocalSnapshotStore(folder: "s", disk: disk)
    let blocks = try again.blocks(from: 0, to: 0, end: second.end)
    #expect(blocks.map(\.commit) == [8, 9])
    #expect(blocks[0].steps == Self.steps)
    let next = try again.append(JournalBlock(epoch: 2, commit: 10, steps: []))
    // A later owner leaves the blocks of the one before alone, whatever that one still does.
    #expect(next.segment == 1)
    _ = try store.append(JournalBlock(epoch: 1, commit: 11, steps: Self.steps))
    let last = try LocalSnapshotStore(folder: "s", disk: disk)
    #expect(try last.blocks(from: 0, to: 1, end: next.end).map(\.epoch) == [1, 1, 2])
    #expect(throws: StateError.self) { try last.blocks(from: 0, to: 1, end: next.end + 1) }
  }

  @Test func discardingKeepsWhatRecoveryMayNeed() throws {
    let disk = MemoryDisk()
    let store = try LocalSnapshotStore(folder: "s", disk: disk)
    for _ in 0..<4 { try store.store(Self.snapshot(try store.beginSegment())) }
    try store.discard(before: 2)
    #expect(
      disk.files.keys.sorted() == ["s/journal-2", "s/journal-3", "s/snapshot-2", "s/snapshot-3"])
  }

  /// Two owners that do not know of each other never write the same file.
  @Test func whoCreatesTheSegmentHasTheNumber() throws {
    let disk = MemoryDisk()
    let owner = try LocalSnapshotStore(folder: "s", disk: disk)
    // The owner is faster while the zombie stands still just before it writes.
    let slow = RacingDisk(disk) {
      try owner.store(Self.snapshot(try owner.beginSegment()))
      _ = try owner.append(JournalBlock(epoch: 2, commit: 1, steps: Self.steps))
    }
    let zombie = try LocalSnapshotStore(folder: "s", disk: slow)
    let late = try zombie.beginSegment()
    try zombie.store(Self.snapshot(late))
    #expect(late == 1)
    let end = try owner.append(JournalBlock(epoch: 2, commit: 2, steps: []))
    let next = try LocalSnapshotStore(folder: "s", disk: disk)
    #expect(try next.load(0)?.number == 0)
    #expect(try next.blocks(from: 0, to: end.segment, end: end.end).map(\.commit) == [1, 2])
  }

  /// An owner that stood still and removes what it needs no more leaves its successor's blobs alone.
  @Test func blobsOfALaterOwnerStay() throws {
    let disk = MemoryDisk()
    let owner = try LocalSnapshotStore(folder: "s", disk: disk)
    for name in ["a", "b"] { try owner.storeBlob([1], name: name) }
    let successor = try LocalSnapshotStore(folder: "s", disk: disk)
    try successor.storeBlob([2], name: "c")
    try owner.discardBlobs(except: ["b"])
    #expect(disk.files.keys.sorted() == ["s/blob-b", "s/blob-c"])
    try successor.discardBlobs(except: ["c"])
    #expect(disk.files.keys.sorted() == ["s/blob-c"])
  }

  /// What a disk has taken of a snapshot before it was full is given back: it would stay full otherwise.
  @Test func aSnapshotThatHasNoRoomTakesNone() throws {
    let disk = MemoryDisk(room: 5 << 20)
    let store = try LocalSnapshotStore(folder: "s", disk: disk)
    var snapshot = Self.snapshot(4)
    var writer = StateWriter()
    for slice in 1...2 {
      writer.section("operator/1", slice: slice) {
        $0.write(Array(repeating: UInt8(slice), count: 3 << 20))
      }
    }
    snapshot.slices += writer.slices
    #expect(throws: DiskError.self) { try store.store(snapshot) }
    #expect(disk.files.isEmpty)
    #expect(try store.load(4) == nil)
  }

  /// Of a birth that was never committed nothing has left the process; anything else is state.
  @Test func onlyBirthsAreNoState() throws {
    let disk = MemoryDisk()
    let store = try LocalSnapshotStore(folder: "s", disk: disk)
    var birth = Self.snapshot(0)
    birth.commit = 0
    for _ in 0..<2 {
      birth.number = try store.beginSegment()
      try store.store(birth)
      #expect(try store.isEmpty())
    }
    let later = MemoryDisk()
    later.files = disk.files
    try LocalSnapshotStore(folder: "s", disk: later).store(Self.snapshot(5))
    #expect(try !LocalSnapshotStore(folder: "s", disk: later).isEmpty())
    disk.files["s/snapshot-0"]?[90] ^= 1
    #expect(try !store.isEmpty())
  }
}

/// A disk on which somebody else is faster once.
private final class RacingDisk: Disk {
  private let disk: MemoryDisk
  private let pending: Mutex<(@Sendable () throws -> Void)?>

  /// Creates a disk on which `other` happens just before the first creation of a file.
  init(_ disk: MemoryDisk, other: @escaping @Sendable () throws -> Void) {
    self.disk = disk
    pending = Mutex(other)
  }

  func create(_ path: String, with bytes: [UInt8]) throws -> Bool {
    try pending.withLock { $0.take() }?()
    return try disk.create(path, with: bytes)
  }
  func createDirectory(_ path: String) throws { try disk.createDirectory(path) }
  func list(_ path: String) throws -> [String] { try disk.list(path) }
  func read(_ path: String) throws -> [UInt8]? { try disk.read(path) }
  func read(_ path: String, from offset: Int, count: Int) throws -> [UInt8]? {
    try disk.read(path, from: offset, count: count)
  }
  func lock(_ path: String) throws -> (any FileLock)? { try disk.lock(path) }
  func replace(_ path: String, with bytes: [UInt8]) throws { try disk.replace(path, with: bytes) }
  func append(_ bytes: [UInt8], to path: String, at offset: Int) throws {
    try disk.append(bytes, to: path, at: offset)
  }
  func note(_ bytes: [UInt8], in path: String, isDurable: Bool) throws {
    try disk.note(bytes, in: path, isDurable: isDurable)
  }
  func move(_ path: String, to target: String) throws { try disk.move(path, to: target) }
  func remove(_ path: String) throws { try disk.remove(path) }
  func makeScratch(in folder: String) throws -> any ModelScratch {
    try disk.makeScratch(in: folder)
  }
}

@Suite struct CommitRecordTests {
  @Test func theTextReadsBackAndFitsTheMetadataOfACommit() throws {
    let record = CommitRecord(
      life: "ffffffffffffffff", epoch: .max, commit: .max, snapshot: .max, previousSnapshot: .max,
      segment: .max, segmentEnd: .max)
    #expect(record.text.utf8.count <= 256)
    #expect(CommitRecord(text: record.text) == record)
  }

  @Test(arguments: ["", "hello", "cutbank1", "cutbank1 life=x epoch=1", "cutbank2 life=x"])
  func otherTextsAreNotOurs(_ text: String) {
    #expect(CommitRecord(text: text) == nil)
  }

  /// No number of a record is negative; one that is would lead outside of a journal.
  @Test(arguments: ["epoch", "commit", "snapshot", "previous", "journal", "end"])
  func negativeNumbersAreRefused(field: String) {
    func number(_ name: String) -> Int64 { name == field ? -100 : 1 }
    let record = CommitRecord(
      life: "l", epoch: number("epoch"), commit: number("commit"), snapshot: number("snapshot"),
      previousSnapshot: number("previous"), segment: number("journal"), segmentEnd: number("end"))
    #expect(CommitRecord(text: record.text) == nil && CommitRecord.isOurs(record.text))
  }
}

@Suite struct LocalDiskTests {
  @Test func replacesAppendsAndCuts() throws {
    let folder = "/tmp/cutbank-disk-\(UInt64.random(in: 0...UInt64.max))/a/b"
    let disk = LocalDisk()
    try disk.createDirectory(folder)
    try disk.replace(folder + "/x", with: [1, 2, 3])
    try disk.append([4, 5], to: folder + "/x", at: 3)
    #expect(try disk.read(folder + "/x") == [1, 2, 3, 4, 5])
    #expect(try !disk.create(folder + "/x", with: [7]))
    #expect(try disk.create(folder + "/new", with: [7]))
    #expect(try disk.read(folder + "/new") == [7])
    try disk.remove(folder + "/new")
    try disk.append([9], to: folder + "/x", at: 1)
    #expect(try disk.read(folder + "/x") == [1, 9])
    try disk.move(folder + "/x", to: folder + "/y")
    #expect(try disk.list(folder) == ["y"])
    try disk.remove(folder + "/y")
    try disk.remove(folder + "/y")
    #expect(try disk.read(folder + "/y") == nil)
    #expect(throws: DiskError.self) { try disk.replace(folder + "/no/such", with: []) }
  }

  @Test func aFileIsLockedOnce() throws {
    let folder = try TemporaryFolder()
    let (disk, path) = (LocalDisk(), folder.path + "/file")
    var first = try disk.lock(path)
    #expect(first != nil)
    #expect(try disk.lock(path) == nil)
    #expect(try disk.lock(path + "-2") != nil)
    try disk.note([1, 2], in: path, isDurable: true)
    #expect(try disk.lock(path) == nil, "what is written does not free it")
    first = nil
    #expect(try disk.lock(path) != nil)
    #expect(try disk.read(path) == [1, 2])
    #expect(throws: DiskError.self) { try disk.lock(folder.path + "/no/such") }
  }
}
