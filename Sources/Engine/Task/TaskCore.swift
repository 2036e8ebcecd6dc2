import Codecs
import Columns
import Dataflow
import Delivery
import Kafka
import StreamSQL

/// The deterministic part of a task: decoding, the application's operators, the staged outputs.
///
/// Outputs and state are a pure function of the snapshot, the steps and the records. One worker thread
/// owns it; it waits for nothing, reads no clock and writes nothing.
final class TaskCore {
  let plan: PipelinePlan
  let task: Int
  let life: String
  let buffers: [PartitionBuffer]
  var position: TaskPosition
  var counters: TaskCounters
  var stages: [OutputStage]
  let sources: [SourceDecoder]
  let dataflow: Dataflow
  var pool = StringPool()
  var output: DataflowOutput
  /// What orders rows by a declared column, if one is.
  var order: EventTimeOrder?
  /// For each output of the pipeline the place of its stream in `output`; nil for dead letters.
  private let watched: [Int?]
  /// The codes of the refusals since the last flush, by cause.
  var refusals: [Int64: String] = [:]
  /// The records whose rows wait in `sources`, from `firstCause` on.
  var origins: [BufferedRecord] = []
  var firstCause: Int64 = 0
  private var pendingSource: Int?
  /// Whether the rows at hand only teach the detectors.
  private var mutes = false
  /// Reads what a step or a snapshot names.
  let readBlob: (String) throws -> [UInt8]
  /// Which blob each slot of the application holds.
  private(set) var activeBlobs: [String: String] = [:]

  /// A record that was taken, and where it still can be read.
  struct BufferedRecord {
    let partition: Int
    /// Its place in its buffer; -1 when it is not there any more.
    let index: Int
    let offset: Int64
  }

  /// How many strings the pool may hold before it is compacted: more when that many are in use.
  private var poolLimit = 1 << 20

  init(
    plan: PipelinePlan, task: Int, life: String, buffers: [PartitionBuffer], seed: UInt64,
    taskCount: Int, readBlob: @escaping (String) throws -> [UInt8],
    makeScratch: @escaping () throws -> any ModelScratch
  ) throws {
    self.readBlob = readBlob
    self.plan = plan
    self.task = task
    self.life = life
    self.buffers = buffers
    position = TaskPosition(nextOffsets: buffers.map(\.nextOffset))
    counters = TaskCounters(outputs: plan.outputs.count)
    stages = plan.outputs.map(OutputStage.init)
    sources = try plan.inputs.map(SourceDecoder.init)
    var streams: [String] = []
    for output in plan.outputs.dropLast() where !streams.contains(output.stream) {
      streams.append(output.stream)
    }
    watched = plan.outputs.map { streams.firstIndex(of: $0.stream) }
    dataflow = try Dataflow(
      plan: plan.application,
      configuration: DataflowConfiguration(
        seed: seed, limits: plan.configuration.limits, watched: streams, sharers: taskCount),
      scratch: makeScratch)
    output = dataflow.makeOutput()
    order = EventTimeOrder(plan, rowLimit: plan.configuration.limits.heldRows)
  }

  // MARK: Steps

  /// Takes the next `count` records of a partition; their rows are processed at the next `flush`.
  ///
  /// Records that are passed over become dead letters as they are.
  func take(partition: Int, count: Int, isPassedOver: Bool = false) throws {
    let buffer = buffers[partition]
    if pendingSource != buffer.input { try flush() }
    pendingSource = buffer.input
    let liveFrom = position.liveFrom[partition]
    for _ in 0..<count {
      let index = buffer.cursor
      let offset = buffer.records.offset(at: index)
      if (offset < liveFrom) != mutes {
        try flush()
        pendingSource = buffer.input
        mutes.toggle()
      }
      if order == nil {
        if origins.isEmpty { firstCause = position.rowNumber }
        origins.append(BufferedRecord(partition: partition, index: index, offset: offset))
      }
      if isPassedOver {
        try passOver(buffer, index: index)
      } else {
        try decode(buffer, index: index)
      }
      position.rowNumber += 1
      position.lastPartition = partition
      position.lastOffset = offset
      buffer.cursor += 1
      buffer.nextOffset = offset + 1
    }
    position.nextOffsets[partition] = buffer.nextOffset
  }

  /// Goes on at `offset` of a partition: what lay before it is deleted.
  func passGap(partition: Int, to offset: Int64) throws {
    try flush()
    counters.lost += max(0, offset - buffers[partition].nextOffset)
    buffers[partition].nextOffset = offset
    position.nextOffsets[partition] = offset
  }

