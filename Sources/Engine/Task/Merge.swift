import Kafka

/// Chooses, among the fetched records of a task's partitions, whose turn it is.
///
/// Order: (timestamp, topic, partition, offset). A partition with nothing fetched is waited for only
/// while the broker is known to hold unread records for it, at most `merge_wait`.
struct Merge {
  let wait: Int64
  /// Since when each exhausted partition with unread records is waited for.
  private var waitingSince: [Int64?]

  init(partitions: Int, wait: Int64) {
    self.wait = wait
    waitingSince = Array(repeating: nil, count: partitions)
  }

  /// The next run of records of one partition, or nil when there is nothing or something to wait for.
  ///
  /// - Parameters:
  ///   - buffers: The task's partitions.
  ///   - limit: The most records of a run.
  ///   - now: The clock, milliseconds.
  ///   - hasUnread: Whether the broker is known to hold records from an offset of a partition on.
  /// - Returns: The partition's place in `buffers`, and how many records.
  mutating func next(
    _ buffers: [PartitionBuffer], limit: Int, now: Int64,
    hasUnread: (PartitionBuffer) -> Bool
  ) -> (partition: Int, count: Int)? {
    var best: Int?
    var second: Int?
    for (index, buffer) in buffers.enumerated() {
      if buffer.isExhausted {
        if buffers.count > 1, mustWait(index, hasUnread(buffer), now) { return nil }
        continue
      }
      waitingSince[index] = nil
      if let current = best {
        if Self.precedes(buffer, buffers[current]) {
          second = current
          best = index
        } else if second.map({ Self.precedes(buffer, buffers[$0]) }) ?? true {
          second = index
        }
      } else {
        best = index
      }
    }
    guard let best else { return nil }
    let rival = second.map { buffers[$0] }
    return (best, Self.run(buffers[best], before: rival, limit: limit))
  }

  private mutating func mustWait(_ index: Int, _ hasUnread: Bool, _ now: Int64) -> Bool {
    guard hasUnread else {
      waitingSince[index] = nil
      return false
    }
    let since = waitingSince[index] ?? now
    waitingSince[index] = since
    return now - since < wait
  }

  private static func precedes(_ first: PartitionBuffer, _ second: PartitionBuffer) -> Bool {
    (first.headTimestamp, first.topicPartition) < (second.headTimestamp, second.topicPartition)
  }

  /// How many records of a buffer come before the head of its rival.
  private static func run(
    _ buffer: PartitionBuffer, before rival: PartitionBuffer?, limit: Int
  ) -> Int {
    let available = min(limit, buffer.records.count - buffer.cursor)
    guard let rival else { return available }
    let bound = (rival.headTimestamp, rival.topicPartition)
    var count = 1
    while count < available,
      (buffer.records.timestamp(at: buffer.cursor + count), buffer.topicPartition) < bound
    {
      count += 1
    }
    return count
  }
}
