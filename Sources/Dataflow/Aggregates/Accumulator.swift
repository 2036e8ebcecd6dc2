import Columns
import StreamSQL

/// The values of one aggregate call for all groups, in arrays by group number.
class Accumulator {
  /// How many group numbers there is room for.
  private(set) final var capacity = 0

  /// Makes room for group numbers below `capacity`; new groups are empty.
  final func reserve(_ capacity: Int) {
    guard capacity > self.capacity else { return }
    grow(by: capacity - self.capacity)
    self.capacity = capacity
  }

  func grow(by count: Int) { preconditionFailure("an accumulator grows itself") }

  /// Adds rows of the call's arguments to their groups, in order; `groups` has one entry per row.
  func add(
    rows: [Int32], groups: [Int32], _ arguments: [Column], _ pool: borrowing StringPool
  ) { preconditionFailure("an accumulator adds itself") }

  /// Appends the group's result; an error fails the group.
  func appendResult(
    of group: Int, to column: inout Column, _ pool: borrowing StringPool
  ) -> RuntimeError? { preconditionFailure("an accumulator appends itself") }

  /// Makes a group empty again.
  func reset(_ group: Int) { preconditionFailure("an accumulator resets itself") }

  func save(group: Int, into writer: inout SectionWriter, _ pool: borrowing StringPool) {
    preconditionFailure("an accumulator saves itself")
  }

  func restore(
    group: Int, from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) { preconditionFailure("an accumulator restores itself") }

  func remapStrings(_ remap: inout StringRemapper) {}

  /// The accumulator of a call.
  ///
  /// - Parameters:
  ///   - call: The function with its arguments.
  ///   - limits: How many values it may hold where it holds values; over it a group has no result.
  /// - Returns: An accumulator without groups.
  static func make(_ call: AggregateCall, _ limits: DataflowLimits) -> Accumulator {
    let argument = call.arguments.first?.type
    let inner: Accumulator
    switch call.function {
    case .countRows: inner = CountAccumulator(countsNulls: true)
    case .count: inner = CountAccumulator(countsNulls: false)
    case .sum, .average:
      let isAverage = call.function == .average
      if argument?.storage == .floating {
        inner = FloatingSum(isAverage: isAverage, type: call.type)
      } else {
        inner = IntegerSum(
          isAverage: isAverage, type: call.type, scale: argument?.columnType?.scale ?? 0)
      }
    case .minimum, .any, .maximum, .every:
      let keepsLarger = call.function == .maximum || call.function == .any
      inner = ExtremeAccumulator(storage: argument?.storage ?? .integer, keepsLarger: keepsLarger)
    case .populationDeviation, .sampleDeviation, .populationVariance, .sampleVariance:
      inner = VarianceAccumulator(call.function)
    case .firstValue, .lastValue, .nthValue, .lag:
      inner = PositionAccumulator(
        call.function, storage: argument?.storage ?? .integer, ignoresNulls: call.ignoresNulls)
    case .continuousPercentile, .discretePercentile, .exponentialAverage:
      inner = PercentileAccumulator(call.function, valueLimit: limits.heldRows)
    case .approximateCountDistinct: inner = ApproximateCountAccumulator()
    }
    return call.isDistinct
      ? DistinctAccumulator(
        inner, storage: argument?.storage ?? .integer, valueLimit: limits.keys) : inner
  }
}

/// Takes a value out of its place while a loop works on it.
///
/// The loop then neither checks for exclusive access at each row nor copies.
@inline(__always)
func exchange<Value>(_ place: inout Value, with other: Value) -> Value {
  let value = place
  place = other
  return value
}

/// COUNT.
final class CountAccumulator: Accumulator {
  private let countsNulls: Bool
  private var counts: [Int64] = []

  init(countsNulls: Bool) { self.countsNulls = countsNulls }

  override func grow(by count: Int) { counts.append(contentsOf: repeatElement(0, count: count)) }