  /// Whether the application asks for the time, so that every tick matters.
  var readsClock: Bool { plan.application.readsClock }

  /// The clock reads `time`.
  func tick(_ time: Int64) throws {
    try flush()
    position.clock = max(position.clock, time)
    dataflow.tick(position.clock)
  }

  /// No later row will be earlier than `time`.
  func bound(_ time: Int64) throws {
    try flush()
    if order != nil {
      order?.sorter.advance(to: time)
      takeSorted()
      processSorted()
    } else if time <= position.rowtime {
      return
    }
    position.rowtime = max(position.rowtime, time)
    mutes = !position.isLive
    dataflow.advance(to: time, pool: &pool, output: &output)
    try endBatch()
  }

  /// The bound at which the application would bring something forth, or nil.
  var nextBound: Int64? {
    (stages.map(\.nextDeadline) + [dataflow.nextBound, order?.sorter.earliest])
      .compactMap { $0 }.min()
  }

  /// Closes the open object of an output that begins with `firstRow`; false when there is none.
  func close(output index: Int, firstRow: Int64) throws -> Bool {
    try flush()
    return try stages[index].close(firstRow: firstRow, context)
  }

  /// The closed object that begins with `firstRow` has arrived.
  func done(output index: Int, firstRow: Int64) throws -> Bool {
    // In a replay the rows of the take before may still wait, and the object with them.
    try flush()
    return stages[index].done(firstRow: firstRow)
  }

  /// The places of the application whose contents are exchanged while it runs.
  var slots: [String] { dataflow.slots }

  /// The slots of reference tables that hold nothing: until they do, no record can be processed.
  var missingTables: [String] { tableSlots.filter { activeBlobs[$0] == nil } }

  /// The slots that hold rows of reference tables.
  var tableSlots: [String] { dataflow.tableSlots }

  /// Reads bytes for a slot and finds out whether the application can work with them.
  func value(of slot: String, bytes: [UInt8]) throws -> SlotValue {
    try dataflow.value(of: slot, bytes: bytes)
  }

  /// Finds out whether the application can work with a slot's value.
  func check(_ value: SlotValue, for slot: String) throws { try dataflow.check(value, for: slot) }

  /// From the next record on a slot holds the blob with this name.
  func activate(_ slot: String, blob: String) throws {
    try activate(slot, blob: blob, value: value(of: slot, bytes: readBlob(blob)))
  }

  /// The same with the blob's value at hand.
  func activate(_ slot: String, blob: String, value: SlotValue) throws {
    try flush()
    try dataflow.activate(slot, value, pool: &pool)
    activeBlobs[slot] = blob
  }

  /// What the variants of every endpoint have done since they were activated.
  var variantCounters: [(endpoint: String, counters: [VariantCounters])] {
    dataflow.variantCounters
  }

  /// Lets the time that models take be measured; nothing but counters depends on it.
  func measure(by stopwatch: @escaping () -> Int64) { dataflow.measure(by: stopwatch) }

  /// Processes the rows of the records taken.
  func flush() throws {
    guard let source = pendingSource else { return }
    pendingSource = nil
    if order != nil {
      processSorted()
      if !refusals.isEmpty { dataflow.flushRefusals(pool: &pool, output: &output) }
      return try endBatch()
    }
    sources[source].finish()
    if !sources[source].batch.isEmpty {
      dataflow.process(&sources[source].batch, source: source, pool: &pool, output: &output)
    } else if !refusals.isEmpty {
      dataflow.flushRefusals(pool: &pool, output: &output)
    }
    sources[source].reset()
    try endBatch()
  }

  /// Stages what was computed and forgets the records that it came from.
  private func endBatch() throws {
    try checkModels()
    try drain()
    origins.removeAll(keepingCapacity: true)
    order?.batch += 1
    if pool.count > poolLimit { compact() }
  }

  /// The rows for a topic that an output has staged.
  func takeMessages(_ index: Int) -> RowBlock { stages[index].takeMessages() }

  /// What is staged for alerts and topics, per output.
  func takeStaged(_ index: Int) -> OutputStage.Staged { stages[index].takeStaged() }

  // MARK: Decoding

