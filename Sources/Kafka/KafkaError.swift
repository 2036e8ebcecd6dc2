internal import CRdKafka

/// What went wrong between us and a Kafka cluster: what, where and what to do about it.
public struct KafkaError: Error, Equatable, Sendable, CustomStringConvertible {
  /// librdkafka's code; negative codes are raised by the client itself.
  public let code: Code
  /// What happened, lower case, as librdkafka or the broker told it.
  public let message: String
  /// What was being done, such as `commit` or `configure consumer`.
  public let operation: String
  /// `host:port/id` of the broker concerned, where known.
  public let broker: String?
  /// The topic concerned, where known.
  public let topic: String?
  /// The partition concerned, where known.
  public let partition: Int32?
  /// The offset concerned, where known.
  public let offset: Int64?
  /// The client is of no further use and must be made anew.
  public let isFatal: Bool
  /// The same call may succeed when it is made again.
  public let isRetriable: Bool
  /// The open transaction must be aborted; a new one may be begun then.
  public let requiresAbort: Bool
  /// What to do about it, for the common errors.
  public let hint: String?

  package init(
    _ code: Code, _ message: String? = nil, operation: String, broker: String? = nil,
    topic: String? = nil, partition: Int32? = nil, offset: Int64? = nil, isFatal: Bool = false,
    isRetriable: Bool = false, requiresAbort: Bool = false, hint: String? = nil
  ) {
    self.code = code
    self.message = message ?? code.summary
    self.operation = operation
    self.broker = broker
    self.topic = topic
    self.partition = partition
    self.offset = offset
    self.isFatal = isFatal
    self.isRetriable = isRetriable
    self.requiresAbort = requiresAbort
    self.hint = hint ?? code.hint
  }

  /// One line: operation, place, message, code's name and hint.
  public var description: String {
    var place: [String] = []
    if let broker { place.append("broker \(broker)") }
    if let topic { place.append("topic \(topic)") }
    if let partition { place.append("partition \(partition)") }
    if let offset { place.append("offset \(offset)") }
    let at = place.isEmpty ? "" : " (\(place.joined(separator: ", ")))"
    let end = hint.map { "; hint: \($0)" } ?? ""
    return "kafka: \(operation)\(at): \(message) [\(code.name)]\(end)"
  }

  /// A code of librdkafka or of the Kafka protocol.
  public struct Code: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: Int32

    public init(rawValue: Int32) {
      self.rawValue = rawValue
    }

    init(_ error: rd_kafka_resp_err_t) {
      rawValue = error.rawValue
    }

    /// librdkafka's name, such as `_TRANSPORT` or `OFFSET_OUT_OF_RANGE`.
    public var name: String {
      String(cString: rd_kafka_err2name(rd_kafka_resp_err_t(rawValue: rawValue)))
    }

    /// librdkafka's text for the code.
    public var summary: String {
      String(cString: rd_kafka_err2str(rd_kafka_resp_err_t(rawValue: rawValue)))
    }

    public var description: String { name }

