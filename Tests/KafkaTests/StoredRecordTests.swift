import Kafka
import Testing

@Suite struct StoredRecordTests {
  @Test func aBatchOfStoredRecordsReadsLikeAFetchedOne() {
    var batch = RecordBatch(capacity: 4)
    for round in 0..<3 {
      let base = Int64(round * 10)
      batch.reset()
      batch.append([StoredRecord(offset: base, timestamp: 5, key: [1], value: [2, 3])])
      #expect(batch.count == 1 && batch.events.isEmpty)
      batch.append(
        [
          StoredRecord(offset: base + 2, timestamp: -1, key: nil, value: nil),
          StoredRecord(offset: base + 3, timestamp: 7, key: [], value: []),
        ], events: [.partitionEnd(offset: base + 4)])
      #expect(batch.count == 3)
      #expect((0..<3).map { batch.offsets[$0] } == [base, base + 2, base + 3])
      #expect((0..<3).map { batch.timestamps[$0] } == [5, -1, 7])
      #expect((0..<3).map { batch.hasKey(at: $0) } == [true, false, true])
      #expect((0..<3).map { batch.isTombstone(at: $0) } == [false, true, false])
      #expect((0..<3).map { batch.copyOfValue(at: $0) } == [[2, 3], nil, []])
      #expect((0..<3).map { batch.copyOfKey(at: $0) } == [[1], nil, []])
      #expect(batch.value(at: 0)[1] == 3)
      #expect(batch.headers(at: 0).isEmpty)
      #expect(batch.timestampKind(at: 1) == .none)
      #expect(batch.events == [.partitionEnd(offset: base + 4)])
    }
    batch.reset()
    #expect(batch.count == 0 && batch.events.isEmpty)
  }
}
