package import Dataflow
package import Kafka
import Synchronization

/// The models and tables that shall be in use, published by the rim and taken up by every task between
/// two batches of its own.
package final class SlotBoard: Sendable {
  /// A blob for a slot.
  struct Published: Sendable {
    /// Its SHA-256.
    let blob: String
    let bytes: [UInt8]
    /// What the bytes hold: decoded once, shared by all tasks.
    let value: SlotValue
  }

  /// Where a task took a blob up: before its record `rowNumber`.
  package struct Position: Sendable {
    package let task: String
    /// How many records the task had taken before.
    package let rowNumber: Int64
    /// The next offset of each partition.
    package let offsets: [(TopicPartition, Int64)]
  }

  /// What became of a blob.
  package enum Outcome: Sendable {
    case activated(Position)
    case refused(task: String, reason: String)
  }

  private struct State {
    var published: [String: Published] = [:]
    var outcomes: [(slot: String, blob: String, outcome: Outcome)] = []
    var counters: [TaskName: [String: Counted]] = [:]
  }

  /// What the variants of a blob have done in a task.
  private struct Counted {
    let blob: String
    let counters: [VariantCounters]
  }

  private let state = Mutex(State())
  private let counter = Atomic<Int>(0)

  /// Creates a board without anything.
  package init() {}

  /// How often something was published.
  var changes: Int { counter.load(ordering: .acquiring) }

  /// Makes tasks take up a blob that holds `value`; does nothing when it is published already.
  package func publish(_ slot: String, blob: String, bytes: [UInt8], value: SlotValue) {
    let isNew = state.withLock { state in
      guard state.published[slot]?.blob != blob else { return false }
      state.published[slot] = Published(blob: blob, bytes: bytes, value: value)
      return true
    }
    if isNew { counter.add(1, ordering: .releasing) }
  }

  func published(_ slot: String) -> Published? { state.withLock { $0.published[slot] } }

  /// The bytes of a blob that is published.
  func bytes(of blob: String) -> [UInt8]? {
    state.withLock { $0.published.values.first { $0.blob == blob }?.bytes }
  }

  func activated(_ slot: String, _ blob: String, _ position: Position) {
    state.withLock { $0.outcomes.append((slot, blob, .activated(position))) }
  }

  func refused(_ slot: String, _ blob: String, by task: TaskName, reason: String) {
    state.withLock {
      $0.outcomes.append((slot, blob, .refused(task: "\(task)", reason: reason)))
    }
  }

  /// What has become of blobs since the last call.
  package func takeOutcomes() -> [(slot: String, blob: String, outcome: Outcome)] {
    state.withLock { state in
      defer { state.outcomes.removeAll() }
      return state.outcomes
    }
  }

  // MARK: Counters

  /// What a task's variants have done since they were activated, by slot.
  func count(
    _ counters: [(slot: String, blob: String, counters: [VariantCounters])], of task: TaskName
  ) {
    state.withLock { state in
      for (slot, blob, counters) in counters {
        state.counters[task, default: [:]][slot] = Counted(blob: blob, counters: counters)
      }
    }
  }

  /// The task has ended here.
  func forget(_ task: TaskName) { state.withLock { $0.counters[task] = nil } }

  /// What the variants that are published for a slot have done in all tasks.
  func counters(of slot: String) -> [VariantCounters] {
    state.withLock { state in
      guard let blob = state.published[slot]?.blob else { return [] }
      var sums: [VariantCounters] = []
      for task in state.counters.values {
        guard let counted = task[slot], counted.blob == blob else { continue }
        if sums.isEmpty {
          sums = counted.counters
        } else {
          for index in sums.indices { sums[index].add(counted.counters[index]) }
        }
      }
      return sums
    }
  }
}
