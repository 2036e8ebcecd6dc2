import Columns
import StreamSQL

/// FIRST_VALUE, LAST_VALUE, NTH_VALUE and LAG over a group: the values are kept as far as needed.
final class PositionAccumulator: Accumulator {
  private let function: AggregateFunction
  private let ignoresNulls: Bool
  private let storage: ColumnType.Storage
  private var values: [Column] = []

  init(_ function: AggregateFunction, storage: ColumnType.Storage, ignoresNulls: Bool) {
    self.function = function
    self.storage = storage
    self.ignoresNulls = ignoresNulls
  }

  /// How many values from the front and from the back the result needs.
  private var needed: (first: Int, last: Int) {
    switch function {
    case .firstValue: (1, 0)
    case .nthValue(let n, let fromLast): fromLast ? (0, n) : (n, 0)
    case .lag(let n): (0, n + 1)
    default: (0, 1)
    }
  }

  override func grow(by count: Int) {
    values.append(contentsOf: repeatElement(Column(zeros: 0, storage: storage), count: count))
  }

  override func add(
    rows: [Int32], groups: [Int32], _ arguments: [Column], _ pool: borrowing StringPool
  ) {
    let arrived = arguments[0]
    let (first, last) = needed
    for index in groups.indices {
      let row = Int(rows[index])
      let group = Int(groups[index])
      if ignoresNulls, arrived.isNull(row) { continue }
      if last == 0, values[group].count >= first { continue }
      if last == 1, values[group].count == 1 {
        values[group].setValue(at: 0, from: arrived, row: row)
        continue
      }
      values[group].append(from: arrived, row: row)
      // Twice the need before cutting: constant cost per row.
      if last > 0, values[group].count > 2 * last + 16 {
        var tail = Column(zeros: 0, storage: storage)
        let count = values[group].count
        tail.append(from: values[group], rows: (Int32(count - last)..<Int32(count)).map { $0 })
        values[group] = tail
      }
    }
  }

  override func appendResult(
    of group: Int, to column: inout Column, _ pool: borrowing StringPool
  ) -> RuntimeError? {
    let (first, last) = needed
    let position = last > 0 ? values[group].count - last : first - 1
    if position >= 0, position < values[group].count {
      column.append(from: values[group], row: position)
    } else {
      column.appendNull()
    }
    return nil
  }

  override func reset(_ group: Int) { values[group] = Column(zeros: 0, storage: storage) }

  override func save(group: Int, into writer: inout SectionWriter, _ pool: borrowing StringPool) {
    writer.write(Int64(values[group].count))
    for row in 0..<values[group].count { writer.write(value: row, of: values[group], in: pool) }
  }

  override func restore(
    group: Int, from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) {
    let count = try reader.count()
    var column = Column(zeros: count, storage: storage)
    for row in 0..<count { try reader.readValue(row, of: &column, into: &pool) }
    values[group] = column
  }

  override func remapStrings(_ remap: inout StringRemapper) {
    for group in values.indices { values[group].remapStrings(&remap) }
  }
}

/// The percentiles: all values of a group are kept.
final class PercentileAccumulator: Accumulator {
  private let function: AggregateFunction
  private let valueLimit: Int
  /// Integers, or floating-point numbers by `orderedBits`.
  private var values: [[Int64]] = []
  private var held = 0
  private var overflowed: [Bool] = []

  init(_ function: AggregateFunction, valueLimit: Int) {
    self.function = function
    self.valueLimit = valueLimit
  }

  override func grow(by count: Int) {
    values.append(contentsOf: repeatElement([], count: count))
    overflowed.append(contentsOf: repeatElement(false, count: count))
  }

  override func add(
    rows: [Int32], groups: [Int32], _ arguments: [Column], _ pool: borrowing StringPool
  ) {
    let arrived = arguments[0]
    for index in groups.indices where !arrived.isNull(Int(rows[index])) {
      let row = Int(rows[index])
      if held >= valueLimit {
        overflowed[Int(groups[index])] = true
        continue
      }
      held += 1
      values[Int(groups[index])].append(
        arrived.type.storage == .floating
          ? Self.orderedBits(arrived.doubles[row]) : arrived.integers[row])
    }
  }

  override func appendResult(
    of group: Int, to column: inout Column, _ pool: borrowing StringPool
  ) -> RuntimeError? {
    if overflowed[group] {
      column.appendNull()
      return RuntimeError(
        code: .limitExceeded,
        message: "percentiles hold \(valueLimit) values already (limits: held_rows)")
    }
    Self.append(function, values[group].sorted(), to: &column)
    return nil
  }

  /// Appends the percentile of sorted values, NULL of none.
  static func append(_ function: AggregateFunction, _ sorted: [Int64], to column: inout Column) {
    guard let last = sorted.indices.last else {
      column.appendNull()
      return
    }
    switch function {
    case .continuousPercentile(let fraction):
      let place = fraction * Double(last)
      let low = Int(place)
      let value = double(sorted[low])
      let above = double(sorted[min(low + 1, last)])
      column.append(value + (place - Double(low)) * (above - value))
    case .discretePercentile(let fraction):
      let place = Int((fraction * Double(sorted.count)).rounded(.up)) - 1
      let value = sorted[min(last, max(0, place))]
      if column.type.storage == .floating {
        column.append(double(value))
      } else {
        column.append(value)
      }
    default: column.appendNull()
    }
  }

