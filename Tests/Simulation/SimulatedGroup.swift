import Kafka

/// The coordinator of one consumer group: members, generations, commits.
///
/// Rules: eager members give up everything before a new generation begins, cooperative ones only
/// what moves; a commit counts when member and generation are those of now; metadata that is too
/// long is refused while the other partitions of the same call are committed.
final class SimulatedGroup: @unchecked Sendable {
  private struct Member {
    let id: Int
    let client: SimulatedMember
    var lastHeard: Int64
    /// What the group believes that it holds.
    var held: [TopicPartition] = []
    /// Whether it takes part in the generation to come.
    var hasJoined = true
  }

  static let sessionTimeout: Int64 = 10_000
  static let rebalanceTimeout: Int64 = 60_000

  private let world: World
  private var members: [Member] = []
  private var nextMember = 1
  private(set) var generation = 0
  /// When the members that have not joined are left out; nil while the group is stable.
  private var deadline: Int64?
  private(set) var commits: [TopicPartition: PartitionOffset] = [:]
  let partitions: [String: Int]
  let isCooperative: Bool
  private let metadataLimit: Int

  init(
    world: World, partitions: [String: Int], isCooperative: Bool, metadataLimit: Int
  ) {
    self.metadataLimit = metadataLimit
    self.world = world
    self.partitions = partitions
    self.isCooperative = isCooperative
  }

  var isStable: Bool { deadline == nil }

  var memberCount: Int { members.count }

  // MARK: Membership

  func join(_ client: SimulatedMember) -> Int {
    let id = nextMember
    nextMember += 1
    world.note("member \(id) joins")
    beginRebalance()
    members.append(Member(id: id, client: client, lastHeard: world.now))
    return id
  }

  func leave(_ id: Int) {
    guard let index = index(of: id) else { return }
    world.note("member \(id) leaves")
    members.remove(at: index)
    beginRebalance()
  }

  /// A member is alive; returns whether the group knows it.
  func heartbeat(_ id: Int) -> Bool {
    guard let index = index(of: id) else { return false }
    members[index].lastHeard = world.now
    return true
  }

  /// A member takes part in the generation to come; eager ones hold nothing then.
  func rejoin(_ id: Int) {
    guard let index = index(of: id) else { return }
    if !isCooperative { members[index].held = [] }
    members[index].hasJoined = true
  }

  /// A cooperative member has given up what moves, and asks for the next generation.
  func gaveUp(_ id: Int, _ partitions: [TopicPartition]) {
    guard let index = index(of: id) else { return }
    members[index].held.removeAll { partitions.contains($0) }
    beginRebalance()
    members[index].hasJoined = true
  }

  /// Begins a new generation for no reason, as groups sometimes do; returns whether it could.
  @discardableResult
  func disturb() -> Bool {
    guard isStable, !members.isEmpty else { return false }
    beginRebalance()
    return true
  }

  /// Ends the sessions of all members.
  func forget() {
    world.note("members \(members.map(\.id)) are forgotten")
    members = []
    beginRebalance()
  }

  private func index(of id: Int) -> Int? { members.firstIndex { $0.id == id } }

  private func beginRebalance() {
    world.note("a rebalance begins")
    deadline = world.now + Self.rebalanceTimeout
    for index in members.indices { members[index].hasJoined = false }
  }

  /// Lets time do what it does: sessions end, generations begin.
  func tick() {
    let silent = members.filter { world.now - $0.lastHeard > Self.sessionTimeout }
    if !silent.isEmpty {
      world.note("members \(silent.map(\.id)) are silent")
      members.removeAll { world.now - $0.lastHeard > Self.sessionTimeout }
      beginRebalance()
    }
    guard let deadline else { return }
    for member in members where !member.hasJoined { member.client.hear(.rebalance) }
    if world.now >= deadline { members.removeAll { !$0.hasJoined } }
    if members.allSatisfy(\.hasJoined) { beginGeneration() }
  }

  private func beginGeneration() {
    deadline = nil
    generation += 1
    world.note("generation \(generation) of \(members.map(\.id))")
    let targets = targetAssignment()
    let before = members.map(\.held)
    for index in members.indices {
      let kept = before[index].filter { targets[index].contains($0) }
      let moved = before[index].filter { !targets[index].contains($0) }
      let others = before.enumerated().filter { $0.offset != index }.flatMap(\.element)
      let added = targets[index].filter { !kept.contains($0) && !others.contains($0) }
      members[index].held += added
      members[index].client.hear(
        .generation(generation, added: added, moved: isCooperative ? moved : []))
    }
  }

  /// What each member is to hold: ranges, or as it is with the rest dealt out.
  private func targetAssignment() -> [[TopicPartition]] {
    var targets = members.map { _ in [TopicPartition]() }
    guard !members.isEmpty else { return targets }
    for topic in partitions.keys.sorted() {
      let count = partitions[topic] ?? 0
      for number in 0..<count {
        let partition = TopicPartition(topic: topic, partition: Int32(number))
        let owner = members.firstIndex { $0.held.contains(partition) }
        let limit = (count + members.count - 1) / members.count
        if isCooperative, let owner, targets[owner].count < limit {
          targets[owner].append(partition)
        } else {
          let least = targets.indices.min { targets[$0].count < targets[$1].count } ?? 0
          targets[isCooperative ? least : number * members.count / count].append(partition)
        }
      }
    }
    return targets
  }

  // MARK: Commits

  func committed(_ partition: TopicPartition) -> PartitionOffset? { commits[partition] }

  /// A commit arrives, maybe of a member that has long been replaced.
  func commit(
    _ offsets: [PartitionOffset], member: Int, generation: Int, refusesWhileJoining: Bool
  ) -> (error: KafkaError?, failures: [TopicPartition: KafkaError]) {
    if let error = refusal(member: member, generation: generation) { return (error, [:]) }
    if refusesWhileJoining, deadline != nil { return refused(.rebalanceInProgress) }
    var failures: [TopicPartition: KafkaError] = [:]
    for offset in offsets {
      guard !isTooLong(offset) else {
        failures[offset.topicPartition] = KafkaError(
          .offsetMetadataTooLarge, operation: "commit", topic: offset.topicPartition.topic,
          partition: offset.topicPartition.partition)
        continue
      }
      commits[offset.topicPartition] = offset
    }
    world.note("committed by \(member): \(offsets.map { "\($0.offset) \($0.metadata)" })")
    return (failures.min { $0.key < $1.key }?.value, failures)
  }

  /// Whether the brokers refuse the metadata of an offset.
  func isTooLong(_ offset: PartitionOffset) -> Bool { offset.metadata.utf8.count > metadataLimit }

  /// Why a commit of a member does not count; nil when it does.
  func refusal(member: Int, generation: Int) -> KafkaError? {
    guard index(of: member) != nil else { return refused(.unknownMember).error }
    guard generation == self.generation else { return refused(.illegalGeneration).error }
    return nil
  }

  /// A transaction with these offsets is committed.
  func commit(_ offsets: [PartitionOffset]) {
    for offset in offsets { commits[offset.topicPartition] = offset }
  }

  private func refused(
    _ code: KafkaError.Code
  ) -> (error: KafkaError?, failures: [TopicPartition: KafkaError]) {
    world.note("commit refused: \(code.name)")
    return (KafkaError(code, operation: "commit"), [:])
  }
}
