internal import CRdKafka

// Positions and commits.
extension Consumer {
  /// Commits and waits for the coordinator's answer.
  ///
  /// - Throws: `KafkaError`, of the first partition that was refused when others were committed.
  public func commit(_ offsets: [PartitionOffset]) throws(KafkaError) {
    let list = TopicPartitionList(offsets)
    let error = rd_kafka_commit(client.handle, list.pointer, 0)
    try list.check(operation: "commit")
    try KafkaError.check(error, operation: "commit")
  }

  /// Commits without waiting; `poll` gives a `.committed` with the tag when it was answered.
  ///
  /// Commits are answered in the order in which they were made.
  public func commit(_ offsets: [PartitionOffset], tag: UInt64) throws(KafkaError) {
    let list = TopicPartitionList(offsets)
    guard let queue = rd_kafka_queue_get_consumer(client.handle) else {
      throw KafkaError(.state, "the consumer is closed", operation: "commit")
    }
    defer { rd_kafka_queue_destroy(queue) }
    // The tag travels as the bits of a pointer that nobody follows.
    try KafkaError.check(
      rd_kafka_commit_queue(
        client.handle, list.pointer, queue,
        { client, error, offsets, tag in
          guard let client,
            let context = CallbackContext.of(rd_kafka_opaque(client)) as? ConsumerContext
          else { return }
          context.receive(
            .committed(CommitResult(tag: tag, error: error, offsets: offsets)), from: client)
        }, UnsafeMutableRawPointer(bitPattern: UInt(tag))),
      operation: "commit")
  }

  /// What the group has committed, with its metadata; waits while a transaction over it is open.
  ///
  /// - Returns: By partition; a partition without a commit is missing.
  /// - Throws: `KafkaError`; `unstableOffsetCommit` or `timedOut` when the transaction was still open
  ///   after `timeout`.
  public func committed(
    _ partitions: [TopicPartition], timeout: Duration
  ) throws(KafkaError) -> [TopicPartition: PartitionOffset] {
    let clock = ContinuousClock()
    let end = clock.now + timeout
    while true {
      let list = TopicPartitionList(partitions)
      try KafkaError.check(
        rd_kafka_committed(client.handle, list.pointer, (end - clock.now).milliseconds),
        operation: "read committed offsets")
      do throws(KafkaError) {
        try list.check(operation: "read committed offsets")
        return list.positions
      } catch {
        // librdkafka gives up after its second retry, a few milliseconds later.
        guard error.code == .unstableOffsetCommit, clock.now < end else { throw error }
      }
    }
  }

  /// The offset after the last record that was polled from the queue of each partition.
  ///
  /// - Returns: By partition; one of which nothing was polled yet is missing.
  public func positions(
    _ partitions: [TopicPartition]
  ) throws(KafkaError) -> [TopicPartition: Int64] {
    let list = TopicPartitionList(partitions)
    try KafkaError.check(rd_kafka_position(client.handle, list.pointer), operation: "read position")
    try list.check(operation: "read position")
    return list.positions.mapValues(\.offset)
  }

  /// Goes on reading assigned partitions elsewhere; what waits in their queues is dropped.
  public func seek(_ starts: [PartitionStart], timeout: Duration) throws(KafkaError) {
    let list = TopicPartitionList(starts)
    try KafkaError.check(
      rd_kafka_seek_partitions(client.handle, list.pointer, timeout.milliseconds),
      operation: "seek")
    try list.check(operation: "seek")
  }

  /// Stops fetching assigned partitions; what waits in their queues is fetched again after
  /// `resume`.
  public func pause(_ partitions: [TopicPartition]) throws(KafkaError) {
    let list = TopicPartitionList(partitions)
    try KafkaError.check(
      rd_kafka_pause_partitions(client.handle, list.pointer), operation: "pause")
    try list.check(operation: "pause")
  }

  /// Fetches paused partitions again.
  public func resume(_ partitions: [TopicPartition]) throws(KafkaError) {
    let list = TopicPartitionList(partitions)
    try KafkaError.check(
      rd_kafka_resume_partitions(client.handle, list.pointer), operation: "resume")
    try list.check(operation: "resume")
  }

  /// The watermarks that the last fetch brought, without asking; nil before the first.
  public func cachedWatermarks(of partition: TopicPartition) -> Watermarks? {
    var low: Int64 = 0
    var high: Int64 = 0
    let error = rd_kafka_get_watermark_offsets(
      client.handle, partition.topic, partition.partition, &low, &high)
    guard error == RD_KAFKA_RESP_ERR_NO_ERROR, low >= 0, high >= 0 else { return nil }
    return Watermarks(low: low, high: high)
  }

  /// This member's place in its group, for `Producer.sendOffsets`; take it anew after each
  /// assignment.
  public func groupMetadata() throws(KafkaError) -> GroupMetadata {
    guard let pointer = rd_kafka_consumer_group_metadata(client.handle) else {
      throw KafkaError(.state, "the consumer has no group", operation: "read group metadata")
    }
    return GroupMetadata(owning: pointer)
  }

  /// The id that the coordinator gave to this member; nil before it joined.
  public var memberID: String? {
    guard let pointer = rd_kafka_memberid(client.handle) else { return nil }
    defer { rd_kafka_mem_free(client.handle, pointer) }
    return pointer.pointee == 0 ? nil : String(cString: pointer)
  }
}

/// A member's place in its group at one moment: generation, member id, instance.
public final class GroupMetadata: @unchecked Sendable {
  // @unchecked: librdkafka never changes what the pointer points to.
  let pointer: OpaquePointer

  init(owning pointer: OpaquePointer) {
    self.pointer = pointer
  }

  deinit {
    rd_kafka_consumer_group_metadata_destroy(pointer)
  }
}

extension TopicPartitionList {
  /// The positions of the partitions that have one.
  var positions: [TopicPartition: PartitionOffset] {
    var found: [TopicPartition: PartitionOffset] = [:]
    for (partition, position) in offsets { found[partition] = position }
    return found
  }
}

extension CommitResult {
  fileprivate init(
    tag: UnsafeMutableRawPointer?, error: rd_kafka_resp_err_t,
    offsets: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
  ) {
    self.tag = UInt64(UInt(bitPattern: tag))
    var failures: [TopicPartition: KafkaError] = [:]
    for index in 0..<Int(offsets?.pointee.cnt ?? 0) {
      guard let element = offsets?.pointee.elems[index],
        element.err != RD_KAFKA_RESP_ERR_NO_ERROR
      else { continue }
      let partition = TopicPartition(
        topic: String(cString: element.topic), partition: element.partition)
      failures[partition] = KafkaError(
        KafkaError.Code(element.err), operation: "commit", topic: partition.topic,
        partition: partition.partition)
    }
    self.failures = failures
    self.error =
      error == RD_KAFKA_RESP_ERR_NO_ERROR
      ? failures.min { $0.key < $1.key }?.value
      : KafkaError(KafkaError.Code(error), operation: "commit")
  }
}
