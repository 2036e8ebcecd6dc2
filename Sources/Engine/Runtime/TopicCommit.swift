package import Kafka

/// One commit of one task with the rows that it accounts for, or rows that go ahead of their commit.
package struct TopicCommit: Sendable {
  /// The rows for one topic, in their order.
  package struct Rows: Sendable {
    let topic: String
    let rows: RowBlock

    /// Creates the rows for a topic.
    package init(topic: String, rows: RowBlock) {
      self.topic = topic
      self.rows = rows
    }
  }

  /// What becomes of a commit.
  package enum Answer: Sendable {
    /// Rows and offsets are committed.
    case accepted
    /// The rows are acknowledged, and the group may be asked for the commit.
    case written
    /// The group has not taken the offsets because it has moved on.
    case unaccepted(KafkaError)
  }

  let task: TaskName
  /// What the lead partition's metadata will say.
  private(set) var record: CommitRecord
  private(set) var rows: [Rows]
  /// The first is the lead partition's; none for rows that go ahead.
  private(set) var offsets: [PartitionOffset]
  let member: any GroupMember
  /// As whom the task's partitions were given to the member.
  let memberID: String?
  /// Takes the answer, on the thread that writes.
  private(set) var answer: @Sendable (Answer) -> Void

  /// Creates a commit, or without offsets rows that go ahead of one.
  package init(
    task: TaskName, record: CommitRecord, rows: [Rows], offsets: [PartitionOffset],
    member: any GroupMember, memberID: String? = nil, answer: @escaping @Sendable (Answer) -> Void
  ) {
    self.task = task
    self.record = record
    self.rows = rows
    self.offsets = offsets
    self.member = member
    self.memberID = memberID
    self.answer = answer
  }

  /// Whether this is a commit, and not only rows that go ahead of one.
  var isCommit: Bool { !offsets.isEmpty }

  /// Adds what the same task handed in next.
  mutating func absorb(_ next: TopicCommit) {
    record = next.record
    rows += next.rows
    offsets = next.offsets
    answer = next.answer
  }

  /// The bytes of the rows.
  var byteCount: Int { rows.reduce(0) { $0 + $1.rows.bytes.count } }

  /// Whether the group's commit shows that this one, or a later one of the same life, was accepted.
  func isIncluded(in committed: [TopicPartition: PartitionOffset]) -> Bool {
    guard let text = committed[offsets[0].topicPartition]?.metadata,
      let found = CommitRecord(text: text)
    else { return false }
    return found.life == record.life && found.epoch == record.epoch
      && found.commit >= record.commit
  }
}
