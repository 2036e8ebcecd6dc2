import Kafka

/// Chooses, among the fetched records of a task's partitions, whose turn it is.
///
/// Order: (timestamp, topic, partition, offset). A partition with nothing fetched is waited for only
/// while the broker is known to hold unread records for it, at most `merge_wait`.
struct Merge {
  let wait: Int64
  /// The place of each partition in the order of topic and partition.
  private let ranks: [Int]
  /// The timestamp of each partition's next record, or nil when nothing is fetched.
  private var heads: [Int64?]
  /// Since when each exhausted partition with unread records is waited for.
  private var waitingSince: [Int64?]
  /// The partitions whose next record must come first.
  private var isAwaited: [Bool]
  private var awaitedCount = 0

  init(_ buffers: [PartitionBuffer], wait: Int64) {
    self.wait = wait
    var ranks = [Int](repeating: 0, count: buffers.count)
    let order = buffers.indices.sorted { buffers[$0].topicPartition < buffers[$1].topicPartition }
    for (rank, index) in order.enumerated() { ranks[index] = rank }
    self.ranks = ranks
    heads = Array(repeating: nil, count: buffers.count)
    waitingSince = heads
    isAwaited = Array(repeating: false, count: buffers.count)
  }

  /// Looks at what a partition has fetched; to be called when that has changed.
  ///
  /// - Parameters:
  ///   - index: The partition's place.
  ///   - buffer: Its records.
  ///   - now: The clock, milliseconds.
  ///   - hasUnread: Whether the broker is known to hold records beyond; asked only when it matters.
  mutating func look(
    at index: Int, _ buffer: PartitionBuffer, now: Int64, hasUnread: (PartitionBuffer) -> Bool
  ) {
    var mustWait = false
    if !buffer.isExhausted {
      heads[index] = buffer.headTimestamp
      waitingSince[index] = nil
    } else {
      heads[index] = nil
      if heads.count > 1, hasUnread(buffer) {
        let since = waitingSince[index] ?? now
        waitingSince[index] = since
        mustWait = now - since < wait
      } else {
        waitingSince[index] = nil
      }
    }
    guard mustWait != isAwaited[index] else { return }
    isAwaited[index] = mustWait
    awaitedCount += mustWait ? 1 : -1
  }

  /// The next run of records of one partition, or nil when there is nothing or something to wait for.
  ///
  /// - Parameters:
  ///   - buffers: The task's partitions.
  ///   - limit: The most records of a run.
  /// - Returns: The partition's place in `buffers`, and how many records.
  func next(_ buffers: [PartitionBuffer], limit: Int) -> (partition: Int, count: Int)? {
    guard awaitedCount == 0 else { return nil }
    var best: (head: Int64, index: Int)?
    var second: (head: Int64, index: Int)?
    for (index, found) in heads.enumerated() {
      guard let head = found else { continue }
      if let current = best, !precedes((head, index), current) {
        if second.map({ precedes((head, index), $0) }) ?? true { second = (head, index) }
      } else {
        second = best
        best = (head, index)
      }
    }
    guard let best else { return nil }
    guard let second else {
      let buffer = buffers[best.index]
      return (best.index, min(limit, buffer.records.count - buffer.cursor))
    }
    let count = buffers[best.index].run(
      before: second.head, winsTies: ranks[best.index] < ranks[second.index], limit: limit)
    return (best.index, count)
  }

  private func precedes(_ one: (head: Int64, index: Int), _ other: (head: Int64, index: Int))
    -> Bool
  {
    (one.head, ranks[one.index]) < (other.head, ranks[other.index])
  }
}
