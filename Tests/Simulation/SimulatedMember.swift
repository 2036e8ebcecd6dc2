import Engine
import Kafka

/// What a member hears of its group.
enum GroupNews {
  /// A new generation is to begin.
  case rebalance
  case generation(Int, added: [TopicPartition], moved: [TopicPartition])

  var isRebalance: Bool { if case .rebalance = self { true } else { false } }
}

/// One process's membership, with what librdkafka does by itself: heartbeats, joining again, one
/// question to the application at a time.
final class SimulatedMember: GroupMember, @unchecked Sendable {
  private struct Request {
    let offsets: [PartitionOffset]
    let tag: UInt64
    let member: Int
    let generation: Int
    let outcome: Outcome
    let due: Int64
  }

  private enum Question {
    case assign
    case revoke
    case lost
  }

  /// How much later a late answer comes, milliseconds: longer than a session lasts.
  static let lateness = 2 * SimulatedGroup.sessionTimeout

  private let cluster: SimulatedCluster
  let process: ProcessState
  private var world: World { cluster.world }
  private var group: SimulatedGroup { cluster.group }
  private var id: Int?
  private var generation = 0
  private var isSubscribed = false
  private var isClosed = false
  private var events: [(due: Int64, event: ConsumerEvent)] = []
  /// Answers that come out of their order.
  private var lateAnswers: [(due: Int64, event: ConsumerEvent)] = []
  /// What the application was asked and has not answered.
  private var question: Question?
  private var held: [TopicPartition] = []
  private var waiting: [(GroupNews)] = []
  private var requests: [Request] = []
  /// The number of the present assignment of each partition; queues of earlier ones give nothing.
  private var assignments: [TopicPartition: Int] = [:]
  private var nextAssignment = 1

  init(cluster: SimulatedCluster, process: ProcessState) {
    self.cluster = cluster
    self.process = process
    cluster.clients.append(self)
  }

  private var isGone: Bool { process.isDead || isClosed }

  /// Whether it has been asked to give up partitions and has not done so.
  var isGivingUp: Bool { !isGone && question == .revoke }

  /// Whether a commit of it is on its way.
  var isCommitting: Bool { !isGone && !requests.isEmpty }

  /// Whether its process has ended and nothing that it has sent is still under way.
  var hasEnded: Bool { isGone && requests.isEmpty }

  private func unavailable(_ operation: String) -> KafkaError {
    KafkaError(.transport, operation: operation)
  }

  private func ask<Value>(
    _ operation: String, _ value: () -> Value
  ) throws(KafkaError) -> Value {
    guard !isGone else { throw unavailable(operation) }
    guard case .done = world.outcome(of: operation, .brokerRead, by: process) else {
      throw unavailable(operation)
    }
    return value()
  }

  // MARK: What librdkafka does by itself

  /// Sends heartbeats, hears what the group says, delivers requests and answers.
  func tick() {
    deliverRequests()
    while let answer = lateAnswers.first, answer.due <= world.now {
      tell(lateAnswers.removeFirst().event)
    }
    guard !process.isDead, !isClosed, isSubscribed, world.now >= process.pausedUntil else { return }
    guard let id else {
      if question == nil { self.id = group.join(self) }
      return
    }
    guard group.heartbeat(id) else { return loseMembership() }
    guard question == nil, !waiting.isEmpty else { return }
    hearNow(waiting.removeFirst())
  }

  private func loseMembership() {
    id = nil
    waiting = []
    events.removeAll { if case .assign = $0.event { true } else { false } }
    world.note("\(process.number) finds itself out of the group")
    // While the answer to a revocation is awaited it joins as another one, and keeps the rest.
    if question == .revoke { return }
    guard !held.isEmpty || question == .assign else {
      question = nil
      return
    }
    question = .lost
    tell(.lost(held))
  }

  func hear(_ news: GroupNews) {
    if case .rebalance = news, waiting.contains(where: \.isRebalance) { return }
    waiting.append(news)
  }

