import Columns
import StreamSQL

/// An analytic function over a `RowWindow`: replays what happened to the window in a batch.
protocol WindowFunction {
  /// Appends a result for every row of the batch.
  mutating func run(
    _ window: RowWindow, _ arguments: [Column], _ result: inout Column,
    _ failures: inout Evaluation, _ pool: borrowing StringPool)

  /// Makes room for the slots and groups of a window.
  mutating func reserve(_ window: RowWindow)

  /// Forgets everything.
  mutating func clear()

  /// Writes what is kept of a row.
  func saveRow(_ slot: Int, into writer: inout SectionWriter, _ pool: borrowing StringPool)

  /// Reads what is kept of a row, after those before it in its partition.
  mutating func restoreRow(
    _ slot: Int, _ window: RowWindow, from reader: inout SectionReader,
    _ pool: inout StringPool
  ) throws(StateError)

  /// Writes what is kept of a partition besides its rows.
  func saveGroup(_ group: Int, into writer: inout SectionWriter, _ pool: borrowing StringPool)

  mutating func restoreGroup(
    _ group: Int, from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError)

  mutating func remapStrings(_ remap: inout StringRemapper)
}

extension WindowFunction {
  mutating func reserve(_ window: RowWindow) {}
  mutating func clear() {}
  func saveRow(_ slot: Int, into writer: inout SectionWriter, _ pool: borrowing StringPool) {}
  mutating func restoreRow(
    _ slot: Int, _ window: RowWindow, from reader: inout SectionReader,
    _ pool: inout StringPool
  ) throws(StateError) {}
  func saveGroup(_ group: Int, into writer: inout SectionWriter, _ pool: borrowing StringPool) {}
  mutating func restoreGroup(
    _ group: Int, from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) {}
  mutating func remapStrings(_ remap: inout StringRemapper) {}
}

/// A window function behind one virtual call per batch.
class AnyWindowFunction {
  func run(
    _ window: RowWindow, _ arguments: [Column], _ result: inout Column,
    _ failures: inout Evaluation, _ pool: borrowing StringPool
  ) { preconditionFailure("a window function runs itself") }

  /// Writes what is kept of rows.
  func saveRows(
    _ slots: [Int32], into writer: inout SectionWriter, _ pool: borrowing StringPool
  ) { preconditionFailure("a window function saves itself") }

  /// Writes what is kept of a partition besides its rows.
  func saveGroup(
    _ group: Int, into writer: inout SectionWriter, _ pool: borrowing StringPool
  ) { preconditionFailure("a window function saves itself") }

  /// Forgets everything, and makes room for the groups of a window.
  func beginRestoring(_ window: RowWindow) {
    preconditionFailure("a window function restores itself")
  }

  func restoreRows(
    _ slots: Range<Int>, _ window: RowWindow, from reader: inout SectionReader,
    _ pool: inout StringPool
  ) throws(StateError) { preconditionFailure("a window function restores itself") }

  func restoreGroup(
    _ group: Int, from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) { preconditionFailure("a window function restores itself") }

  func remapStrings(_ remap: inout StringRemapper) {}

  static func make(_ call: AggregateCall, isUnbounded: Bool) -> AnyWindowFunction {
    if isUnbounded { return OwnedWindowFunction(RunningFunction(call)) }
    let storage = call.arguments.first?.type.storage ?? .integer
    if call.isDistinct { return OwnedWindowFunction(RecomputedFunction(call, storage: storage)) }
    switch call.function {
    case .countRows: return OwnedWindowFunction(WindowCount())
    case .count, .sum, .average, .populationDeviation, .sampleDeviation, .populationVariance,
      .sampleVariance:
      return OwnedWindowFunction(WindowSum(call, storage: storage))
    case .minimum, .every:
      return OwnedWindowFunction(WindowExtreme(storage: storage, keepsLarger: false))
    case .maximum, .any:
      return OwnedWindowFunction(WindowExtreme(storage: storage, keepsLarger: true))
    case .firstValue, .lastValue, .nthValue, .lag:
      return OwnedWindowFunction(WindowPosition(call, storage: storage))
    case .exponentialAverage(let halfLife):
      return OwnedWindowFunction(WindowExponentialAverage(halfLife: halfLife))
    case .continuousPercentile, .discretePercentile, .approximateCountDistinct:
      return OwnedWindowFunction(RecomputedFunction(call, storage: storage))
    }
  }
}

