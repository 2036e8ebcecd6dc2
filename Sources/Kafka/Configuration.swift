/// How the group shares the partitions of its topics between its members.
public enum AssignmentStrategy: String, Sendable, CaseIterable {
  /// Neighbouring partitions to one member; partition i of several topics stays together.
  case range
  /// One by one in turn.
  case roundRobin = "roundrobin"
  /// Even and with few moves; members keep working on what does not move.
  case cooperativeSticky = "cooperative-sticky"
}

/// What a consumer is to be connected to, and how.
public struct ConsumerConfiguration: Sendable {
  /// `host:port`, several separated by commas.
  public var brokers: String
  /// The consumer group; readers outside of any group leave it nil and only `assign`.
  public var group: String?
  /// Name under which brokers log this client and count its quotas.
  public var clientID = "cutbank"
  /// Static membership: a restart with the same name within the session timeout moves no partition.
  public var instance: String?
  public var assignment = AssignmentStrategy.range
  /// Whether a queue tells each time that everything has been read so far.
  public var reportsPartitionEnd = false
  /// Most kilobytes that wait in one partition's queue, one fetch more at worst.
  ///
  /// Nil is librdkafka's 64 MiB. When all queues of a broker are full, librdkafka looks again after
  /// up to 1 s: together they should hold what is processed in that time.
  public var queueKilobytes: Int?
  /// How often a `.statistics` event comes; nil is never.
  public var statisticsInterval: Duration?
  /// Further properties of librdkafka by their names there: TLS, SASL, timeouts.
  public var properties: [String: String]

  public init(brokers: String, group: String?, properties: [String: String] = [:]) {
    self.brokers = brokers
    self.group = group
    self.properties = properties
  }

  /// All errors of this configuration: unknown properties, values out of range.
  public func validate() -> [KafkaError] {
    clientProperties.validate()
  }

  var clientProperties: ClientProperties {
    var fields = [
      "bootstrap.servers": brokers,
      "client.id": clientID,
      "partition.assignment.strategy": assignment.rawValue,
      "enable.partition.eof": reportsPartitionEnd ? "true" : "false",
      // librdkafka's consumer cannot be without a group; this one is never joined nor committed to.
      "group.id": group ?? "cutbank-reader",
    ]
    if let instance { fields["group.instance.id"] = instance }
    if let queueKilobytes { fields["queued.max.messages.kbytes"] = "\(queueKilobytes)" }
    if let statisticsInterval {
      fields["statistics.interval.ms"] = "\(statisticsInterval.milliseconds)"
    }
    return ClientProperties(
      operation: "configure consumer", fields: fields,
      defaults: [
        "auto.offset.reset": "error", "enable.auto.commit": "false",
        "enable.auto.offset.store": "false",
        // How soon the group is asked again whether a transaction over its offsets has ended.
        "retry.backoff.ms": "5",
      ],
      properties: properties)
  }
}

/// What a producer is to be connected to, and how.
public struct ProducerConfiguration: Sendable {
  /// Which messages get a delivery report of their own.
  public enum Reports: Sendable {
    /// Those that failed, and those with a tag.
    case failuresAndTagged
    /// Those that failed; a success leaves no trace but in `outstanding`, which is fastest.
    case failures
  }

  /// `host:port`, several separated by commas.
  public var brokers: String
  /// Name under which brokers log this client and count its quotas.
  public var clientID = "cutbank"
  /// Makes the producer transactional and fences older ones of the same name.
  public var transactionalID: String?
  public var reports = Reports.failuresAndTagged
  /// How often a `.statistics` event comes; nil is never.
  public var statisticsInterval: Duration?
  /// Further properties of librdkafka by their names there: TLS, SASL, compression, linger.
  public var properties: [String: String]

  public init(
    brokers: String, transactionalID: String? = nil, properties: [String: String] = [:]
  ) {
    self.brokers = brokers
    self.transactionalID = transactionalID
    self.properties = properties
  }

  /// All errors of this configuration: unknown properties, values out of range.
  public func validate() -> [KafkaError] {
    clientProperties.validate()
  }

  var clientProperties: ClientProperties {
    var fields = [
      "bootstrap.servers": brokers,
      "client.id": clientID,
      "delivery.report.only.error": reports == .failures ? "true" : "false",
    ]
    if let transactionalID { fields["transactional.id"] = transactionalID }
    if let statisticsInterval {
      fields["statistics.interval.ms"] = "\(statisticsInterval.milliseconds)"
    }
    return ClientProperties(
      operation: "configure producer", fields: fields,
      defaults: ["enable.idempotence": "true", "partitioner": "murmur2_random"],
      properties: properties)
  }
}
