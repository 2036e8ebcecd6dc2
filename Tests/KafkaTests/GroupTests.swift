import Kafka
import Testing

/// Life in a consumer group; the embedded broker takes seconds for each rebalance.
@Suite struct GroupTests {
  private let first = TopicPartition(topic: "t", partition: 0)

  @Test func commitsCarryMetadata() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(topics: ["t": 2], logger: quiet)
      try broker.fill("t", (0..<5).map { "\($0)" })
      let second = TopicPartition(topic: "t", partition: 1)
      let writer = try broker.consumer(group: "g")
      _ = try writer.join(["t"])
      #expect(writer.memberID != nil)
      try writer.commit([PartitionOffset(first, offset: 3, metadata: "v1 e7 c42 ü")])
      try writer.commit([PartitionOffset(second, offset: 0)], tag: 77)
      let result = try writer.await("commit") { event -> CommitResult? in
        guard case .committed(let result) = event else { return nil }
        return result
      }
      #expect(result.tag == 77)
      #expect(result.error == nil && result.failures.isEmpty)
      try writer.close()

      let reader = try broker.consumer(group: "g")
      let third = TopicPartition(topic: "t", partition: 2)
      let committed = try reader.committed([first, second], timeout: patience)
      #expect(committed[first] == PartitionOffset(first, offset: 3, metadata: "v1 e7 c42 ü"))
      #expect(committed[second] == PartitionOffset(second, offset: 0))
      #expect(committed[third] == nil)
      let queue = try reader.assign([PartitionStart(first, at: .committed)])[0]
      #expect(try read(2, from: [queue]).map(\.offset) == [3, 4])
      try reader.close()
    }
  }

  /// A member that was let in, mostly before the group gives it anything.
  private func letIn(_ broker: EmbeddedBroker) throws -> Consumer {
    let consumer = try broker.consumer(group: "g") { $0.assignment = .cooperativeSticky }
    try consumer.subscribe(to: ["t"])
    // Answers to JoinGroup and SyncGroup come far enough apart, unless this thread stands still.
    try broker.setRoundTrip(.milliseconds(500))
    while !consumer.isCooperative {
      if case .assign? = consumer.poll(timeout: .milliseconds(10)) {
        _ = try consumer.incrementallyAssign([])
      }
    }
    return consumer
  }

  /// librdkafka ends the process where such a member is destroyed as it is.
  @Test func whoWasLetInAndNotYetGivenAnythingLeaves() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(topics: ["t": 1], logger: quiet)
      try letIn(broker).close(timeout: patience)
      try broker.setRoundTrip(.zero)
      let next = try broker.consumer(group: "g") { $0.assignment = .cooperativeSticky }
      try next.subscribe(to: ["t"])
      let given = try next.await("assignment") { event -> [TopicPartition]? in
        guard case .assign(let partitions) = event else { return nil }
        return partitions
      }
      #expect(given == [first])
      _ = try next.incrementallyAssign(given.map { PartitionStart($0, at: .beginning) })
      try next.close(timeout: patience)
    }
  }

  /// One that is never given anything is not destroyed, and the process goes on.
  @Test func whoIsNeverGivenAnythingStays() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(topics: ["t": 1], logger: quiet)
      let consumer = try letIn(broker)
      try broker.stop()
      do {
        try consumer.close(timeout: .milliseconds(1))
      } catch let error as KafkaError {
        #expect(error.code == .timedOut)
      }
    }
  }

  @Test func aRefusedCommitIsToldWithItsCode() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(topics: ["t": 1], logger: quiet)
      let consumer = try broker.consumer(group: "g")
      _ = try consumer.join(["t"])
      try broker.fail(.offsetCommit, with: [.offsetMetadataTooLarge])
      do {
        try consumer.commit([PartitionOffset(first, offset: 1)])
        Issue.record("the commit was accepted")
      } catch let error as KafkaError {
        #expect(error.code == .offsetMetadataTooLarge)
        #expect(error.operation == "commit")
      }
      try broker.fail(.offsetCommit, with: [.offsetMetadataTooLarge])
      try consumer.commit([PartitionOffset(first, offset: 1)], tag: 5)
      let result = try consumer.await("commit") { event -> CommitResult? in
        guard case .committed(let result) = event else { return nil }
        return result
      }
      #expect(result.tag == 5)
      #expect(result.error?.code == .offsetMetadataTooLarge)
      try consumer.close()
    }
  }

  @Test func aMissingTopicIsToldByItsName() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(logger: quiet)
      try broker.setError(.unknownTopicOrPartition, of: "missing")
      let consumer = try broker.consumer(group: "g")
      try consumer.subscribe(to: ["missing"])
      let error = try consumer.await("error") { event -> KafkaError? in
        guard case .error(let error) = event else { return nil }
        return error
      }
      #expect(error.code == .unknownTopicOrPartition)
      #expect(error.topic == "missing")
      #expect(error.hint?.contains("create the topic") == true)
      try consumer.close()
    }
  }

  @Test func aMemberThatTheGroupForgotLosesItsPartitions() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(topics: ["t": 2], logger: quiet)
      let consumer = try broker.consumer(group: "g")
      let queues = try consumer.join(["t"])
      try broker.fail(.heartbeat, with: [.unknownMember])
      let lost = try consumer.await("loss") { event -> [TopicPartition]? in
        guard case .lost(let partitions) = event else { return nil }
        return partitions
      }
      #expect(lost.count == 2)
      try consumer.unassign()
      #expect(queues.allSatisfy { !$0.isAssigned })
      let again = try consumer.await("assignment") { event -> [TopicPartition]? in
        guard case .assign(let partitions) = event else { return nil }
        return partitions
      }
      #expect(again.count == 2)
      _ = try consumer.assign([])
      try consumer.close()
    }
  }

  /// The lease: who is given partition 0 reads all partitions, others stand by.
  @Test func theLeadPartitionIsALease() async throws {
    let broker = try EmbeddedBroker(topics: ["t": 4], logger: quiet)
    let total = 400
    try await onThread {
      for partition in 0..<4 {
        try broker.fill(
          "t", partition: Int32(partition), (0..<100).map { "\(partition)-\($0)" })
      }
    }
    async let left = onThread { try LeaseMember(broker, "left").run(until: total) }
    async let right = onThread { try LeaseMember(broker, "right").run(until: total) }
    let seen = try await left + right
    #expect(seen.count == total)
    #expect(Set(seen).count == total)
  }

  @Test func cooperativeMembersShareIncrementally() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(topics: ["t": 4], logger: quiet)
      let left = try broker.consumer(group: "g") { $0.assignment = .cooperativeSticky }
      let right = try broker.consumer(group: "g") { $0.assignment = .cooperativeSticky }
      var owned: [Set<TopicPartition>] = [[], []]
      var queues: [[PartitionQueue]] = [[], []]
      try left.subscribe(to: ["t"])
      let deadline = ContinuousClock.now + patience * 2
      var hasJoined = false
      while owned.map(\.count) != [2, 2], ContinuousClock.now < deadline {
        for (index, member) in [left, right].enumerated() where index == 0 || hasJoined {
          switch member.poll(timeout: .milliseconds(50)) {
          case .assign(let partitions):
            #expect(member.isCooperative)
            owned[index].formUnion(partitions)
            queues[index] += try member.incrementallyAssign(
              partitions.map { PartitionStart($0, at: .beginning) })
          case .revoke(let partitions), .lost(let partitions):
            owned[index].subtract(partitions)
            try member.incrementallyUnassign(partitions)
          default: break
          }
        }
        if !hasJoined, owned[0].count == 4 {
          hasJoined = true
          try right.subscribe(to: ["t"])
        }
      }
      #expect(owned.map(\.count) == [2, 2])
      #expect(owned[0].isDisjoint(with: owned[1]))
      #expect(queues[0].filter(\.isAssigned).map(\.topicPartition).sorted() == owned[0].sorted())
      try left.close()
      try right.close()
    }
  }
}

