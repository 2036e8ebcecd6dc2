import Engine
import Kafka
import Testing

/// What the engine is told by members and producers of Kafka.
@Suite(.timeLimit(.minutes(1))) struct KafkaBrokerTests {
  /// Where the mark of a transaction stands at the end, nothing else tells that everything was read.
  @Test func aMemberTellsWhereAPartitionEnds() throws {
    let bench = try PipelineBench()
    defer { #expect(throws: Never.self) { try bench.remove() } }
    try bench.produceNumbers(0..<3)
    let member = try KafkaBroker().makeMember(bench.plan(), logger: PipelineBench.logger)
    let partition = TopicPartition(topic: bench.topic, partition: 0)
    let queue = try member.assign([PartitionStart(partition, at: .offset(0))])[0]
    let wakeup = Wakeup()
    queue.attach(wakeup)
    var batch = RecordBatch(capacity: 64)
    var ends: [Int64] = []
    while ends.isEmpty {
      try Task.checkCancellation()
      _ = queue.append(to: &batch)
      for case .partitionEnd(let offset) in batch.events { ends.append(offset) }
      if ends.isEmpty { wakeup.wait(timeout: .milliseconds(100)) }
    }
    #expect(ends == [3] && batch.count == 3)
    try member.unassign()
    try member.close(timeout: .seconds(10))
  }

  /// Rows that were not delivered are handed in again: what became of them before is over.
  @Test func aRowThatWasNotDeliveredIsToldOnce() throws {
    let plan = try PassingPipeline.plan(
      to: "kafka: {topic: results}",
      extra: "guarantee: at_least_once\nkafka: {message.timeout.ms: 100}")
    let producer = try KafkaBroker().makeProducer(
      plan, transactionalID: nil, logger: PipelineBench.logger)
    try producer.produce(RowBlock([Array("row".utf8)]), to: "results", timeout: .seconds(10))
    #expect(throws: KafkaError.self) { try producer.flush(timeout: .seconds(30)) }
    #expect(throws: Never.self) { try producer.flush(timeout: .seconds(30)) }
  }
}