  private func hearNow(_ news: GroupNews) {
    switch news {
    case .rebalance:
      guard !group.isCooperative, !held.isEmpty else {
        if let id { group.rejoin(id) }
        return
      }
      question = .revoke
      tell(.revoke(held))
    case .generation(let number, let added, let moved):
      generation = max(generation, number)
      waiting.removeAll(where: \.isRebalance)
      if !moved.isEmpty {
        question = .revoke
        tell(.revoke(moved))
        if !added.isEmpty { waiting.append(.generation(number, added: added, moved: [])) }
      } else {
        question = .assign
        held += added
        tell(.assign(added))
      }
    }
  }

  private func tell(_ event: ConsumerEvent) {
    let delay = world.isHostile ? Int64(world.generator.below(200)) : 0
    // In the order of their happening.
    events.append((max(world.now + delay, events.last?.due ?? 0), event))
  }

  private func deliverRequests() {
    while let request = requests.first, request.due <= world.now {
      requests.removeFirst()
      var answer: (error: KafkaError?, failures: [TopicPartition: KafkaError])
      if case .fails = request.outcome {
        answer = (KafkaError(.requestTimedOut, operation: "commit"), [:])
      } else {
        let offsets =
          request.outcome == .tears ? Array(request.offsets.dropFirst()) : request.offsets
        answer = group.commit(
          offsets, member: request.member, generation: request.generation,
          refusesWhileJoining: cluster.refusesCommitsWhileJoining)
        if request.outcome == .tears, let lead = request.offsets.first?.topicPartition {
          answer.failures[lead] = KafkaError(.requestTimedOut, operation: "commit")
          answer.error = answer.error ?? answer.failures[lead]
        }
        if case .lies = request.outcome {
          answer = (KafkaError(.transport, operation: "commit"), [:])
        }
      }
      guard !isGone else { continue }
      let isRefused = [.unknownMember, .illegalGeneration].contains(answer.error?.code)
      if isRefused, request.member == id, question == nil, waiting.isEmpty { loseMembership() }
      self.answer(
        request,
        .committed(CommitResult(tag: request.tag, error: answer.error, failures: answer.failures)))
    }
  }

  private func answer(_ request: Request, _ event: ConsumerEvent) {
    switch request.outcome {
    case .delays: lateAnswers.append((world.now + Self.lateness, event))
    case .repeats:
      tell(event)
      tell(event)
    default: tell(event)
    }
  }

  // MARK: Group

  var memberID: String? { id.map { "\($0)" } }

  func subscribe(to topics: [String]) throws(KafkaError) {
    try ask("subscribe") { isSubscribed = true }
  }

  func poll(timeout: Duration) -> ConsumerEvent? {
    guard !isGone, let first = events.first, first.due <= world.now else { return nil }
    events.removeFirst()
    return first.event
  }

  var isCooperative: Bool { group.isCooperative }

  func assign(_ starts: [PartitionStart]) throws(KafkaError) -> [any RecordQueue] {
    guard !isGone else { throw unavailable("assign") }
    assignments = [:]
    // Who gives everything up and takes it again still has its place in the group.
    held += starts.map(\.topicPartition).filter { !held.contains($0) }
    return answerAssign(starts)
  }

  func incrementallyAssign(
    _ starts: [PartitionStart]
  ) throws(KafkaError) -> [any RecordQueue] {
    guard !isGone else { throw unavailable("assign") }
    return answerAssign(starts)
  }

  private func answerAssign(_ starts: [PartitionStart]) -> [any RecordQueue] {
    world.note("\(process.number) takes \(starts.map { "\($0.topicPartition)" })")
    if question == .assign { question = nil }
    return starts.map { start in
      nextAssignment += 1
      assignments[start.topicPartition] = nextAssignment
      guard case .offset(let offset) = start.start else {
        preconditionFailure("the engine always knows where it stands")
      }
      return SimulatedQueue(
        member: self, log: cluster.log(start.topicPartition),
        topicPartition: start.topicPartition, assignment: nextAssignment, position: offset)
    }
  }

  func unassign() throws(KafkaError) {
    guard !isGone else { throw unavailable("unassign") }
    assignments = [:]
    answerGiveUp(nil)
  }

