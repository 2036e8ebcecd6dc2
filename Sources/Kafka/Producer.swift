internal import CRdKafka
public import Logging
internal import Synchronization

/// What became of one message.
public struct DeliveryReport: Sendable {
  /// As given to `produce`.
  public let tag: UInt64
  public let topicPartition: TopicPartition
  /// Where it stands; nil when it was not delivered, or not known after a retry.
  public let offset: Int64?
  public let error: KafkaError?
  /// Whether a failed message may stand in the topic all the same.
  public let possiblyPersisted: Bool
}

/// What a producer tells.
public enum ProducerEvent: Sendable {
  case delivery(DeliveryReport)
  /// Something does not work; librdkafka keeps trying unless the error is fatal.
  case error(KafkaError)
  /// librdkafka's statistics as JSON.
  case statistics(String)
}

/// Writes records to topics: idempotent by default, in transactions when it has a transactional id.
///
/// Messages are copied, queued and sent in batches; any thread may produce and poll.
public final class Producer: Sendable {
  public let client: Client
  private let context: ProducerContext
  private let isTransactional: Bool

  /// Makes the producer.
  ///
  /// - Throws: `KafkaError` for the first wrong property.
  public init(_ configuration: ProducerConfiguration, logger: Logger) throws(KafkaError) {
    let context = ProducerContext(logger: logger)
    self.context = context
    isTransactional = configuration.transactionalID != nil
    client = try Client(
      RD_KAFKA_PRODUCER, properties: configuration.clientProperties, context: context
    ) { configuration in
      ProducerContext.attachDelivery(to: configuration)
    }
  }

  deinit {
    // A transactional client that ends frees the text of its last error, and once more when an answer
    // to rows under way then tells that it was fenced (librdkafka 2.0.2): nothing may be under way.
    guard isTransactional else { return }
    rd_kafka_purge(client.handle, Self.everything)
  }

  /// What waits and what is under way.
  private static let everything = RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT

  /// A topic to produce to; keep it.
  public func topic(_ name: String) throws(KafkaError) -> ProducerTopic {
    guard let pointer = rd_kafka_topic_new(client.handle, name, nil) else {
      throw KafkaError(
        KafkaError.Code(rd_kafka_last_error()), operation: "open topic", topic: name)
    }
    return ProducerTopic(name: name, pointer: pointer, client: client)
  }

  /// Queues one message.
  ///
  /// - Parameters:
  ///   - topic: One of this producer's.
  ///   - partition: Nil lets the partitioner choose by the key.
  ///   - key: Nil is no key, which differs from an empty one.
  ///   - value: Nil is a tombstone, which differs from an empty value.
  ///   - headers: In this order.
  ///   - timestamp: Milliseconds since 1970; nil is now.
  ///   - tag: Comes back with the delivery report; 0 asks for a report of a failure only.
  ///   - timeout: How long to serve deliveries and wait while the queue is full.
  /// - Throws: `KafkaError`; `.queueFull` when it was full for all of `timeout`.
  public func produce(
    to topic: ProducerTopic, partition: Int32? = nil, key: Span<UInt8>?, value: Span<UInt8>?,
    headers: [RecordHeader] = [], timestamp: Int64? = nil, tag: UInt64 = 0,
    timeout: Duration = .zero
  ) throws(KafkaError) {
    precondition(topic.client === client, "the topic belongs to another producer")
    let message = Message(
      partition: partition ?? RD_KAFKA_PARTITION_UA, timestamp: timestamp ?? 0, tag: tag)
    var error = enqueue(message, to: topic, key: key, value: value, headers: headers)
    var remaining = timeout.milliseconds
    while error == RD_KAFKA_RESP_ERR__QUEUE_FULL, remaining > 0 {
      let slice = min(remaining, 10)
      rd_kafka_poll(client.handle, slice)
      remaining -= slice
      error = enqueue(message, to: topic, key: key, value: value, headers: headers)
    }
    guard error != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
    throw KafkaError.fatal(of: client.handle)
      ?? KafkaError(
        KafkaError.Code(error), operation: "produce", topic: topic.name, partition: partition,
        isRetriable: error == RD_KAFKA_RESP_ERR__QUEUE_FULL)
  }

  /// Queues one message whose bytes are in arrays.
  public func produce(
    to topic: ProducerTopic, partition: Int32? = nil, key: [UInt8]?, value: [UInt8]?,
    headers: [RecordHeader] = [], timestamp: Int64? = nil, tag: UInt64 = 0,
    timeout: Duration = .zero
  ) throws(KafkaError) {
    try produce(
      to: topic, partition: partition, key: key?.span, value: value?.span, headers: headers,
      timestamp: timestamp, tag: tag, timeout: timeout)
  }

  /// Serves deliveries for at most `timeout`; appends what they told, also earlier ones.
  ///
  /// Returns as soon as something was told.
  public func poll(timeout: Duration, into events: inout [ProducerEvent]) {
    if context.take(into: &events) { return }
    rd_kafka_poll(client.handle, timeout.milliseconds)
    _ = context.take(into: &events)
  }

  /// How many messages were delivered since the start; not counted when only failures report.
  public var delivered: Int { context.delivered.load(ordering: .relaxed) }

  /// How many messages failed for good since the start.
  public var failed: Int { context.failed.load(ordering: .relaxed) }

  /// How many messages wait for their delivery, and deliveries for a poll.
  public var outstanding: Int { Int(rd_kafka_outq_len(client.handle)) }

