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

  let output: OutputPlan
  private let encoder: RowEncoder
  /// The number of the next row.
  private(set) var nextRow: Int64 = 0
  /// The record that caused the last row, and how many rows it caused.
  private var lastCause: Int64 = -1
  private var lastCauseRows: Int64 = 0
  /// The object that takes rows, for deliveries.
  private(set) var open: OpenObject
  /// Closed objects that did not arrive yet, oldest first.
  private(set) var pending: [ClosedObject] = []
  private(set) var staged = Staged()

  init(_ output: OutputPlan) {
    self.output = output
    encoder = RowEncoder(output)
    open = OpenObject()
  }

  /// Bytes of closed objects that did not arrive yet.
  var pendingBytes: Int { pending.reduce(0) { $0 + $1.bytes.count } }

  /// Bytes of rows for a topic that no commit has taken up.
  var stagedBytes: Int { staged.messages.bytes.count }

  /// The tick at which the open object is due, or nil.
  var dueAt: Int64? {
    guard case .delivery(let delivery) = output.kind else { return nil }
    return open.dueAt(delivery.hints)
  }

  mutating func takeStaged() -> Staged {
    defer { staged = Staged() }
    return staged
  }

  /// The rows for a topic that are staged.
  mutating func takeMessages() -> RowBlock {
    defer { staged.messages = RowBlock() }
    return staged.messages
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
        open.append(row: nextRow, rowTime: batch.rowtimes[row], now: context.clock) { bytes in
          encoder.append(row: row, id: id, pool: pool, to: &bytes)
        }
        if open.isFull(delivery.hints) { try close(context) }
      case .webhook:
        staged.alerts.append(
          AlertRow(
            id: context.id(cause: cause, number: lastCauseRows), rowtime: batch.rowtimes[row],
            fields: RowText.fields(of: batch, row: row, pool: pool)))
      case .kafka(_, let includesID):
        let id = includesID ? context.id(cause: cause, number: lastCauseRows) : nil
        staged.messages.append { bytes in
          encoder.append(row: row, id: id, pool: pool, to: &bytes)
        }
      }
    }
  }

  /// Adds a line that is already encoded: a dead letter.
  mutating func append(line: [UInt8], rowtime: Int64, context: RowContext) throws(DeliveryError) {
    defer { nextRow += 1 }
    switch output.kind {
    case .delivery(let delivery):
      open.append(row: nextRow, rowTime: rowtime, now: context.clock) { $0 += line }
      if open.isFull(delivery.hints) { try close(context) }
    case .kafka: staged.messages.append { $0 += line }
    case .webhook: preconditionFailure("the planner sends no dead letters to webhooks")
    }
  }

  /// Closes the open object, unless it is empty.
  mutating func close(_ context: RowContext) throws(DeliveryError) {
    guard case .delivery(let delivery) = output.kind, !open.isEmpty else { return }
    let full = open
    open = OpenObject()
    pending.append(
      try full.closed(
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
    pending.remove(at: index)
    return true
  }

  func save(into writer: inout SectionWriter) {
    writer.write([nextRow, lastCause, lastCauseRows])
    open.save(into: &writer)
    writer.write(Int64(pending.count))
    for object in pending { object.save(into: &writer) }
  }

  mutating func restore(from reader: inout SectionReader) throws(StateError) {
    let numbers = try reader.integers()
    guard numbers.count == 3 else { throw reader.failure("three row numbers are needed") }
    nextRow = numbers[0]
    lastCause = numbers[1]
    lastCauseRows = numbers[2]
    open = try OpenObject(restoring: &reader)
    pending = []
    for _ in 0..<(try reader.count()) { pending.append(try ClosedObject(restoring: &reader)) }
    try reader.finish()
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

/// One row of an alert output.
struct AlertRow: Sendable {
  /// The row's id: topic, partition, offset and number of the record that caused it.
  let id: String
  /// ROWTIME, milliseconds since 1970.
  let rowtime: Int64
  /// Column names and values as text, in order; NULL is nil.
  let fields: [(name: String, value: String?)]
}
