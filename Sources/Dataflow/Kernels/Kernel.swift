import Columns

/// Which rows of a batch an expression is evaluated for.
struct Rows {
  /// How many rows the batch has.
  let count: Int
  /// The rows in ascending order, or nil for all.
  let selected: [Int32]?

  /// All rows of a batch.
  init(count: Int) {
    self.count = count
    selected = nil
  }

  /// Some rows of a batch, ascending.
  init(count: Int, selected: [Int32]) {
    self.count = count
    self.selected = selected
  }

  /// How many rows are evaluated.
  var activeCount: Int { selected?.count ?? count }

  @inline(__always)
  func forEach(_ body: (Int) -> Void) {
    if let selected {
      for row in selected { body(Int(row)) }
    } else {
      for row in 0..<count { body(row) }
    }
  }

  /// The rows for which `keep` holds.
  @inline(__always)
  func filter(_ keep: (Int) -> Bool) -> Rows {
    var kept: [Int32] = []
    kept.reserveCapacity(activeCount)
    forEach { if keep($0) { kept.append(Int32(truncatingIfNeeded: $0)) } }
    return Rows(count: count, selected: kept)
  }
}

/// What expressions of one batch share: the failures of its rows and the times they may ask for.
struct Evaluation {
  /// Rows whose evaluation failed; nothing of them is emitted.
  private(set) var failed: Bitmap
  /// The first failure of each failed row, in the order in which they were found.
  private(set) var failures: [Failure] = []
  /// When the query started, milliseconds since 1970 UTC.
  let startTime: Int64
  /// What the clock reads, milliseconds since 1970 UTC; nil where rows alone move time.
  let clock: Int64?

  /// One row that could not be computed.
  struct Failure {
    let row: Int
    let error: RuntimeError
  }

  /// Begins to evaluate a batch of `count` rows.
  init(count: Int, _ context: ExecutionContext) {
    failed = Bitmap(clear: count)
    startTime = context.startTime ?? 0
    clock = context.clock
  }

  /// Begins to note the failures of `count` rows where no expression asks for the time.
  init(count: Int) {
    failed = Bitmap(clear: count)
    startTime = 0
    clock = nil
  }

  /// Notes that a row cannot be computed; the first failure of a row counts.
  mutating func fail(_ row: Int, _ code: RuntimeError.Code, _ message: @autoclosure () -> String) {
    guard !failed[row] else { return }
    failed[row] = true
    failures.append(Failure(row: row, error: RuntimeError(code: code, message: message())))
  }

  /// Whether any row failed.
  var hasFailures: Bool { failed.hasSetBits }
}

/// One node of a compiled expression: computes a column of values from a batch.
///
/// The result has one entry per row of the batch; entries of rows that are not evaluated, that are
/// NULL or that failed hold 0, 0.0 or the empty string.
class Kernel {
  /// How the values lie in memory.
  let storage: ColumnType.Storage
  /// Whether evaluating a row can fail.
  let canFail: Bool

  /// Creates a node.
  init(storage: ColumnType.Storage, canFail: Bool) {
    self.storage = storage
    self.canFail = canFail
  }

  /// The values for `rows` of `input`.
  func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    preconditionFailure("a kernel evaluates its own node")
  }
}

extension Column {
  /// A column of `count` zeros of a storage, no NULL among them.
  init(zeros count: Int, storage: ColumnType.Storage) {
    switch storage {
    case .integer:
      self.init(type: .bigint)
      integers = [Int64](repeating: 0, count: count)
    case .floating:
      self.init(type: .double)
      doubles = [Double](repeating: 0, count: count)
    case .text:
      self.init(type: .varchar(0))
      texts = [StringID](repeating: .empty, count: count)
    }
    nulls = Bitmap(clear: count)
  }

  /// The values of `other` under the name of another type with the same storage.
  init(type: ColumnType, values other: Column) {
    self.init(type: type)
    integers = other.integers
    doubles = other.doubles
    texts = other.texts
    nulls = other.nulls
  }

