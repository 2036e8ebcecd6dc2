import Kafka

/// The commits of a control thread that the group has not answered.
struct CommitLedger {
  /// One commit of one task.
  struct Entry {
    let tag: UInt64
    let task: TaskName
    let offsets: [PartitionOffset]
    let commit: Int64
  }

  private var waiting: [Entry] = []
  private var sent: [UInt64: Entry] = [:]
  private var lastTag: UInt64 = 0

  /// How many commits were not sent yet.
  var waitingCount: Int { waiting.count }

  mutating func add(_ task: TaskName, _ offsets: [PartitionOffset], commit: Int64) {
    lastTag += 1
    waiting.append(Entry(tag: lastTag, task: task, offsets: offsets, commit: commit))
  }

  /// The next commit to send; it is then under way.
  mutating func next() -> Entry? {
    guard !waiting.isEmpty else { return nil }
    let entry = waiting.removeFirst()
    sent[entry.tag] = entry
    return entry
  }

  mutating func take(_ tag: UInt64) -> Entry? { sent.removeValue(forKey: tag) }

  /// Forgets what a task that has ended was waiting for.
  mutating func drop(_ task: TaskName) {
    waiting.removeAll { $0.task == task }
    sent = sent.filter { $0.value.task != task }
  }

  /// Whether the member has lost its place in the group, or the group moves on.
  static func tellsOfLoss(_ error: KafkaError) -> Bool {
    error.code == .illegalGeneration || error.code == .unknownMember
      || error.code == .rebalanceInProgress
  }

  /// Whether the group may accept the same commit later.
  ///
  /// A cooperative member keeps its partitions from one generation to the next, so that a commit
  /// under way may bear the generation before; and who has lost its place is told so by an event,
  /// which ends the task and its commits.
  static func isWorthRetrying(_ error: KafkaError) -> Bool {
    switch error.code {
    case .fencedInstance, .offsetMetadataTooLarge,
      .groupAuthorization, .topicAuthorization, .unknownTopicOrPartition:
      false
    default: !error.isFatal
    }
  }
}

/// Where a task without a commit begins.
enum StartOffsets {
  /// The offset of a partition, of whose deleted records `gapPolicy` says what to do.
  ///
  /// - Throws: `TaskFailure` when the topic has no such offset; `KafkaError` when the brokers do not answer.
  static func resolve(
    _ start: PipelineConfiguration.StartPosition, of partition: TopicPartition,
    gapPolicy: PipelineConfiguration.GapPolicy, member: any GroupMember
  ) throws -> Int64 {
    let timeout = Duration.seconds(10)
    switch start {
    case .earliest: return try member.watermarks(of: partition, timeout: timeout).low
    case .latest: return try member.watermarks(of: partition, timeout: timeout).high
    case .timestamp(let time):
      let found = try member.offsets(atOrAfter: [partition: time], timeout: timeout)
      if let offset = found[partition], offset >= 0 { return offset }
      return try member.watermarks(of: partition, timeout: timeout).high
    case .offsets(let offsets):
      let marks = try member.watermarks(of: partition, timeout: timeout)
      guard let offset = offsets[partition.partition] else { return marks.low }
      // Nothing is committed yet: a mistake can be put right and costs nothing.
      guard offset <= marks.high else {
        throw TaskFailure.output(
          "start.offsets: offset \(offset) lies beyond the end \(marks.high) of \(partition)")
      }
      guard offset >= marks.low || gapPolicy != .stop else {
        throw TaskFailure.output(
          "start.offsets: offset \(offset) < log start \(marks.low) on \(partition): "
            + "\(marks.low - offset) records are there no more\n  hint: begin at \(marks.low), at "
            + "trim_horizon, or set offset_out_of_range: earliest")
      }
      return offset
    }
  }
}
