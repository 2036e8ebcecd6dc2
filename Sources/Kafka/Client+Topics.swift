internal import CRdKafka

// What only an administrator's request can do; the embedded broker answers none of them.
extension Client {
  /// Creates a topic and waits until a broker tells of it.
  ///
  /// - Parameters:
  ///   - topic: Its name.
  ///   - partitions: How many.
  ///   - replicas: Copies of each partition; nil is the brokers' default.
  ///   - configuration: Topic settings by their names in Kafka, such as `cleanup.policy`.
  ///   - timeout: How long to wait for the controller, and then for a broker.
  /// - Throws: `KafkaError`; `.topicAlreadyExists` when there is one.
  public func createTopic(
    _ topic: String, partitions: Int, replicas: Int? = nil, configuration: [String: String] = [:],
    timeout: Duration
  ) throws(KafkaError) {
    let operation = "create topic"
    var reason = [CChar](repeating: 0, count: 512)
    guard
      let request = rd_kafka_NewTopic_new(
        topic, Int32(partitions), Int32(replicas ?? -1), &reason, reason.count)
    else {
      throw KafkaError(.invalidArgument, reason.message, operation: operation, topic: topic)
    }
    defer { rd_kafka_NewTopic_destroy(request) }
    for (name, value) in configuration.sorted(by: { $0.key < $1.key }) {
      try KafkaError.check(
        rd_kafka_NewTopic_set_config(request, name, value), operation: operation, topic: topic)
    }
    let event = try administer(
      RD_KAFKA_ADMIN_OP_CREATETOPICS, operation, topic: topic, timeout: timeout
    ) { options, queue in
      var requests: [OpaquePointer?] = [request]
      rd_kafka_CreateTopics(handle, &requests, requests.count, options, queue)
    }
    defer { rd_kafka_event_destroy(event) }
    var count = 0
    guard
      let results = rd_kafka_CreateTopics_result_topics(
        rd_kafka_event_CreateTopics_result(event), &count), count == 1
    else { throw KafkaError(.fail, "an answer without the topic", operation: operation) }
    try Self.check(
      rd_kafka_topic_result_error(results[0]), rd_kafka_topic_result_error_string(results[0]),
      operation, topic)
    try waitForPartitions(partitions, of: topic, operation, timeout: timeout)
  }

  /// Waits until a broker tells of so many partitions: the controller answers before brokers know, and
  /// what is written or asked meanwhile would be refused.
  private func waitForPartitions(
    _ count: Int, of topic: String, _ operation: String, timeout: Duration
  ) throws(KafkaError) {
    let end = ContinuousClock.now + timeout
    let pause = Wakeup()
    while true {
      let left = max(.milliseconds(1), end - ContinuousClock.now)
      let found = try metadata(topic: topic, timeout: left).topic(topic)
      switch found?.error?.code {
      case nil where found?.partitions.count ?? 0 >= count: return
      case nil, .unknownTopicOrPartition, .leaderNotAvailable: break
      // Whoever may not see the topic is told nothing.
      default: return
      }
      guard ContinuousClock.now < end else {
        throw KafkaError(
          .timedOut, "no broker tells of it", operation: operation, topic: topic)
      }
      pause.wait(timeout: .milliseconds(5))
    }
  }

  /// Gives a topic more partitions and waits until a broker tells of them.
  ///
  /// - Parameters:
  ///   - topic: Its name.
  ///   - count: How many it shall have in all; more than it has.
  ///   - timeout: How long to wait for the controller, and then for a broker.
  /// - Throws: `KafkaError`; `.unknownTopicOrPartition` when there is no such topic.
  public func addPartitions(
    to topic: String, upTo count: Int, timeout: Duration
  ) throws(KafkaError) {
    let operation = "add partitions"
    var reason = [CChar](repeating: 0, count: 512)
    guard let request = rd_kafka_NewPartitions_new(topic, count, &reason, reason.count) else {
      throw KafkaError(.invalidArgument, reason.message, operation: operation, topic: topic)
    }
    defer { rd_kafka_NewPartitions_destroy(request) }
    let event = try administer(
      RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, operation, topic: topic, timeout: timeout
    ) { options, queue in
      var requests: [OpaquePointer?] = [request]
      rd_kafka_CreatePartitions(handle, &requests, requests.count, options, queue)
    }
    defer { rd_kafka_event_destroy(event) }
    var answers = 0
    guard
      let results = rd_kafka_CreatePartitions_result_topics(
        rd_kafka_event_CreatePartitions_result(event), &answers), answers == 1
    else { throw KafkaError(.fail, "an answer without the topic", operation: operation) }
    try Self.check(
      rd_kafka_topic_result_error(results[0]), rd_kafka_topic_result_error_string(results[0]),
      operation, topic)
    try waitForPartitions(count, of: topic, operation, timeout: timeout)
  }

