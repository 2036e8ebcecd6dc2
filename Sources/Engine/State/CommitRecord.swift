/// What the metadata of the lead partition's committed offset says: the truth about a task.
///
/// At most 256 bytes of text: `cutbank1 life=… epoch=… commit=… snapshot=… previous=… journal=…:…`.
package struct CommitRecord: Hashable, Sendable {
  /// Distinguishes this birth of the task from all others; part of object names.
  package var life: String
  /// Rises by one with each owner of the task.
  package var epoch: Int64
  /// Rises by one with each commit.
  package var commit: Int64
  /// The number of the snapshot from which replay begins.
  package var snapshot: Int64
  /// The snapshot before it, in case it is damaged; equal when there is none.
  package var previousSnapshot: Int64
  /// The journal segment that holds the last committed block.
  package var segment: Int64
  /// The end of that block in the segment.
  package var segmentEnd: Int64

  static let tag = "cutbank1"

  /// Whether a metadata text is one of ours, though perhaps of another version, or damaged.
  package static func isOurs(_ text: String) -> Bool { text.hasPrefix("cutbank") }

  /// The metadata text.
  package var text: String {
    "\(Self.tag) life=\(life) epoch=\(epoch) commit=\(commit) snapshot=\(snapshot) "
      + "previous=\(previousSnapshot) journal=\(segment):\(segmentEnd)"
  }

  /// Reads a metadata text; nil when it is not one of ours.
  package init?(text: String) {
    let words = text.split(separator: " ")
    guard words.first == Substring(Self.tag) else { return nil }
    var fields: [Substring: Substring] = [:]
    for word in words.dropFirst() {
      let parts = word.split(separator: "=", maxSplits: 1)
      guard parts.count == 2 else { return nil }
      fields[parts[0]] = parts[1]
    }
    let journal = fields["journal"]?.split(separator: ":").compactMap { Int64($0) } ?? []
    guard let life = fields["life"], journal.count == 2,
      let epoch = fields["epoch"].flatMap({ Int64($0) }),
      let commit = fields["commit"].flatMap({ Int64($0) }),
      let snapshot = fields["snapshot"].flatMap({ Int64($0) }),
      let previous = fields["previous"].flatMap({ Int64($0) }),
      ([epoch, commit, snapshot, previous] + journal).allSatisfy({ $0 >= 0 })
    else { return nil }
    self.init(
      life: String(life), epoch: epoch, commit: commit, snapshot: snapshot,
      previousSnapshot: previous, segment: journal[0], segmentEnd: journal[1])
  }

  /// Creates a record.
  package init(
    life: String, epoch: Int64, commit: Int64, snapshot: Int64, previousSnapshot: Int64,
    segment: Int64, segmentEnd: Int64
  ) {
    self.life = life
    self.epoch = epoch
    self.commit = commit
    self.snapshot = snapshot
    self.previousSnapshot = previousSnapshot
    self.segment = segment
    self.segmentEnd = segmentEnd
  }
}
