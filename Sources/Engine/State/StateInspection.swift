import Columns

/// What lies in the state folder of a task, and whether it can be read.
public struct StateInspection: Sendable {
  /// One line per snapshot, section and journal segment.
  public private(set) var lines: [String] = []
  /// What cannot be read, with the file.
  public private(set) var problems: [String] = []

  /// Reads every snapshot and journal segment in a task's folder; changes nothing.
  ///
  /// - Throws: `DiskError` when the folder cannot be read.
  public init(folder: String) throws { try self.init(folder: folder, disk: LocalDisk()) }

  package init(folder: String, disk: any Disk) throws {
    for name in try disk.list(folder).sorted() where Self.isState(name) {
      guard let bytes = try disk.read("\(folder)/\(name)") else { continue }
      do {
        if name.hasPrefix("snapshot-") {
          try addSnapshot(name, bytes)
        } else {
          try addJournal(name, bytes)
        }
      } catch {
        problems.append("\(folder)/\(name): \(error.message) at byte \(error.offset)")
      }
    }
  }

  /// Whether a name is a snapshot's or a segment's: not what is being written, nor the folder of what
  /// was set aside.
  private static func isState(_ name: String) -> Bool {
    !name.hasSuffix(".tmp") && (name.hasPrefix("snapshot-") || name.hasPrefix("journal-"))
  }

  private mutating func addSnapshot(_ name: String, _ bytes: [UInt8]) throws(StateError) {
    let snapshot = try SnapshotFile.decode(bytes, name: name)
    lines.append(
      "\(name): \(bytes.count) bytes, after commit \(snapshot.commit), "
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
    _ = try StateFile.decodeSegmentHeader(bytes, at: &offset, name: name)
    var blocks: [JournalBlock] = []
    defer {
      let steps = blocks.reduce(0) { $0 + $1.steps.count }
      let commits = blocks.first.map {
        "commits \($0.commit) to \(blocks[blocks.count - 1].commit)"
      }
      lines.append(
        "\(name): \(bytes.count) bytes, \(blocks.count) blocks, \(steps) steps, "
          + (commits ?? "no commits"))
    }
    while offset < bytes.count {
      blocks.append(try StateFile.decodeBlock(bytes, at: &offset, name: name))
    }
  }
}
