internal import CRdKafka
public import Logging
internal import Synchronization

/// What a consumer tells its control thread.
public enum ConsumerEvent: Sendable {
  /// The group gives these partitions: answer with `assign` or `incrementallyAssign`.
  case assign([TopicPartition])
  /// The group takes these back: finish, commit, answer with `unassign` or `incrementallyUnassign`.
  case revoke([TopicPartition])
  /// Others may have these already: drop what is unfinished, commit nothing, answer as for
  /// `revoke`.
  case lost([TopicPartition])
  /// The result of a `commit(_:tag:)`.
  case committed(CommitResult)
  /// Something does not work; librdkafka keeps trying unless the error is fatal.
  case error(KafkaError)
  /// librdkafka's statistics as JSON.
  case statistics(String)
}

/// How a commit that was not waited for ended.
public struct CommitResult: Sendable {
  /// As given to `commit(_:tag:)`.
  public let tag: UInt64
  /// Why nothing or not everything was committed.
  public let error: KafkaError?
  /// The partitions that were not committed, with the reason, when others were.
  public let failures: [TopicPartition: KafkaError]

  /// Creates a result.
  package init(tag: UInt64, error: KafkaError?, failures: [TopicPartition: KafkaError]) {
    self.tag = tag
    self.error = error
    self.failures = failures
  }
}

/// A member of a consumer group.
///
/// One control thread calls `poll` again and again and answers what it says; worker threads read
/// the partition queues that `assign` returns. Nothing is assigned, committed or reset by itself.
public final class Consumer: Sendable {
  public let client: Client
  private let context: ConsumerContext
  private let queues = Mutex<[TopicPartition: QueueCore]>([:])
  /// The queue that `poll` reads, once a wakeup was attached to it.
  private let events = Mutex<SignallingQueue?>(nil)

  /// Makes the member; it joins its group with `subscribe`.
  ///
  /// - Throws: `KafkaError` for the first wrong property.
  public init(_ configuration: ConsumerConfiguration, logger: Logger) throws(KafkaError) {
    let context = ConsumerContext(logger: logger)
    self.context = context
    client = try Client(
      RD_KAFKA_CONSUMER, properties: configuration.clientProperties, context: context
    ) { configuration in
      ConsumerContext.attachRebalance(to: configuration)
    }
    rd_kafka_poll_set_consumer(client.handle)
  }

  /// Joins the group for these topics, in place of those before.
  public func subscribe(to topics: [String]) throws(KafkaError) {
    let list = TopicPartitionList(topics.map { TopicPartition(topic: $0, partition: -1) })
    try KafkaError.check(
      rd_kafka_subscribe(client.handle, list.pointer), operation: "subscribe")
  }

  /// Signals this wakeup when there may be something for `poll`, which then need not wait.
  ///
  /// - Throws: `KafkaError` when the consumer was closed.
  public func attach(_ wakeup: Wakeup) throws(KafkaError) {
    guard let pointer = rd_kafka_queue_get_consumer(client.handle) else {
      throw KafkaError(.state, "the consumer is closed", operation: "attach")
    }
    let queue = SignallingQueue(owning: pointer, of: client)
    queue.attach(wakeup)
    events.withLock { $0 = queue }
  }

  /// Waits for the next event, at most `timeout`; tells the group that this member is alive.
  ///
  /// Only one thread may poll, at least every `max.poll.interval.ms`.
  /// - Returns: The event; nil when there was none.
  public func poll(timeout: Duration) -> ConsumerEvent? {
    if let event = context.next() { return event }
    guard let message = rd_kafka_consumer_poll(client.handle, timeout.milliseconds) else {
      return context.next()
    }
    // Records go to the partition queues, so that only errors come here.
    defer { rd_kafka_message_destroy(message) }
    let error =
      if message.pointee.err == RD_KAFKA_RESP_ERR__FATAL, let fatal = client.fatalError {
        fatal
      } else {
        KafkaError(message: message.pointee, operation: "consume")
      }
    context.receive(error: error, from: client.handle)
    return context.next()
  }