  /// Replaces one value by that at the same row of `other`.
  mutating func copyValue(at row: Int, from other: borrowing Column) {
    switch type.storage {
    case .integer: integers[row] = other.integers[row]
    case .floating: doubles[row] = other.doubles[row]
    case .text: texts[row] = other.texts[row]
    }
    if other.nulls.hasSetBits, other.nulls[row] {
      nulls[row] = true
    } else if nulls.hasSetBits {
      nulls[row] = false
    }
  }

  /// Makes one value NULL.
  mutating func setNull(at row: Int) {
    switch type.storage {
    case .integer: integers[row] = 0
    case .floating: doubles[row] = 0
    case .text: texts[row] = .empty
    }
    nulls[row] = true
  }

  @inline(__always)
  func isNull(_ row: Int) -> Bool { nulls.hasSetBits && nulls[row] }
}

/// A column of the input.
final class ColumnKernel: Kernel {
  private let index: Int

  init(index: Int, storage: ColumnType.Storage) {
    self.index = index
    super.init(storage: storage, canFail: false)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column { input.columns[index] }
}

/// The ROWTIME of the input row.
final class RowtimeKernel: Kernel {
  init() { super.init(storage: .integer, canFail: false) }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    var result = Column(type: .timestamp)
    result.integers = input.rowtimes
    result.nulls = Bitmap(clear: input.count)
    return result
  }
}

/// CURRENT_ROW_TIMESTAMP: what the clock reads when the row is processed, else the row's ROWTIME.
final class ClockKernel: Kernel {
  init() { super.init(storage: .integer, canFail: false) }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    var result = Column(type: .timestamp)
    result.integers =
      evaluation.clock.map { [Int64](repeating: $0, count: input.count) } ?? input.rowtimes
    result.nulls = Bitmap(clear: input.count)
    return result
  }
}

/// The time at which the query started.
final class StartTimeKernel: Kernel {
  init() { super.init(storage: .integer, canFail: false) }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    var result = Column(type: .timestamp)
    result.integers = [Int64](repeating: evaluation.startTime, count: input.count)
    result.nulls = Bitmap(clear: input.count)
    return result
  }
}

/// The same value in every row.
final class ConstantKernel: Kernel {
  enum Value: Hashable {
    case null
    case integer(Int64)
    case double(Double)
    case text([UInt8])
  }
  let value: Value

  init(_ value: Value, storage: ColumnType.Storage) {
    self.value = value
    super.init(storage: storage, canFail: false)
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    let count = input.count
    var result: Column
    switch value {
    case .null:
      result = Column(zeros: count, storage: storage)
      for row in 0..<count { result.nulls[row] = true }
    case .integer(let number):
      result = Column(type: .bigint)
      result.integers = [Int64](repeating: number, count: count)
      result.nulls = Bitmap(clear: count)
    case .double(let number):
      result = Column(type: .double)
      result.doubles = [Double](repeating: number, count: count)
      result.nulls = Bitmap(clear: count)
    case .text(let bytes):
      result = Column(type: .varchar(0))
      result.texts = [StringID](repeating: pool.intern(bytes.span), count: count)
      result.nulls = Bitmap(clear: count)
    }
    return result
  }
}

/// The sum, or the end of the range that it would leave.
@inline(__always)
func saturatingSum(_ left: Int64, _ right: Int64) -> Int64 {
  let (sum, overflow) = left.addingReportingOverflow(right)
  return overflow ? (right < 0 ? Int64.min : Int64.max) : sum
}

/// The first multiple of `size` behind `value`, saturating.
func nextMultiple(after value: Int64, of size: Int64) -> Int64 {
  let (multiple, overflow) = floorDivide(value, size).addingReportingOverflow(1)
  let (product, tooBig) = multiple.multipliedReportingOverflow(by: size)
  return overflow || tooBig ? Int64.max : product
}

/// The quotient rounded towards minus infinity.
///
/// - Precondition: `divisor` is positive.
@inline(__always)
func floorDivide(_ dividend: Int64, _ divisor: Int64) -> Int64 {
  let quotient = dividend / divisor
  return dividend % divisor < 0 ? quotient - 1 : quotient
}
