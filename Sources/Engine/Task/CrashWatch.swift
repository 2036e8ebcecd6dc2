package import Kafka

/// Finds the record that kills the process, with the help of a note that outlives it.
///
/// The note `attempts` in the task's folder is there while the task runs and goes when it ends in good
/// order: one that is found tells of a crash. After a crash the task notes each batch before it is
/// processed; the records of the batch at which the process then dies are taken one by one, and the
/// record at which it dies twice in succession is passed over. It takes twice, because whoever kills a
/// process at some moment kills it in the middle of some record; and it is processed alone, because a
/// record of another task may be the one that kills.
package struct CrashWatch {
  /// What is noted.
  package struct Note: Hashable {
    package var life: String
    package var commit: Int64
    /// How many processes have died since the commit.
    package var crashes = 0
    /// What is being processed.
    package var present: Place?
    /// What was being processed when a process died, and has not been processed since.
    package var suspect: Place?

    /// Creates a note.
    package init(
      life: String, commit: Int64, crashes: Int = 0, present: Place? = nil, suspect: Place? = nil
    ) {
      self.life = life
      self.commit = commit
      self.crashes = crashes
      self.present = present
      self.suspect = suspect
    }
  }

  /// Records that follow each other, by their offsets.
  package struct Place: Hashable, CustomStringConvertible {
    package let partition: TopicPartition
    package let offset: Int64
    /// How many offsets there are.
    package let count: Int64

    /// Creates a place.
    package init(partition: TopicPartition, offset: Int64, count: Int64 = 1) {
      self.partition = partition
      self.offset = offset
      self.count = count
    }

    /// The offset after the last.
    package var end: Int64 { offset + count }

    package var description: String { "\(partition) offset \(offset)" }
  }

  private let disk: any Disk
  private let path: String
  private var note: Note
  /// The record to pass over.
  package private(set) var culprit: Place?
  /// Whether what is taken is noted.
  package private(set) var isCareful: Bool
  /// The commit that must be accepted before the next record is taken: it covers one passed over.
  private var awaited: Int64?

  /// When this attempt began, milliseconds since 1970.
  private let began: Int64

  /// So long everything is noted after a crash that left no trace, milliseconds.
  package static let patience: Int64 = 60_000

  /// An attempt to go on from a commit, which counts when it has been noted.
  ///
  /// - Throws: `DiskError` when the note cannot be read or the folder not made.
  package init(
    folder: String, disk: any Disk, life: String, commit: Int64, now: Int64
  ) throws {
    self.disk = disk
    began = now
    path = folder + "/attempts"
    let found = try disk.read(path).flatMap(Note.init(bytes:))
    (note, culprit) = Self.next(after: found, life: life, commit: commit)
    isCareful = note.crashes > 0
    try disk.createDirectory(folder)
  }

  /// Notes this attempt.
  ///
  /// - Throws: `DiskError` when the note cannot be written.
  package func open() throws { try write() }

  /// What to note at a start from a commit, and which record to pass over.
  package static func next(
    after found: Note?, life: String, commit: Int64
  ) -> (Note, culprit: Place?) {
    var note = Note(life: life, commit: commit)
    guard let found else { return (note, nil) }
    note.crashes = 1
    guard found.life == life else { return (note, nil) }
    if found.commit == commit { note.crashes += found.crashes }
    note.suspect = found.present ?? found.suspect
    let isTwice = found.present != nil && found.present == found.suspect
    return (note, isTwice && note.suspect?.count == 1 ? note.suspect : nil)
  }

  /// How many processes have died since the commit that this one goes on from.
  package var crashes: Int { note.crashes }

  /// Whether nothing may be taken before the group has accepted that a record was passed over.
  package var waits: Bool { awaited != nil }

  /// Where records are taken one by one.
  package var suspect: Place? { note.suspect }

  /// Whether records lie where they are taken one by one.
  package func suspects(_ records: Place) -> Bool {
    guard let suspect, suspect.partition == records.partition else { return false }
    return records.offset < suspect.end && suspect.offset < records.end
  }

  /// How many of the next `count` records of a partition may be taken at once.
  package func cut(
    _ partition: TopicPartition, _ count: Int, offset: (_ index: Int) -> Int64
  ) -> Int {
    guard let suspect, suspect.partition == partition, suspect.end > offset(0) else { return count }
    guard offset(0) < suspect.offset else { return 1 }
    var cut = count
    while offset(cut - 1) >= suspect.offset { cut -= 1 }
    return cut
  }

  /// Notes that records are about to be processed; where the process died before it is on stable storage,
  /// since the machine may be what ends this time.
  package mutating func begin(_ records: Place) throws {
    note.present = records
    try write(isDurable: suspects(records))
  }

  /// Notes that nothing is being processed.
  package mutating func finish() throws {
    guard note.present != nil else { return }
    note.present = nil
    try write()
  }

  /// The culprit was passed over, which commit `commit` will say.
  package mutating func passedOver(before commit: Int64) {
    culprit = nil
    awaited = commit
  }

  /// The group has accepted a commit; `nextOffset` says how far a partition was processed, and nil
  /// when it is not the task's any more.
  ///
  /// - Throws: `DiskError` when the note cannot be written.
  package mutating func accepted(
    _ commit: Int64, now: Int64, nextOffset: (TopicPartition) -> Int64?
  ) throws {
    guard isCareful, commit >= awaited ?? commit else { return }
    if awaited != nil {
      // Where one such record is, others are: what comes is noted for a while.
      awaited = nil
      note = Note(life: note.life, commit: commit)
    } else if let suspect = note.suspect {
      if suspect.end <= nextOffset(suspect.partition) ?? .max { note.suspect = nil }
    } else if now - began >= Self.patience {
      isCareful = false
      note = Note(life: note.life, commit: commit)
    }
    note.commit = commit
    try write()
  }

  /// The task ends in good order.
  package func end() throws { try disk.remove(path) }

  // Written in place: a name of its own for each writing would meet that of a successor.
  private func write(isDurable: Bool = false) throws {
    try disk.note(note.bytes, in: path, isDurable: isDurable)
  }
}

