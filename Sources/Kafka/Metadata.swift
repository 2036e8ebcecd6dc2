internal import CRdKafka

/// What the cluster says of itself.
public struct ClusterMetadata: Sendable {
  public struct Broker: Sendable, Hashable {
    public let id: Int32
    public let host: String
    public let port: Int
  }

  public struct Partition: Sendable, Hashable {
    public let number: Int32
    /// Id of the leading broker; nil when there is none at present.
    public let leader: Int32?
    /// Ids of the brokers that keep a copy.
    public let replicas: [Int32]
    /// Ids of those whose copy is complete.
    public let inSyncReplicas: [Int32]
  }

  public struct Topic: Sendable {
    public let name: String
    /// By number.
    public let partitions: [Partition]
    /// Why nothing is known of the topic, such as `unknownTopicOrPartition`.
    public let error: KafkaError?
  }

  public let brokers: [Broker]
  public let topics: [Topic]

  /// The topic of this name, if it was asked for.
  public func topic(_ name: String) -> Topic? {
    topics.first { $0.name == name }
  }

  init(_ metadata: rd_kafka_metadata) {
    brokers = (0..<Int(metadata.broker_cnt)).map { index in
      let broker = metadata.brokers[index]
      return Broker(id: broker.id, host: String(cString: broker.host), port: Int(broker.port))
    }
    topics = (0..<Int(metadata.topic_cnt)).map { Topic(metadata.topics[$0]) }
  }
}

extension ClusterMetadata.Topic {
  fileprivate init(_ topic: rd_kafka_metadata_topic) {
    let name = String(cString: topic.topic)
    self.name = name
    partitions = (0..<Int(topic.partition_cnt)).map { index in
      let partition = topic.partitions[index]
      return ClusterMetadata.Partition(
        number: partition.id, leader: partition.leader < 0 ? nil : partition.leader,
        replicas: (0..<Int(partition.replica_cnt)).map { partition.replicas[$0] },
        inSyncReplicas: (0..<Int(partition.isr_cnt)).map { partition.isrs[$0] })
    }.sorted { $0.number < $1.number }
    error =
      topic.err == RD_KAFKA_RESP_ERR_NO_ERROR
      ? nil : KafkaError(KafkaError.Code(topic.err), operation: "read metadata", topic: name)
  }
}
