import Columns
import StreamSQL

/// A sum in twice the precision of `Double`, from which addends can be taken away again.
///
/// Source: T. J. Dekker, "A floating-point technique for extending the available precision", 1971.
struct DoubledSum {
  var high = 0.0
  var low = 0.0

  mutating func add(_ value: Double) {
    let sum = high + value
    let shadow = sum - high
    let error = (high - (sum - shadow)) + (value - shadow) + low
    high = sum + error
    low = (sum - high) + error
  }
}

/// SUM, AVG, COUNT and the variances: rows are added when they enter and taken away when they leave.
struct WindowSum: ValueWindowFunction {
  private let function: AggregateFunction
  private let type: ColumnType
  private let scaling: Int
  private let isFloating: Bool
  private let isVariance: Bool
  var values: SlotValues
  private var counts: [Int64] = []
  private var whole: [Int128] = []
  private var sums: [DoubledSum] = []
  private var squares: [DoubledSum] = []

  init(_ call: AggregateCall, storage: ColumnType.Storage) {
    function = call.function
    type = call.type
    scaling = call.type.scale - (call.arguments.first?.type.columnType?.scale ?? 0)
    isFloating = storage == .floating
    switch call.function {
    case .populationDeviation, .sampleDeviation, .populationVariance, .sampleVariance:
      isVariance = true
    default: isVariance = false
    }
    values = SlotValues(storage: storage)
  }

  mutating func reserve(_ window: RowWindow) {
    values.reserve(window.slotCapacity)
    let missing = window.groupCapacity - counts.count
    guard missing > 0 else { return }
    counts.append(contentsOf: repeatElement(0, count: missing))
    if isFloating {
      sums.append(contentsOf: repeatElement(DoubledSum(), count: missing))
    } else {
      whole.append(contentsOf: repeatElement(0, count: missing))
    }
    if isVariance { squares.append(contentsOf: repeatElement(DoubledSum(), count: missing)) }
  }

  mutating func run(
    _ window: RowWindow, _ arguments: [Column], _ result: inout Column,
    _ failures: inout Evaluation, _ pool: borrowing StringPool
  ) {
    reserve(window)
    var position = 0
    for (row, slot) in window.slots.enumerated() {
      while position < Int(window.evictedEnds[row]) {
        let left = window.evicted[position]
        change(Int(left), Int(window.groups[Int(left)]), sign: -1)
        position += 1
      }
      let group = Int(window.groups[Int(slot)])
      values.set(slot, from: arguments[0], row: row)
      change(Int(slot), group, sign: 1)
      if let error = append(group, to: &result) {
        failures.fail(row, error.code, error.message)
      }
    }
  }

  @inline(__always)
  private mutating func change(_ slot: Int, _ group: Int, sign: Int64) {
    if values.column.isNull(slot) { return }
    counts[group] += sign
    if isFloating {
      let value = values.column.doubles[slot]
      if counts[group] == 0 {
        sums[group] = DoubledSum()
        if isVariance { squares[group] = DoubledSum() }
        return
      }
      sums[group].add(sign > 0 ? value : -value)
      if isVariance {
        let square = value * value
        let rest = (-square).addingProduct(value, value)
        squares[group].add(sign > 0 ? square : -square)
        squares[group].add(sign > 0 ? rest : -rest)
      }
    } else if values.column.type.storage == .integer {
      whole[group] += Int128(sign) * Int128(values.column.integers[slot])
    }
  }

  private func append(_ group: Int, to result: inout Column) -> RuntimeError? {
    let count = counts[group]
    if function == .count {
      result.append(count)
      return nil
    }
    if isVariance {
      appendVariance(function, squares: squaredDistance(group), count: count, to: &result)
      return nil
    }
    let isAverage = function == .average
    if isFloating {
      let sum = sums[group].high
      return appendFloating(
        isAverage ? sum / Double(max(1, count)) : sum, count: count, type: type, to: &result)
    }
    return appendIntegerSum(
      whole[group], count: count, isAverage: isAverage, scaling: scaling, type: type, to: &result)
  }

  /// Σx² − (Σx)² / n in doubled precision.
  private func squaredDistance(_ group: Int) -> Double {
    let count = Double(max(1, counts[group]))
    let sum = sums[group]
    let product = sum.high * sum.high
    let productRest = (-product).addingProduct(sum.high, sum.high) + 2 * sum.high * sum.low
    let quotient = product / count
    let quotientRest = (product.addingProduct(-quotient, count) + productRest) / count
    return (squares[group].high - quotient) + (squares[group].low - quotientRest)
  }

  mutating func clear() {
    values.clear()
    (counts, whole, sums, squares) = ([], [], [], [])
  }

  func saveGroup(
    _ group: Int, into writer: inout SectionWriter, _ pool: borrowing StringPool
  ) {
    writer.write(counts[group])
    if isFloating {
      writer.write(sums[group].high)
      writer.write(sums[group].low)
    } else {
      writer.write(whole[group])
    }
    if isVariance {
      writer.write(squares[group].high)
      writer.write(squares[group].low)
    }
  }

  mutating func restoreGroup(
    _ group: Int, from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) {
    counts[group] = try reader.integer()
    if isFloating {
      sums[group] = DoubledSum(high: try reader.double(), low: try reader.double())
    } else {
      whole[group] = try reader.integer()
    }
    if isVariance {
      squares[group] = DoubledSum(high: try reader.double(), low: try reader.double())
    }
  }
}

