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
          values: Self.values(of: plan, batch, row: row, pool: pool), episode: nil))
      return
    }
    let value = plan.valueColumn.flatMap { RowText.number(batch.columns[$0], row: row) }
    let condition = rule.episode.condition(
      value: value,
      actual: plan.actualColumn.flatMap { RowText.number(batch.columns[$0], row: row) },
      expected: plan.expectedColumn.flatMap { RowText.number(batch.columns[$0], row: row) })
    let plan = plan
    tracker?.observe(
      entity: entity, rowtime: batch.rowtimes[row], condition: condition, value: value,
      values: { Self.values(of: plan, batch, row: row, pool: pool) }, into: &transitions)
    takeTransitions(into: &alerts)
  }

  /// Lets episodes end that end by time.
  mutating func advance(to rowtime: Int64, into alerts: inout [AlertRow]) {
    tracker?.advance(to: rowtime, into: &transitions)
    takeTransitions(into: &alerts)
  }

  private mutating func takeTransitions(into alerts: inout [AlertRow]) {
    guard !transitions.isEmpty else { return }
    for transition in transitions {
      alerts.append(
        AlertRow(
          id: "\(transition.number)", rowtime: transition.rowtime, entity: transition.entity,
          values: transition.values, episode: transition))
    }
    transitions.removeAll(keepingCapacity: true)
  }

  private static func values(
    of plan: WebhookPlan, _ batch: borrowing Batch, row: Int, pool: borrowing StringPool
  ) -> [EpisodeValue] {
    var values: [EpisodeValue] = []
    for field in plan.fields {
      values.append(RowText.value(batch.columns[field.column], row: row, pool: pool))
    }
    return values
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
  /// The values of the row, or of the row of the episode's peak, in the order of the plan's fields.
  let values: [EpisodeValue]
  /// What happened to the episode; nil when every row is an alert.
  let episode: EpisodeTransition?
}
