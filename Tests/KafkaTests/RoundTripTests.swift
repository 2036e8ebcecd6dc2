import Kafka
import Testing

@Suite struct RoundTripTests {
  @Test func recordsComeBackAsTheyWere() async throws {
    try await onThread {
      let broker = try EmbeddedBroker(topics: ["t": 1], logger: quiet)
      let producer = try broker.producer()
      let topic = try producer.topic("t")
      let large = (0..<900_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      let headers = [
        RecordHeader(name: "a", value: [1, 0, 2]), RecordHeader(name: "b", value: nil),
        RecordHeader(name: "a", value: []),
      ]
      try producer.produce(
        to: topic, key: [UInt8]("k"), value: [UInt8]("v"), headers: headers,
        timestamp: 1_411_344_000_000)
      try producer.produce(to: topic, key: [UInt8]("k"), value: nil as [UInt8]?)
      try producer.produce(to: topic, key: [], value: [])
      try producer.produce(to: topic, key: nil, value: large)
      try producer.flush(timeout: patience)

      let partition = TopicPartition(topic: "t", partition: 0)
      let consumer = try broker.consumer()
      let queues = try consumer.assign([PartitionStart(partition, at: .beginning)])
      var batch = RecordBatch()
      var seen: [Copied] = []
      var seenHeaders: [[RecordHeader]] = []
      var kinds: [TimestampKind] = []
      let wakeup = Wakeup()
      queues[0].attach(wakeup)
      let deadline = ContinuousClock.now + patience
      while seen.count < 4, ContinuousClock.now < deadline {
        queues[0].poll(into: &batch)
        seen += batch.copies()
        for index in 0..<batch.count {
          seenHeaders.append(batch.headers(at: index))
          kinds.append(batch.timestampKind(at: index))
          #expect(batch.hasKey(at: index) == (batch.copyOfKey(at: index) != nil))
          #expect(batch.isTombstone(at: index) == (batch.copyOfValue(at: index) == nil))
          expectEqual(batch.key(at: index), batch.copyOfKey(at: index) ?? [])
          expectEqual(batch.value(at: index), batch.copyOfValue(at: index) ?? [])
        }
        wakeup.wait(timeout: .seconds(1))
      }
      #expect(seen.map(\.offset) == [0, 1, 2, 3])
      #expect(seen.map(\.key) == [[UInt8]("k"), [UInt8]("k"), [], nil])
      #expect(seen.map(\.value) == [[UInt8]("v"), nil, [], large])
      #expect(seenHeaders == [headers, [], [], []])
      #expect(seen[0].timestamp == 1_411_344_000_000)
      #expect(seen[1].timestamp > 1_700_000_000_000)
      #expect(kinds.allSatisfy { $0 == .createTime })
      #expect(try consumer.positions([partition]) == [partition: 4])
      #expect(
        try consumer.client.watermarks(of: partition, timeout: patience)
          == Watermarks(low: 0, high: 4))
      #expect(consumer.cachedWatermarks(of: partition)?.high == 4)
      try consumer.close()
    }
  }
}

/// A borrowed span shows the bytes of its copy.
private func expectEqual(_ span: Span<UInt8>, _ copy: [UInt8]) {
  #expect(span.withUnsafeBufferPointer { $0.elementsEqual(copy) })
}
