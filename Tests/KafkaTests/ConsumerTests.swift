import Foundation
import Kafka
import Testing

@Suite struct ConsumerTests {
  private let first = TopicPartition(topic: "t", partition: 0)

  @Test func eachQueueHoldsItsPartitionInOrder() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(topics: ["t": 3], logger: quiet)
      for partition in 0..<3 {
        try broker.fill(
          "t", partition: Int32(partition), (0..<200).map { "\(partition)-\($0)" })
      }
      let consumer = try broker.consumer()
      let queues = try consumer.assign(
        (0..<3).map { PartitionStart(TopicPartition(topic: "t", partition: $0), at: .beginning) })
      for (partition, queue) in queues.enumerated() {
        #expect(queue.topicPartition.partition == Int32(partition))
        let records = try read(200, from: [queue])
        #expect(records.map(\.offset) == Array(0..<200))
        #expect(records.map(\.value) == (0..<200).map { [UInt8]("\(partition)-\($0)") })
      }
      try consumer.close()
    }
  }

  /// A queue that nobody reads takes its limit and one more answer; the rest waits.
  @Test func aQueueIsBounded() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(topics: ["t": 1], logger: quiet)
      let count = 3_000
      let text = String(repeating: "x", count: 1_000)
      // Small batches, since an answer holds whole batches.
      let producer = try broker.producer(properties: ["batch.num.messages": "10"])
      let topic = try producer.topic("t")
      for _ in 0..<count {
        try producer.produce(to: topic, key: nil, value: [UInt8](text), timeout: patience)
      }
      try producer.flush(timeout: patience)
      let consumer = try broker.consumer {
        $0.queueKilobytes = 200
        $0.statisticsInterval = .milliseconds(100)
        $0.properties["max.partition.fetch.bytes"] = "100000"
      }
      let queue = try consumer.assign([PartitionStart(first, at: .beginning)])[0]
      var before = -1
      let waiting = try consumer.await("full queue") { event -> Int? in
        guard case .statistics = event else { return nil }
        let now = queue.count
        defer { before = now }
        return now > 0 && before == now ? now : nil
      }
      #expect(waiting < 400, "\(waiting) kB in a queue of 200 kB")
      #expect(try read(count, from: [queue]).map(\.offset) == (0..<Int64(count)).map { $0 })
      try consumer.close()
    }
  }

  @Test func aPausedPartitionWaits() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(topics: ["t": 2], logger: quiet)
      let second = TopicPartition(topic: "t", partition: 1)
      let consumer = try broker.consumer()
      let queues = try consumer.assign([
        PartitionStart(first, at: .beginning), PartitionStart(second, at: .beginning),
      ])
      try consumer.pause([first])
      try broker.fill("t", partition: 0, ["a", "b"])
      try broker.fill("t", partition: 1, ["c"])
      #expect(try read(1, from: [queues[1]]).map(\.value) == [[UInt8]("c")])
      var batch = RecordBatch()
      queues[0].poll(into: &batch)
      #expect(batch.count == 0)
      try consumer.resume([first])
      #expect(try read(2, from: [queues[0]]).map(\.value) == [[UInt8]("a"), [UInt8]("b")])
      try consumer.close()
    }
  }

  @Test func seekDropsWhatWaits() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(topics: ["t": 1], logger: quiet)
      try broker.fill("t", (0..<10).map { "\($0)" })
      let consumer = try broker.consumer()
      let queue = try consumer.assign([PartitionStart(first, at: .offset(2))])[0]
      #expect(try read(8, from: [queue]).map(\.offset) == Array(2..<10))
      #expect(try consumer.positions([first]) == [first: 10])
      try consumer.seek([PartitionStart(first, at: .offset(7))], timeout: patience)
      #expect(try read(3, from: [queue]).map(\.offset) == [7, 8, 9])
      try consumer.seek([PartitionStart(first, at: .beginning)], timeout: patience)
      #expect(try read(10, from: [queue]).map(\.offset) == Array(0..<10))
      try consumer.close()
    }
  }

  @Test func anOffsetOutOfRangeIsAValue() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(topics: ["t": 1], logger: quiet)
      try broker.fill("t", ["a", "b"])
      let consumer = try broker.consumer()
      let queue = try consumer.assign([PartitionStart(first, at: .offset(1_000))])[0]
      guard case .offsetOutOfRange(let offset, let error) = try awaitEvent(from: queue) else {
        Issue.record("another event")
        return
      }
      #expect(offset == 1_000)
      #expect(error.topic == "t")
      #expect(error.partition == 0)
      #expect(error.hint != nil)
      // Nothing was reset; the application goes on where it chooses to.
      let renewed = try consumer.restart([PartitionStart(first, at: .offset(1))])
      #expect(try read(1, from: renewed).map(\.value) == [[UInt8]("b")])
      try consumer.close()
    }
  }

  @Test func theEndOfAPartitionIsAValue() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(topics: ["t": 1], logger: quiet)
      try broker.fill("t", ["a", "b"])
      let consumer = try broker.consumer { $0.reportsPartitionEnd = true }
      let queue = try consumer.assign([PartitionStart(first, at: .beginning)])[0]
      #expect(try awaitEvent(from: queue) == .partitionEnd(offset: 2))
      try consumer.close()
    }
  }

  @Test func aQueueOfAnEarlierAssignmentGivesNothing() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(topics: ["t": 1], logger: quiet)
      try broker.fill("t", ["a", "b"])
      let consumer = try broker.consumer()
      let old = try consumer.assign([PartitionStart(first, at: .beginning)])[0]
      #expect(try read(2, from: [old]).count == 2)
      try consumer.unassign()
      #expect(!old.isAssigned)
      let new = try consumer.assign([PartitionStart(first, at: .offset(1))])[0]
      let records = try read(1, from: [old, new])
      #expect(records.map(\.offset) == [1])
      var batch = RecordBatch()
      let isEmpty = old.poll(into: &batch)
      #expect(isEmpty)
      #expect(batch.count == 0)
      try consumer.close()
      #expect(!new.isAssigned)
    }
  }

  @Test func aBatchOutlivesItsConsumer() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(topics: ["t": 1], logger: quiet)
      try broker.fill("t", ["outlives"])
      var batch = RecordBatch(capacity: 4)
      do {
        let consumer = try broker.consumer()
        let queue = try consumer.assign([PartitionStart(first, at: .beginning)])[0]
        let wakeup = Wakeup()
        queue.attach(wakeup)
        while batch.count == 0 {
          try #require(wakeup.wait(timeout: patience))
          queue.poll(into: &batch)
        }
        try consumer.close()
      }
      broker.close()
      #expect(batch.copies().map(\.value) == [[UInt8]("outlives")])
      batch.reset()
      #expect(batch.count == 0)
    }
  }

  @Test func statisticsAreJSON() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(logger: quiet)
      let consumer = try broker.consumer { $0.statisticsInterval = .milliseconds(50) }
      let statistics = try consumer.await("statistics") { event -> String? in
        guard case .statistics(let text) = event else { return nil }
        return text
      }
      let object = try JSONSerialization.jsonObject(with: Data(statistics.utf8))
      #expect((object as? [String: Any])?["type"] as? String == "consumer")
      try consumer.close()
    }
  }

  /// Whoever polls only when the wakeup says so misses no event.
  @Test func eventsSignalAWakeup() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(logger: quiet)
      let consumer = try broker.consumer { $0.statisticsInterval = .milliseconds(20) }
      let wakeup = Wakeup()
      try consumer.attach(wakeup)
      var told = 0
      while told < 20, wakeup.wait(timeout: patience) {
        while let event = consumer.poll(timeout: .zero) {
          if case .statistics = event { told += 1 }
        }
      }
      #expect(told >= 20)
      // Another one takes its place; the first may go.
      let second = Wakeup()
      try consumer.attach(second)
      while second.wait(timeout: patience) {
        if let event = consumer.poll(timeout: .zero), case .statistics = event { break }
      }
      try consumer.close()
    }
  }

  @Test func aWakeupIsNotLost() async throws {
    try await onThread {
      let wakeup = Wakeup()
      #expect(!wakeup.wait(timeout: .milliseconds(1)))
      wakeup.signal()
      wakeup.signal()
      #expect(wakeup.wait(timeout: .zero))
      #expect(!wakeup.wait(timeout: .zero))
      ThreadBody { wakeup.signal() }.start()
      #expect(wakeup.wait(timeout: patience))
    }
  }
}