  override func add(
    rows: [Int32], groups: [Int32], _ arguments: [Column], _ pool: borrowing StringPool
  ) {
    var counts = exchange(&self.counts, with: [])
    defer { self.counts = counts }
    if countsNulls || !arguments[0].nulls.hasSetBits {
      for group in groups { counts[Int(group)] += 1 }
    } else {
      for (index, group) in groups.enumerated() where !arguments[0].nulls[Int(rows[index])] {
        counts[Int(group)] += 1
      }
    }
  }

  override func appendResult(
    of group: Int, to column: inout Column, _ pool: borrowing StringPool
  ) -> RuntimeError? {
    column.append(counts[group])
    return nil
  }

  override func reset(_ group: Int) { counts[group] = 0 }

  override func save(group: Int, into writer: inout SectionWriter, _ pool: borrowing StringPool) {
    writer.write(counts[group])
  }

  override func restore(
    group: Int, from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) { counts[group] = try reader.integer() }
}

/// SUM and AVG of integers and decimals.
final class IntegerSum: Accumulator {
  private let isAverage: Bool
  private let type: ColumnType
  private let scaling: Int
  private var sums: [Int128] = []
  private var counts: [Int64] = []

  init(isAverage: Bool, type: ColumnType, scale: Int) {
    self.isAverage = isAverage
    self.type = type
    scaling = type.scale - scale
  }

  override func grow(by count: Int) {
    sums.append(contentsOf: repeatElement(0, count: count))
    counts.append(contentsOf: repeatElement(0, count: count))
  }

  override func add(
    rows: [Int32], groups: [Int32], _ arguments: [Column], _ pool: borrowing StringPool
  ) {
    let values = arguments[0]
    let hasNulls = values.nulls.hasSetBits
    var sums = exchange(&self.sums, with: [])
    var counts = exchange(&self.counts, with: [])
    defer {
      self.sums = sums
      self.counts = counts
    }
    for (index, group) in groups.enumerated() {
      let row = Int(rows[index])
      if hasNulls, values.nulls[row] { continue }
      sums[Int(group)] += Int128(values.integers[row])
      counts[Int(group)] += 1
    }
  }

  override func appendResult(
    of group: Int, to column: inout Column, _ pool: borrowing StringPool
  ) -> RuntimeError? {
    appendIntegerSum(
      sums[group], count: counts[group], isAverage: isAverage, scaling: scaling, type: type,
      to: &column)
  }

  override func reset(_ group: Int) {
    sums[group] = 0
    counts[group] = 0
  }

  override func save(group: Int, into writer: inout SectionWriter, _ pool: borrowing StringPool) {
    writer.write(sums[group])
    writer.write(counts[group])
  }

  override func restore(
    group: Int, from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) {
    sums[group] = try reader.integer()
    counts[group] = try reader.integer()
  }
}

/// Appends a sum of integers, or their mean cut towards zero.
func appendIntegerSum(
  _ sum: Int128, count: Int64, isAverage: Bool, scaling: Int, type: ColumnType,
  to column: inout Column
) -> RuntimeError? {
  guard count > 0 else {
    column.appendNull()
    return nil
  }
  var value = sum
  for _ in 0..<max(0, scaling) { value *= 10 }
  if isAverage { value /= Int128(count) }
  for _ in 0..<max(0, -scaling) { value /= 10 }
  let range = type.integerRange
  guard value >= Int128(range.lowerBound), value <= Int128(range.upperBound) else {
    column.appendNull()
    return RuntimeError(code: .numericOverflow, message: "the sum does not fit \(type)")
  }
  column.append(Int64(value))
  return nil
}

/// SUM and AVG of floating-point numbers, added in the order of arrival.
final class FloatingSum: Accumulator {
  private let isAverage: Bool
  private let type: ColumnType
  private var sums: [Double] = []
  private var counts: [Int64] = []

  init(isAverage: Bool, type: ColumnType) {
    self.isAverage = isAverage
    self.type = type
  }

