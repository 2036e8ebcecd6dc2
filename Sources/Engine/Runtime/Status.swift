public import Dataflow
import Synchronization

/// What a task is doing, for pages, logs and the demo's progress.
public struct TaskStatus: Hashable, Sendable {
  /// `replaying` or `running`.
  public var phase: String
  /// What it has done since its birth.
  public var counters: TaskCounters
  /// The highest ROWTIME, milliseconds since 1970.
  public var rowtime: Int64
  /// The next offset per partition.
  public var nextOffsets: [Int64]
  /// Bytes of closed objects that did not arrive yet.
  public var pendingBytes: Int
  /// The least ROWTIME that no destination has yet, milliseconds since 1970; nil when there is none.
  public var oldestUndelivered: Int64?
  /// Why it takes no records, if it does not.
  public var problem: String?
  /// What became of the rows of each output, the dead letters last.
  public var outputs: [OutputBalance] = []
  /// Its snapshots since it was started.
  public var snapshots = SnapshotStatus()
  /// How long reading its state and replaying its journal took, milliseconds.
  public var recovery: Int64 = 0
  /// The models of its keys; nil when it has none.
  public var models: ModelStatus?
  /// The partition of whose records retention may delete the fewest before a replay could not read what it
  /// needs; nil until the brokers have said.
  package var replayMargin: ReplayMargin?
}

extension TaskStatus {
  /// The status of a task that runs and waits for nothing.
  package init(counters: TaskCounters, outputs: [OutputBalance]) {
    self.init(
      phase: "running", counters: counters, rowtime: 0, nextOffsets: [], pendingBytes: 0,
      outputs: outputs)
  }
}

/// The models that the functions with PARTITION BY of one task have for keys.
public struct ModelStatus: Hashable, Sendable {
  /// All functions together.
  public var counters: ModelCounters
  /// Bytes of models that wait on the disk.
  public var spilledBytes: Int64
}

/// What became of the rows of one output since the task's birth.
///
/// Balance: `rows = delivered + deadLettered + inFlight`.
public struct OutputBalance: Hashable, Sendable {
  /// The output.
  public var name: String
  /// Rows that the application gave it.
  public var rows: Int64
  /// Rows that have arrived, or were handed to a commit or to the outbox of alerts.
  public var delivered: Int64
  /// Rows that belong into no object.
  public var deadLettered: Int64
  /// Rows that wait.
  public var inFlight: Int64

  /// Whether no row is missing and none came from nowhere.
  public var isEven: Bool { rows == delivered + deadLettered + inFlight }

  /// Creates a balance.
  package init(
    name: String, rows: Int64, delivered: Int64, deadLettered: Int64, inFlight: Int64
  ) {
    self.name = name
    self.rows = rows
    self.delivered = delivered
    self.deadLettered = deadLettered
    self.inFlight = inFlight
  }
}

/// How a task's snapshots go.
public struct SnapshotStatus: Hashable, Sendable {
  /// How many are durable.
  public var stored = 0
  /// How long the last one took from its first byte until it was durable, milliseconds.
  public var milliseconds: Int64 = 0
  /// The longest turn of the task's worker while the last one was copied and stored, milliseconds: as
  /// long as a batch can wait.
  public var longestTurn: Int64 = 0
  /// The longest turn between the last one and the one before it.
  public var longestOtherTurn: Int64 = 0

  /// No snapshots so far.
  public init() {}
}

/// What a pipeline is doing.
public struct PipelineStatus: Sendable {
  /// The pipeline's name.
  public var name: String
  /// Its tasks on this daemon by their numbers.
  public var tasks: [Int: TaskStatus] = [:]
  /// Why it stands still, if it does.
  public var problem: String?
  /// Whether it has stopped for good.
  public var hasFailed = false
}

/// The present state of everything, written by workers and control threads, read by anyone.
package final class StatusBoard: Sendable {
  private struct State {
    var pipelines: [String: PipelineStatus] = [:]
    var changes: UInt64 = 0
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  private let state = Mutex(State())

  /// Creates an empty board.
  package init() {}

  /// Notes what a task is doing; nil when it has ended.
  package func update(_ task: TaskName, _ status: TaskStatus?) {
    change {
      $0[task.pipeline, default: PipelineStatus(name: task.pipeline)].tasks[task.number] = status
    }
  }

  func report(_ pipeline: String, problem: String?, hasFailed: Bool = false) {
    change {
      $0[pipeline, default: PipelineStatus(name: pipeline)].problem = problem
      $0[pipeline, default: PipelineStatus(name: pipeline)].hasFailed = hasFailed
    }
  }

  /// Whether this daemon runs task 0 of a pipeline.
  func holdsFirstTask(_ pipeline: String) -> Bool {
    state.withLock { $0.pipelines[pipeline]?.tasks[0] != nil }
  }

  func status(of pipeline: String) -> PipelineStatus? { state.withLock { $0.pipelines[pipeline] } }

  /// A pipeline is not there any more, or begins anew.
  func forget(_ pipeline: String) { change { $0[pipeline] = nil } }

  /// Every pipeline in the order of the names.
  package func snapshot() -> [PipelineStatus] {
    state.withLock { $0.pipelines.values.sorted { $0.name < $1.name } }
  }

  /// How often something has changed.
  package var changeCount: UInt64 { state.withLock { $0.changes } }

  /// Wakes those that wait for something that stands elsewhere.
  func noteChange() { change { _ in } }

  /// Waits until `holds` does, which is asked again after each change, or the task is cancelled.
  func wait(until holds: () throws -> Bool) async rethrows {
    while !Task.isCancelled {
      let changes = state.withLock { $0.changes }
      if try holds() { return }
      await withTaskCancellationHandler {
        await withCheckedContinuation { continuation in
          let isOld = state.withLock { state in
            if state.changes == changes { state.waiters.append(continuation) }
            return state.changes != changes
          }
          if isOld { continuation.resume() }
        }
      } onCancel: {
        noteChange()
      }
    }
  }

  private func change(_ body: (inout [String: PipelineStatus]) -> Void) {
    let waiters = state.withLock { state in
      body(&state.pipelines)
      state.changes += 1
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }
}
