import Columns
import Crypto
import Transport

/// Writes snapshots into a task's folder.
private struct LocalSnapshotWriter: SnapshotWriter {
  let folder: String
  let disk: any Disk

  func store(_ snapshot: Snapshot) throws {
    try disk.replace(
      "\(folder)/snapshot-\(snapshot.number)", with: StateFile.encode(snapshot))
  }
}

/// Snapshots and journal of one task in a folder of the local disk.
///
/// `snapshot-N` holds snapshot N; `journal-N` holds the steps after it, block by block; `blob-X` holds
/// what steps name by its SHA-256.
package final class LocalSnapshotStore: SnapshotStore {
  private let disk: any Disk
  private let folder: String
  private var segment: Int64 = 0
  private var end = 0

  /// Opens a task's folder, creating it when it is new.
  package init(folder: String, disk: any Disk) throws {
    self.folder = folder
    self.disk = disk
    try disk.createDirectory(folder)
    for name in try disk.list(folder) where name.hasSuffix(".tmp") {
      try disk.remove("\(folder)/\(name)")
    }
  }

  package func isEmpty() throws -> Bool {
    let names = try disk.list(folder)
    let numbers = names.compactMap { Self.number($0, after: "snapshot-") }
    guard numbers.allSatisfy({ $0 == 0 }) else { return false }
    // Without a block the birth was never committed, and nothing has left the process.
    return try disk.read(path("journal", 0))?.isEmpty ?? true
  }

  package var writer: any SnapshotWriter { LocalSnapshotWriter(folder: folder, disk: disk) }

  package func store(_ snapshot: Snapshot) throws { try writer.store(snapshot) }

  package func load(_ number: Int64) throws -> Snapshot? {
    let path = path("snapshot", number)
    guard let bytes = try disk.read(path) else { return nil }
    guard !StateFile.isNewer(bytes, tag: StateFile.snapshotTag) else {
      throw StateProblem(
        message: "\(path) was written by a newer cutbank, and is left as it is",
        hint: "run that version or a later one")
    }
    do {
      return try StateFile.decodeSnapshot(bytes, name: path)
    } catch {
      try disk.createDirectory("\(folder)/corrupt")
      try disk.move(path, to: "\(folder)/corrupt/snapshot-\(number)")
      throw error
    }
  }

  package func beginSegment(_ segment: Int64) throws {
    self.segment = segment
    end = 0
    try disk.replace(path("journal", segment), with: [])
  }

  package func append(_ block: JournalBlock) throws -> (segment: Int64, end: Int64) {
    let bytes = StateFile.encode(block)
    try disk.append(bytes, to: path("journal", segment), at: end)
    end += bytes.count
    return (segment, Int64(end))
  }

  package func blocks(from first: Int64, to last: Int64, end: Int64) throws -> [JournalBlock] {
    var blocks: [JournalBlock] = []
    for number in first...max(first, last) {
      let path = path("journal", number)
      guard var bytes = try disk.read(path) else {
        throw StateError(section: path, offset: 0, message: "the journal segment is missing")
      }
      if number == last {
        guard bytes.count >= Int(end) else {
          throw StateError(
            section: path, offset: bytes.count, message: "the journal ends before byte \(end)")
        }
        bytes.removeLast(bytes.count - Int(end))
      }
      var offset = 0
      while offset < bytes.count {
        blocks.append(try StateFile.decodeBlock(bytes, at: &offset, name: path))
      }
    }
    segment = last
    self.end = Int(end)
    return blocks
  }

  package func discard(before snapshot: Int64) throws {
    for name in try disk.list(folder) {
      let number = Self.number(name, after: "snapshot-") ?? Self.number(name, after: "journal-")
      if let number, number < snapshot { try disk.remove("\(folder)/\(name)") }
    }
  }

  package func storeBlob(_ bytes: [UInt8], name: String) throws {
    let file = "\(folder)/blob-\(name)"
    if try disk.read(file) != bytes { try disk.replace(file, with: bytes) }
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
    for file in try disk.list(folder) where file.hasPrefix("blob-") {
      if !names.contains(String(file.dropFirst(5))) { try disk.remove("\(folder)/\(file)") }
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