  override func grow(by count: Int) {
    sums.append(contentsOf: repeatElement(0, count: count))
    counts.append(contentsOf: repeatElement(0, count: count))
  }

  override func add(
    rows: [Int32], groups: [Int32], _ arguments: [Column], _ pool: borrowing StringPool
  ) {
    let values = arguments[0]
    let hasNulls = values.nulls.hasSetBits
    var sums = exchange(&self.sums, with: [])
    var counts = exchange(&self.counts, with: [])
    defer {
      self.sums = sums
      self.counts = counts
    }
    for (index, group) in groups.enumerated() {
      let row = Int(rows[index])
      if hasNulls, values.nulls[row] { continue }
      sums[Int(group)] += values.doubles[row]
      counts[Int(group)] += 1
    }
  }

  override func appendResult(
    of group: Int, to column: inout Column, _ pool: borrowing StringPool
  ) -> RuntimeError? {
    let sum = sums[group]
    return appendFloating(
      isAverage ? sum / Double(max(1, counts[group])) : sum, count: counts[group], type: type,
      to: &column)
  }

  override func reset(_ group: Int) {
    sums[group] = 0
    counts[group] = 0
  }

  override func save(group: Int, into writer: inout SectionWriter, _ pool: borrowing StringPool) {
    writer.write(sums[group])
    writer.write(counts[group])
  }

  override func restore(
    group: Int, from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) {
    sums[group] = try reader.double()
    counts[group] = try reader.integer()
  }
}

/// Appends a floating-point result, NULL when no value entered it.
func appendFloating(
  _ value: Double, count: Int64, type: ColumnType, to column: inout Column
) -> RuntimeError? {
  guard count > 0 else {
    column.appendNull()
    return nil
  }
  let rounded = type == .real ? Double(Float(value)) : value
  guard rounded.isFinite else {
    column.appendNull()
    return RuntimeError(code: .numericOverflow, message: "the sum does not fit \(type)")
  }
  column.append(rounded)
  return nil
}

/// MIN and MAX of any type; EVERY and ANY are those of truth values.
final class ExtremeAccumulator: Accumulator {
  private let keepsLarger: Bool
  private let storage: ColumnType.Storage
  private var values: Column

  init(storage: ColumnType.Storage, keepsLarger: Bool) {
    self.storage = storage
    self.keepsLarger = keepsLarger
    values = Column(zeros: 0, storage: storage)
  }

  override func grow(by count: Int) { for _ in 0..<count { values.appendNull() } }

  override func add(
    rows: [Int32], groups: [Int32], _ arguments: [Column], _ pool: borrowing StringPool
  ) {
    let arrived = arguments[0]
    var values = exchange(&self.values, with: Column(type: .bigint))
    defer { self.values = values }
    for index in groups.indices {
      let row = Int(rows[index])
      let group = Int(groups[index])
      if arrived.isNull(row) { continue }
      let replaces: Bool
      if values.nulls[group] {
        replaces = true
      } else {
        switch storage {
        case .integer:
          let (new, old) = (arrived.integers[row], values.integers[group])
          replaces = keepsLarger ? new > old : new < old
        case .floating:
          let (new, old) = (arrived.doubles[row], values.doubles[group])
          replaces = keepsLarger ? new > old : new < old
        case .text:
          let order = pool.compare(arrived.texts[row], values.texts[group])
          replaces = keepsLarger ? order > 0 : order < 0
        }
      }
      if replaces { values.setValue(at: group, from: arrived, row: row) }
    }
  }

  override func appendResult(
    of group: Int, to column: inout Column, _ pool: borrowing StringPool
  ) -> RuntimeError? {
    column.append(from: values, row: group)
    return nil
  }

  override func reset(_ group: Int) { values.setNull(at: group) }

  override func save(group: Int, into writer: inout SectionWriter, _ pool: borrowing StringPool) {
    writer.write(value: group, of: values, in: pool)
  }

  override func restore(
    group: Int, from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) { try reader.readValue(group, of: &values, into: &pool) }

