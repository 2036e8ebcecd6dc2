import Alerting
import Kafka

/// The alerts and topic rows of one task on their way into outbox and topics.
///
/// Alerts are durable in the outbox before the commit that accounts for them, and can be sent only
/// after it. Rows of topics go with their commit to the `TopicWriter`.
struct TaskAlerts {
  private let start: TaskStart

  init(start: TaskStart) throws { self.start = start }

  private var pipeline: String { start.name.pipeline }

  /// Makes the outbox hold what was committed and nothing else.
  func recover(commit: Int64) throws {
    guard let outbox = start.services.outbox else { return }
    try outbox.dropBeyond(pipeline: pipeline, task: start.name.number, commit: commit)
    try outbox.release(pipeline: pipeline, task: start.name.number, upTo: commit)
  }

  /// What a commit brings along for outbox and topics.
  struct Staged {
    /// The alerts of each receiver, worded when they are written: a storm has many.
    var alerts: [(receiver: Receiver, rows: [AlertRow], writer: AlertWriter)] = []
    var rows: [TopicCommit.Rows] = []
  }

  /// Takes from a task what it has staged.
  func take(_ core: TaskCore) -> Staged {
    var all = Staged()
    for index in core.plan.outputs.indices {
      let staged = core.takeStaged(index)
      if !staged.alerts.isEmpty, let receiver = start.services.receivers[index],
        let writer = AlertWriter(start.plan, output: index, life: core.life)
      {
        all.alerts.append((receiver, staged.alerts, writer))
      }
      if !staged.messages.isEmpty, case .kafka(let plan) = start.plan.outputs[index].kind {
        all.rows.append(TopicCommit.Rows(topic: plan.settings.topic, rows: staged.messages))
      }
    }
    return all
  }

  /// Makes alerts durable under the number of a commit; a repetition changes nothing.
  func append(_ staged: Staged, commit: Int64) throws {
    for (receiver, rows, writer) in staged.alerts {
      try start.services.outbox?.append(
        rows.lazy.map(writer.alert), to: receiver, pipeline: pipeline, task: start.name.number,
        commit: commit)
    }
  }

  /// Lets everything up to an acknowledged commit be sent.
  func release(commit: Int64) throws {
    try start.services.outbox?.release(
      pipeline: pipeline, task: start.name.number, upTo: commit)
  }
}