extension CrashWatch.Note {
  private static let tag = "cutbank-attempts1"

  /// `cutbank-attempts1 life=… commit=… crashes=… present=TOPIC:PARTITION:OFFSET:COUNT suspect=…`.
  package var bytes: [UInt8] {
    var text = "\(Self.tag) life=\(life) commit=\(commit) crashes=\(crashes)"
    for (name, place) in [("present", present), ("suspect", suspect)] {
      guard let place else { continue }
      let partition = place.partition
      text += " \(name)=\(partition.topic):\(partition.partition):\(place.offset):\(place.count)"
    }
    return Array((text + "\n").utf8)
  }

  /// Reads a note; nil when it is none, as after a power failure.
  package init?(bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    guard text.hasSuffix("\n") else { return nil }
    let words = text.dropLast().split(separator: " ")
    guard words.first == Substring(Self.tag) else { return nil }
    var fields: [Substring: Substring] = [:]
    for word in words.dropFirst() {
      let parts = word.split(separator: "=", maxSplits: 1)
      guard parts.count == 2 else { return nil }
      fields[parts[0]] = parts[1]
    }
    guard let life = fields["life"], let commit = fields["commit"].flatMap({ Int64($0) }),
      let crashes = fields["crashes"].flatMap({ Int($0) })
    else { return nil }
    self.init(
      life: String(life), commit: commit, crashes: crashes,
      present: fields["present"].flatMap(CrashWatch.Place.init(text:)),
      suspect: fields["suspect"].flatMap(CrashWatch.Place.init(text:)))
  }
}

extension CrashWatch.Place {
  /// Reads `TOPIC:PARTITION:OFFSET:COUNT`; Kafka allows no colon in a topic's name.
  fileprivate init?(text: Substring) {
    let parts = text.split(separator: ":")
    guard parts.count == 4, let partition = Int32(parts[1]), let offset = Int64(parts[2]),
      let count = Int64(parts[3])
    else { return nil }
    self.init(
      partition: TopicPartition(topic: String(parts[0]), partition: partition), offset: offset,
      count: count)
  }
}