  /// The number as an integer that is ordered as the numbers are.
  static func orderedBits(_ number: Double) -> Int64 {
    let bits = Int64(bitPattern: number.bitPattern)
    return bits < 0 ? bits ^ Int64.max : bits
  }

  private static func double(_ ordered: Int64) -> Double {
    Double(bitPattern: UInt64(bitPattern: ordered < 0 ? ordered ^ Int64.max : ordered))
  }

  override func reset(_ group: Int) {
    held -= values[group].count
    values[group] = []
    overflowed[group] = false
  }

  override func save(group: Int, into writer: inout SectionWriter, _ pool: borrowing StringPool) {
    writer.write(values[group])
    writer.write(overflowed[group])
  }

  override func restore(
    group: Int, from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) {
    values[group] = try reader.integers()
    overflowed[group] = try reader.boolean()
    held += values[group].count
  }
}

/// APPROX_COUNT_DISTINCT.
final class ApproximateCountAccumulator: Accumulator {
  private var counters: [DistinctCounter] = []

  override func grow(by count: Int) {
    counters.append(contentsOf: repeatElement(DistinctCounter(), count: count))
  }

  override func add(
    rows: [Int32], groups: [Int32], _ arguments: [Column], _ pool: borrowing StringPool
  ) {
    for index in groups.indices where !arguments[0].isNull(Int(rows[index])) {
      counters[Int(groups[index])].add(
        DistinctCounter.hash(arguments[0], Int(rows[index]), pool))
    }
  }

  override func appendResult(
    of group: Int, to column: inout Column, _ pool: borrowing StringPool
  ) -> RuntimeError? {
    column.append(counters[group].count)
    return nil
  }

  override func reset(_ group: Int) { counters[group] = DistinctCounter() }

  override func save(group: Int, into writer: inout SectionWriter, _ pool: borrowing StringPool) {
    counters[group].save(into: &writer)
  }

  override func restore(
    group: Int, from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) { counters[group] = try DistinctCounter(from: &reader) }
}

/// An aggregate over the different values of each group.
final class DistinctAccumulator: Accumulator {
  private let inner: Accumulator
  private let storage: ColumnType.Storage
  private let valueLimit: Int
  private var seen: KeyTable
  private var members: [[Int32]] = []
  private var overflowed: [Bool] = []

  init(_ inner: Accumulator, storage: ColumnType.Storage, valueLimit: Int) {
    self.inner = inner
    self.storage = storage
    self.valueLimit = valueLimit
    seen = KeyTable([.integer, storage])
  }

  override func grow(by count: Int) {
    members.append(contentsOf: repeatElement([], count: count))
    overflowed.append(contentsOf: repeatElement(false, count: count))
    inner.reserve(members.count)
  }

  override func add(
    rows: [Int32], groups: [Int32], _ arguments: [Column], _ pool: borrowing StringPool
  ) {
    var groupColumn = Column(zeros: rows.count, storage: .integer)
    for (index, group) in groups.enumerated() { groupColumn.integers[index] = Int64(group) }
    var values = Column(zeros: 0, storage: storage)
    values.append(from: arguments[0], rows: rows)
    let keys = seen.keys(of: [groupColumn, values], count: rows.count)
    var newRows: [Int32] = []
    var newGroups: [Int32] = []
    for index in rows.indices where !values.isNull(index) {
      if seen.count >= valueLimit, seen.find(keys, row: index) == nil {
        overflowed[Int(groups[index])] = true
        continue
      }
      let (number, isNew) = seen.insert(keys, row: index)
      guard isNew else { continue }
      members[Int(groups[index])].append(Int32(truncatingIfNeeded: number))
      newRows.append(rows[index])
      newGroups.append(groups[index])
    }
    inner.add(rows: newRows, groups: newGroups, arguments, pool)
  }

  override func appendResult(
    of group: Int, to column: inout Column, _ pool: borrowing StringPool
  ) -> RuntimeError? {
    guard overflowed[group] else { return inner.appendResult(of: group, to: &column, pool) }
    column.appendNull()
    return RuntimeError(
      code: .limitExceeded,
      message: "DISTINCT holds \(valueLimit) values already (limits: keys)")
  }

  override func reset(_ group: Int) {
    for number in members[group] { seen.remove(Int(number)) }
    members[group] = []
    overflowed[group] = false
    inner.reset(group)
  }

  override func save(group: Int, into writer: inout SectionWriter, _ pool: borrowing StringPool) {
    inner.save(group: group, into: &writer, pool)
    var values = Column(zeros: 0, storage: storage)
    for number in members[group] { seen.append(number: Int(number), index: 1, to: &values) }
    writer.write(overflowed[group])
    writer.write(Int64(values.count))
    for row in 0..<values.count { writer.write(value: row, of: values, in: pool) }
  }

  override func restore(
    group: Int, from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) {
    try inner.restore(group: group, from: &reader, &pool)
    overflowed[group] = try reader.boolean()
    let count = try reader.count()
    var values = Column(zeros: count, storage: storage)
    for row in 0..<count { try reader.readValue(row, of: &values, into: &pool) }
    var groups = Column(zeros: count, storage: .integer)
    for row in 0..<count { groups.integers[row] = Int64(group) }
    let keys = seen.keys(of: [groups, values], count: count)
    members[group] = (0..<count).map { Int32(seen.insert(keys, row: $0).number) }
  }

  override func remapStrings(_ remap: inout StringRemapper) {
    seen.remapStrings(&remap)
    inner.remapStrings(&remap)
  }
}
