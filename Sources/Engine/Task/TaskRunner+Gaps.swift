import Kafka
import Logging

/// Records that were deleted before they were read.
extension TaskRunner {
  /// Goes on after records that were deleted unread, if the input allows it.
  func passGap(_ index: Int, _ failure: TaskFailure) throws {
    guard case .offsetOutOfRange(let partition, let expected, _) = failure else { throw failure }
    guard let marks = try gapMarks(of: partition) else { return }
    let target: Int64
    switch core.plan.inputs[core.buffers[index].input].gapPolicy {
    case .stop: throw TaskFailure.offsetOutOfRange(partition, expected: expected, marks)
    case .earliest: target = marks.low
    case .latest: target = marks.high
    }
    start.services.logger.warning(
      "task \(name) goes on at offset \(target): \(TaskFailure.offsetOutOfRange(partition, expected: expected, marks))"
    )
    try core.passGap(partition: index, to: target)
    // A topic that was made anew holds less than was known.
    core.buffers[index].knownEnd = marks.high
    log.noteGap()
    publishStatus()
    // Nothing more is fetched until all partitions are given anew, behind what is here already.
    for buffer in core.buffers { buffer.queue = nil }
    start.control.post(
      .restart(
        name, core.buffers.map { PartitionStart($0.topicPartition, at: .offset($0.fetchedEnd)) }))
  }

  /// What a partition holds of which records are gone; nil while the brokers do not tell, and are asked again.
  func gapMarks(of partition: TopicPartition) throws -> Watermarks? {
    guard elapsed >= nextGapAttempt else { return nil }
    do throws(KafkaError) {
      return try start.consumer.watermarks(of: partition, timeout: .seconds(5))
    } catch {
      guard error.isPassing else { throw TaskFailure.kafka(error) }
      nextGapAttempt = elapsed + 1_000
      start.services.logger.warning(
        "task \(name) waits to be told where \(partition) begins: \(error)")
      return nil
    }
  }
}
