import Delivery
import Kafka

/// A task of a pipeline, unique within the daemon.
package struct TaskName: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The pipeline.
  package let pipeline: String
  /// The task's number: its lead partition.
  package let number: Int

  /// Creates a name.
  package init(pipeline: String, number: Int) {
    self.pipeline = pipeline
    self.number = number
  }

  /// `pipeline/number`.
  package var description: String { "\(pipeline)/\(number)" }

  /// By pipeline and number.
  package static func < (one: TaskName, other: TaskName) -> Bool {
    (one.pipeline, one.number) < (other.pipeline, other.number)
  }
}

/// What a control thread tells a worker.
enum WorkerMessage: Sendable {
  /// Build the task from its state, or bring it into being.
  case start(TaskStart)
  /// What a task left was read beside the worker, at its n-th attempt to read something.
  case read(TaskName, attempt: Int, Result<StoredState, any Error>)
  /// The partitions were assigned: read from these queues.
  case assigned(TaskName, [any RecordQueue])
  /// The group has accepted a commit.
  case committed(TaskName, commit: Int64)
  /// The group has refused a commit for good: the task belongs to somebody else.
  case refused(TaskName, KafkaError)
  /// A commit is durable here, or the disk has refused part of it.
  case stored(TaskName, StorageOutcome)
  /// A snapshot is durable, or the disk has refused it.
  case snapshotStored(TaskName, number: Int64, problem: String?)
  /// What the brokers hold of the task's partitions; nil when they did not answer.
  case logStarts(TaskName, [Watermarks]?)
  /// What the brokers hold of a partition that had not what was to be read next, or why they do not say.
  case gap(TaskName, TopicPartition, Result<Watermarks, KafkaError>)
  /// A closed object has arrived.
  case delivered(TaskName, output: Int, firstRow: Int64)
  /// A closed object will never be accepted.
  case undeliverable(TaskName, output: Int, DeliveryError)
  /// Go on although bad records have paused the task.
  case resume
  /// Stop after the rows taken so far.
  case stop(TaskName, StopMode)
  /// End the thread.
  case quit
}

/// How a task ends.
enum StopMode: Hashable, Sendable {
  /// Close and deliver everything, then leave a snapshot: the daemon ends.
  case drain
  /// Commit what was taken and leave a snapshot: the pipeline goes on with another configuration.
  case barrier
  /// Commit what was taken and give up: the partition goes elsewhere.
  case handOver
  /// Give up at once: the partition is somebody else's already.
  case drop
}

/// What a worker tells the control thread of a pipeline.
enum ControlMessage: Sendable {
  /// The task stands at these offsets and wants its records.
  case ready(TaskName, [PartitionStart])
  /// Commit these offsets; the first is the lead partition's.
  case commit(TaskName, [PartitionOffset], commit: Int64)
  /// Read the task's partitions from elsewhere: records were deleted before they were read.
  case restart(TaskName, [PartitionStart])
  /// The group has not accepted a commit because it has moved on.
  case unaccepted(TaskName, KafkaError)
  /// The task has repeated what its pipeline did before it was changed, and left a snapshot: it shall
  /// begin again as the pipeline is now.
  case renewed(TaskName)
  /// The task has ended.
  case stopped(TaskName, TaskFailure?)
}

/// Everything that a worker needs to run a task.
struct TaskStart: Sendable {
  let name: TaskName
  var plan: PipelinePlan
  /// The partitions in merge order; the first is the lead.
  let partitions: [TaskPartition]
  /// How many tasks the pipeline has, on all daemons.
  let taskCount: Int
  let origin: TaskOrigin
  let control: Mailbox<ControlMessage>
  let services: TaskServices
  let consumer: any GroupMember
  /// As whom the task's partitions were given to this member.
  let memberID: String?
}

/// One partition of a task's input.
struct TaskPartition: Hashable, Sendable {
  let topicPartition: TopicPartition
  let input: Int
  /// The offset of the partition's oldest record when the task began.
  let begin: Int64
  /// The offset after the partition's last record when the task began.
  let end: Int64
}

/// Where a task comes from.
enum TaskOrigin: Sendable {
  /// The group's commit names its state.
  case resume(CommitRecord)
  /// There is no commit: the task begins at these offsets.
  ///
  /// What lies before them from `history` on is read first and reaches no output.
  case birth(offsets: [Int64], history: [Int64], life: String)
}
