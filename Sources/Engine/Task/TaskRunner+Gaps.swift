import Kafka
import Logging

/// Records that were deleted before they were read.
extension TaskRunner {
  /// Goes on after records that were deleted unread, if the input allows it.
  func passGap(_ index: Int, _ failure: TaskFailure) throws {
    guard case .offsetOutOfRange(let partition, let expected, _) = failure else { throw failure }
    guard let marks = gaps.marks(of: partition, now: elapsed) else { return }
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

  /// The brokers have said what a partition holds of which records are gone, or have not answered.
  func answered(
    _ partition: TopicPartition, _ answer: Result<Watermarks, KafkaError>
  ) throws(TaskFailure) {
    // One that has ended asks nothing more.
    if case .ended = phase { return }
    try gaps.answered(partition, answer, now: elapsed)
    publishStatus()
  }
}
