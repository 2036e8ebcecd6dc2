internal import CRdKafka
internal import Synchronization

/// The connection behind a consumer or a producer: what can be asked of the cluster with either.
///
/// Queues, batches and topics keep it alive; the last of them closes it.
public final class Client: @unchecked Sendable {
  // @unchecked: librdkafka's handle may be used from any thread, and neither property ever changes.
  let handle: OpaquePointer
  private let context: CallbackContext
  private let isAbandoned = Atomic(false)

  /// Connects; brokers that cannot be reached are no error here but told by events.
  init(
    _ kind: rd_kafka_type_t, properties: ClientProperties, context: CallbackContext,
    configure: (OpaquePointer) -> Void = { _ in }
  ) throws(KafkaError) {
    let configuration = try properties.makeConfiguration()
    context.attach(to: configuration)
    configure(configuration)
    var reason = [CChar](repeating: 0, count: 512)
    guard let handle = rd_kafka_new(kind, configuration, &reason, reason.count) else {
      rd_kafka_conf_destroy(configuration)
      throw KafkaError(
        KafkaError.Code(rd_kafka_last_error()), reason.message, operation: properties.operation)
    }
    self.handle = handle
    self.context = context
  }

  /// Keeps the handle for ever, when to destroy it would end the process.
  func abandon() { isAbandoned.store(true, ordering: .releasing) }

  deinit {
    guard !isAbandoned.load(ordering: .acquiring) else {
      // Its threads still call the context.
      _ = Unmanaged.passRetained(context)
      return
    }
    // The consumer leaves its group in `close()`; here nobody could serve its callbacks.
    rd_kafka_destroy_flags(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
  }

  /// The error that made this client unusable, if there was one.
  public var fatalError: KafkaError? { KafkaError.fatal(of: handle) }

  /// The cluster's id, asked of a broker; nil when none answers within `timeout`.
  public func clusterID(timeout: Duration) -> String? {
    guard let text = rd_kafka_clusterid(handle, timeout.milliseconds) else { return nil }
    defer { rd_kafka_mem_free(handle, text) }
    return String(cString: text)
  }

  /// The oldest and the next offset of a partition, asked of its leader.
  ///
  /// - Throws: `KafkaError`, also when the answer does not come within `timeout`.
  public func watermarks(
    of partition: TopicPartition, timeout: Duration
  ) throws(KafkaError) -> Watermarks {
    // librdkafka has a call for both, which knows no end while the leader is away, whatever its
    // time-out. Looking up offsets by time keeps to it, and the ends have times of their own.
    let operation = "query watermarks"
    let end = ContinuousClock.now + timeout
    let low = try offsets(
      [PartitionOffset(partition, offset: StartOffset.beginning.rawValue)], operation, timeout)
    let left = max(.zero, end - ContinuousClock.now)
    let high = try offsets(
      [PartitionOffset(partition, offset: StartOffset.end.rawValue)], operation, left)
    // The beginning of a partition that never had a record may be left out; to take the end for any other
    // would pass over all that lies between them.
    guard let high = high[partition], let low = low[partition] ?? (high == 0 ? 0 : nil) else {
      throw Self.missingOffset(of: partition, operation)
    }
    return Watermarks(low: min(low, high), high: high)
  }

  /// The offset of the first record of each partition with a timestamp of at least its
  /// milliseconds.
  ///
  /// - Parameters:
  ///   - times: Milliseconds since 1970 by partition.
  ///   - timeout: How long to wait for the leaders.
  /// - Returns: Offsets; a partition without such a record is missing.
  /// - Throws: `KafkaError`, also when a leader does not answer within `timeout`.
  public func offsets(
    atOrAfter times: [TopicPartition: Int64], timeout: Duration
  ) throws(KafkaError) -> [TopicPartition: Int64] {
    let operation = "look up offsets by time"
    let found = try offsets(
      times.sorted { $0.key < $1.key }.map { PartitionOffset($0.key, offset: $0.value) },
      operation, timeout)
    // Where librdkafka found nothing in an answer, the time still stands where the offset should.
    for (partition, time) in times where found[partition] == time {
      throw Self.missingOffset(of: partition, operation)
    }
    return found
  }

  /// librdkafka 2.0.2 calls an answer good in which it found no offset: it is to be asked again.
  private static func missingOffset(
    of partition: TopicPartition, _ operation: String
  ) -> KafkaError {
    KafkaError(
      .timedOut, "an answer without the offset", operation: operation, topic: partition.topic,
      partition: partition.partition, isRetriable: true)
  }

  private func offsets(
    _ times: [PartitionOffset], _ operation: String, _ timeout: Duration
  ) throws(KafkaError) -> [TopicPartition: Int64] {
    let list = TopicPartitionList(times)
    try KafkaError.check(
      rd_kafka_offsets_for_times(handle, list.pointer, timeout.milliseconds),
      operation: operation)
    try list.check(operation: operation)
    return list.positions.mapValues(\.offset)
  }

  /// Brokers, and the partitions of the topics.
  ///
  /// A topic that is missing or may not be seen is in the answer with its `error`.
  /// - Parameters:
  ///   - topic: Only this one; nil asks for all.
  ///   - timeout: How long to wait for a broker.
  /// - Returns: What the broker that answered knows.
  /// - Throws: `KafkaError` when no broker answers within `timeout`.
  public func metadata(
    topic: String? = nil, timeout: Duration
  ) throws(KafkaError) -> ClusterMetadata {
    var reference: OpaquePointer?
    if let topic {
      reference = rd_kafka_topic_new(handle, topic, nil)
      guard reference != nil else {
        throw KafkaError(
          KafkaError.Code(rd_kafka_last_error()), operation: "read metadata", topic: topic)
      }
    }
    defer { if let reference { rd_kafka_topic_destroy(reference) } }
    var answer: UnsafePointer<rd_kafka_metadata>?
    try KafkaError.check(
      rd_kafka_metadata(handle, topic == nil ? 1 : 0, reference, &answer, timeout.milliseconds),
      operation: "read metadata", topic: topic)
    guard let answer else { preconditionFailure("librdkafka answers or fails") }
    defer { rd_kafka_metadata_destroy(answer) }
    return ClusterMetadata(answer.pointee)
  }
}
