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

  /// Puts alerts that the task has staged into the outbox, under the number of its next commit.
  ///
  /// - Returns: What is staged for topics.
  func stage(_ core: TaskCore, commit: Int64) throws -> [TopicCommit.Rows] {
    var rows: [TopicCommit.Rows] = []
    for index in core.plan.outputs.indices {
      let staged = core.takeStaged(index)
      if !staged.alerts.isEmpty, let outbox = start.services.outbox,
        let receiver = start.services.receivers[index]
      {
        let writer = AlertWriter(start.plan, output: index, life: core.life)
        let alerts = staged.alerts.compactMap { writer?.alert(of: $0) }
        try outbox.append(
          alerts, to: receiver, pipeline: pipeline, task: start.name.number, commit: commit)
      }
      if !staged.messages.isEmpty, case .kafka(let topic, _) = start.plan.outputs[index].kind {
        rows.append(TopicCommit.Rows(topic: topic, rows: staged.messages))
      }
    }
    return rows
  }

  /// Lets everything up to an acknowledged commit be sent.
  func release(commit: Int64) throws {
    try start.services.outbox?.release(
      pipeline: pipeline, task: start.name.number, upTo: commit)
  }
}
