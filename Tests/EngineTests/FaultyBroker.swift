import Engine
import Kafka
import Logging
import Synchronization

/// Kafka, whose producers' n-th commit of a transaction goes wrong in a chosen way.
struct FaultyBroker: Broker {
  /// What happens instead of the commit.
  enum Fault: String, CaseIterable, Sendable {
    /// The brokers want the transaction aborted.
    case mustAbort
    /// The answer is lost, and the transaction is open.
    case unknownAndOpen
    /// The answer is lost, and the transaction was committed.
    case unknownAndCommitted
    /// The producer is of no use any more.
    case fatal
    /// The group has moved on.
    case groupMovedOn
    /// Another producer of the same id takes over before the offsets are sent.
    case takenOverBeforeOffsets
    /// Another producer of the same id takes over before the commit.
    case takenOverBeforeCommit
  }

  let fault: Fault
  let failAt: Int
  private let kafka = KafkaBroker()
  private let counter: Counter

  init(_ fault: Fault, at failAt: Int) {
    self.fault = fault
    self.failAt = failAt
    counter = Counter()
  }

  /// Whether the fault has happened.
  var hasHappened: Bool { counter.value.withLock { $0 } >= failAt }

  func makeMember(_ plan: PipelinePlan, logger: Logger) throws(KafkaError) -> any GroupMember {
    try kafka.makeMember(plan, logger: logger)
  }

  func makeProducer(
    _ plan: PipelinePlan, transactionalID: String?, logger: Logger
  ) throws(KafkaError) -> any TopicProducer {
    FaultyProducer(
      inner: try kafka.makeProducer(plan, transactionalID: transactionalID, logger: logger),
      fault: fault,
      takeOver: { [kafka] () throws(KafkaError) in
        try kafka.makeProducer(plan, transactionalID: transactionalID, logger: logger)
          .initTransactions(timeout: .seconds(20))
      },
      isDue: { [counter, failAt] in
        counter.value.withLock { count in
          count += 1
          return count == failAt
        }
      })
  }

  private final class Counter: Sendable {
    let value = Mutex(0)
  }
}

private struct FaultyProducer: TopicProducer {
  let inner: any TopicProducer
  let fault: FaultyBroker.Fault
  let takeOver: @Sendable () throws(KafkaError) -> Void
  let isDue: @Sendable () -> Bool

  func commitTransaction(timeout: Duration) throws(KafkaError) {
    guard fault != .takenOverBeforeOffsets, isDue() else {
      return try inner.commitTransaction(timeout: timeout)
    }
    switch fault {
    case .mustAbort:
      throw KafkaError(.fail, "injected", operation: "commit", requiresAbort: true)
    case .unknownAndOpen: throw KafkaError(.transport, "injected", operation: "commit")
    case .unknownAndCommitted:
      try inner.commitTransaction(timeout: timeout)
      throw KafkaError(.transport, "injected", operation: "commit")
    case .fatal: throw KafkaError(.fenced, "injected", operation: "commit", isFatal: true)
    case .groupMovedOn:
      throw KafkaError(.illegalGeneration, "injected", operation: "commit", requiresAbort: true)
    case .takenOverBeforeOffsets: break
    case .takenOverBeforeCommit:
      try takeOver()
      try inner.commitTransaction(timeout: timeout)
    }
  }

  func produce(_ rows: RowBlock, to topic: String, timeout: Duration) throws(KafkaError) {
    try inner.produce(rows, to: topic, timeout: timeout)
  }
  func flush(timeout: Duration) throws(KafkaError) { try inner.flush(timeout: timeout) }
  func initTransactions(timeout: Duration) throws(KafkaError) {
    try inner.initTransactions(timeout: timeout)
  }
  func beginTransaction() throws(KafkaError) { try inner.beginTransaction() }
  func sendOffsets(
    _ offsets: [PartitionOffset], place: any GroupPlace, timeout: Duration
  ) throws(KafkaError) {
    if fault == .takenOverBeforeOffsets, isDue() { try takeOver() }
    try inner.sendOffsets(offsets, place: place, timeout: timeout)
  }
  func abortTransaction(timeout: Duration) throws(KafkaError) {
    try inner.abortTransaction(timeout: timeout)
  }
}
