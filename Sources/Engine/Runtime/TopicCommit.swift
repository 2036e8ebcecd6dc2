import Kafka

/// One commit of one task with the rows that it accounts for, or rows that go ahead of their commit.
struct TopicCommit: Sendable {
  /// The rows for one topic, in their order.
  struct Rows: Sendable {
    let topic: String
    let rows: RowBlock
  }

  let task: TaskName
  /// What the lead partition's metadata will say.
  let record: CommitRecord
  let rows: [Rows]
  /// The first is the lead partition's; none for rows that go ahead.
  let offsets: [PartitionOffset]
  let member: any GroupMember
  let control: Mailbox<ControlMessage>
  let worker: Mailbox<WorkerMessage>

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