/// A member that takes all partitions when the group gives it partition 0, and commits as it reads.
private final class LeaseMember {
  private let consumer: Consumer
  private let watcher: Consumer
  private let all = (0..<4).map { TopicPartition(topic: "t", partition: $0) }

  init(_ broker: EmbeddedBroker, _ name: String) throws {
    consumer = try broker.consumer(group: "lease") { $0.clientID = name }
    watcher = try broker.consumer(group: "lease")
  }

  /// Reads until the group has committed `total` records; a leader leaves after half of them.
  func run(until total: Int) throws -> [String] {
    try consumer.subscribe(to: ["t"])
    var seen: [String] = []
    var queues: [PartitionQueue] = []
    var batch = RecordBatch(capacity: 10)
    let deadline = ContinuousClock.now + patience * 2
    while try committed() < total {
      guard ContinuousClock.now < deadline else { throw TimedOut(description: "\(seen.count)") }
      switch consumer.poll(timeout: .milliseconds(queues.isEmpty ? 100 : 1)) {
      case .assign(let partitions):
        let leads = partitions.contains { $0.partition == 0 }
        let known = try consumer.committed(all, timeout: patience)
        queues = try consumer.assign(
          leads ? all.map { PartitionStart($0, at: .offset(known[$0]?.offset ?? 0)) } : [])
      case .revoke, .lost:
        queues = []
        try consumer.unassign()
      default: break
      }
      for queue in queues where seen.count < total / 2 {
        queue.poll(into: &batch)
        guard batch.count > 0 else { continue }
        let next = batch.offsets[batch.count - 1] + 1
        do {
          try consumer.commit([PartitionOffset(queue.topicPartition, offset: next)])
        } catch {
          // Not accounted for: whoever leads next reads these again.
          #expect(error.code == .rebalanceInProgress)
          queues = []
          break
        }
        seen += batch.copies().map { String(decoding: $0.value ?? [], as: UTF8.self) }
      }
      if seen.count >= total / 2 { break }
    }
    try consumer.close()
    return seen
  }

  private func committed() throws -> Int {
    let positions = try watcher.committed(all, timeout: patience)
    return Int(positions.values.map(\.offset).reduce(0, +))
  }
}