/// EXP_AVG: weights 0.5^(age / half-life), normalised.
///
/// The weighted sum is kept as of the partition's last row and decays with the time to the next.
struct WindowExponentialAverage: ValueWindowFunction {
  private let halfLife: Double
  var values = SlotValues(storage: .floating)
  private var sums: [Double] = []
  private var weights: [Double] = []
  private var times: [Int64] = []
  private var counts: [Int64] = []

  init(halfLife: Int64) { self.halfLife = Double(max(1, halfLife)) }

  mutating func reserve(_ window: RowWindow) {
    values.reserve(window.slotCapacity)
    while counts.count < window.groupCapacity {
      sums.append(0)
      weights.append(0)
      times.append(0)
      counts.append(0)
    }
  }

  private func weight(from earlier: Int64, to later: Int64) -> Double {
    if earlier == later { return 1 }
    return DeterministicMath.pow(0.5, (Double(later) - Double(earlier)) / halfLife)
  }

  mutating func run(
    _ window: RowWindow, _ arguments: [Column], _ result: inout Column,
    _ failures: inout Evaluation, _ pool: borrowing StringPool
  ) {
    reserve(window)
    var position = 0
    for (row, slot) in window.slots.enumerated() {
      while position < Int(window.evictedEnds[row]) {
        remove(Int(window.evicted[position]), window)
        position += 1
      }
      let group = Int(window.groups[Int(slot)])
      values.set(slot, from: arguments[0], row: row)
      if !arguments[0].isNull(row) {
        let time = window.times[Int(slot)]
        if counts[group] > 0 {
          let factor = weight(from: times[group], to: time)
          sums[group] *= factor
          weights[group] *= factor
        }
        sums[group] += arguments[0].doubles[row]
        weights[group] += 1
        times[group] = time
        counts[group] += 1
      }
      if counts[group] > 0, weights[group] > 0 {
        result.append(sums[group] / weights[group])
      } else {
        result.appendNull()
      }
    }
  }

  private mutating func remove(_ slot: Int, _ window: RowWindow) {
    if values.column.isNull(slot) { return }
    let group = Int(window.groups[slot])
    counts[group] -= 1
    if counts[group] == 0 {
      sums[group] = 0
      weights[group] = 0
      return
    }
    let factor = weight(from: window.times[slot], to: times[group])
    sums[group] -= factor * values.column.doubles[slot]
    weights[group] -= factor
  }

  mutating func clear() {
    values.clear()
    (sums, weights, times, counts) = ([], [], [], [])
  }

  func saveGroup(
    _ group: Int, into writer: inout SectionWriter, _ pool: borrowing StringPool
  ) {
    writer.write(sums[group])
    writer.write(weights[group])
    writer.write(times[group])
    writer.write(counts[group])
  }

  mutating func restoreGroup(
    _ group: Int, from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) {
    sums[group] = try reader.double()
    weights[group] = try reader.double()
    times[group] = try reader.integer()
    counts[group] = try reader.integer()
  }
}

/// Functions without a way to take a row back: computed anew from the rows of the window.
struct RecomputedFunction: ValueWindowFunction {
  private let accumulator: Accumulator
  var values: SlotValues

  init(_ call: AggregateCall, storage: ColumnType.Storage) {
    accumulator = Accumulator.make(call, DataflowLimits())
    values = SlotValues(storage: storage)
    accumulator.reserve(1)
  }

  mutating func run(
    _ window: RowWindow, _ arguments: [Column], _ result: inout Column,
    _ failures: inout Evaluation, _ pool: borrowing StringPool
  ) {
    values.reserve(window.slotCapacity)
    for (row, slot) in window.slots.enumerated() {
      values.set(slot, from: arguments[0], row: row)
      var seen: [Int32] = []
      var current = window.oldest[row]
      for _ in 0..<window.sizes[row] {
        seen.append(current)
        current = window.next[Int(current)]
      }
      let groups = [Int32](repeating: 0, count: seen.count)
      accumulator.add(rows: seen, groups: groups, [values.column], pool)
      if let error = accumulator.appendResult(of: 0, to: &result, pool) {
        failures.fail(row, error.code, error.message)
      }
      accumulator.reset(0)
    }
  }
}

/// UNBOUNDED PRECEDING: nothing ever leaves.
struct RunningFunction: WindowFunction {
  private let accumulator: Accumulator

  init(_ call: AggregateCall) { accumulator = Accumulator.make(call, DataflowLimits()) }

  mutating func run(
    _ window: RowWindow, _ arguments: [Column], _ result: inout Column,
    _ failures: inout Evaluation, _ pool: borrowing StringPool
  ) {
    accumulator.reserve(window.groupCapacity)
    for (row, slot) in window.slots.enumerated() {
      let group = window.groups[Int(slot)]
      accumulator.add(
        rows: [Int32(truncatingIfNeeded: row)], groups: [group], arguments, pool)
      if let error = accumulator.appendResult(of: Int(group), to: &result, pool) {
        failures.fail(row, error.code, error.message)
      }
    }
  }

  mutating func reserve(_ window: RowWindow) { accumulator.reserve(window.groupCapacity) }

  func saveGroup(
    _ group: Int, into writer: inout SectionWriter, _ pool: borrowing StringPool
  ) { accumulator.save(group: group, into: &writer, pool) }

  mutating func restoreGroup(
    _ group: Int, from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) { try accumulator.restore(group: group, from: &reader, &pool) }

  mutating func remapStrings(_ remap: inout StringRemapper) { accumulator.remapStrings(&remap) }
}
