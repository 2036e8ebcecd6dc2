public import Columns
public import StreamSQL

/// The operators of one task: a plan in execution.
///
/// A plain, synchronous state machine with one owner. What it emits and keeps is a function of the
/// configuration and the sequence of rows and bounds, wherever batches are cut. Rows that one record
/// causes flow through all pumps before those of the next record: within a batch every stream holds its
/// rows in the order of cause, then ROWTIME, then the pump's place in the program.
public final class Dataflow {
  /// What is executed.
  public let plan: Plan
  /// What it was made for.
  public let configuration: DataflowConfiguration

  private let context = ExecutionContext()
  private var pumps: [PumpExecutor] = []
  private var streams: [StreamState]
  let tables: [TableState]
  let endpoints: [EndpointSlot]
  /// Streams whose rows leave, with their place in the output.
  private let watched: [(stream: Int, output: Int)]
  private let errorOutput: Int?
  private let outputNames: [String]
  private let space: ScratchSpace?

  /// A stream in execution.
  private struct StreamState {
    var batch: Batch
    var lastRowtime = Int64.min
    /// Started pumps that write it, in the order of the program.
    var writers: [Int] = []
    /// Scans of it.
    var readers: [ScanOperator] = []
    var notNull: [Int] = []
  }

  /// Makes the operators of a plan.
  ///
  /// - Parameters:
  ///   - plan: What is executed.
  ///   - configuration: What it is made for.
  ///   - scratch: Opens the room for models that are not in use, when the first one leaves memory; without
  ///     it the limit of their memory is not held.
  /// - Throws: `DataflowError` when a watched stream does not exist or a parameter is refused.
  public init(
    plan: Plan, configuration: DataflowConfiguration = .init(),
    scratch: (() throws -> any ModelScratch)? = nil
  ) throws {
    self.plan = plan
    self.configuration = configuration
    space = configuration.limits.modelBytes == nil ? nil : scratch.map(ScratchSpace.init)
    streams = plan.streams.map { stream in
      var state = StreamState(batch: Batch(schema: stream.schema))
      state.notNull = stream.schema.columns.indices.filter {
        !stream.schema.columns[$0].isNullable
      }
      return state
    }
    tables = plan.tables.map { TableState($0) }
    endpoints = plan.endpoints.map(EndpointSlot.init)
    let names = configuration.watched ?? plan.streams.map(\.name) + [ErrorStream.name]
    var watched: [(stream: Int, output: Int)] = []
    for (output, name) in names.enumerated() where name != ErrorStream.name {
      guard let stream = plan.streams.firstIndex(where: { $0.name == name }) else {
        throw DataflowError("there is no stream \(name) in the application")
      }
      watched.append((stream, output))
    }
    self.watched = watched
    errorOutput = names.firstIndex(of: ErrorStream.name)
    outputNames = names
    try makePumps()
  }

  private func makePumps() throws {
    var builder = OperatorBuilder(
      plan: plan, configuration: configuration, tables: tables, endpoints: endpoints, space: space)
    for (index, pump) in plan.pumps.enumerated() where pump.isStarted {
      let executor = try builder.makePump(pump, index: index)
      for scan in executor.scans { streams[scan.stream].readers.append(scan) }
      streams[pump.target].writers.append(pumps.count)
      builder.noteWriter(of: pump.target, isBounded: executor.root.isBounded)
      pumps.append(executor)
    }
    // Pumps run in topological order; streams merge their writers in the order of the program.
    for index in streams.indices {
      streams[index].writers.sort { pumps[$0].position < pumps[$1].position }
    }
    shareModelMemory()
  }

  /// Divides the memory for models evenly among the functions that have models by key.
  private func shareModelMemory() {
    guard let bytes = configuration.limits.modelBytes else { return }
    let residences = pumps.flatMap { $0.nodes.compactMap(\.residence) }
    for residence in residences {
      residence.setBudget(bytes / configuration.sharers / residences.count)
    }
  }

  /// An empty output with a batch for every watched stream.
  public func makeOutput() -> DataflowOutput {
    DataflowOutput(
      streams: outputNames.map { name in
        let schema = plan.streams.first { $0.name == name }?.schema ?? ErrorStream.schema
        return DataflowOutput.Stream(name: name, batch: Batch(schema: schema))
      })
  }