  override func remapStrings(_ remap: inout StringRemapper) { values.remapStrings(&remap) }
}

/// The deviations and variances, by Welford's recurrence.
final class VarianceAccumulator: Accumulator {
  private let function: AggregateFunction
  private var counts: [Int64] = []
  private var means: [Double] = []
  private var squares: [Double] = []

  init(_ function: AggregateFunction) { self.function = function }

  override func grow(by count: Int) {
    counts.append(contentsOf: repeatElement(0, count: count))
    means.append(contentsOf: repeatElement(0, count: count))
    squares.append(contentsOf: repeatElement(0, count: count))
  }

  override func add(
    rows: [Int32], groups: [Int32], _ arguments: [Column], _ pool: borrowing StringPool
  ) {
    let values = arguments[0]
    var counts = exchange(&self.counts, with: [])
    var means = exchange(&self.means, with: [])
    var squares = exchange(&self.squares, with: [])
    defer {
      self.counts = counts
      self.means = means
      self.squares = squares
    }
    for index in groups.indices {
      let row = Int(rows[index])
      let group = Int(groups[index])
      if values.isNull(row) { continue }
      counts[group] += 1
      let delta = values.doubles[row] - means[group]
      means[group] += delta / Double(counts[group])
      squares[group] += delta * (values.doubles[row] - means[group])
    }
  }

  override func appendResult(
    of group: Int, to column: inout Column, _ pool: borrowing StringPool
  ) -> RuntimeError? {
    appendVariance(
      function, squares: squares[group], count: counts[group], to: &column)
    return nil
  }

  override func reset(_ group: Int) {
    counts[group] = 0
    means[group] = 0
    squares[group] = 0
  }

  override func save(group: Int, into writer: inout SectionWriter, _ pool: borrowing StringPool) {
    writer.write(counts[group])
    writer.write(means[group])
    writer.write(squares[group])
  }

  override func restore(
    group: Int, from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) {
    counts[group] = try reader.integer()
    means[group] = try reader.double()
    squares[group] = try reader.double()
  }
}

/// Appends a variance or deviation from the sum of squared distances to the mean.
func appendVariance(
  _ function: AggregateFunction, squares: Double, count: Int64, to column: inout Column
) {
  let isSample = function == .sampleDeviation || function == .sampleVariance
  guard count > (isSample ? 1 : 0) else {
    column.appendNull()
    return
  }
  let variance = max(0, squares) / Double(isSample ? count - 1 : count)
  let isDeviation = function == .populationDeviation || function == .sampleDeviation
  column.append(isDeviation ? variance.squareRoot() : variance)
}

extension Column {
  /// Replaces one value by that at `row` of `other`.
  mutating func setValue(at index: Int, from other: borrowing Column, row: Int) {
    if other.isNull(row) {
      setNull(at: index)
      return
    }
    switch type.storage {
    case .integer: integers[index] = other.integers[row]
    case .floating: doubles[index] = other.doubles[row]
    case .text: texts[index] = other.texts[row]
    }
    if nulls.hasSetBits { nulls[index] = false }
  }
}

extension SectionWriter {
  /// Writes one value of a column.
  mutating func write(value row: Int, of column: Column, in pool: borrowing StringPool) {
    write(column.isNull(row))
    if column.isNull(row) { return }
    switch column.type.storage {
    case .integer: write(column.integers[row])
    case .floating: write(column.doubles[row])
    case .text: write(column.texts[row], in: pool)
    }
  }
}

extension SectionReader {
  /// Reads one value into a column.
  mutating func readValue(
    _ row: Int, of column: inout Column, into pool: inout StringPool
  ) throws(StateError) {
    if try boolean() {
      column.setNull(at: row)
      return
    }
    switch column.type.storage {
    case .integer: column.integers[row] = try integer()
    case .floating: column.doubles[row] = try double()
    case .text: column.texts[row] = try stringID(into: &pool)
    }
    column.nulls[row] = false
  }
}
