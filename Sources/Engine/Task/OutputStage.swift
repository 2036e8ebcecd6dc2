import Codecs
import Columns
import Delivery
import StreamSQL

/// What a task does with the rows of one output, up to the point where something leaves the process.
///
/// Part of the deterministic core: it reads no clock and writes nothing.
struct OutputStage {
  /// What is staged for the rim since the last look.
  struct Staged {
    /// Alerts, with the id that never changes between attempts.
    var alerts: [AlertRow] = []
    /// Rows for a Kafka topic.
    var messages = RowBlock()
  }

  /// A row that belongs into no object.
  struct Failure {
    let cause: Int64
    /// Which row of its cause it is.
    let number: Int
    let rowtime: Int64
    let bytes: [UInt8]
    let error: DeliveryError
  }

  let output: OutputPlan
  private let encoder: RowEncoder
  /// The number of the next row.
  var nextRow: Int64 = 0
  /// How many rows have arrived at the destination, or were handed to a commit or the outbox.
  var delivered: Int64 = 0
  /// How many rows belong into no object and became dead letters.
  var refused: Int64 = 0
  /// The record that caused the last row, and how many rows it caused.
  var lastCause: Int64 = -1
  var lastCauseRows: Int64 = 0
  /// The objects that take rows, for deliveries.
  var open: OpenObjects
  /// Closed objects that did not arrive yet, oldest first.
  var pending: [ClosedObject] = []
  private(set) var staged = Staged()
  private var failures: [Failure] = []
  /// The alerts of a webhook.
  var alerts: AlertStage?
  /// What a snapshot in the making lacks.
  var copies = ObjectCopies()

  init(_ output: OutputPlan) {
    self.output = output
    encoder = RowEncoder(output)
    open = OpenObjects(hints: .standard)
    switch output.kind {
    case .delivery(let delivery):
      open = OpenObjects(
        hints: delivery.hints, keepsRecordEnds: delivery.keepsRecordEnds,
        partitionLimit: delivery.settings.partitionLimit)
    case .webhook(let webhook): alerts = AlertStage(webhook)
    case .kafka: break
    }
  }

  /// Bytes of closed objects that did not arrive yet.
  var pendingBytes: Int { pending.reduce(0) { $0 + $1.bytes.count } }

  /// Bytes of rows for a topic that no commit has taken up.
  var stagedBytes: Int { staged.messages.bytes.count }

  /// Alerts that no commit has taken up.
  var stagedAlerts: Int { staged.alerts.count }

  /// What became of the rows so far.
  var balance: OutputBalance {
    var isWebhook = false
    if case .webhook = output.kind { isWebhook = true }
    return OutputBalance(
      name: output.name, rows: nextRow, delivered: isWebhook ? nextRow : delivered,
      deadLettered: refused, inFlight: rowsHere)
  }

  /// How many rows wait here.
  var rowsHere: Int64 {
    let closed = pending.reduce(0) { $0 + $1.recordCount }
    return Int64(open.recordCount + closed + staged.messages.count + failures.count)
  }

  /// The first rows of the open objects in the order in which they were opened.
  var openObjects: [Int64] { open.firstRows }

  /// The least ROWTIME that is in no destination yet, or nil.
  var oldestRowTime: Int64? {
    [open.oldestRowTime, pending.map(\.oldestRowTime).min()].compactMap { $0 }.min()
  }

  /// ROWTIME at which episodes change if no row comes, or nil.
  var nextDeadline: Int64? { alerts?.nextDeadline }

  /// The first row of the open object whose interval is over, or nil.
  func dueObject(now: Int64) -> Int64? { open.due(now: now) }

  mutating func takeStaged() -> Staged {
    delivered += Int64(staged.messages.count)
    defer { staged = Staged() }
    return staged
  }

  /// The rows for a topic that are staged.
  mutating func takeMessages() -> RowBlock {
    delivered += Int64(staged.messages.count)
    defer { staged.messages = RowBlock() }
    return staged.messages
  }

  /// The rows since the last look that belong into no object.
  mutating func takeFailures() -> [Failure] {
    guard !failures.isEmpty else { return [] }
    refused += Int64(failures.count)
    defer { failures = [] }
    return failures
  }

