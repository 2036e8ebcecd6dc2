package import Kafka

/// The fetched and not yet taken records of one partition of a task's input.
///
/// Taken records stay readable until the next refill, so that a row that fails later can still be
/// dead-lettered with its bytes.
package final class PartitionBuffer {
  /// Which partition it is.
  let topicPartition: TopicPartition
  /// The input that the partition belongs to.
  let input: Int
  var records: RecordBatch
  /// The first record that was not taken.
  package var cursor = 0
  /// The offset after the last record taken.
  package var nextOffset: Int64
  /// The offset up to which the broker is known to hold records, or what nobody is given: marks of
  /// transactions, and records of aborted ones.
  package var knownEnd: Int64
  /// The offset up to which everything was fetched.
  private var fetchedUpTo: Int64 = 0
  /// Whether the broker no longer has what comes after the records that are here.
  private var isOutOfRange = false
  /// Where records come from, once assigned.
  package var queue: (any RecordQueue)? {
    didSet {
      isOutOfRange = false
      fetchedUpTo = 0
    }
  }

  convenience init(_ partition: TaskPartition, nextOffset: Int64, capacity: Int) {
    self.init(
      partition.topicPartition, input: partition.input, knownEnd: partition.end,
      nextOffset: nextOffset, capacity: capacity)
  }

  /// Creates the empty buffer of a partition.
  ///
  /// - Parameters:
  ///   - topicPartition: The partition.
  ///   - input: The input that it belongs to.
  ///   - knownEnd: The offset up to which the broker is known to hold records.
  ///   - nextOffset: The offset of the first record to take.
  ///   - capacity: How many records there is room for.
  package init(
    _ topicPartition: TopicPartition, input: Int, knownEnd: Int64, nextOffset: Int64, capacity: Int
  ) {
    self.topicPartition = topicPartition
    self.input = input
    self.knownEnd = knownEnd
    self.nextOffset = nextOffset
    records = RecordBatch(capacity: capacity)
  }

  /// Whether every fetched record was taken.
  package var isExhausted: Bool { cursor == records.count }

  /// Whether the broker is known to hold records behind those taken.
  package var hasUnread: Bool { knownEnd > max(nextOffset, fetchedUpTo) }

  /// Whether nothing can be fetched before the records taken are dropped.
  var isFull: Bool { records.count == records.capacity }

  /// The offset after the last record fetched.
  var fetchedEnd: Int64 {
    isExhausted ? nextOffset : records.offset(at: records.count - 1) + 1
  }

  /// The timestamp of the first record that was not taken.
  var headTimestamp: Int64 { records.timestamp(at: cursor) }

  /// How many records, at most `limit`, come before one of another partition with the timestamp
  /// `bound`; `winsTies` says whether they come first when the timestamps are equal.
  func run(before bound: Int64, winsTies: Bool, limit: Int) -> Int {
    records.run(from: cursor, before: bound, winsTies: winsTies, limit: limit)
  }

  /// A copy of a taken record's value.
  func valueBytes(_ index: Int) -> [UInt8] {
    records.copyOfValue(at: index) ?? []
  }

  /// A copy of a taken record's key, or nil when it has none.
  func keyBytes(_ index: Int) -> [UInt8]? {
    records.copyOfKey(at: index)
  }

  /// Fetches what waits, dropping the records taken; only when exhausted.
  ///
  /// - Throws: `TaskFailure` when the broker no longer has what must be read next.
  package func refill() throws(TaskFailure) {
    guard queue != nil else { return }
    records.reset()
    cursor = 0
    try fetchMore()
  }

  /// Fetches what waits besides the records that are there, as far as there is room.
  ///
  /// - Throws: `TaskFailure` when the broker no longer has what must be read next.
  package func fetchMore() throws(TaskFailure) {
    guard let queue, records.count < records.capacity else { return }
    if !isOutOfRange { queue.append(to: &records) }
    for event in records.events where !isOutOfRange {
      switch event {
      case .partitionEnd(let offset): fetchedUpTo = max(fetchedUpTo, offset)
      case .offsetOutOfRange: isOutOfRange = true
      case .error(let error): throw .kafka(error)
      }
    }
    // What was fetched before comes first.
    guard isOutOfRange, isExhausted else { return }
    throw .offsetOutOfRange(topicPartition, expected: nextOffset, nil)
  }
}

/// Why a task cannot go on by itself.
package enum TaskFailure: Error, Sendable, CustomStringConvertible {
  /// The broker no longer has a record that must be read.
  case offsetOutOfRange(TopicPartition, expected: Int64, Watermarks?)
  /// Kafka refuses.
  case kafka(KafkaError)
  /// A snapshot or journal cannot be read.
  case state(StateProblem)
  /// The disk refuses.
  case disk(String)
  /// A destination or outbox refuses for good.
  case output(String)
  /// Another member owns the task.
  case lost(String)
  /// Nothing of that.
  case unforeseen(String)

  /// The failure and what to do.
  package var description: String {
    switch self {
    case .offsetOutOfRange(let partition, let expected, let marks):
      Self.gap(partition, expected, marks)
    case .kafka(let error): "\(error)"
    case .state(let problem): "\(problem)"
    case .disk(let text): text
    case .output(let text): text
    case .lost(let text): text
    case .unforeseen(let text): "it met an error that was not foreseen: \(text)"
    }
  }
}

extension TaskFailure {
  private static func gap(
    _ partition: TopicPartition, _ expected: Int64, _ marks: Watermarks?
  ) -> String {
    guard let marks else {
      return "\(partition): the broker does not have the record at offset \(expected)"
    }
    if expected < marks.low {
      return "offset \(expected) < log start \(marks.low) on \(partition): "
        + "\(marks.low - expected) records lost\n"
        + "  hint: retention deleted them before they were read; to go on without them set "
        + "offset_out_of_range: earliest (or latest) under the input's kafka, and make the topic's "
        + "retention.ms longer than the longest outage"
    }
    return
      "offset \(expected) lies beyond the end \(marks.high) of \(partition): the topic was made "
      + "anew\n  hint: to read the new topic remove the pipeline's state and its group's offsets, or "
      + "set offset_out_of_range: earliest under the input's kafka"
  }
}

/// State that does not fit the consumer group's commit.
package struct StateProblem: Error, Sendable, CustomStringConvertible {
  /// What is wrong.
  package let message: String
  /// The way out.
  package let hint: String

  /// The problem and the way out.
  package var description: String { "\(message)\n  hint: \(hint)" }
}
