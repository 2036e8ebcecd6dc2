package import Kafka

/// From which offsets a task would read again after a crash, by the snapshot that its commit names.
struct ReplayStarts {
  private var offsets: [Int64: [Int64]] = [:]
  /// Those of the snapshot that has no number yet.
  private var begun: [Int64] = []

  /// A snapshot is taken at these offsets, one for each partition of the task.
  mutating func begin(_ offsets: [Int64]) { begun = offsets }

  /// The snapshot that was begun last has this number.
  mutating func number(_ snapshot: Int64) { offsets[snapshot] = begun }

  /// A snapshot that was read was taken at these offsets.
  mutating func note(_ snapshot: Int64, _ offsets: [Int64]) { self.offsets[snapshot] = offsets }

  func offsets(of snapshot: Int64) -> [Int64]? { offsets[snapshot] }

  mutating func forget(before snapshot: Int64) {
    offsets = offsets.filter { $0.key >= snapshot }
  }
}

/// How much retention may still delete of a partition before a replay could not read what it needs.
package struct ReplayMargin: Hashable, Sendable {
  /// How bad it is.
  package enum Level: Int, Comparable, Sendable {
    case ample
    /// Less than a quarter of what the partition holds lies before the offset.
    case near
    /// Records that a replay needs are deleted.
    case passed

    package static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
  }

  /// The partition.
  package let partition: TopicPartition
  /// The offset from which a replay would read.
  package let needed: Int64
  /// What the partition holds.
  package let marks: Watermarks

  /// Creates a margin.
  package init(partition: TopicPartition, needed: Int64, marks: Watermarks) {
    self.partition = partition
    self.needed = needed
    self.marks = marks
  }

  /// The records before the offset; negative when so many are missing.
  package var records: Int64 { needed - marks.low }

  /// How bad it is; a partition of which nothing was ever deleted tells nothing about retention.
  package var level: Level {
    if records < 0 { return .passed }
    return marks.low > 0 && 4 * records < marks.high - marks.low ? .near : .ample
  }

  /// Whether this one leaves more room.
  package func isBetter(than other: ReplayMargin) -> Bool {
    (level, -records) < (other.level, -other.records)
  }

  /// What is wrong; nil when nothing is.
  package var problem: String? {
    switch level {
    case .ample: nil
    case .near:
      "the log start \(marks.low) of \(partition) comes near offset \(needed), from which a replay would "
        + "read: only \(records) of the \(marks.high - marks.low) records that the topic holds lie before it"
    case .passed:
      "the log start \(marks.low) of \(partition) has passed offset \(needed), from which a replay would "
        + "read: \(-records) records are missing, and after a crash the pipeline could not go on"
    }
  }

  /// What to do about it.
  package var hint: String {
    let retention =
      "make retention.ms and retention.bytes of topic \(partition.topic) longer than a replay and the "
      + "longest outage together"
    return level == .passed
      ? "let the daemon take a snapshot, as SIGTERM does, and \(retention)"
      : "\(retention), or take snapshots more often (snapshot: {interval: …, records: …})"
  }
}
