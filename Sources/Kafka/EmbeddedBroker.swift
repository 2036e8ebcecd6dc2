internal import CEmbeddedBroker
internal import CRdKafka
internal import Glibc
public import Logging
internal import Synchronization

/// A Kafka cluster inside this process, for demos and tests: librdkafka's mock cluster.
///
/// It listens on 127.0.0.1, and other processes may use it. It keeps everything in memory and loses
/// it at the end; it keeps some 5 MB per partition as sent, and silently drops the oldest beyond.
/// A new group takes 3 s to form, and each member that joins or leaves one takes the members'
/// `session.timeout.ms` less 1 s (by default 44 s: give consumers 6,000 or less). It has no
/// transactions (aborted records stay visible, offsets sent to a transaction are lost, nothing is
/// fenced), no look-up by time, no compaction, no topic configuration, no administration, no TLS
/// and no SASL. A topic that somebody asks for comes into being with 4 partitions.
public final class EmbeddedBroker: Sendable {
  /// A request of the Kafka protocol, for `fail`.
  public enum Request: Int16, Sendable {
    case produce = 0
    case fetch = 1
    case listOffsets = 2
    case metadata = 3
    case offsetCommit = 8
    case offsetFetch = 9
    case findCoordinator = 10
    case joinGroup = 11
    case heartbeat = 12
    case leaveGroup = 13
    case syncGroup = 14
    case initProducerID = 22
    case addPartitionsToTransaction = 24
    case addOffsetsToTransaction = 25
    case endTransaction = 26
  }

  /// What a group or transaction asks its coordinator under.
  public enum Coordinated: String, Sendable {
    case group, transaction
  }

  /// What the cluster id of every embedded broker begins with.
  package static let clusterIDPrefix = "mockCluster"

  /// `host:port` of all brokers, for `bootstrap.servers`.
  public let bootstrap: String
  private let cluster: Mutex<MockCluster?>

  /// Starts brokers with the ids 1 to `brokers`.
  ///
  /// - Parameters:
  ///   - brokers: How many.
  ///   - topics: Topics to create, with their partition counts.
  ///   - ports: One for each broker; empty lets the system choose.
  ///   - logger: Gets librdkafka's log lines.
  /// - Throws: `KafkaError`, among others when a port is in use.
  public init(
    brokers: Int = 1, topics: [String: Int] = [:], ports: [UInt16] = [], logger: Logger
  ) throws(KafkaError) {
    precondition(brokers > 0 && (ports.isEmpty || ports.count == brokers), "a port per broker")
    let started = try MockCluster(brokers: brokers, ports: ports, logger: logger)
    bootstrap = started.bootstrap
    cluster = Mutex(started)
    for (topic, partitions) in topics.sorted(by: { $0.key < $1.key }) {
      try createTopic(topic, partitions: partitions)
    }
  }

  /// Stops the brokers; clients see them as unreachable.
  public func close() {
    cluster.withLock { $0 = nil }
  }

  /// Creates a topic that is on all brokers, at most three.
  public func createTopic(_ topic: String, partitions: Int) throws(KafkaError) {
    try perform("create topic", topic: topic) { cluster, brokers in
      rd_kafka_mock_topic_create(cluster, topic, Int32(partitions), Int32(min(brokers, 3)))
    }
  }

  /// Lets the next requests of this kind fail with these codes; `.transport` cuts the connection.
  public func fail(_ request: Request, with codes: [KafkaError.Code]) throws(KafkaError) {
    let errors = codes.map { rd_kafka_resp_err_t(rawValue: $0.rawValue) }
    try perform("inject errors") { cluster, _ in
      rd_kafka_mock_push_request_errors_array(cluster, request.rawValue, errors.count, errors)
      return RD_KAFKA_RESP_ERR_NO_ERROR
    }
  }

  /// Forgets the failures of `fail` that have not happened yet.
  public func clearFailures(of request: Request) throws(KafkaError) {
    try perform("clear errors") { cluster, _ in
      rd_kafka_mock_clear_request_errors(cluster, request.rawValue)
      return RD_KAFKA_RESP_ERR_NO_ERROR
    }
  }

  /// Lets metadata requests say this of the topic; `.noError` ends it.
  public func setError(_ code: KafkaError.Code, of topic: String) throws(KafkaError) {
    try perform("set topic error", topic: topic) { cluster, _ in
      rd_kafka_mock_topic_set_error(cluster, topic, rd_kafka_resp_err_t(rawValue: code.rawValue))
      return RD_KAFKA_RESP_ERR_NO_ERROR
    }
  }

