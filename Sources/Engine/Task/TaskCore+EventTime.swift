import Columns
import Dataflow

/// What a task has besides when ROWTIME is a declared column: the rows that wait for their turn.
struct EventTimeOrder {
  var sorter: EventTimeSorter
  /// The number that the next row, late record or refusal gets: rows are caused in the order in which
  /// they leave the sorter, as if the input had been sorted.
  var nextCause: Int64 = 0
  /// Rows in their order that wait for the next `flush`, and the source that they belong to.
  var sorted: Batch?
  var source = 0
  /// How many flushes there were: the records of earlier ones are not at hand.
  var batch: Int64 = 0
  /// The record of the row that left the sorter last.
  private var last: EventTimeSorter.Origin?

  /// Orders the rows of the plan's inputs; nil when ROWTIME is the record's time.
  init?(_ plan: PipelinePlan, rowLimit: Int) {
    let bounds = plan.inputs.compactMap { $0.eventTime?.lateness }
    guard let lateness = bounds.max() else { return nil }
    sorter = EventTimeSorter(
      schemas: plan.inputs.map(\.schema), lateness: lateness, rowLimit: rowLimit)
  }

  /// Whether a row begins something new: rows of one record and time belong together.
  mutating func isNew(_ origin: EventTimeSorter.Origin, time: Int64) -> Bool {
    defer { last = origin }
    return last != origin || sorted?.rowtimes.last != time
  }
}

extension TaskCore {
  /// Gives the rows of the record at hand to the sorter and takes those whose turn has come.
  ///
  /// Its rows are in the batch of its source.
  func sort(_ buffer: PartitionBuffer, index: Int) throws {
    guard let eventTime = plan.inputs[buffer.input].eventTime else { return }
    let source = sources[buffer.input]
    source.finish()
    defer { source.reset() }
    let column = source.batch.columns[eventTime.column]
    let record = BufferedRecord(
      partition: position(of: buffer), index: index, offset: buffer.records.offset(at: index))
    if let problem = problem(column) ?? makeRoom(column) {
      return try refuse(buffer, record, code: problem.code, message: problem.message)
    }
    counters.decoded += 1
    let origin = EventTimeSorter.Origin(
      partition: record.partition, offset: record.offset, index: index, batch: order?.batch ?? 0)
    var lateRows: [Int] = []
    for row in 0..<source.batch.count {
      if column.integers[row] < order?.sorter.watermark ?? .min {
        lateRows.append(row)
      } else {
        order?.sorter.insert(
          source.batch, row: row, time: column.integers[row], input: buffer.input, origin: origin)
      }
    }
    if !lateRows.isEmpty { try takeLate(buffer, record, lateRows, eventTime) }
    order?.sorter.advance()
    takeSorted()
  }

  /// Why a record's rows cannot be put in order.
  private func problem(_ times: Column) -> (code: String, message: String)? {
    let limit = position.clock + plan.configuration.timing.maxFuture
    for row in 0..<times.count {
      if times.nulls[row] { return ("Record.NoEventTime", "the event time is NULL") }
      let time = times.integers[row]
      guard time > limit else { continue }
      return (
        "Record.FutureTimestamp",
        "the event time \(CivilTime(milliseconds: time)) is more than max_future ahead of the clock "
          + "\(CivilTime(milliseconds: position.clock))"
      )
    }
    return nil
  }

  /// Lets a record for which there is no room move the watermark, or nothing would ever be let out;
  /// returns what is wrong when there is still no room.
  private func makeRoom(_ times: Column) -> (code: String, message: String)? {
    guard order?.sorter.isFull ?? false, let earliest = times.integers.min() else { return nil }
    order?.sorter.see(earliest)
    takeSorted()
    guard order?.sorter.isFull ?? false else { return nil }
    return (
      "Record.TooManyHeld",
      "as many rows as held_rows allows wait for their event time (limits: held_rows)"
    )
  }

  /// Rows behind the watermark go to the late stream, or with their record to the dead letters.
  private func takeLate(
    _ buffer: PartitionBuffer, _ record: BufferedRecord, _ rows: [Int], _ plan: EventTimePlan
  ) throws {
    counters.late += Int64(rows.count)
    let watermark = order?.sorter.watermark ?? 0
    let batch = sources[buffer.input].batch
    guard let source = plan.lateSource else {
      let time = batch.columns[plan.column].integers[rows[0]]
      return note(
        buffer, record, code: "Record.Late",
        message: "the event time \(CivilTime(milliseconds: time)) is before the watermark "
          + "\(CivilTime(milliseconds: watermark))")
    }
    open(source)
    let cause = allot(record)
    position.rowtime = max(position.rowtime, watermark)
    for row in rows {
      for index in batch.columns.indices {
        order?.sorted?.columns[index].append(from: batch.columns[index], row: row)
      }
      order?.sorted?.columns[batch.columns.count].append(watermark)
      order?.sorted?.rowtimes.append(watermark)
      order?.sorted?.causes.append(cause)
    }
  }

