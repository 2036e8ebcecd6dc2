import Columns
import Crypto
import Synchronization
import Transport

/// Snapshots and journal of one task in a folder of the local disk.
///
/// `snapshot-N` holds snapshot N; `journal-N` the steps after it, block by block, and further
/// segments those of later owners. Every owner writes files of its own, numbered after those that are
/// there, and who creates the segment has the number: one that stood still and comes back changes nothing
/// of its successor's. Each segment names the one before it. `blob-X` holds what steps name by its
/// SHA-256. `corrupt` has the snapshots that could not be read: the newest few, for whoever looks into that.
package final class LocalSnapshotStore: SnapshotStore {
  private let disk: any Disk
  private let folder: String
  private let tail = Mutex(Tail())
  private let references = SnapshotReferences()
  /// The blobs that were there when it was opened, or were stored since: those of a later owner are its own.
  private let blobs: Mutex<Set<String>>
  /// The snapshots that this owner has set aside.
  private let damaged = Mutex<Set<Int64>>([])

  /// How many snapshots that could not be read are kept, and those that this owner has set aside.
  private static let damagedLimit = 3

  /// The end of the journal.
  private struct Tail {
    /// The segment that holds the last block, and where it ends there, the header not counted.
    var last = JournalPlace(segment: -1, end: 0)
    /// Whether that segment is this owner's.
    var isOwned = false
  }

  /// Opens a task's folder, creating it when it is new.
  package init(folder: String, disk: any Disk) throws {
    self.folder = folder
    self.disk = disk
    try disk.createDirectory(folder)
    let names = try disk.list(folder)
    blobs = Mutex(Set(names.filter { $0.hasPrefix("blob-") }))
    for name in names where name.hasSuffix(".tmp") { try disk.remove("\(folder)/\(name)") }
  }

  package func isEmpty() throws -> Bool {
    // With nothing but births no task has gone on: nothing has left the process.
    for name in try disk.list(folder) {
      if Self.number(name, after: "journal-") != nil {
        let bytes = try disk.read("\(folder)/\(name)") ?? []
        if bytes.count > StateFile.segmentHeaderLength { return false }
      } else if let number = Self.number(name, after: "snapshot-"), try !isBirth(number) {
        return false
      }
    }
    return true
  }

  /// Whether a snapshot is that of a birth; damaged ones and those of a newer program are taken for state.
  private func isBirth(_ number: Int64) throws -> Bool {
    do {
      return try Self.peek(number, in: folder, disk: disk)?.commit == 0
    } catch is StateError {
      return false
    } catch is StateProblem {
      return false
    }
  }

  package var place: String { folder }
  package var damagedPlace: String? { "\(folder)/\(Self.damagedFolder)" }
  private static let damagedFolder = "corrupt"

  private func nextNumber() throws -> Int64 {
    let numbers = try disk.list(folder).compactMap { name in
      Self.number(name, after: "snapshot-") ?? Self.number(name, after: "journal-")
    }
    return (numbers.max() ?? -1) + 1
  }

  package func makeWriter(_ snapshot: Snapshot) -> any SnapshotWriter {
    LocalSnapshotWriter(
      path: path("snapshot", snapshot.number), disk: disk, snapshot: snapshot,
      references: references)
  }

  package func load(_ number: Int64) throws -> Snapshot? {
    guard var snapshot = try read(number) else { return nil }
    let path = path("snapshot", number)
    do {
      snapshot.slices = try SnapshotFile.resolve(snapshot.slices, name: path) { try read($0) }
    } catch let error as StateError {
      try setAside(number)
      throw error
    }
    return snapshot
  }

  /// A snapshot with its references, read without changing anything, up to where that `isEnough`; nil when
  /// it is not there.
  package static func peek(
    _ number: Int64, in folder: String, disk: any Disk,
    until isEnough: (Snapshot) -> Bool = { _ in false }
  ) throws -> Snapshot? {
    try SnapshotFile.read("\(folder)/snapshot-\(number)", from: disk, until: isEnough)
  }

  /// A snapshot with its references; nil when it is not there.
  private func read(_ number: Int64) throws -> Snapshot? {
    let path = path("snapshot", number)
    do {
      guard let snapshot = try SnapshotFile.read(path, from: disk) else { return nil }
      references.note(snapshot.slices, of: number)
      return snapshot
    } catch let error as StateError {
      try setAside(number)
      throw error
    }
  }

  private func setAside(_ number: Int64) throws {
    let place = "\(folder)/\(Self.damagedFolder)"
    try disk.createDirectory(place)
    try disk.move(path("snapshot", number), to: "\(place)/snapshot-\(number)")
    damaged.withLock { _ = $0.insert(number) }
  }

  package func beginSegment() throws -> Int64 { try tail.withLock { try begin(&$0) } }

  private func begin(_ tail: inout Tail) throws -> Int64 {
    var number = try nextNumber()
    let header = StateFile.encode(tail.last)
    while try !disk.create(path("journal", number), with: header) { number += 1 }
    tail = Tail(last: JournalPlace(segment: number, end: 0), isOwned: true)
    return number
  }

  package func append(_ block: JournalBlock) throws -> (segment: Int64, end: Int64) {
    try tail.withLock { tail in
      if !tail.isOwned { _ = try begin(&tail) }
      let bytes = StateFile.encode(block)
      try disk.append(
        bytes, to: path("journal", tail.last.segment),
        at: StateFile.segmentHeaderLength + Int(tail.last.end))
      tail.last.end += Int64(bytes.count)
      return (tail.last.segment, tail.last.end)
    }
  }

  package func blocks(from first: Int64, to segment: Int64, end: Int64) throws -> [JournalBlock] {
    var place = JournalPlace(segment: segment, end: end)
    var segments: [[JournalBlock]] = []
    while true {
      let (header, blocks) = try read(place)
      segments.append(blocks)
      guard place.segment != first else { break }
      place = header
    }
    let last = JournalPlace(segment: segment, end: end)
    tail.withLock { $0 = Tail(last: last, isOwned: false) }
    return segments.reversed().flatMap { $0 }
  }

  /// The blocks of a segment up to an end, and which segment comes before it.
  private func read(_ place: JournalPlace) throws -> (JournalPlace, [JournalBlock]) {
    let path = path("journal", place.segment)
    guard var bytes = try disk.read(path) else {
      throw StateError(section: path, offset: 0, message: "the journal segment is missing")
    }
    var offset = 0
    let header = try StateFile.decodeSegmentHeader(bytes, at: &offset, name: path)
    guard bytes.count - offset >= Int(place.end) else {
      throw StateError(
        section: path, offset: bytes.count - offset,
        message: "the journal ends before byte \(place.end)")
    }
    bytes.removeLast(bytes.count - offset - Int(place.end))
    var blocks: [JournalBlock] = []
    while offset < bytes.count {
      blocks.append(try StateFile.decodeBlock(bytes, at: &offset, name: path))
    }
    return (header, blocks)
  }

  package func discard(before snapshot: Int64) throws {
    let names = try disk.list(folder)
    let kept = names.compactMap { Self.number($0, after: "snapshot-") }.filter { $0 >= snapshot }
    for number in kept where !references.areKnown(of: number) { _ = try read(number) }
    let needed = references.needed(from: snapshot)
    for name in names {
      if let number = Self.number(name, after: "snapshot-") {
        guard number < snapshot, !needed.contains(number) else { continue }
      } else if let number = Self.number(name, after: "journal-") {
        guard number < snapshot else { continue }
      } else {
        continue
      }
      try disk.remove("\(folder)/\(name)")
    }
    if names.contains(Self.damagedFolder) { try discardDamaged(beside: names) }
  }

  /// Removes what was set aside but for the newest, and for what this owner has set aside itself.
  private func discardDamaged(beside names: [String]) throws {
    let place = "\(folder)/\(Self.damagedFolder)"
    let newest = names.compactMap { Self.number($0, after: "snapshot-") }.max() ?? -1
    let found = try disk.list(place).compactMap { Self.number($0, after: "snapshot-") }
    // A number that this life has not reached yet is of the one before, whose state somebody has removed.
    let ordered = found.filter { $0 > newest }.sorted() + found.filter { $0 <= newest }.sorted()
    let own = damaged.withLock { $0 }
    for number in ordered.dropLast(Self.damagedLimit) where !own.contains(number) {
      try disk.remove("\(place)/snapshot-\(number)")
    }
  }

  package func storeBlob(_ bytes: [UInt8], name: String) throws {
    let file = "\(folder)/blob-\(name)"
    if try disk.read(file) != bytes { try disk.replace(file, with: bytes) }
    blobs.withLock { _ = $0.insert("blob-\(name)") }
  }

  package func blob(_ name: String) throws -> [UInt8]? {
    let file = "\(folder)/blob-\(name)"
    guard let bytes = try disk.read(file) else { return nil }
    guard Hexadecimal.encode(SHA256.hash(data: bytes)) == name else {
      throw StateError(section: file, offset: 0, message: "the checksum is wrong")
    }
    return bytes
  }

  package func discardBlobs(except names: Set<String>) throws {
    let needless = blobs.withLock { $0.subtracting(names.map { "blob-\($0)" }) }
    for file in needless.sorted() {
      try disk.remove("\(folder)/\(file)")
      blobs.withLock { _ = $0.remove(file) }
    }
  }

  private func path(_ kind: String, _ number: Int64) -> String {
    "\(folder)/\(kind)-\(number)"
  }

  private static func number(_ name: String, after prefix: String) -> Int64? {
    guard name.hasPrefix(prefix) else { return nil }
    return Int64(name.dropFirst(prefix.count))
  }
}