  /// Takes one batch of rows that entered a source stream.
  ///
  /// - Parameters:
  ///   - batch: Rows with ROWTIMEs and causes, both not decreasing over all calls, the rows of one record
  ///     in one batch; its columns are those
  ///     of the source's schema. Its contents afterwards are unspecified.
  ///   - source: The index of the source among those that the compiler was given.
  ///   - pool: The strings of the task.
  ///   - output: Takes the rows that the watched streams emit, behind what it holds.
  public func process(
    _ batch: inout Batch, source: Int, pool: inout StringPool, output: inout DataflowOutput
  ) {
    guard !batch.isEmpty,
      let stream = plan.streams.firstIndex(where: { $0.origin == .source(source) })
    else { return }
    let promised = context.bound
    context.begin(batch)
    swap(&streams[stream].batch, &batch)
    admit(stream, writers: nil, notBefore: promised, pool: pool)
    run(&pool, &output)
  }

  /// The clock reads `time`, milliseconds since 1970 UTC: what CURRENT_ROW_TIMESTAMP gives from now on.
  ///
  /// Without a tick it is the ROWTIME of each row. The clock is not part of the saved state.
  public func tick(_ time: Int64) { context.clock = time }

  /// Takes a rowtime bound: no later row is earlier than `time`, milliseconds since 1970 UTC.
  public func advance(to time: Int64, pool: inout StringPool, output: inout DataflowOutput) {
    context.begin(bound: time)
    run(&pool, &output)
  }

  /// Takes a record that could not be decoded; it comes out with the next call, in its place among
  /// the errors of the rows.
  public func refuse(_ error: RowError) { context.errors.append(error) }

  /// Brings out what was refused since the last call when no rows follow.
  public func flushRefusals(pool: inout StringPool, output: inout DataflowOutput) {
    context.beginNothing()
    run(&pool, &output)
  }

  /// The earliest bound that would bring rows forth, milliseconds since 1970 UTC; nil without one.
  public var nextBound: Int64? {
    var next = Int64.max
    for pump in pumps {
      for node in pump.nodes where node.isBounded { next = min(next, node.nextDue) }
    }
    return next < Int64.max ? next : nil
  }

  private func run(_ pool: inout StringPool, _ output: inout DataflowOutput) {
    for index in pumps.indices {
      let pump = pumps[index]
      context.pump = pump.position
      context.pumpName = pump.name
      for scan in pump.scans { scan.output = streams[scan.stream].batch }
      for node in pump.nodes { node.run(context, &pool) }
      for scan in pump.scans { scan.output = Batch(schema: scan.schema) }
      let writers = streams[pump.target].writers
      if writers.allSatisfy({ $0 <= index }) { admit(pump.target, writers: writers, pool: pool) }
    }
    context.errors.sort { ($0.cause, $0.order) < ($1.cause, $1.order) }
    for error in context.errors {
      output.errors.append(error)
      if let errorOutput { error.append(to: &output.streams[errorOutput].batch, pool: &pool) }
    }
    context.errors.removeAll(keepingCapacity: true)
    for (stream, position) in watched { output.streams[position].take(&streams[stream].batch) }
    for index in streams.indices { streams[index].batch.removeAll() }
  }

