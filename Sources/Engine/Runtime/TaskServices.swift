package import Alerting
package import Delivery
package import Logging
import Synchronization
package import Transport

/// What tasks are given from outside: clock, disk, destinations, outbox, mailboxes.
package struct TaskServices: Sendable {
  let time: any TimeSource
  let disk: any Disk
  let dataDirectory: String
  let logger: Logger
  /// Makes what waits for the disk beside the worker.
  var makeBackground: @Sendable (_ name: String) -> any BackgroundWork = {
    BackgroundThread(name: $0)
  }
  /// Runs deliveries; nil is the cooperative pool.
  let executor: (any TaskExecutor)?
  let worker: Mailbox<WorkerMessage>
  let status: StatusBoard
  /// One per output of the pipeline; nil for outputs that are no deliveries.
  let uploaders: [Uploader?]
  /// Where alerts wait; nil when the pipeline has no webhook.
  let outbox: Outbox?
  /// Each output's receiver; nil for outputs that are no webhooks.
  let receivers: [Receiver?]
  /// Where rows of Kafka outputs go; nil when there are none.
  let topics: TopicWriter?
  let deadline: ShutdownDeadline
  /// What models shall be in use.
  var slots = SlotBoard()
  /// What rows the pipeline's reference tables shall have.
  var tables = SlotBoard()

  /// Shared by all tasks of the process.
  var suspects = SuspectGate()

  /// The topics that hold state; nil when folders do.
  var stateTopics: (any StateTopics)?
  /// Reads state from topics, one task's after the other's: not all of it need be in memory at once.
  var stateReading: any BackgroundWork = BackgroundThread(name: "state")

  /// Where the state of a task lives.
  func stateFolder(_ task: TaskName) -> String {
    "\(dataDirectory)/\(task.pipeline)/task-\(task.number)"
  }

  func makeStore(_ task: TaskName) throws -> any SnapshotStore {
    if let stateTopics {
      return TopicSnapshotStore(
        pipeline: task.pipeline, task: task.number, topics: stateTopics)
    }
    return try LocalSnapshotStore(folder: stateFolder(task), disk: disk)
  }

  /// Whether a shutdown has used up its time.
  func isOutOfTime() -> Bool { deadline.isOver(now: time.elapsed) }
}

/// When a shutdown must be over.
package final class ShutdownDeadline: Sendable {
  private let end = Mutex<Int64?>(nil)

  /// A deadline that is not set.
  package init() {}

  /// Sets the deadline, on the monotonic clock, unless it is set.
  package func set(_ time: Int64) { end.withLock { $0 = $0 ?? time } }

  func isOver(now: Int64) -> Bool { end.withLock { $0.map { now >= $0 } ?? false } }
}

extension TaskServices {
  /// The services of the tasks of one worker, for turns without threads.
  package init(
    time: any TimeSource, disk: any Disk, dataDirectory: String, logger: Logger,
    background: @escaping @Sendable (String) -> any BackgroundWork,
    executor: any TaskExecutor, worker: WorkerTurns, status: StatusBoard, uploaders: [Uploader?],
    outbox: Outbox?, receivers: [Receiver?], topics: TopicWriter?, deadline: ShutdownDeadline
  ) {
    self.init(
      time: time, disk: disk, dataDirectory: dataDirectory, logger: logger,
      makeBackground: background, executor: executor, worker: worker.mailbox, status: status,
      uploaders: uploaders, outbox: outbox,
      receivers: receivers, topics: topics, deadline: deadline)
  }
}