  /// Takes the rows of a batch.
  mutating func append(
    _ batch: borrowing Batch, pool: borrowing StringPool, context: RowContext
  ) throws(DeliveryError) {
    encoder.load(batch)
    for row in 0..<batch.count {
      let cause = batch.causes[row]
      if cause != lastCause {
        lastCause = cause
        lastCauseRows = 0
      }
      defer {
        lastCauseRows += 1
        nextRow += 1
      }
      switch output.kind {
      case .delivery(let delivery):
        let id = delivery.includesID ? context.id(cause: cause, number: lastCauseRows) : nil
        try append(batch, row: row, delivery, id: id, pool: pool, context: context)
      case .webhook:
        alerts?.append(
          batch, row: row, id: context.id(cause: cause, number: lastCauseRows), pool: pool,
          to: &staged.alerts)
      case .kafka(let plan):
        let id =
          plan.settings.includesID ? context.id(cause: cause, number: lastCauseRows) : nil
        if let key = plan.keyColumn {
          staged.messages.appendKey {
            RowText.append(batch.columns[key], row: row, pool: pool, to: &$0)
          }
        }
        staged.messages.append { bytes in
          encoder.append(batch, row: row, id: id, pool: pool, to: &bytes)
        }
      }
    }
  }

  private mutating func append(
    _ batch: borrowing Batch, row: Int, _ delivery: DeliveryPlan, id: String?,
    pool: borrowing StringPool, context: RowContext
  ) throws(DeliveryError) {
    var values: [String] = []
    for column in delivery.partitionColumns {
      values.append(RowText.text(batch.columns[column], row: row, pool: pool) ?? "")
    }
    do {
      if !values.isEmpty, !open.contains(values) {
        try checkName(values, batch.rowtimes[row], delivery, context)
      }
      let full = try open.append(
        partitionValues: values, row: nextRow, rowTime: batch.rowtimes[row], now: context.clock
      ) { bytes in
        encoder.append(batch, row: row, id: id, pool: pool, to: &bytes)
      }
      if let full { try close(full, delivery, context) }
    } catch  where error.code.hasPrefix("Partitioning.") {
      var bytes: [UInt8] = []
      encoder.append(batch, row: row, id: id, pool: pool, to: &bytes)
      failures.append(
        Failure(
          cause: lastCause, number: Int(lastCauseRows), rowtime: batch.rowtimes[row],
          bytes: bytes, error: error))
    }
  }

  /// Throws when the values of a new partition make no name.
  private func checkName(
    _ values: [String], _ rowtime: Int64, _ delivery: DeliveryPlan, _ context: RowContext
  ) throws(DeliveryError) {
    let identity = ObjectIdentity(
      pipeline: context.pipeline, life: context.life, task: context.task, output: output.name,
      partitionValues: values, firstRow: nextRow, lastRow: nextRow)
    _ = try delivery.naming.name(of: identity, rowTime: rowtime)
  }

  /// Adds a line that is already encoded: a dead letter.
  mutating func append(line: [UInt8], rowtime: Int64, context: RowContext) throws(DeliveryError) {
    defer { nextRow += 1 }
    switch output.kind {
    case .webhook: preconditionFailure("the planner sends no dead letters to webhooks")
    case .kafka: staged.messages.append { $0 += line }
    case .delivery(let delivery):
      let full = try open.append(row: nextRow, rowTime: rowtime, now: context.clock) { $0 += line }
      if let full { try close(full, delivery, context) }
    }
  }

  /// Lets episodes end that end by time.
  mutating func advance(to rowtime: Int64) { alerts?.advance(to: rowtime, into: &staged.alerts) }

  /// Closes the open object that begins with `firstRow`; false when there is none.
  mutating func close(firstRow: Int64, _ context: RowContext) throws(DeliveryError) -> Bool {
    guard case .delivery(let delivery) = output.kind, let object = open.take(firstRow: firstRow)
    else { return false }
    try close(object, delivery, context)
    return true
  }

  private mutating func close(
    _ object: consuming OpenObject, _ delivery: DeliveryPlan, _ context: RowContext
  ) throws(DeliveryError) {
    pending.append(
      try object.closed(
        pipeline: context.pipeline, life: context.life, task: context.task, output: output.name,
        naming: delivery.naming))
  }

  /// Forgets the closed object that begins with `firstRow`: it arrived.
  ///
  /// - Returns: Whether there was such an object.
  mutating func done(firstRow: Int64) -> Bool {
    guard let index = pending.firstIndex(where: { $0.identity.firstRow == firstRow }) else {
      return false
    }
    let object = pending.remove(at: index)
    copies.willForget(firstRow, object.records)
    delivered += Int64(object.recordCount)
    return true
  }
}

/// What the rows of a batch need to be named.
struct RowContext {
  let pipeline: String
  let life: String
  let task: Int
  /// The last tick.
  let clock: Int64
  /// Topic, partition and offset of the record with a row number.
  let origin: (Int64) -> RecordOrigin

  /// The deterministic id of a row: `topic-partition-offset-n`.
  func id(cause: Int64, number: Int64) -> String {
    let origin = origin(cause)
    return "\(origin.topic)-\(origin.partition)-\(origin.offset)-\(number)"
  }
}

/// Where a record stands in Kafka.
struct RecordOrigin: Hashable, Sendable {
  let topic: String
  let partition: Int32
  let offset: Int64
}