/// The state is a value, so that its arrays are checked for exclusive access once per batch, not per row.
private final class OwnedWindowFunction<Function: WindowFunction>: AnyWindowFunction {
  private var function: Function

  init(_ function: Function) { self.function = function }

  override func run(
    _ window: RowWindow, _ arguments: [Column], _ result: inout Column,
    _ failures: inout Evaluation, _ pool: borrowing StringPool
  ) { function.run(window, arguments, &result, &failures, pool) }

  override func saveRows(
    _ slots: [Int32], into writer: inout SectionWriter, _ pool: borrowing StringPool
  ) {
    for slot in slots { function.saveRow(Int(slot), into: &writer, pool) }
  }

  override func saveGroup(
    _ group: Int, into writer: inout SectionWriter, _ pool: borrowing StringPool
  ) { function.saveGroup(group, into: &writer, pool) }

  override func beginRestoring(_ window: RowWindow) {
    function.clear()
    function.reserve(window)
  }

  override func restoreRows(
    _ slots: Range<Int>, _ window: RowWindow, from reader: inout SectionReader,
    _ pool: inout StringPool
  ) throws(StateError) {
    function.reserve(window)
    for slot in slots { try function.restoreRow(slot, window, from: &reader, &pool) }
  }

  override func restoreGroup(
    _ group: Int, from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) { try function.restoreGroup(group, from: &reader, &pool) }

  override func remapStrings(_ remap: inout StringRemapper) { function.remapStrings(&remap) }
}

/// The values of an argument by slot.
struct SlotValues {
  private(set) var column: Column

  init(storage: ColumnType.Storage) { column = Column(zeros: 0, storage: storage) }

  mutating func reserve(_ count: Int) {
    while column.count < count { column.appendNull() }
  }

  mutating func set(_ slot: Int32, from argument: Column, row: Int) {
    column.setValue(at: Int(slot), from: argument, row: row)
  }

  mutating func clear() { column.removeAll() }

  func save(_ slot: Int, into writer: inout SectionWriter, _ pool: borrowing StringPool) {
    writer.write(value: slot, of: column, in: pool)
  }

  mutating func restore(
    _ slot: Int, from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) { try reader.readValue(slot, of: &column, into: &pool) }

  mutating func remapStrings(_ remap: inout StringRemapper) { column.remapStrings(&remap) }
}

/// A window function that keeps the value of its argument of every row.
protocol ValueWindowFunction: WindowFunction {
  var values: SlotValues { get set }
}

extension ValueWindowFunction {
  mutating func reserve(_ window: RowWindow) { values.reserve(window.slotCapacity) }

  mutating func clear() { values.clear() }

  func saveRow(_ slot: Int, into writer: inout SectionWriter, _ pool: borrowing StringPool) {
    values.save(slot, into: &writer, pool)
  }

  mutating func restoreRow(
    _ slot: Int, _ window: RowWindow, from reader: inout SectionReader,
    _ pool: inout StringPool
  ) throws(StateError) { try values.restore(slot, from: &reader, &pool) }

  mutating func remapStrings(_ remap: inout StringRemapper) { values.remapStrings(&remap) }
}

/// COUNT(*): the window knows it.
struct WindowCount: WindowFunction {
  mutating func run(
    _ window: RowWindow, _ arguments: [Column], _ result: inout Column,
    _ failures: inout Evaluation, _ pool: borrowing StringPool
  ) {
    for size in window.sizes { result.append(Int64(size)) }
  }
}

/// MIN and MAX: per partition a list of slots whose values get worse towards the oldest end.
struct WindowExtreme: ValueWindowFunction {
  private let keepsLarger: Bool
  var values: SlotValues
  private var newer: [Int32] = []
  private var older: [Int32] = []
  private var best: [Int32] = []
  private var newest: [Int32] = []

  init(storage: ColumnType.Storage, keepsLarger: Bool) {
    self.keepsLarger = keepsLarger
    values = SlotValues(storage: storage)
  }

  mutating func reserve(_ window: RowWindow) {
    values.reserve(window.slotCapacity)
    while newer.count < window.slotCapacity {
      newer.append(-1)
      older.append(-1)
    }
    while best.count < window.groupCapacity {
      best.append(-1)
      newest.append(-1)
    }
  }

