import Engine
import Kafka
import Synchronization
import Testing

/// What a partition's buffer knows of what lies behind the records that it has.
@Suite struct PartitionBufferTests {
  private static func buffer(_ fetches: [Fetch], knownEnd: Int64) -> PartitionBuffer {
    let buffer = PartitionBuffer(
      TopicPartition(topic: "t", partition: 0), input: 0, knownEnd: knownEnd, nextOffset: 0,
      capacity: 10)
    buffer.queue = ScriptedQueue(fetches)
    return buffer
  }

  /// Takes `count` records, with the offsets that follow.
  private static func take(_ count: Int, from buffer: PartitionBuffer) {
    buffer.cursor += count
    buffer.nextOffset += Int64(count)
  }

  /// Behind records that were written in a transaction stands its mark, which nobody is given.
  @Test func aMarkAtTheEndIsNothingUnread() throws {
    let buffer = Self.buffer(
      [Fetch(0..<3), Fetch(3..<5, [.partitionEnd(offset: 6)])], knownEnd: 6)
    try buffer.refill()
    Self.take(3, from: buffer)
    #expect(buffer.isExhausted && buffer.hasUnread)
    try buffer.fetchMore()
    Self.take(2, from: buffer)
    #expect(buffer.isExhausted && !buffer.hasUnread)
    buffer.knownEnd = 7
    #expect(buffer.hasUnread)
  }

  /// A topic that was made anew is read from its begin: what was fetched of the one before says nothing.
  @Test func whoReadsFromElsewhereHasReadNothing() throws {
    let buffer = Self.buffer([Fetch(0..<5, [.partitionEnd(offset: 6)])], knownEnd: 6)
    try buffer.refill()
    Self.take(5, from: buffer)
    buffer.queue = ScriptedQueue([])
    buffer.nextOffset = 0
    buffer.knownEnd = 3
    #expect(buffer.hasUnread)
  }

  /// librdkafka tells once that the next record is gone; whoever asks again while nobody knows how many are
  /// is told so again, until it reads from elsewhere.
  @Test func aGapIsToldUntilItIsPassed() throws {
    let error = KafkaError(.offsetOutOfRange, operation: "fetch")
    let buffer = Self.buffer(
      [Fetch(0..<2, [.offsetOutOfRange(offset: 2, error)])], knownEnd: 100)
    // What was fetched before comes first.
    try buffer.refill()
    Self.take(2, from: buffer)
    for _ in 0..<3 {
      let failure = #expect(throws: TaskFailure.self) { try buffer.refill() }
      guard case .offsetOutOfRange(_, expected: 2, nil) = failure else {
        Issue.record("\(String(describing: failure))")
        return
      }
    }
    buffer.queue = nil
    try buffer.refill()
    #expect(buffer.isExhausted)
    buffer.nextOffset = 50
    buffer.queue = ScriptedQueue([Fetch(50..<52)])
    try buffer.refill()
    #expect(!buffer.isExhausted)
    Self.take(2, from: buffer)
    #expect(buffer.isExhausted)
  }
}

/// What a queue gives at one time.
private struct Fetch {
  let records: [StoredRecord]
  let events: [QueueEvent]

  init(_ offsets: Range<Int64>, _ events: [QueueEvent] = []) {
    records = offsets.map { StoredRecord(offset: $0, timestamp: $0, key: nil, value: []) }
    self.events = events
  }
}

/// Gives what it was made with, one thing after the other, and then nothing.
private final class ScriptedQueue: RecordQueue {
  let topicPartition = TopicPartition(topic: "t", partition: 0)
  private let fetches: Mutex<[Fetch]>

  init(_ fetches: [Fetch]) { self.fetches = Mutex(fetches) }

  func append(to batch: inout RecordBatch) -> Bool {
    let next = fetches.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    batch.append(next?.records ?? [], events: next?.events ?? [])
    return true
  }

  func attach(_ wakeup: Wakeup) {}
}
