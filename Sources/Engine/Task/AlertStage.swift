import Alerting
import Columns
import Dataflow

/// Makes alerts of the rows of a webhook's stream: one a row, or one a transition of an episode.
struct AlertStage {
  private let plan: WebhookPlan
  private var tracker: EpisodeTracker?
  private var transitions: [EpisodeTransition] = []

  init(_ plan: WebhookPlan) {
    self.plan = plan
    tracker = plan.settings.rule.map { EpisodeTracker($0.episode) }
  }

  /// ROWTIME at which episodes change if no row comes, or nil.
  var nextDeadline: Int64? { tracker?.nextDeadline }

  /// Takes one row of a batch.
  mutating func append(
    _ batch: borrowing Batch, row: Int, id: String, pool: borrowing StringPool,
    to alerts: inout [AlertRow]
  ) {
    let entity = plan.entityColumns.map {
      RowText.text(batch.columns[$0], row: row, pool: pool) ?? ""
    }
    guard let rule = plan.settings.rule else {
      alerts.append(
        AlertRow(
          id: id, rowtime: batch.rowtimes[row], entity: entity,
          fields: fields(batch, row: row, pool: pool), episode: nil))
      return
    }
    let value = plan.valueColumn.flatMap { RowText.number(batch.columns[$0], row: row) }
    let condition = rule.episode.condition(
      value: value,
      actual: plan.actualColumn.flatMap { RowText.number(batch.columns[$0], row: row) },
      expected: plan.expectedColumn.flatMap { RowText.number(batch.columns[$0], row: row) })
    tracker?.observe(
      entity: entity, rowtime: batch.rowtimes[row], condition: condition, value: value,
      into: &transitions)
    guard !transitions.isEmpty else { return }
    let last = transitions.count - 1
    let isOwn =
      transitions[last].entity == entity
      && transitions[last].rowtime == batch.rowtimes[row]
    let own = isOwn ? fields(batch, row: row, pool: pool) : []
    for (index, transition) in transitions.enumerated() {
      alerts.append(
        AlertRow(
          id: "\(transition.number)", rowtime: transition.rowtime, entity: transition.entity,
          fields: index == last ? own : [], episode: transition))
    }
    transitions.removeAll(keepingCapacity: true)
  }

  /// Lets episodes end that end by time.
  mutating func advance(to rowtime: Int64, into alerts: inout [AlertRow]) {
    tracker?.advance(to: rowtime, into: &transitions)
    guard !transitions.isEmpty else { return }
    for transition in transitions {
      alerts.append(
        AlertRow(
          id: "\(transition.number)", rowtime: transition.rowtime, entity: transition.entity,
          fields: [], episode: transition))
    }
    transitions.removeAll(keepingCapacity: true)
  }

  private func fields(
    _ batch: borrowing Batch, row: Int, pool: borrowing StringPool
  ) -> [Alert.Field] {
    var fields: [Alert.Field] = []
    for field in plan.fields {
      fields.append(
        Alert.Field(
          field.name, RowText.value(batch.columns[field.column], row: row, pool: pool)))
    }
    return fields
  }

  func save(into writer: inout SectionWriter) { tracker?.save(into: &writer) }

  mutating func restore(from reader: inout SectionReader) throws(StateError) {
    try tracker?.restore(from: &reader)
  }
}

/// One alert of an output.
struct AlertRow: Sendable {
  /// The row's id (topic, partition, offset, number), or the number of the transition.
  let id: String
  /// ROWTIME, milliseconds since 1970.
  let rowtime: Int64
  /// The values of the entity's columns.
  let entity: [String]
  /// The values of the row under their names; empty when no row but time brought it about.
  let fields: [Alert.Field]
  /// What happened to the episode; nil when every row is an alert.
  let episode: EpisodeTransition?
}