  /// Merges what the writers of a stream emitted and refuses rows that go back in time or hold NULL
  /// where it is not allowed; for a source (`writers` nil) the rows are there already, and none may be
  /// earlier than the bound `notBefore`.
  private func admit(
    _ stream: Int, writers: [Int]?, notBefore: Int64 = Int64.min, pool: borrowing StringPool
  ) {
    var order: [(batch: Int, row: Int)]?
    if let writers {
      if writers.count == 1 {
        swap(&streams[stream].batch, &pumps[writers[0]].root.output)
      } else {
        let merged = mergeOrder(writers.map { pumps[$0].root.output })
        for (writer, row) in merged {
          streams[stream].batch.append(from: pumps[writers[writer]].root.output, row: row)
        }
        order = merged
      }
    }
    var refused: [Int: RuntimeError] = [:]
    var last = max(streams[stream].lastRowtime, notBefore)
    for row in 0..<streams[stream].batch.count {
      let rowtime = streams[stream].batch.rowtimes[row]
      if rowtime < last {
        refused[row] = RuntimeError(
          code: .outOfOrderRowtime,
          message: "ROWTIME goes back from \(CivilTime(milliseconds: last))")
      } else if let column = nullColumn(stream, row) {
        refused[row] = RuntimeError(code: .nullNotAllowed, message: "column \(column) is NULL")
      } else {
        last = rowtime
      }
    }
    streams[stream].lastRowtime = last
    guard !refused.isEmpty else { return }
    let batch = streams[stream].batch
    for row in 0..<batch.count {
      guard let error = refused[row] else { continue }
      let writer = order?[row].batch ?? 0
      let pump = writers.map { pumps[$0[writer]] }
      pump?.root.counters.failed += 1
      context.errors.append(
        RowError(
          cause: batch.causes[row], time: context.time(of: batch.causes[row]), error: error,
          rowtime: batch.rowtimes[row], data: RowText.json(batch, row: row, pool: pool),
          pump: pump?.name, order: pump?.position ?? -1))
    }
    streams[stream].batch.keep(Rows(count: batch.count).filter { refused[$0] == nil })
  }

  private func nullColumn(_ stream: Int, _ row: Int) -> String? {
    for column in streams[stream].notNull where streams[stream].batch.columns[column].isNull(row) {
      return streams[stream].batch.schema.columns[column].name
    }
    return nil
  }

  /// What happened to the rows of every operator, under the operator's name.
  public var counters: [(name: String, counters: OperatorCounters)] {
    pumps.flatMap { pump in pump.nodes.map { ($0.section, $0.counters) } }
  }

  // MARK: Models of keys

  /// What became of the models of every function that has models by key, under the operator's name.
  public var modelCounters: [(name: String, counters: ModelCounters)] {
    pumps.flatMap { pump in
      pump.nodes.compactMap { node in node.residence.map { (node.section, $0.counters) } }
    }
  }

  /// Bytes that models take in the scratch.
  public var scratchBytes: Int64 { space?.byteCount ?? 0 }

  /// Why the dataflow cannot go on: a model cannot be read back.
  ///
  /// What it emits afterwards is of no use.
  public var failure: String? { space?.failure }

  /// Why more models are in memory than should be: what the scratch said when it refused one.
  public var scratchProblem: String? { space?.problem }

  /// Tries again to keep to the memory for models after the scratch has refused one.
  public func keepToModelMemory() {
    space?.forgetProblem()
    for pump in pumps {
      for node in pump.nodes { node.residence?.keepToBudget() }
    }
  }

  /// The saved models that were found damaged since the last call: their bytes are kept, and the rows of their
  /// keys come out as errors.
  public func takeModelDamages(pool: borrowing StringPool) -> [ModelDamage] {
    var damages: [ModelDamage] = []
    for pump in pumps {
      for node in pump.nodes {
        if let residence = node.residence { damages += residence.takeDamages(node.section, pool) }
      }
    }
    return damages
  }

  /// Reads one more of the models that were left as they were saved when a state was restored; a row that
  /// asks for one need not wait for its turn.
  ///
  /// - Returns: Whether any are left for which there is room.
  public func readOneModel() -> Bool {
    for pump in pumps {
      for node in pump.nodes {
        if let residence = node.residence, residence.readOne() { return true }
      }
    }
    return false
  }

  // MARK: Reference tables

  /// Replaces the rows of a reference table; rows that come later meet the new ones.
  ///
  /// - Parameters:
  ///   - name: The table's name as declared.
  ///   - rows: The rows; ROWTIMEs and causes do not matter.
  ///   - pool: The strings of the task, in which the rows' texts are.
  /// - Throws: `DataflowError` when the plan has no such table.
  public func setTable(_ name: String, rows: Batch, pool: inout StringPool) throws {
    guard let index = plan.tables.firstIndex(where: { $0.name == name && $0.rows == nil }) else {
      throw DataflowError("there is no reference table \(name) in the application")
    }
    tables[index].replace(rows)
  }