  /// Takes the rows that the watermark has reached.
  func takeSorted() {
    while let next = order?.sorter.next {
      open(next.input)
      if order?.isNew(next.origin, time: next.time) ?? true {
        let isAtHand = next.origin.batch == order?.batch
        _ = allot(
          BufferedRecord(
            partition: next.origin.partition, index: isAtHand ? next.origin.index : -1,
            offset: next.origin.offset))
      }
      guard var sorted = order?.sorted.take(), let cause = order?.nextCause else { return }
      order?.sorter.moveNext(to: &sorted)
      sorted.causes.append(cause - 1)
      order?.sorted = consume sorted
      position.rowtime = max(position.rowtime, next.time)
    }
  }

  /// The number of what a record causes next.
  private func allot(_ record: BufferedRecord) -> Int64 {
    let cause = order?.nextCause ?? 0
    if origins.isEmpty { firstCause = cause }
    origins.append(record)
    order?.nextCause = cause + 1
    return cause
  }

  /// Makes the next rows those of a source.
  private func open(_ source: Int) {
    if order?.sorted != nil, order?.source != source { processSorted() }
    guard order?.sorted == nil else { return }
    order?.source = source
    order?.sorted = Batch(schema: plan.sourceSchemas[source], capacity: Batch.rowLimit)
  }

  /// Computes what waits in its order.
  func processSorted() {
    guard var batch = order?.sorted.take(), let source = order?.source else { return }
    guard !batch.isEmpty else { return }
    dataflow.process(&batch, source: source, pool: &pool, output: &output)
  }

  /// Sends a record that has no row to the error stream and the dead letters.
  func refuse(
    _ buffer: PartitionBuffer, _ record: BufferedRecord, code: String, message: String
  ) throws {
    counters.deadLettered += 1
    note(buffer, record, code: code, message: message)
  }

  private func note(
    _ buffer: PartitionBuffer, _ record: BufferedRecord, code: String, message: String
  ) {
    let cause = allot(record)
    refusals[cause] = code
    let stamped = max(0, buffer.records.timestamp(at: record.index))
    dataflow.refuse(
      RowError(
        undecodable: cause, rowtime: position.rowtime == .min ? stamped : position.rowtime,
        message: message, record: buffer.valueBytes(record.index)))
  }

  private func position(of buffer: PartitionBuffer) -> Int {
    buffers.firstIndex { $0 === buffer } ?? 0
  }

  // MARK: State

  private static let orderSection = "event time"

  /// Writes what is known of the rows that wait for their turn, without them.
  func saveOrderHead(into writer: inout StateWriter) {
    guard let order else { return }
    writer.section(Self.orderSection) { section in
      section.write(order.nextCause)
      section.write(plan.inputs.map { "\($0.schema)" }.joined(separator: "\n"))
      order.sorter.saveHead(into: &section)
    }
  }

  /// Writes the rows that wait for their turn.
  func saveOrderRows(into writer: inout StateWriter) {
    order?.sorter.saveRows(of: Self.orderSection, into: &writer, pool)
  }

  /// Writes one more slice of the rows that waited when the snapshot was begun; returns whether any are left.
  func copyOrderRows(into writer: inout StateWriter) -> Bool {
    order?.sorter.copyOne(of: Self.orderSection, into: &writer, pool) ?? false
  }

  /// Takes over the rows that waited.
  ///
  /// - Throws: `StateError` when they cannot become rows of the inputs as they are declared now.
  func restoreOrder(_ reader: StateReader) throws {
    guard reader.has(Self.orderSection) else {
      // What came before had the record's time; nothing goes back behind it.
      order?.sorter.advance(to: position.rowtime)
      return
    }
    var section = try reader.section(Self.orderSection)
    let nextCause: Int64 = try section.integer()
    guard order != nil,
      try section.text() == plan.inputs.map({ "\($0.schema)" }).joined(separator: "\n")
    else {
      throw section.failure(
        "rows wait for their event time, and event_time or the columns of the inputs were changed")
    }
    order?.nextCause = nextCause
    try order?.sorter.restore(of: Self.orderSection, from: reader, &section, &pool)
    try section.finish()
  }
}
