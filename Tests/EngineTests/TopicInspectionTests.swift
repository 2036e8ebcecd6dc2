import Columns
import Engine
import Kafka
import Testing

/// What `cutbank state inspect` and `verify` find in topics.
@Suite struct TopicInspectionTests {
  /// A task with two snapshots, of which the second refers to the first, and a commit behind each.
  private struct State {
    let topics = MemoryTopics()
    let store: TopicSnapshotStore
    let numbers: [Int64]
    let record: CommitRecord

    init() throws {
      store = TopicSnapshotStore(pipeline: "p", task: 3, topics: topics)
      var numbers: [Int64] = []
      var end = (segment: Int64(0), end: Int64(0))
      for commit in 1...2 as ClosedRange<Int64> {
        let number = try store.beginSegment()
        try store.store(
          StateFileTests.models(number, unchanged: numbers.last.map { [2: $0] } ?? [:]))
        numbers.append(number)
        end = try store.append(
          JournalBlock(epoch: 1, commit: commit, steps: StateFileTests.steps))
      }
      self.numbers = numbers
      record = CommitRecord(
        life: "l", epoch: 1, commit: 2, snapshot: numbers[1], previousSnapshot: numbers[0],
        segment: end.segment, segmentEnd: end.end)
    }

    func inspect(_ record: CommitRecord?) throws -> StateInspection {
      try StateInspection(pipeline: "p", task: 3, topics: topics, record: record)
    }
  }

  @Test func everythingIsToldAndCanBeRead() throws {
    let state = try State()
    for record in [state.record, nil] {
      let found = try state.inspect(record)
      #expect(found.problems.isEmpty, "\(found.problems)")
      for number in state.numbers {
        #expect(found.lines.contains { $0.hasPrefix("snapshot-\(number): ") }, "\(found.lines)")
      }
      #expect(found.lines.contains { $0.contains("others in snapshot-\(state.numbers[0])") })
      #expect(
        found.lines.contains {
          $0.hasPrefix("cutbank.p.journal[3]: ") && $0.hasSuffix("commits 1 to 2")
        }, "\(found.lines)")
      #expect(found.lines.contains("commit: \(state.record.text)") == (record != nil))
    }
  }

  /// What lies beyond the commit, and what another owner has begun, is no damage.
  @Test func whatNoCommitNamesIsTold() throws {
    let state = try State()
    _ = try state.store.append(JournalBlock(epoch: 1, commit: 3, steps: []))
    _ = try state.store.beginSegment()
    let found = try state.inspect(state.record)
    #expect(found.problems.isEmpty, "\(found.problems)")
    #expect(found.lines.contains { $0.contains("1 records that no commit names") })
    #expect(found.lines.contains { $0.contains("not finished, which no commit names") })
    #expect(found.lines.contains { $0.hasSuffix("commits 1 to 2") }, "\(found.lines)")
  }

  /// The oldest snapshot is kept for what refers to it, its journal is not.
  @Test func whatWasRemovedIsNotMissed() throws {
    let state = try State()
    let number = try state.store.beginSegment()
    try state.store.store(StateFileTests.models(number, unchanged: [2: state.numbers[0]]))
    let end = try state.store.append(
      JournalBlock(epoch: 1, commit: 3, steps: StateFileTests.steps))
    try state.store.discard(before: state.numbers[1])
    var record = state.record
    record.previousSnapshot = state.numbers[1]
    (record.commit, record.snapshot) = (3, number)
    (record.segment, record.segmentEnd) = (end.segment, end.end)
    let found = try state.inspect(record)
    #expect(found.problems.isEmpty, "\(found.problems)")
    #expect(found.lines.contains { $0.hasSuffix("commits 2 to 3") }, "\(found.lines)")
  }

  @Test func damageIsFound() throws {
    let damages: [(TopicPartition, Int64, String)] = [
      (TopicStateTests.state, 1, "cutbank.p.state[3]"),
      (TopicStateTests.journal, 0, "cutbank.p.journal[3]"),
    ]
    for (partition, offset, place) in damages {
      let state = try State()
      state.topics.damage(partition, at: offset)
      let found = try state.inspect(state.record)
      #expect(found.problems.contains { $0.hasPrefix(place) }, "\(found.problems)")
      #expect(!found.hints.isEmpty)
    }
  }

  @Test func whatTheCommitNamesMustBeThere() throws {
    let state = try State()
    var record = state.record
    record.snapshot = 1_000
    let missing = try state.inspect(record)
    #expect(
      missing.problems.contains {
        $0.contains("snapshot-1000, which the group's commit names, is missing")
      })
    record = state.record
    record.segmentEnd += 5
    let short = try state.inspect(record)
    #expect(short.problems.contains { $0.contains("the record at offset") }, "\(short.problems)")
    let none = try StateInspection(
      pipeline: "p", task: 3, topics: MemoryTopics(), record: state.record)
    #expect(none.problems.count == 3, "\(none.problems)")
  }
}
