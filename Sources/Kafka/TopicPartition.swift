internal import CRdKafka

/// A partition of a topic.
public struct TopicPartition: Hashable, Comparable, Sendable, CustomStringConvertible {
  public var topic: String
  /// Number of the partition, from 0.
  public var partition: Int32

  public init(topic: String, partition: Int32) {
    self.topic = topic
    self.partition = partition
  }

  public var description: String { "\(topic)[\(partition)]" }

  /// By topic, then by number.
  public static func < (left: TopicPartition, right: TopicPartition) -> Bool {
    (left.topic, left.partition) < (right.topic, right.partition)
  }
}

/// A position in a partition, with the text that was or will be committed beside it.
public struct PartitionOffset: Hashable, Sendable {
  public var topicPartition: TopicPartition
  /// Offset of the next record to read.
  public var offset: Int64
  /// Free text kept by the group's coordinator; brokers refuse more than 4,096 bytes by default.
  public var metadata: String

  public init(_ topicPartition: TopicPartition, offset: Int64, metadata: String = "") {
    self.topicPartition = topicPartition
    self.offset = offset
    self.metadata = metadata
  }
}

/// Where reading of a partition begins.
public enum StartOffset: Hashable, Sendable {
  /// At this offset; if the broker does not have it, the queue says `offsetOutOfRange`.
  case offset(Int64)
  /// At the oldest record that the broker still has.
  case beginning
  /// After the newest record.
  case end
  /// At the group's committed offset; without one, the queue says `offsetOutOfRange`.
  case committed

  var rawValue: Int64 {
    switch self {
    case .offset(let offset): offset
    case .beginning: Int64(RD_KAFKA_OFFSET_BEGINNING)
    case .end: Int64(RD_KAFKA_OFFSET_END)
    case .committed: Int64(RD_KAFKA_OFFSET_STORED)
    }
  }
}

/// A partition that a consumer takes, and where it begins to read.
public struct PartitionStart: Hashable, Sendable {
  public var topicPartition: TopicPartition
  public var start: StartOffset

  public init(_ topicPartition: TopicPartition, at start: StartOffset) {
    self.topicPartition = topicPartition
    self.start = start
  }
}

/// The offsets that a partition holds: from `low` up to and without `high`.
public struct Watermarks: Hashable, Sendable {
  /// Offset of the oldest record.
  public var low: Int64
  /// Offset that the next record will get.
  public var high: Int64

  public init(low: Int64, high: Int64) {
    self.low = low
    self.high = high
  }
}
