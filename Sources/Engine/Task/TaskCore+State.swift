import Columns
import Dataflow
import StreamSQL

/// The state of a task: written at once, or part by part while rows go on, and read.
extension TaskCore {
  /// The whole state.
  func save() throws -> [StateWriter.Slice] {
    var writer = StateWriter()
    try saveHeads(into: &writer)
    forgetSaved()
    for index in stages.indices {
      stages[index].beginSave()
      while stages[index].copyOne(into: &writer) {}
    }
    saveOrderRows(into: &writer)
    dataflow.save(into: &writer, pool: pool)
    try checkModels()
    return writer.slices
  }

  /// Begins a snapshot of the state as it is now; `continueSave` gives the rest.
  func beginSave(_ snapshot: Int64) throws -> [StateWriter.Slice] {
    var writer = StateWriter()
    try saveHeads(into: &writer)
    for index in stages.indices { stages[index].beginSave() }
    order?.sorter.beginSave()
    dataflow.beginSave(snapshot, into: &writer, pool: pool)
    return writer.slices
  }

  /// One more part of the snapshot that was begun, and whether parts are left.
  func continueSave() throws -> (slices: [StateWriter.Slice], isWhole: Bool) {
    var writer = StateWriter()
    for index in stages.indices where stages[index].copyOne(into: &writer) {
      return (writer.slices, false)
    }
    if copyOrderRows(into: &writer) { return (writer.slices, false) }
    let isUnfinished = dataflow.continueSave(into: &writer, pool: pool)
    try checkModels()
    return (writer.slices, !isUnfinished)
  }

  /// Gives up the snapshot that was begun.
  func forgetSaved() {
    for index in stages.indices { stages[index].forgetSaved() }
    order?.sorter.forgetSaved()
    dataflow.forgetSaved()
  }

  /// Writes what is small.
  private func saveHeads(into writer: inout StateWriter) throws {
    try flush()
    let balances = Balances(
      records: counters, outputs: balances,
      operators: dataflow.counters.map { OperatorBalance(name: $0.name, counters: $0.counters) })
    writer.section(Balances.section) { balances.save(into: &$0) }
    writer.section("task") { section in
      section.write(life)
      position.save(into: &section)
      counters.save(into: &section)
    }
    for stage in stages { stage.saveHead(into: &writer) }
    let active = activeBlobs.sorted { $0.key < $1.key }
    writer.section("slots") { section in
      section.write(Int64(active.count))
      for (slot, blob) in active {
        section.write(slot)
        section.write(blob)
      }
    }
    saveOrderHead(into: &writer)
  }

  /// Takes over the state of a snapshot.
  ///
  /// - Returns: The operators that begin anew.
  func restore(
    _ reader: StateReader, operators: RestoredOperators
  ) throws -> [StatefulOperator] {
    var section = try reader.section("task")
    _ = try section.text()
    position = try TaskPosition(restoring: &section)
    counters = try TaskCounters(restoring: &section)
    try section.finish()
    counters.outputRows = Array(repeating: 0, count: stages.count)
    for index in stages.indices {
      try stages[index].restore(from: reader)
      counters.outputRows[index] = stages[index].nextRow
    }
    try restoreSlots(reader, isSameProgram: operators.isSameProgram)
    let begun = try operators.restore(self, from: reader)
    if position.clock > 0 { dataflow.tick(position.clock) }
    try restoreOrder(reader)
    // Partitions that the topic got since are read from their beginning.
    position.nextOffsets += buffers.dropFirst(position.nextOffsets.count).map(\.nextOffset)
    position.liveFrom += position.nextOffsets.dropFirst(position.liveFrom.count)
    for (index, buffer) in buffers.enumerated() { buffer.nextOffset = position.nextOffsets[index] }
    return begun
  }

  /// Fills the slots that the application still has; a snapshot from before slots has none.
  ///
  /// What does not fit a changed application is left out: rows have no model until another comes.
  private func restoreSlots(_ reader: StateReader, isSameProgram: Bool) throws {
    guard reader.has("slots") else { return }
    var section = try reader.section("slots")
    for _ in 0..<(try section.count(width: 16)) {
      let slot = try section.text()
      let blob = try section.text()
      guard slots.contains(slot) else { continue }
      let bytes = try readBlob(blob)
      do {
        try activate(slot, blob: blob, value: value(of: slot, bytes: bytes))
      } catch  where !isSameProgram || dataflow.tableSlots.contains(slot) {
        // A table whose declared columns have changed waits for its source.
        continue
      }
    }
    try section.finish()
  }

  /// The life and the offsets that a snapshot was made with.
  static func header(of slices: [StateWriter.Slice]) throws -> (life: String, offsets: [Int64]) {
    var section = try StateReader(slices).section("task")
    let life = try section.text()
    return (life, try TaskPosition(restoring: &section).nextOffsets)
  }

  /// Whether slices of a snapshot that is still being read have its header.
  static func hasHeader(_ slices: [StateWriter.Slice]) -> Bool {
    slices.contains { $0.section == "task" }
  }
}