  // MARK: State

  /// Writes everything that later rows depend on, in sections that begin with `dataflow` or `operator`.
  public func save(into writer: inout StateWriter, pool: borrowing StringPool) {
    saveStreams(into: &writer, pool: pool)
    for pump in pumps {
      for node in pump.nodes where node.hasState { node.save(into: &writer, pool) }
    }
  }

  /// Begins a snapshot of the state as it is now: writes what is small, and lets the models of keys be
  /// written by `continueSave`, or just before they change.
  ///
  /// - Parameters:
  ///   - snapshot: Its number; later ones refer by it to what has not changed.
  ///   - writer: Takes what is written.
  ///   - pool: The strings of the task.
  public func beginSave(
    _ snapshot: Int64, into writer: inout StateWriter, pool: borrowing StringPool
  ) {
    saveStreams(into: &writer, pool: pool)
    for pump in pumps {
      for node in pump.nodes where node.hasState { node.beginSave(snapshot, into: &writer, pool) }
    }
  }

  /// Writes one more part of the snapshot that was begun; returns whether parts are left.
  public func continueSave(into writer: inout StateWriter, pool: borrowing StringPool) -> Bool {
    for pump in pumps {
      for node in pump.nodes where node.continueSave(into: &writer, pool) { return true }
    }
    return false
  }

  /// Forgets a snapshot that was begun and what earlier ones have: the next one is whole.
  public func forgetSaved() {
    for pump in pumps {
      for node in pump.nodes { node.forgetSaved() }
    }
  }

  private func saveStreams(into writer: inout StateWriter, pool: borrowing StringPool) {
    writer.section("dataflow") { section in
      context.save(into: &section)
      section.write(streams.map(\.lastRowtime))
      for pump in pumps {
        for node in pump.nodes { node.counters.save(into: &section) }
      }
      for table in tables { table.save(into: &section, pool) }
    }
  }

  /// Goes back to a saved state of the same plan and configuration.
  ///
  /// - Throws: `StateError` when a section is missing or damaged.
  public func restore(from reader: StateReader, pool: inout StringPool) throws {
    var section = try reader.section("dataflow")
    try context.restore(from: &section)
    let rowtimes = try section.integers()
    guard rowtimes.count == streams.count else { throw section.failure("another application") }
    for index in streams.indices { streams[index].lastRowtime = rowtimes[index] }
    for pump in pumps {
      for node in pump.nodes { node.counters = try OperatorCounters(from: &section) }
    }
    for table in tables { try table.restore(from: &section, &pool) }
    try section.finish()
    for pump in pumps {
      for node in pump.nodes where node.hasState { try node.restore(from: reader, &pool) }
    }
  }

  /// Reads how far time is.
  func restoreContext(from section: inout SectionReader) throws(StateError) {
    try context.restore(from: &section)
  }

  /// Rows of a stream, if the plan has it, may not be earlier than the last one before.
  func setLastRowtime(_ rowtime: Int64, ofStream name: String) {
    for index in streams.indices where plan.streams[index].name == name {
      streams[index].lastRowtime = rowtime
    }
  }

  /// The operator in execution of a started pump.
  func node(_ name: OperatorName) -> Operator? {
    pumps.lazy.flatMap(\.nodes).first { $0.section == name.section }
  }

  /// Takes the new ids of all strings that the task holds, when its pool is compacted between batches.
  public func remapStrings(_ remap: inout StringRemapper) {
    for table in tables { table.remapStrings(&remap) }
    for pump in pumps {
      for node in pump.nodes { node.remapStrings(&remap) }
    }
  }
}

extension OperatorCounters {
  func save(into writer: inout SectionWriter) {
    writer.write([rowsIn, passed, filtered, late, failed, absorbed])
  }

  init(from reader: inout SectionReader) throws(StateError) {
    let values = try reader.integers()
    guard values.count == 6 else { throw reader.failure("six counters are expected") }
    self.init(
      rowsIn: values[0], passed: values[1], filtered: values[2], late: values[3],
      failed: values[4], absorbed: values[5])
  }
}