  /// Deletes a topic with all its records.
  ///
  /// - Parameters:
  ///   - topic: Its name.
  ///   - timeout: How long to wait for the controller.
  /// - Throws: `KafkaError`; `.unknownTopicOrPartition` when there is no such topic.
  public func deleteTopic(_ topic: String, timeout: Duration) throws(KafkaError) {
    let operation = "delete topic"
    guard let request = rd_kafka_DeleteTopic_new(topic) else {
      throw KafkaError(.invalidArgument, operation: operation, topic: topic)
    }
    defer { rd_kafka_DeleteTopic_destroy(request) }
    let event = try administer(
      RD_KAFKA_ADMIN_OP_DELETETOPICS, operation, topic: topic, timeout: timeout
    ) { options, queue in
      var requests: [OpaquePointer?] = [request]
      rd_kafka_DeleteTopics(handle, &requests, requests.count, options, queue)
    }
    defer { rd_kafka_event_destroy(event) }
    var count = 0
    guard
      let results = rd_kafka_DeleteTopics_result_topics(
        rd_kafka_event_DeleteTopics_result(event), &count), count == 1
    else { throw KafkaError(.fail, "an answer without the topic", operation: operation) }
    try Self.check(
      rd_kafka_topic_result_error(results[0]), rd_kafka_topic_result_error_string(results[0]),
      operation, topic)
  }

  /// Lets the brokers drop the records of a partition before an offset.
  ///
  /// - Throws: `KafkaError`; `.topicAuthorization` without the right to delete.
  public func deleteRecords(
    before offset: Int64, of partition: TopicPartition, timeout: Duration
  ) throws(KafkaError) {
    let operation = "delete records"
    let list = TopicPartitionList([partition], offset: offset)
    guard let request = rd_kafka_DeleteRecords_new(list.pointer) else {
      throw KafkaError(.invalidArgument, operation: operation, topic: partition.topic)
    }
    defer { rd_kafka_DeleteRecords_destroy(request) }
    let event = try administer(
      RD_KAFKA_ADMIN_OP_DELETERECORDS, operation, topic: partition.topic, timeout: timeout
    ) { options, queue in
      var requests: [OpaquePointer?] = [request]
      rd_kafka_DeleteRecords(handle, &requests, requests.count, options, queue)
    }
    defer { rd_kafka_event_destroy(event) }
    guard
      let results = rd_kafka_DeleteRecords_result_offsets(
        rd_kafka_event_DeleteRecords_result(event)), results.pointee.cnt == 1
    else { throw KafkaError(.fail, "an answer without the partition", operation: operation) }
    try KafkaError.check(
      results.pointee.elems[0].err, operation: operation, topic: partition.topic,
      partition: partition.partition)
  }

  /// The settings of a topic, the brokers' defaults included, such as `min.compaction.lag.ms`.
  ///
  /// - Parameters:
  ///   - topic: Its name.
  ///   - timeout: How long to wait for a broker.
  /// - Returns: Values by the settings' names; secrets are missing.
  /// - Throws: `KafkaError`; `.unknownTopicOrPartition` when there is none.
  public func configuration(
    of topic: String, timeout: Duration
  ) throws(KafkaError) -> [String: String] {
    let operation = "read topic configuration"
    guard let resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic) else {
      throw KafkaError(.invalidArgument, operation: operation, topic: topic)
    }
    defer { rd_kafka_ConfigResource_destroy(resource) }
    let event = try administer(
      RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, operation, topic: topic, timeout: timeout
    ) { options, queue in
      var requests: [OpaquePointer?] = [resource]
      rd_kafka_DescribeConfigs(handle, &requests, requests.count, options, queue)
    }
    defer { rd_kafka_event_destroy(event) }
    var count = 0
    guard
      let results = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(event), &count), count == 1
    else { throw KafkaError(.fail, "an answer without the topic", operation: operation) }
    try Self.check(
      rd_kafka_ConfigResource_error(results[0]), rd_kafka_ConfigResource_error_string(results[0]),
      operation, topic)
    let entries = rd_kafka_ConfigResource_configs(results[0], &count)
    var found: [String: String] = [:]
    for index in 0..<count {
      guard let entry = entries?[index], let value = rd_kafka_ConfigEntry_value(entry) else {
        continue
      }
      found[String(cString: rd_kafka_ConfigEntry_name(entry))] = String(cString: value)
    }
    return found
  }

  /// Makes the request and waits for its event, which the caller destroys.
  private func administer(
    _ kind: rd_kafka_admin_op_t, _ operation: String, topic: String, timeout: Duration,
    request: (_ options: OpaquePointer?, _ queue: OpaquePointer?) -> Void
  ) throws(KafkaError) -> OpaquePointer {
    let options = rd_kafka_AdminOptions_new(handle, kind)
    defer { rd_kafka_AdminOptions_destroy(options) }
    var reason = [CChar](repeating: 0, count: 512)
    let error = rd_kafka_AdminOptions_set_request_timeout(
      options, max(1, timeout.milliseconds), &reason, reason.count)
    guard error == RD_KAFKA_RESP_ERR_NO_ERROR else {
      throw KafkaError(KafkaError.Code(error), reason.message, operation: operation, topic: topic)
    }
    let queue = rd_kafka_queue_new(handle)
    defer { rd_kafka_queue_destroy(queue) }
    request(options, queue)
    // The request always answers, at the latest by its own timeout.
    guard let event = rd_kafka_queue_poll(queue, -1) else {
      throw KafkaError(.timedOut, operation: operation, topic: topic)
    }
    do throws(KafkaError) {
      try Self.check(
        rd_kafka_event_error(event), rd_kafka_event_error_string(event), operation, topic)
    } catch {
      rd_kafka_event_destroy(event)
      throw error
    }
    return event
  }

  private static func check(
    _ error: rd_kafka_resp_err_t, _ text: UnsafePointer<CChar>?, _ operation: String,
    _ topic: String
  ) throws(KafkaError) {
    guard error != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
    throw KafkaError(
      KafkaError.Code(error), text.map { String(cString: $0) }, operation: operation, topic: topic)
  }
}