  /// Lets answers of a broker, or of all, take at least this long.
  public func setRoundTrip(_ duration: Duration, broker: Int32? = nil) throws(KafkaError) {
    try perform("set round trip") { cluster, _ in
      rd_kafka_mock_broker_set_rtt(cluster, broker ?? -1, duration.milliseconds)
    }
  }

  /// Disconnects a broker, or all, and refuses connections until it is started; leaders stay
  /// leaders.
  public func stop(broker: Int32? = nil) throws(KafkaError) {
    try perform("stop broker") { cluster, _ in
      rd_kafka_mock_broker_set_down(cluster, broker ?? -1)
    }
  }

  /// Starts a stopped broker, or all.
  public func start(broker: Int32? = nil) throws(KafkaError) {
    try perform("start broker") { cluster, _ in
      rd_kafka_mock_broker_set_up(cluster, broker ?? -1)
    }
  }

  /// Makes a broker the leader of a partition; nil leaves it without one.
  public func setLeader(of partition: TopicPartition, to broker: Int32?) throws(KafkaError) {
    try perform("set leader", topic: partition.topic) { cluster, _ in
      rd_kafka_mock_partition_set_leader(
        cluster, partition.topic, partition.partition, broker ?? -1)
    }
  }

  /// Makes a broker the coordinator of a group or of a transactional id.
  public func setCoordinator(
    of kind: Coordinated, _ name: String, to broker: Int32
  ) throws(KafkaError) {
    try perform("set coordinator") { cluster, _ in
      rd_kafka_mock_coordinator_set(cluster, kind.rawValue, name, broker)
    }
  }

  private func perform(
    _ operation: String, topic: String? = nil,
    _ body: (OpaquePointer, Int) -> rd_kafka_resp_err_t
  ) throws(KafkaError) {
    let error = cluster.withLock { cluster in
      cluster.map { body($0.pointer, $0.brokers) }
    }
    guard let error else {
      throw KafkaError(.state, "the embedded broker is closed", operation: operation)
    }
    try KafkaError.check(error, operation: operation, topic: topic)
  }
}

/// The mock cluster, the client that carries it, and its ports.
private final class MockCluster: @unchecked Sendable {
  // @unchecked: used under the owner's mutex only, and no property ever changes.
  let pointer: OpaquePointer
  let brokers: Int
  private let carrier: Client
  /// Sockets that keep the ports while a broker is stopped.
  private let reservations: [Int32]

  init(brokers: Int, ports: [UInt16], logger: Logger) throws(KafkaError) {
    let carrier = try Client(
      RD_KAFKA_PRODUCER,
      properties: ClientProperties(
        operation: "start embedded broker",
        // Warnings only: a client without brokers would tell that it has none.
        fields: ["client.id": "embedded-broker", "log_level": "4"], defaults: [:], properties: [:]),
      context: CallbackContext(logger: logger))
    let wanted = ports.isEmpty ? [UInt16](repeating: 0, count: brokers) : ports
    var reservations = [Int32](repeating: -1, count: brokers)
    var listeners = cutbank_listeners()
    listeners.count = Int32(brokers)
    let cluster = wanted.withUnsafeBufferPointer { wanted in
      reservations.withUnsafeMutableBufferPointer { reservations in
        listeners.ports = wanted.baseAddress
        listeners.reservations = reservations.baseAddress
        return withUnsafeMutablePointer(to: &listeners) { listeners in
          cutbank_listeners_begin(listeners)
          defer { cutbank_listeners_end() }
          return rd_kafka_mock_cluster_new(carrier.handle, Int32(brokers))
        }
      }
    }
    self.carrier = carrier
    self.brokers = brokers
    self.reservations = reservations
    guard let cluster else {
      throw KafkaError(
        .fail, "cannot listen on 127.0.0.1", operation: "start embedded broker",
        hint: "see the log for the reason")
    }
    pointer = cluster
    guard listeners.error == 0 else {
      throw KafkaError(
        .fail,
        "port \(wanted[Int(listeners.bound) - 1]): \(String(cString: strerror(listeners.error)))",
        operation: "start embedded broker", hint: "choose a port that is free")
    }
    guard listeners.bound == brokers else {
      throw KafkaError(
        .fail, "ports were not applied", operation: "start embedded broker",
        hint: "link the executable so that its own bind() comes before the C library's")
    }
  }

  deinit {
    rd_kafka_mock_cluster_destroy(pointer)
    for reservation in reservations where reservation >= 0 { Glibc.close(reservation) }
  }

  var bootstrap: String {
    String(cString: rd_kafka_mock_cluster_bootstraps(pointer))
  }
}