  mutating func run(
    _ window: RowWindow, _ arguments: [Column], _ result: inout Column,
    _ failures: inout Evaluation, _ pool: borrowing StringPool
  ) {
    reserve(window)
    var position = 0
    for (row, slot) in window.slots.enumerated() {
      while position < Int(window.evictedEnds[row]) {
        remove(window.evicted[position], window)
        position += 1
      }
      let group = Int(window.groups[Int(slot)])
      values.set(slot, from: arguments[0], row: row)
      if !arguments[0].isNull(row) { add(slot, group, pool) }
      if best[group] >= 0 {
        result.append(from: values.column, row: Int(best[group]))
      } else {
        result.appendNull()
      }
    }
  }

  private mutating func remove(_ slot: Int32, _ window: RowWindow) {
    let group = Int(window.groups[Int(slot)])
    guard best[group] == slot else { return }
    best[group] = newer[Int(slot)]
    if best[group] < 0 { newest[group] = -1 } else { older[Int(best[group])] = -1 }
  }

  private mutating func add(_ slot: Int32, _ group: Int, _ pool: borrowing StringPool) {
    var tail = newest[group]
    while tail >= 0, !isBetter(tail, slot, pool) { tail = older[Int(tail)] }
    older[Int(slot)] = tail
    newer[Int(slot)] = -1
    if tail >= 0 { newer[Int(tail)] = slot } else { best[group] = slot }
    newest[group] = slot
  }

  private func isBetter(_ kept: Int32, _ slot: Int32, _ pool: borrowing StringPool) -> Bool {
    let order = compareRows(values.column, Int(kept), Int(slot), pool)
    return keepsLarger ? order > 0 : order < 0
  }

  mutating func clear() {
    values.clear()
    (newer, older, best, newest) = ([], [], [], [])
  }

  mutating func restoreRow(
    _ slot: Int, _ window: RowWindow, from reader: inout SectionReader,
    _ pool: inout StringPool
  ) throws(StateError) {
    try values.restore(slot, from: &reader, &pool)
    guard !values.column.isNull(slot) else { return }
    add(Int32(truncatingIfNeeded: slot), Int(window.groups[slot]), pool)
  }
}

/// FIRST_VALUE, LAST_VALUE, NTH_VALUE and LAG: steps through the partition's rows.
struct WindowPosition: ValueWindowFunction {
  private let function: AggregateFunction
  private let ignoresNulls: Bool
  var values: SlotValues

  init(_ call: AggregateCall, storage: ColumnType.Storage) {
    function = call.function
    ignoresNulls = call.ignoresNulls
    values = SlotValues(storage: storage)
  }

  mutating func run(
    _ window: RowWindow, _ arguments: [Column], _ result: inout Column,
    _ failures: inout Evaluation, _ pool: borrowing StringPool
  ) {
    values.reserve(window.slotCapacity)
    for (row, slot) in window.slots.enumerated() {
      values.set(slot, from: arguments[0], row: row)
      if let found = find(window, row, slot) {
        result.append(from: values.column, row: Int(found))
      } else if case .lag = function, arguments.count > 1 {
        result.append(from: arguments[1], row: row)
      } else {
        result.appendNull()
      }
    }
  }

  private func find(_ window: RowWindow, _ row: Int, _ slot: Int32) -> Int32? {
    let size = Int(window.sizes[row])
    switch function {
    case .firstValue: return walk(from: window.oldest[row], window.next, size, skipping: 0)
    case .lastValue: return walk(from: slot, window.previous, size, skipping: 0)
    case .nthValue(let n, let fromLast):
      return fromLast
        ? walk(from: slot, window.previous, size, skipping: n - 1)
        : walk(from: window.oldest[row], window.next, size, skipping: n - 1)
    case .lag(let n):
      if n == 0 { return slot }
      guard size > 1 else { return nil }
      return walk(from: window.previous[Int(slot)], window.previous, size - 1, skipping: n - 1)
    default: return nil
    }
  }

  /// The slot after `skipping` others, at most `size` steps away; NULLs are passed over if so asked.
  private func walk(
    from start: Int32, _ links: [Int32], _ size: Int, skipping: Int
  ) -> Int32? {
    var slot = start
    var rest = skipping
    for _ in 0..<size {
      if !ignoresNulls || !values.column.isNull(Int(slot)) {
        if rest == 0 { return slot }
        rest -= 1
      }
      slot = links[Int(slot)]
    }
    return nil
  }
}
