import Engine
import Kafka
import Logging
import RimSupport
import Synchronization

/// A topic writer whose producer notes what it is told.
struct TopicStage {
  let time = ManualTime()
  let writer: TopicWriter
  let turns: TopicTurns
  private let notes = TopicNotes()

  init(patience: Int64 = 0, transactionalID: String? = "id") throws {
    let plan = try PassingPipeline.plan("topics", to: "kafka: {topic: results}")
    writer = TopicWriter(transactionalID: transactionalID, timing: plan.configuration.timing)
    turns = TopicTurns(
      writer: writer, plan: plan, broker: NotingBroker(notes: notes),
      logger: PipelineBench.logger, time: time, patience: patience)
  }

  /// What the producer was told so far.
  var calls: [String] { everything.filter { !$0.hasPrefix("read ") } }

  /// What the producer was told so far, and of which partitions the group was asked what is committed.
  var everything: [String] { notes.state.withLock { $0.calls } }

  /// What tasks were answered so far.
  var answers: [String] { notes.state.withLock { $0.answers } }

  /// Lets the next call of a kind fail.
  func fail(_ call: String, with error: KafkaError) {
    notes.state.withLock { $0.failures[call] = error }
  }

  /// Does something during the next call of a kind.
  func during(_ call: String, _ body: @escaping @Sendable () -> Void) {
    notes.state.withLock { $0.interruptions[call] = body }
  }

  /// Lets the group know the member by another id than before.
  func joinAgain(as id: String) { notes.state.withLock { $0.memberID = id } }

  func name(_ task: Int) -> TaskName { TaskName(pipeline: "topics", number: task) }

  /// Does all that can be done now.
  func turnAll() { while turns.turn() {} }

  /// Hands in rows of a task, with a commit or ahead of it.
  func hand(commit: Int64? = nil, rows: [String] = [], of task: Int) {
    let notes = notes
    let record = CommitRecord(
      life: "life", epoch: 0, commit: commit ?? 0, snapshot: 0, previousSnapshot: 0, segment: 0,
      segmentEnd: 0)
    let partition = TopicPartition(topic: "numbers", partition: Int32(task))
    writer.submit(
      TopicCommit(
        task: name(task), record: record,
        rows: rows.map { .init(topic: "results", rows: RowBlock([Array($0.utf8)])) },
        offsets: commit == nil ? [] : [PartitionOffset(partition, offset: 1)],
        member: PlacedMember(notes: notes), memberID: notes.state.withLock { $0.memberID }
      ) { answer in
        var text = "\(answer)"
        if case .unaccepted(let error) = answer { text = "unaccepted \(error.code.name)" }
        notes.state.withLock { $0.answers.append("\(task): \(commit ?? -1) \(text)") }
      })
  }
}

/// What a producer was told, and what it shall answer.
private final class TopicNotes: Sendable {
  struct State {
    var calls: [String] = []
    var answers: [String] = []
    var failures: [String: KafkaError] = [:]
    var interruptions: [String: @Sendable () -> Void] = [:]
    var memberID = "first"
  }

  let state = Mutex(State())

  func note(_ call: String) throws(KafkaError) {
    let (failure, interruption) = state.withLock { state in
      state.calls.append(call)
      return (
        state.failures.removeValue(forKey: call), state.interruptions.removeValue(forKey: call)
      )
    }
    interruption?()
    if let failure { throw failure }
  }
}

private struct NotingBroker: Broker {
  let notes: TopicNotes

  func makeMember(_ plan: PipelinePlan, logger: Logger) -> any GroupMember {
    PlacedMember(notes: notes)
  }

  func makeProducer(
    _ plan: PipelinePlan, transactionalID: String?, logger: Logger
  ) -> any TopicProducer { NotingProducer(notes: notes) }
}

private struct NotingProducer: TopicProducer {
  let notes: TopicNotes

  func produce(_ rows: RowBlock, to topic: String, timeout: Duration) throws(KafkaError) {
    for row in rows.rows { try notes.note(String(decoding: row, as: UTF8.self)) }
  }
  func flush(timeout: Duration) throws(KafkaError) { try notes.note("flush") }
  func initTransactions(timeout: Duration) throws(KafkaError) { try notes.note("init") }
  func beginTransaction() throws(KafkaError) { try notes.note("begin") }
  func sendOffsets(
    _ offsets: [PartitionOffset], place: any GroupPlace, timeout: Duration
  ) throws(KafkaError) {
    let partitions = offsets.map { "\($0.topicPartition.partition)" }
    try notes.note("offsets \(partitions.joined(separator: " "))")
  }
  func commitTransaction(timeout: Duration) throws(KafkaError) { try notes.note("commit") }
  func abortTransaction(timeout: Duration) throws(KafkaError) { try notes.note("abort") }
}

/// A member that has a place in its group, has committed nothing, and is asked nothing else.
private struct PlacedMember: GroupMember {
  let notes: TopicNotes
  private struct Place: GroupPlace {}

  private func refused(_ operation: String) -> KafkaError {
    KafkaError(.invalidArgument, "not to be asked", operation: operation)
  }

  var memberID: String? { notes.state.withLock { $0.memberID } }
  func place() -> any GroupPlace { Place() }
  func partitionCount(of topic: String, timeout: Duration) throws(KafkaError) -> Int? {
    throw refused("partition count")
  }
  func watermarks(
    of partition: TopicPartition, timeout: Duration
  ) throws(KafkaError) -> Watermarks { throw refused("watermarks") }
  func cachedWatermarks(of partition: TopicPartition) -> Watermarks? { nil }
  func offsets(
    atOrAfter times: [TopicPartition: Int64], timeout: Duration
  ) throws(KafkaError) -> [TopicPartition: Int64] { throw refused("offsets") }
  func subscribe(to topics: [String]) throws(KafkaError) { throw refused("subscribe") }
  func poll(timeout: Duration) -> ConsumerEvent? { nil }
  var isCooperative: Bool { false }
  func assign(_ starts: [PartitionStart]) throws(KafkaError) -> [any RecordQueue] {
    throw refused("assign")
  }
  func incrementallyAssign(_ starts: [PartitionStart]) throws(KafkaError) -> [any RecordQueue] {
    throw refused("assign")
  }
  func unassign() throws(KafkaError) { throw refused("unassign") }
  func incrementallyUnassign(_ partitions: [TopicPartition]) throws(KafkaError) {
    throw refused("unassign")
  }
  func commit(_ offsets: [PartitionOffset], tag: UInt64) throws(KafkaError) {
    throw refused("commit")
  }
  func committed(
    _ partitions: [TopicPartition], timeout: Duration
  ) throws(KafkaError) -> [TopicPartition: PartitionOffset] {
    try notes.note("read \(partitions.map { "\($0.partition)" }.joined(separator: " "))")
    return [:]
  }
  func close(timeout: Duration) throws(KafkaError) { throw refused("close") }
}