  /// Waits until everything queued was delivered or failed.
  ///
  /// - Throws: `KafkaError` `.timedOut` when something is still queued after `timeout`.
  public func flush(timeout: Duration) throws(KafkaError) {
    // Where successes are not reported, one call looks only every 10 ms whether all are there.
    var remaining = max(0, timeout.milliseconds)
    for slice in Self.flushSlices {
      let slice = min(slice, remaining)
      let error = rd_kafka_flush(client.handle, slice)
      remaining -= slice
      guard error == RD_KAFKA_RESP_ERR__TIMED_OUT, remaining > 0 else {
        return try KafkaError.check(error, operation: "flush")
      }
    }
    try KafkaError.check(rd_kafka_flush(client.handle, remaining), operation: "flush")
  }

  /// Milliseconds of the first calls; a broker that takes longer is worth a delay of 10 ms.
  private static let flushSlices = [Int32](repeating: 1, count: 20)

  /// Gives up everything that waits; their reports say `purgedFromQueue` or `purgedInFlight`.
  public func purge() throws(KafkaError) {
    try KafkaError.check(rd_kafka_purge(client.handle, Self.everything), operation: "purge")
  }

  private struct Message {
    let partition: Int32
    let timestamp: Int64
    let tag: UInt64
  }

  private func enqueue(
    _ message: Message, to topic: ProducerTopic, key: Span<UInt8>?, value: Span<UInt8>?,
    headers: [RecordHeader]
  ) -> rd_kafka_resp_err_t {
    let list = headers.isEmpty ? nil : headers.makeList()
    let error = withBytes(key) { key in
      withBytes(value) { value in
        cutbank_kafka_produce(
          client.handle, topic.pointer, message.partition, key.baseAddress, key.count,
          value.baseAddress, value.count, message.timestamp, list,
          UnsafeMutableRawPointer(bitPattern: UInt(message.tag)))
      }
    }
    if error != RD_KAFKA_RESP_ERR_NO_ERROR, let list { rd_kafka_headers_destroy(list) }
    return error
  }
}

/// A topic as one producer knows it.
public final class ProducerTopic: @unchecked Sendable {
  // @unchecked: librdkafka's topics may be used from any thread, and the pointer never changes.
  public let name: String
  let pointer: OpaquePointer
  let client: Client

  fileprivate init(name: String, pointer: OpaquePointer, client: Client) {
    self.name = name
    self.pointer = pointer
    self.client = client
  }

  deinit {
    rd_kafka_topic_destroy(pointer)
  }
}

/// Calls `body` with the bytes: a nil base for nil, some other address for an empty span.
private func withBytes<Result>(
  _ span: Span<UInt8>?, _ body: (UnsafeRawBufferPointer) -> Result
) -> Result {
  guard let span else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
  guard !span.isEmpty else {
    return withUnsafeBytes(of: 0 as UInt8) { byte in
      body(UnsafeRawBufferPointer(start: byte.baseAddress, count: 0))
    }
  }
  return span.withUnsafeBytes(body)
}

extension [RecordHeader] {
  fileprivate func makeList() -> OpaquePointer? {
    let list = rd_kafka_headers_new(count)
    for header in self {
      let error =
        if let value = header.value {
          withBytes(value.span) { bytes in
            rd_kafka_header_add(
              list, header.name, -1, bytes.baseAddress, bytes.count)
          }
        } else {
          rd_kafka_header_add(list, header.name, -1, nil, 0)
        }
      precondition(error == RD_KAFKA_RESP_ERR_NO_ERROR, "a new list takes any header")
    }
    return list
  }
}

/// Collects the deliveries and events of one producer.
final class ProducerContext: CallbackContext, @unchecked Sendable {
  let delivered = Atomic<Int>(0)
  let failed = Atomic<Int>(0)
  private let events = Mutex<[ProducerEvent]>([])

  /// Moves the events to the end of `target`; returns whether there were any.
  func take(into target: inout [ProducerEvent]) -> Bool {
    let taken = events.withLock { events in
      defer { events = [] }
      return events
    }
    target.append(contentsOf: taken)
    return !taken.isEmpty
  }

  private func receive(_ event: ProducerEvent) {
    events.withLock { $0.append(event) }
  }

  override func receive(error: KafkaError, from client: OpaquePointer?) {
    receive(.error(error))
  }

  override func receive(statistics: String, from client: OpaquePointer?) {
    receive(.statistics(statistics))
  }

  static func attachDelivery(to configuration: OpaquePointer) {
    rd_kafka_conf_set_dr_msg_cb(configuration) { _, message, opaque in
      guard let message, let opaque else { return }
      // Only producers' contexts are attached here; this runs per message.
      let context = Unmanaged<ProducerContext>.fromOpaque(opaque).takeUnretainedValue()
      context.deliver(message)
    }
  }

  private func deliver(_ message: UnsafePointer<rd_kafka_message_t>) {
    let isDelivered = message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR
    if isDelivered {
      delivered.add(1, ordering: .relaxed)
    } else {
      failed.add(1, ordering: .relaxed)
    }
    let tag = UInt64(UInt(bitPattern: message.pointee._private))
    guard !isDelivered || tag != 0 else { return }
    let topic = String(cString: rd_kafka_topic_name(message.pointee.rkt))
    let partition = message.pointee.partition
    receive(
      .delivery(
        DeliveryReport(
          tag: tag, topicPartition: TopicPartition(topic: topic, partition: partition),
          offset: message.pointee.offset < 0 ? nil : message.pointee.offset,
          error: isDelivered
            ? nil
            : KafkaError(
              KafkaError.Code(message.pointee.err), operation: "deliver", topic: topic,
              partition: partition < 0 ? nil : partition),
          possiblyPersisted: !isDelivered
            && rd_kafka_message_status(message) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED)))
  }
}