  func incrementallyUnassign(_ partitions: [TopicPartition]) throws(KafkaError) {
    guard !isGone else { throw unavailable("unassign") }
    for partition in partitions { assignments[partition] = nil }
    answerGiveUp(partitions)
  }

  private func answerGiveUp(_ partitions: [TopicPartition]?) {
    world.note("\(process.number) gives up \(partitions.map { "\($0)" } ?? "all")")
    // Whoever was asked nothing is about to read from elsewhere.
    guard question != nil else { return }
    let wasLost = question == .lost
    question = nil
    guard !wasLost, let partitions, group.isCooperative else {
      held = []
      if let id, !wasLost { group.rejoin(id) }
      return
    }
    held.removeAll { partitions.contains($0) }
    if let id { group.gaveUp(id, partitions) }
  }

  func isCurrent(_ partition: TopicPartition, _ assignment: Int) -> Bool {
    !isGone && assignments[partition] == assignment
  }

  /// Tells whoever wants to read everything that a task asks for records.
  func look(at partition: TopicPartition) {
    world.lines?.append("    \(process.number) looks at \(partition)")
  }

  var fetchLimit: Int? { cluster.fetchLimit }

  var now: Int64 { world.now }

  /// How many records a fetch brings at most.
  func nextFetch() -> Int {
    guard world.isHostile else { return .max }
    return world.generator.chance(0.3) ? 0 : 1 + world.generator.below(20)
  }

  func commit(_ offsets: [PartitionOffset], tag: UInt64) throws(KafkaError) {
    guard !isGone else { throw unavailable("commit") }
    let outcome = world.outcome(of: "commit", .commit, by: process)
    if case .dies(.before) = outcome { throw unavailable("commit") }
    let delay = world.isHostile ? Int64(world.generator.below(400)) : 1
    requests.append(
      Request(
        offsets: offsets, tag: tag, member: id ?? 0, generation: generation, outcome: outcome,
        due: max(world.now + delay, requests.last?.due ?? 0)))
  }

  func committed(
    _ partitions: [TopicPartition], timeout: Duration
  ) throws(KafkaError) -> [TopicPartition: PartitionOffset] {
    // Brokers do not answer while a transaction may change the answer.
    if partitions.contains(where: { cluster.transactions.isPending($0) }) {
      // Whoever asks again and again waits; what nobody ends meanwhile is aborted.
      world.now += 50
      cluster.transactions.tick()
      throw KafkaError(.timedOut, operation: "read commits")
    }
    return try ask("read commits") {
      var found: [TopicPartition: PartitionOffset] = [:]
      for partition in partitions { found[partition] = group.committed(partition) }
      return found
    }
  }

  func place() throws(KafkaError) -> any GroupPlace {
    try ask("place") { SimulatedPlace(member: id ?? 0, generation: generation) }
  }

  func close(timeout: Duration) throws(KafkaError) {
    guard !isGone else { return }
    isClosed = true
    if let id { group.leave(id) }
  }

  // MARK: Partitions

  func partitionCount(of topic: String, timeout: Duration) throws(KafkaError) -> Int? {
    try ask("read metadata") { cluster.partitionCount(topic) }
  }

  func watermarks(
    of partition: TopicPartition, timeout: Duration
  ) throws(KafkaError) -> Watermarks {
    try ask("read watermarks") { cluster.log(partition).watermarks }
  }

  func cachedWatermarks(of partition: TopicPartition) -> Watermarks? {
    isGone ? nil : cluster.log(partition).watermarks
  }

  func offsets(
    atOrAfter times: [TopicPartition: Int64], timeout: Duration
  ) throws(KafkaError) -> [TopicPartition: Int64] {
    try ask("look up offsets") {
      times.reduce(into: [:]) { found, entry in
        found[entry.key] = cluster.log(entry.key).offset(atOrAfter: entry.value)
      }
    }
  }
}

/// Member and generation at one moment.
struct SimulatedPlace: GroupPlace {
  let member: Int
  let generation: Int
}
