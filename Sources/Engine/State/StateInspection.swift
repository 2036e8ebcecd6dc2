import Columns
import Crypto
import Transport

/// What the state of a task is, in a folder or in topics, and whether it can be read.
public struct StateInspection: Sendable {
  /// One line per snapshot, section and journal segment.
  public internal(set) var lines: [String] = []
  /// What cannot be read, with the file.
  public private(set) var problems: [String] = []
  /// What becomes of that and what to do, each once.
  public private(set) var hints: [String] = []

  /// The numbers of the snapshots that are there, and the snapshots that have parts of them.
  var snapshots: [(number: Int64, origins: Set<Int64>)] = []
  /// The numbers of the journal's segments that are there, and the segments before them.
  private var segments: [(number: Int64, before: Int64)] = []

  /// An inspection that has found nothing yet.
  init() {}

  /// Reads every snapshot, journal segment and blob in a task's folder; changes nothing.
  ///
  /// - Throws: `DiskError` when the folder cannot be read.
  public init(folder: String) throws { try self.init(folder: folder, disk: LocalDisk()) }

  package init(folder: String, disk: any Disk) throws {
    for name in try disk.list(folder).filter(Self.isState).sorted(by: Self.precedes) {
      let path = "\(folder)/\(name)"
      let number = name.split(separator: "-").last.flatMap { Int64($0) } ?? -1
      var hint = Self.snapshotHint
      do {
        if name.hasPrefix("snapshot-") {
          snapshots.append((number, []))
          try addSnapshot(name, SnapshotFile.read(path, from: disk))
          continue
        }
        guard let bytes = try disk.read(path) else { continue }
        if name.hasPrefix("journal-") {
          hint = Self.journalHint
          segments.append((number, -1))
          try addJournal(name, bytes)
        } else {
          hint = Self.copyHint
          try addBlob(name, bytes)
        }
      } catch let error as StateProblem {
        add(error.message, Self.newerHint)
      } catch let error as StateError {
        add("\(path), byte \(error.offset): \(error.message)", hint)
      }
    }
    findMissing(folder)
  }

  /// By kind, and by number: 100 after 99.
  private static func precedes(_ left: String, _ right: String) -> Bool {
    func place(_ name: String) -> (Substring, Int64, String) {
      let parts = name.split(separator: "-")
      return (parts.first ?? "", parts.last.flatMap { Int64($0) } ?? -1, name)
    }
    return place(left) < place(right)
  }

  private static let snapshotHint =
    "a damaged snapshot is set aside at the next start, and the one before it is used"
  private static let newerHint =
    "state of a newer version is left as it is: read it with that version or a later one"
  private static let journalHint =
    "the end of the newest journal may be cut short while the daemon runs or after a kill, which does no "
    + "harm; what else is damaged must come from a copy"
  private static let copyHint = "a task that needs it stops and says so: bring it back from a copy"

  mutating func add(_ problem: String, _ hint: String) {
    problems.append(problem)
    if !hints.contains(hint) { hints.append(hint) }
  }

  /// Whether a name is a snapshot's, a segment's or a blob's: not what is being written, nor the folder of
  /// what was set aside.
  private static func isState(_ name: String) -> Bool {
    !name.hasSuffix(".tmp")
      && ["snapshot-", "journal-", "blob-"].contains { name.hasPrefix($0) }
  }

  /// Finds what the files name and is not there.
  private mutating func findMissing(_ folder: String) {
    let known = Set(snapshots.map(\.number))
    for (number, origins) in snapshots {
      for origin in origins.subtracting(known).sorted() {
        add(
          "\(folder)/snapshot-\(number): snapshot-\(origin), which has parts of it, is missing",
          Self.snapshotHint)
      }
    }
    // What lies before the oldest snapshot was removed.
    let oldest = known.min() ?? Int64.max
    let there = Set(segments.map(\.number))
    for (number, before) in segments where before >= oldest && !there.contains(before) {
      add(
        "\(folder)/journal-\(number): journal-\(before), which comes before it, is missing",
        Self.copyHint)
    }
  }

  private func addBlob(_ name: String, _ bytes: [UInt8]) throws(StateError) {
    guard name == "blob-" + Hexadecimal.encode(SHA256.hash(data: bytes)) else {
      throw StateError(section: name, offset: 0, message: "the checksum is wrong")
    }
  }

  /// Adds the snapshot whose number was added last; nothing is said of one that was removed meanwhile.
  mutating func addSnapshot(_ name: String, _ snapshot: Snapshot?) throws(StateError) {
    guard let snapshot else {
      snapshots.removeLast()
      return
    }
    snapshots[snapshots.count - 1].origins = Set(snapshot.slices.compactMap(\.origin))
    let bytes = snapshot.slices.reduce(0) { $0 + $1.bytes.count }
    lines.append(
      "\(name): \(bytes) bytes of state, after commit \(snapshot.commit), "
        + "configuration \(snapshot.fingerprint.prefix(12))")
    var sections: [Section] = []
    for slice in snapshot.slices {
      let known = sections.firstIndex { $0.name == slice.section }
      let place = known ?? sections.count
      if known == nil { sections.append(Section(name: slice.section)) }
      sections[place].slices += 1
      sections[place].bytes += slice.bytes.count
      if let origin = slice.origin { sections[place].origins.insert(origin) }
    }
    for slice in snapshot.slices where slice.section == Balances.section && slice.origin == nil {
      var reader = SectionReader(section: slice.section, bytes: slice.bytes)
      lines += try Balances(restoring: &reader).lines.map { "  \($0)" }
    }
    for section in sections {
      let origins = section.origins.sorted().map { "snapshot-\($0)" }
      lines.append(
        "  \(section.name): \(section.bytes) bytes in \(section.slices) slices"
          + (origins.isEmpty ? "" : ", others in \(origins.joined(separator: ", "))"))
    }
  }

  /// What is told of a section.
  private struct Section {
    let name: String
    var slices = 0
    var bytes = 0
    var origins: Set<Int64> = []
  }

  private mutating func addJournal(_ name: String, _ bytes: [UInt8]) throws(StateError) {
    var offset = 0
    segments[segments.count - 1].before =
      try StateFile.decodeSegmentHeader(bytes, at: &offset, name: name).segment
    var blocks: [JournalBlock] = []
    defer { addBlocks(name, blocks, bytes: bytes.count) }
    while offset < bytes.count {
      blocks.append(try StateFile.decodeBlock(bytes, at: &offset, name: name))
    }
  }

  /// Adds a line for blocks of the journal.
  mutating func addBlocks(_ name: String, _ blocks: [JournalBlock], bytes: Int) {
    let steps = blocks.reduce(0) { $0 + $1.steps.count }
    let commits = blocks.first.map { "commits \($0.commit) to \(blocks[blocks.count - 1].commit)" }
    lines.append(
      "\(name): \(bytes) bytes, \(blocks.count) blocks, \(steps) steps, "
        + (commits ?? "no commits"))
  }
}