  private func decode(_ buffer: PartitionBuffer, index: Int) throws {
    counters.polled += 1
    if buffer.records.isTombstone(at: index) {
      counters.skipped += 1
      return
    }
    let stamped = buffer.records.timestamp(at: index)
    let timestamp = stamped >= 0 ? stamped : position.clock
    if order == nil, timestamp > position.clock + plan.configuration.timing.maxFuture {
      return try refuse(
        buffer, index: index, code: "Record.FutureTimestamp",
        message: "the timestamp \(CivilTime(milliseconds: timestamp)) is more than max_future "
          + "ahead of the clock \(CivilTime(milliseconds: position.clock))")
    }
    let outcome = sources[buffer.input].decode(
      buffer.records, index: index, partition: buffer.topicPartition.partition,
      rowtime: max(position.rowtime, timestamp), cause: position.rowNumber, pool: &pool)
    switch outcome {
    case .rows where order != nil: try sort(buffer, index: index)
    case .rows:
      counters.decoded += 1
      position.rowtime = max(position.rowtime, timestamp)
    case .rejected(let reject):
      try refuse(buffer, index: index, code: reject.code.rawValue, message: reject.description)
    }
  }

  // MARK: Outputs

  private var context: RowContext {
    RowContext(
      pipeline: plan.configuration.name, life: life, task: task, clock: position.clock,
      origin: { [self] in origin(of: $0) })
  }

  private func origin(of cause: Int64) -> RecordOrigin {
    let index = Int(cause - firstCause)
    if origins.indices.contains(index) {
      let record = origins[index]
      let partition = buffers[record.partition].topicPartition
      return RecordOrigin(
        topic: partition.topic, partition: partition.partition, offset: record.offset)
    }
    let partition = buffers[position.lastPartition].topicPartition
    return RecordOrigin(
      topic: partition.topic, partition: partition.partition, offset: position.lastOffset)
  }

  /// Begins to read at `history`: rows reach the outputs from `offsets` on.
  func begin(at offsets: [Int64]) { position.liveFrom = offsets }

  private func drain() throws {
    defer {
      output.removeAll()
      refusals.removeAll(keepingCapacity: true)
    }
    guard !mutes else { return }
    let context = context
    for (index, stream) in watched.enumerated() {
      guard let stream, !output.streams[stream].batch.isEmpty else { continue }
      counters.outputRows[index] += Int64(output.streams[stream].batch.count)
      try stages[index].append(output.streams[stream].batch, pool: pool, context: context)
    }
    for error in output.errors {
      if error.pump != nil { counters.failedRows += 1 }
      try stages[plan.deadLetterOutput].append(
        line: deadLetter(error).line, rowtime: error.time, context: context)
      counters.outputRows[plan.deadLetterOutput] += 1
    }
    for index in stages.indices {
      stages[index].advance(to: position.rowtime)
      for failure in stages[index].takeFailures() {
        try stages[plan.deadLetterOutput].append(
          line: deadLetter(failure, of: stages[index].output.name).line, rowtime: failure.rowtime,
          context: context)
        counters.outputRows[plan.deadLetterOutput] += 1
      }
    }
  }

  private func deadLetter(_ error: RowError) -> FailedRecord {
    let origin = origin(of: error.cause)
    let index = Int(error.cause - firstCause)
    // Of a record that waited for its event time the row is left.
    var raw = order == nil ? [] : error.data
    var key: [UInt8]?
    var arrival = error.rowtime
    if origins.indices.contains(index), origins[index].index >= 0 {
      let record = origins[index]
      let buffer = buffers[record.partition]
      raw = buffer.valueBytes(record.index)
      key = buffer.keyBytes(record.index)
      arrival = buffer.records.timestamp(at: record.index)
    }
    return FailedRecord(
      arrivalTimestamp: arrival, attemptEndingTimestamp: position.clock,
      errorCode: refusals[error.cause] ?? error.error.code.rawValue,
      errorMessage: error.error.message, rawData: raw, key: key, topic: origin.topic,
      partition: origin.partition, offset: origin.offset, pipeline: plan.configuration.name,
      stage: error.pump ?? "decode")
  }

  /// A row that belongs into no object.
  private func deadLetter(_ failure: OutputStage.Failure, of output: String) -> FailedRecord {
    let origin = origin(of: failure.cause)
    return FailedRecord(
      arrivalTimestamp: failure.rowtime, attemptEndingTimestamp: position.clock,
      errorCode: failure.error.code, errorMessage: failure.error.message,
      rawData: failure.bytes, subsequenceNumber: failure.number, topic: origin.topic,
      partition: origin.partition, offset: origin.offset, pipeline: plan.configuration.name,
      stage: "deliver/\(output)")
  }

  private func compact() {
    var old = StringPool()
    swap(&old, &pool)
    var remap = StringRemapper(from: old)
    dataflow.remapStrings(&remap)
    order?.sorter.remapStrings(&remap)
    pool = remap.finish()
    poolLimit = max(1 << 20, 2 * pool.count)
  }
}
