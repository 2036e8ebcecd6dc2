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
    for name in try disk.list(folder).sorted() {
      guard let bytes = try disk.read("\(folder)/\(name)") else { continue }
      do {
        if name.hasPrefix("snapshot-"), !name.hasSuffix(".tmp") {
          try addSnapshot(name, bytes)
        } else if name.hasPrefix("journal-") {
          try addJournal(name, bytes)
        }
      } catch {
        problems.append("\(folder)/\(name): \(error.message) at byte \(error.offset)")
      }
    }
  }

  private mutating func addSnapshot(_ name: String, _ bytes: [UInt8]) throws(StateError) {
    let snapshot = try StateFile.decodeSnapshot(bytes, name: name)
    lines.append(
      "\(name): \(bytes.count) bytes, after commit \(snapshot.commit), "
        + "configuration \(snapshot.fingerprint.prefix(12))")
    if let counters = try TaskCore.counters(of: snapshot.slices) {
      lines.append("  \(Self.text(counters))")
    }
    var sections: [(name: String, slices: Int, bytes: Int)] = []
    for slice in snapshot.slices {
      if sections.last?.name != slice.section { sections.append((slice.section, 0, 0)) }
      sections[sections.count - 1].slices += 1
      sections[sections.count - 1].bytes += slice.bytes.count
    }
    for section in sections {
      lines.append("  \(section.name): \(section.bytes) bytes in \(section.slices) slices")
    }
  }

  /// What the task had counted when the snapshot was taken.
  private static func text(_ counters: TaskCounters) -> String {
    "records polled \(counters.polled), decoded \(counters.decoded), dead-lettered "
      + "\(counters.deadLettered), skipped \(counters.skipped), lost \(counters.lost); rows failed "
      + "\(counters.failedRows), to outputs \(counters.outputRows)"
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