  /// Takes these partitions in place of all before, whatever the group gave.
  ///
  /// - Returns: Their queues in the same order; queues of an earlier assignment give nothing any
  ///   more.
  public func assign(_ starts: [PartitionStart]) throws(KafkaError) -> [PartitionQueue] {
    retireQueues(nil)
    let assigned = starts.map { queue(of: $0.topicPartition) }
    let list = TopicPartitionList(starts)
    try KafkaError.check(rd_kafka_assign(client.handle, list.pointer), operation: "assign")
    return assigned
  }

  /// Takes these partitions besides those before: the answer to `.assign` when `isCooperative`.
  ///
  /// - Returns: Their queues in the same order.
  public func incrementallyAssign(_ starts: [PartitionStart]) throws(KafkaError) -> [PartitionQueue]
  {
    let assigned = starts.map { queue(of: $0.topicPartition) }
    let list = TopicPartitionList(starts)
    try KafkaError.check(
      rd_kafka_incremental_assign(client.handle, list.pointer), operation: "assign incrementally")
    return assigned
  }

  /// Gives up all partitions; their queues give nothing any more.
  public func unassign() throws(KafkaError) {
    retireQueues(nil)
    try KafkaError.check(rd_kafka_assign(client.handle, nil), operation: "unassign")
  }

  /// Gives up these partitions: the answer to `.revoke` and `.lost` when `isCooperative`.
  public func incrementallyUnassign(_ partitions: [TopicPartition]) throws(KafkaError) {
    retireQueues(partitions)
    let list = TopicPartitionList(partitions)
    try KafkaError.check(
      rd_kafka_incremental_unassign(client.handle, list.pointer),
      operation: "unassign incrementally")
  }

  /// Goes on with assigned partitions that stand still after an `offsetOutOfRange`.
  ///
  /// - Returns: Their new queues in the same order; the others are not touched.
  public func restart(_ starts: [PartitionStart]) throws(KafkaError) -> [PartitionQueue] {
    try incrementallyUnassign(starts.map(\.topicPartition))
    return try incrementallyAssign(starts)
  }

  /// Whether rebalances are to be answered incrementally.
  public var isCooperative: Bool {
    rd_kafka_rebalance_protocol(client.handle).map { String(cString: $0) } == "COOPERATIVE"
  }

  /// Gives up all partitions without a further event, and leaves the group.
  ///
  /// Commit before. Queues and batches may outlive it.
  /// - Throws: `KafkaError` `.timedOut` when the coordinator was not reached within `timeout`; the
  ///   group then notices by the session timeout.
  public func close(timeout: Duration = .seconds(10)) throws(KafkaError) {
    retireQueues(nil)
    guard rd_kafka_consumer_closed(client.handle) == 0 else { return }
    guard let queue = rd_kafka_queue_new(client.handle) else { preconditionFailure("no memory") }
    defer { rd_kafka_queue_destroy(queue) }
    var remaining = timeout.milliseconds
    try awaitFirstAssignment(&remaining)
    context.close()
    try KafkaError.check(rd_kafka_consumer_close_queue(client.handle, queue), operation: "close")
    while rd_kafka_consumer_closed(client.handle) == 0 {
      guard let event = rd_kafka_queue_poll(queue, min(remaining, 100)) else {
        remaining -= min(remaining, 100)
        guard remaining > 0 else { throw KafkaError(.timedOut, operation: "close") }
        continue
      }
      defer { rd_kafka_event_destroy(event) }
      // Of all events only a rebalance needs an answer.
      if rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE {
        try KafkaError.check(rd_kafka_assign(client.handle, nil), operation: "close")
      }
    }
  }

