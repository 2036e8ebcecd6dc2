internal import CRdKafka
internal import Synchronization

/// The fetched records of one assigned partition, for one worker thread at a time.
///
/// It is bounded by `queueKilobytes`: librdkafka fetches no more until some are polled. After the
/// partition was given up or assigned anew it gives nothing any more.
public struct PartitionQueue: Sendable {
  public var topicPartition: TopicPartition { core.partition }
  private let core: QueueCore
  private let assignment: Int

  fileprivate init(_ core: QueueCore, assignment: Int) {
    self.core = core
    self.assignment = assignment
  }

  /// Whether the partition is still assigned as it was when this queue was made.
  public var isAssigned: Bool { core.assignment.load(ordering: .acquiring) == assignment }

  /// How many records wait.
  public var count: Int { isAssigned ? rd_kafka_queue_length(core.queue.pointer) : 0 }

  /// Replaces the batch's content by what waits here, at most its capacity; does not wait.
  ///
  /// - Returns: Whether the queue was emptied, so that a new record will signal the wakeup.
  @discardableResult
  public func poll(into batch: inout RecordBatch) -> Bool {
    batch.reset()
    return append(to: &batch)
  }

  /// Adds what waits here to the batch, whose records stay, as far as it has room; does not wait.
  ///
  /// - Returns: Whether the queue was emptied, so that a new record will signal the wakeup.
  @discardableResult
  public func append(to batch: inout RecordBatch) -> Bool {
    isAssigned ? batch.append(from: core.queue.pointer, of: core.queue.client) : true
  }

  /// Signals this wakeup, in place of the one before, when something arrives in the empty queue.
  public func attach(_ wakeup: Wakeup) {
    guard isAssigned else { return }
    core.queue.attach(wakeup)
  }
}

/// librdkafka's queue of one partition, one per consumer and partition for the consumer's whole
/// life.
final class QueueCore: Sendable {
  let queue: SignallingQueue
  let partition: TopicPartition
  /// Odd while the partition is assigned; another number for each assignment.
  let assignment = Atomic<Int>(0)

  init(client: Client, partition: TopicPartition) {
    guard
      let pointer = rd_kafka_queue_get_partition(
        client.handle, partition.topic, partition.partition)
    else { preconditionFailure("a consumer has a queue for every partition") }
    queue = SignallingQueue(owning: pointer, of: client)
    self.partition = partition
  }

  /// The queue for a new assignment, kept apart from the consumer's common queue.
  func renew() -> PartitionQueue {
    rd_kafka_queue_forward(queue.pointer, nil)
    let before = assignment.load(ordering: .relaxed)
    let renewed = before + (before.isMultiple(of: 2) ? 1 : 2)
    assignment.store(renewed, ordering: .releasing)
    return PartitionQueue(self, assignment: renewed)
  }

  func retire() {
    let before = assignment.load(ordering: .relaxed)
    if !before.isMultiple(of: 2) { assignment.store(before + 1, ordering: .releasing) }
  }
}

/// A queue of librdkafka's that signals a wakeup when something arrives while it is empty.
final class SignallingQueue: @unchecked Sendable {
  // @unchecked: librdkafka's queues may be used from any thread, and the pointer never changes.
  let pointer: OpaquePointer
  let client: Client
  private let wakeup = Mutex<Wakeup?>(nil)

  init(owning pointer: OpaquePointer, of client: Client) {
    self.pointer = pointer
    self.client = client
  }

  deinit {
    rd_kafka_queue_cb_event_enable(pointer, nil, nil)
    rd_kafka_queue_destroy(pointer)
  }

  /// Signals this wakeup in place of the one before, and at once, since something may wait already.
  func attach(_ new: Wakeup) {
    wakeup.withLock { current in
      // The callback runs under the queue's lock, which this call takes: after it the old wakeup
      // is signalled no more and may go.
      rd_kafka_queue_cb_event_enable(
        pointer,
        { _, opaque in
          guard let opaque else { return }
          Unmanaged<Wakeup>.fromOpaque(opaque).takeUnretainedValue().signal()
        }, Unmanaged.passUnretained(new).toOpaque())
      current = new
    }
    new.signal()
  }
}