    public static let noError = Code(RD_KAFKA_RESP_ERR_NO_ERROR)
    public static let transport = Code(RD_KAFKA_RESP_ERR__TRANSPORT)
    public static let allBrokersDown = Code(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
    public static let resolve = Code(RD_KAFKA_RESP_ERR__RESOLVE)
    public static let tls = Code(RD_KAFKA_RESP_ERR__SSL)
    public static let authentication = Code(RD_KAFKA_RESP_ERR__AUTHENTICATION)
    public static let timedOut = Code(RD_KAFKA_RESP_ERR__TIMED_OUT)
    public static let messageTimedOut = Code(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT)
    public static let queueFull = Code(RD_KAFKA_RESP_ERR__QUEUE_FULL)
    public static let invalidArgument = Code(RD_KAFKA_RESP_ERR__INVALID_ARG)
    public static let state = Code(RD_KAFKA_RESP_ERR__STATE)
    public static let fail = Code(RD_KAFKA_RESP_ERR__FAIL)
    public static let fenced = Code(RD_KAFKA_RESP_ERR__FENCED)
    public static let purgedFromQueue = Code(RD_KAFKA_RESP_ERR__PURGE_QUEUE)
    public static let purgedInFlight = Code(RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
    public static let partitionEnd = Code(RD_KAFKA_RESP_ERR__PARTITION_EOF)
    public static let unknownTopic = Code(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
    public static let unknownPartition = Code(RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
    public static let autoOffsetReset = Code(RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
    public static let maxPollExceeded = Code(RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED)
    public static let noOffset = Code(RD_KAFKA_RESP_ERR__NO_OFFSET)
    public static let assignmentLost = Code(RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST)
    public static let unsupportedFeature = Code(RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE)
    public static let unknownBroker = Code(RD_KAFKA_RESP_ERR__UNKNOWN_BROKER)
    public static let offsetOutOfRange = Code(RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
    public static let unknownTopicOrPartition = Code(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
    public static let topicAlreadyExists = Code(RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
    public static let leaderNotAvailable = Code(RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
    public static let notLeader = Code(RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION)
    public static let requestTimedOut = Code(RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT)
    public static let messageTooLarge = Code(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
    public static let offsetMetadataTooLarge = Code(RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE)
    public static let coordinatorLoading = Code(RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS)
    public static let coordinatorNotAvailable = Code(RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE)
    public static let notCoordinator = Code(RD_KAFKA_RESP_ERR_NOT_COORDINATOR)
    public static let notEnoughReplicas = Code(RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS)
    public static let illegalGeneration = Code(RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION)
    public static let invalidSessionTimeout = Code(RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT)
    public static let unknownMember = Code(RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID)
    public static let rebalanceInProgress = Code(RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS)
    public static let fencedInstance = Code(RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID)
    public static let invalidProducerEpoch = Code(RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH)
    public static let producerFenced = Code(RD_KAFKA_RESP_ERR_PRODUCER_FENCED)
    public static let invalidProducerIDMapping = Code(RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING)
    public static let concurrentTransactions = Code(RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS)
    public static let unstableOffsetCommit = Code(RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT)
    public static let topicAuthorization = Code(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
    public static let groupAuthorization = Code(RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
    public static let clusterAuthorization = Code(RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED)
    public static let transactionAuthorization = Code(
      RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
  }
}

extension KafkaError.Code {
  /// What an operator can do about the code.
  var hint: String? {
    switch self {
    case .transport, .allBrokersDown:
      "check that the brokers run and that host and port can be reached from here"
    case .resolve:
      "check the host names of the brokers, also those that the brokers advertise"
    case .tls:
      "check security.protocol, ssl.ca.location, the host name in the broker's certificate, and "
        + "ssl.certificate.location and ssl.key.location where brokers ask for a certificate"
    case .authentication:
      "check sasl.mechanism, sasl.username and sasl.password"
    case .topicAuthorization, .groupAuthorization, .clusterAuthorization,
      .transactionAuthorization:
      "grant the right to this principal on the brokers"
    case .unknownTopic, .unknownTopicOrPartition, .unknownPartition:
      "create the topic, or correct its name and partition count"
    case .autoOffsetReset, .offsetOutOfRange:
      "the records were deleted by retention, or the topic was made anew: choose a start position"
    case .messageTooLarge:
      "raise message.max.bytes here and max.message.bytes of the topic"
    case .queueFull:
      "wait for deliveries, or raise queue.buffering.max.messages or queue.buffering.max.kbytes"
    case .messageTimedOut:
      "check that the partition has a leader, or raise message.timeout.ms"
    case .fenced, .invalidProducerEpoch, .producerFenced:
      "another producer with the same transactional.id took over: this one must end"
    case .fencedInstance:
      "another member uses the same group.instance.id: give each instance its own"
    case .illegalGeneration, .unknownMember, .rebalanceInProgress, .assignmentLost:
      "the group has moved on: wait for the next assignment"
    case .invalidSessionTimeout:
      "set session.timeout.ms between the brokers' group.min.session.timeout.ms (6000) and "
        + "group.max.session.timeout.ms"
    case .maxPollExceeded:
      "poll the consumer more often, or raise max.poll.interval.ms"
    case .offsetMetadataTooLarge:
      "shorten the metadata, or raise offset.metadata.max.bytes of the brokers"
    case .unstableOffsetCommit:
      "a transaction that covers these offsets is open: try again"
    case .notEnoughReplicas:
      "start the missing brokers, or lower min.insync.replicas of the topic"
    default: nil
    }
  }
}

extension KafkaError {
  /// Whether the cluster knows the producer that met this error no more: another one of its
  /// transactional id has taken over, or the coordinator has ended a transaction that was open too
  /// long.
  public var tellsOfTakeover: Bool {
    switch code {
    case .fenced, .invalidProducerEpoch, .producerFenced, .invalidProducerIDMapping: true
    default: false
    }
  }

  /// Whether only a new producer can go on.
  ///
  /// librdkafka calls a take-over fatal when some requests meet it; after the others the same
  /// producer would meet it for ever.
  public var endsProducer: Bool { isFatal || tellsOfTakeover }

  /// Whether brokers that are away, slow or about to change places are all that it tells of: the same may be
  /// asked again.
  public var isPassing: Bool {
    guard !isFatal else { return false }
    return switch code {
    case .timedOut, .transport, .allBrokersDown, .resolve, .requestTimedOut, .leaderNotAvailable,
      .notLeader, .coordinatorLoading, .coordinatorNotAvailable, .notCoordinator, .unknownBroker:
      true
    default: isRetriable
    }
  }

  /// Throws when `error` says that a call failed.
  static func check(
    _ error: rd_kafka_resp_err_t, operation: String, topic: String? = nil, partition: Int32? = nil
  ) throws(KafkaError) {
    guard error != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
    throw KafkaError(Code(error), operation: operation, topic: topic, partition: partition)
  }

  /// Throws the error object that a call returned, after freeing it; nil is success.
  static func check(_ error: OpaquePointer?, operation: String) throws(KafkaError) {
    guard let error else { return }
    throw KafkaError(consuming: error, operation: operation)
  }

  private init(consuming error: OpaquePointer, operation: String) {
    defer { rd_kafka_error_destroy(error) }
    self.init(
      Code(rd_kafka_error_code(error)), String(cString: rd_kafka_error_string(error)),
      operation: operation, isFatal: rd_kafka_error_is_fatal(error) != 0,
      isRetriable: rd_kafka_error_is_retriable(error) != 0,
      requiresAbort: rd_kafka_error_txn_requires_abort(error) != 0)
  }
}