  /// Waits for what the group gives to a member that it has just let in.
  ///
  /// librdkafka 2.0.2 ends the process when it destroys such a member of a cooperative group before
  /// (`rd_kafka_sticky_assignor_state_destroy` asserts a state that the first assignment makes). One
  /// that is given nothing in time is not destroyed.
  private func awaitFirstAssignment(_ remaining: inout Int32) throws(KafkaError) {
    while isCooperative, !context.wasAssigned {
      guard remaining > 0 else {
        context.logger.warning(
          "a member of a group that was let in got no assignment; what it holds in memory stays")
        return client.abandon()
      }
      let wait = min(remaining, 100)
      switch poll(timeout: .milliseconds(wait)) {
      case .assign: _ = try incrementallyAssign([])
      case nil: remaining -= wait
      default: break
      }
    }
  }

  private func queue(of partition: TopicPartition) -> PartitionQueue {
    queues.withLock { queues in
      let core = queues[partition] ?? QueueCore(client: client, partition: partition)
      queues[partition] = core
      return core.renew()
    }
  }

  /// Makes the queues of the partitions, or of all, give nothing any more.
  private func retireQueues(_ partitions: [TopicPartition]?) {
    queues.withLock { queues in
      if let partitions {
        for partition in partitions { queues[partition]?.retire() }
      } else {
        for queue in queues.values { queue.retire() }
      }
    }
  }
}

/// Collects the events of one consumer.
final class ConsumerContext: CallbackContext, @unchecked Sendable {
  private struct State {
    var events: [ConsumerEvent] = []
    var isClosed = false
    var wasAssigned = false
  }

  private let state = Mutex(State())

  func next() -> ConsumerEvent? {
    state.withLock { $0.events.isEmpty ? nil : $0.events.removeFirst() }
  }

  func close() {
    state.withLock { $0.isClosed = true }
  }

  /// Whether the group has ever given something, were it nothing.
  var wasAssigned: Bool { state.withLock { $0.wasAssigned } }

  /// Keeps the event, and lets the poll that is under way return.
  func receive(_ event: ConsumerEvent, from client: OpaquePointer?) {
    state.withLock { $0.events.append(event) }
    rd_kafka_yield(client)
  }

  override func receive(error: KafkaError, from client: OpaquePointer?) {
    receive(.error(error), from: client)
  }

  override func receive(statistics: String, from client: OpaquePointer?) {
    receive(.statistics(statistics), from: client)
  }

  static func attachRebalance(to configuration: OpaquePointer) {
    rd_kafka_conf_set_rebalance_cb(configuration) { client, error, partitions, opaque in
      guard let client, let partitions,
        let context = CallbackContext.of(opaque) as? ConsumerContext
      else { return }
      context.rebalance(
        client, error, TopicPartitionList.partitions(partitions))
    }
  }

  private func rebalance(
    _ client: OpaquePointer, _ error: rd_kafka_resp_err_t, _ partitions: [TopicPartition]
  ) {
    let isClosed = state.withLock { state in
      if error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS { state.wasAssigned = true }
      return state.isClosed
    }
    switch error {
    case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS where !isClosed:
      receive(.assign(partitions), from: client)
    case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS where !isClosed:
      let isLost = rd_kafka_assignment_lost(client) != 0
      receive(isLost ? .lost(partitions) : .revoke(partitions), from: client)
    default:
      if !isClosed {
        receive(error: KafkaError(KafkaError.Code(error), operation: "rebalance"), from: client)
      }
      // librdkafka waits for an answer, and nobody else will give it.
      let answer = rd_kafka_assign(client, nil)
      if answer != RD_KAFKA_RESP_ERR_NO_ERROR {
        logger.error(
          "rebalance could not be answered", metadata: ["code": "\(KafkaError.Code(answer))"])
      }
    }
  }
}

extension KafkaError {
  /// The error that stands in place of a record.
  init(message: rd_kafka_message_t, operation: String) {
    let text = UnsafeRawBufferPointer(
      start: message.payload, count: message.payload == nil ? 0 : message.len)
    self.init(
      Code(message.err), text.isEmpty ? nil : String(decoding: text, as: UTF8.self),
      operation: operation,
      topic: message.rkt.map { String(cString: rd_kafka_topic_name($0)) },
      partition: message.partition < 0 ? nil : message.partition,
      offset: message.offset < 0 ? nil : message.offset)
  }
}
