internal import CRdKafka
internal import Glibc

/// librdkafka's list of partitions, freed with its owner.
struct TopicPartitionList: ~Copyable {
  let pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

  /// Takes over a list that librdkafka made.
  init(owning pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) {
    self.pointer = pointer
  }

  init(_ partitions: [TopicPartition], offset: Int64? = nil) {
    pointer = rd_kafka_topic_partition_list_new(Int32(partitions.count))
    for partition in partitions {
      let element = rd_kafka_topic_partition_list_add(
        pointer, partition.topic, partition.partition)
      if let offset { element?.pointee.offset = offset }
    }
  }

  init(_ starts: [PartitionStart]) {
    self.init(starts.map(\.topicPartition))
    for (index, start) in starts.enumerated() {
      pointer.pointee.elems[index].offset = start.start.rawValue
    }
  }

  init(_ offsets: [PartitionOffset]) {
    self.init(offsets.map(\.topicPartition))
    for (index, offset) in offsets.enumerated() {
      pointer.pointee.elems[index].offset = offset.offset
      guard !offset.metadata.isEmpty else { continue }
      // librdkafka frees the metadata with free(), so it must come from malloc().
      let bytes = Array(offset.metadata.utf8)
      guard let copy = malloc(bytes.count) else { preconditionFailure("out of memory") }
      copy.copyMemory(from: bytes, byteCount: bytes.count)
      pointer.pointee.elems[index].metadata = copy
      pointer.pointee.elems[index].metadata_size = bytes.count
    }
  }

  deinit {
    rd_kafka_topic_partition_list_destroy(pointer)
  }

  var count: Int { Int(pointer.pointee.cnt) }

  /// Throws the error of the first partition that has one.
  func check(operation: String) throws(KafkaError) {
    for index in 0..<count {
      let element = pointer.pointee.elems[index]
      try KafkaError.check(
        element.err, operation: operation, topic: String(cString: element.topic),
        partition: element.partition)
    }
  }

  /// The partitions without their offsets.
  var partitions: [TopicPartition] { Self.partitions(pointer) }

  /// The positions; nil where there is none.
  var offsets: [(partition: TopicPartition, position: PartitionOffset?)] {
    (0..<count).map { index in
      let element = pointer.pointee.elems[index]
      let partition = TopicPartition(
        topic: String(cString: element.topic), partition: element.partition)
      guard element.offset >= 0 else { return (partition, nil) }
      let metadata = UnsafeRawBufferPointer(
        start: element.metadata, count: element.metadata == nil ? 0 : element.metadata_size)
      return (
        partition,
        PartitionOffset(
          partition, offset: element.offset, metadata: String(decoding: metadata, as: UTF8.self))
      )
    }
  }

  /// Copies the partitions of a list that somebody else owns.
  static func partitions(
    _ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>
  ) -> [TopicPartition] {
    (0..<Int(list.pointee.cnt)).map { index in
      let element = list.pointee.elems[index]
      return TopicPartition(topic: String(cString: element.topic), partition: element.partition)
    }
  }
}
