import Engine
import Kafka

/// The coordinator of transactions, and the topics that they write.
///
/// Rules: a producer that begins anew ends what its predecessor of the same id left open and fences
/// it; an open transaction is aborted after its time-out; rows and offsets count when it is committed.
final class SimulatedTransactions: @unchecked Sendable {
  private struct Open {
    var rows: [(topic: String, bytes: [UInt8])] = []
    var offsets: [PartitionOffset] = []
    let since: Int64
  }

  static let timeout: Int64 = 20_000

  private let world: World
  private let group: SimulatedGroup
  private var epochs: [String: Int] = [:]
  private var open: [String: Open] = [:]
  /// The committed rows of each topic in their order.
  private(set) var topics: [String: [[UInt8]]] = [:]

  init(world: World, group: SimulatedGroup) {
    self.world = world
    self.group = group
  }

  /// Begins a new epoch of an id; what was open is aborted.
  func begin(_ id: String) -> Int {
    abort(id)
    epochs[id, default: 0] += 1
    return epochs[id] ?? 0
  }

  func isFenced(_ id: String, epoch: Int) -> Bool { epochs[id] != epoch }

  func add(_ rows: [[UInt8]], to topic: String, of id: String) {
    open[id, default: Open(since: world.now)].rows += rows.map { (topic, $0) }
  }

  /// - Returns: Why the group does not take the offsets.
  func add(
    _ offsets: [PartitionOffset], of id: String, member: Int, generation: Int
  ) -> KafkaError? {
    if let error = group.refusal(member: member, generation: generation) { return error }
    if offsets.contains(where: group.isTooLong) {
      return KafkaError(.offsetMetadataTooLarge, operation: "send offsets")
    }
    open[id, default: Open(since: world.now)].offsets += offsets
    return nil
  }

  func commit(_ id: String) {
    guard let ended = open.removeValue(forKey: id) else { return }
    for row in ended.rows { topics[row.topic, default: []].append(row.bytes) }
    group.commit(ended.offsets)
    world.note(
      "transaction of \(id) committed with \(ended.rows.count) rows, \(ended.offsets.count) offsets"
    )
  }

  func abort(_ id: String) {
    guard open.removeValue(forKey: id) != nil else { return }
    world.note("transaction of \(id) aborted")
  }

  /// Whether an open transaction may yet change the commit of a partition.
  func isPending(_ partition: TopicPartition) -> Bool {
    open.values.contains { $0.offsets.contains { $0.topicPartition == partition } }
  }

  /// Aborts what has been open for too long; its producer is fenced.
  func tick() {
    for id in open.keys.sorted() {
      guard let transaction = open[id], world.now - transaction.since > Self.timeout else {
        continue
      }
      _ = begin(id)
    }
  }
}

/// A producer of one process.
final class SimulatedProducer: TopicProducer, @unchecked Sendable {
  private let cluster: SimulatedCluster
  private let process: ProcessState
  private let id: String
  private var epoch = 0
  private var world: World { cluster.world }
  private var transactions: SimulatedTransactions { cluster.transactions }

  init(cluster: SimulatedCluster, process: ProcessState, id: String) {
    self.cluster = cluster
    self.process = process
    self.id = id
  }

  /// Asks the coordinator for something; others go on while the question is on its way, and the answer.
  private func ask(
    _ operation: String, half: () -> Void = {}, _ body: () throws(KafkaError) -> Void
  ) throws(KafkaError) {
    process.meanwhile?()
    try askNow(operation, half: half, body)
    process.meanwhile?()
  }

  /// Asks the coordinator for something; `half` happens when the process ends in the middle of it.
  private func askNow(
    _ operation: String, half: () -> Void, _ body: () throws(KafkaError) -> Void
  ) throws(KafkaError) {
    guard !process.isDead else { throw KafkaError(.transport, operation: operation) }
    switch world.outcome(of: operation, .transaction, by: process) {
    case .done, .standsStill, .delays, .repeats: return try body()
    case .lies:
      try body()
      // Whether it was done only the coordinator knows.
      throw KafkaError(.transport, operation: operation)
    case .fails, .tears:
      // Of no effect: to be asked again, or a reason to abort.
      let requiresAbort = world.generator.chance(0.5)
      throw KafkaError(
        requiresAbort ? .fail : .transport, operation: operation, requiresAbort: requiresAbort)
    case .dies(let moment):
      if moment == .during { half() }
      if moment == .after { try body() }
      throw KafkaError(.transport, operation: operation)
    }
  }

  private func checkEpoch(_ operation: String) throws(KafkaError) {
    guard transactions.isFenced(id, epoch: epoch) else { return }
    world.note("producer \(id) of \(process.number) is fenced")
    // Of some requests librdkafka does not call it fatal.
    throw KafkaError(
      .fenced, operation: operation, isFatal: operation == "end transaction", requiresAbort: true)
  }

  func initTransactions(timeout: Duration) throws(KafkaError) {
    try ask("init transactions \(id)") { epoch = transactions.begin(id) }
  }

  func beginTransaction() throws(KafkaError) {
    guard !process.isDead else { throw KafkaError(.transport, operation: "begin transaction") }
  }

  func produce(_ rows: RowBlock, to topic: String, timeout: Duration) throws(KafkaError) {
    let all = rows.rows
    try ask("produce \(all.count) rows") {
      // A part of them has arrived.
      let some = world.generator.below(all.count + 1)
      if !transactions.isFenced(id, epoch: epoch) {
        transactions.add(Array(all.prefix(some)), to: topic, of: id)
      }
    } _: { () throws(KafkaError) in
      try checkEpoch("produce")
      transactions.add(all, to: topic, of: id)
    }
  }

  func flush(timeout: Duration) throws(KafkaError) {}

  func sendOffsets(
    _ offsets: [PartitionOffset], place: any GroupPlace, timeout: Duration
  ) throws(KafkaError) {
    guard let place = place as? SimulatedPlace else {
      preconditionFailure("the place comes from a simulated member")
    }
    try ask("send offsets") { () throws(KafkaError) in
      try checkEpoch("send offsets")
      if let error = transactions.add(
        offsets, of: id, member: place.member, generation: place.generation)
      {
        throw KafkaError(error.code, operation: "send offsets", requiresAbort: true)
      }
    }
  }

  func commitTransaction(timeout: Duration) throws(KafkaError) {
    try ask("end transaction") { () throws(KafkaError) in
      try checkEpoch("end transaction")
      transactions.commit(id)
    }
  }

  func abortTransaction(timeout: Duration) throws(KafkaError) {
    try ask("abort transaction") { () throws(KafkaError) in
      try checkEpoch("abort transaction")
      transactions.abort(id)
    }
  }
}
