import Columns
import StreamSQL

/// The rows of a reference table or of a VALUES list.
final class TableState {
  let schema: Schema
  private let literals: [[SQLValue]]?
  private var loaded: Batch
  /// Changes whenever the rows do.
  private(set) var version = 0
  private var isInterned = false
  /// Whether the rows came through the table's slot: state then names their blob and leaves them out.
  private var isFed = false

  init(_ table: PlanTable) {
    schema = table.schema
    literals = table.rows
    loaded = Batch(schema: table.schema)
  }

  /// Replaces the rows.
  func replace(_ rows: Batch) {
    loaded = rows
    isFed = false
    version += 1
  }

  /// Replaces the rows by those of the table's slot.
  func feed(_ rows: Batch) {
    replace(rows)
    isFed = true
  }

  /// The rows.
  func rows(_ pool: inout StringPool) -> Batch {
    guard let literals, !isInterned else { return loaded }
    isInterned = true
    for row in literals {
      loaded.rowtimes.append(0)
      loaded.causes.append(0)
      for (index, value) in row.enumerated() {
        let isFloating = loaded.columns[index].type.storage == .floating
        switch value {
        case .null: loaded.columns[index].appendNull()
        case .integer(let number) where isFloating: loaded.columns[index].append(Double(number))
        case .integer(let number): loaded.columns[index].append(number)
        case .double(let number): loaded.columns[index].append(number)
        case .bytes(let bytes): loaded.columns[index].append(pool.intern(bytes.span))
        }
      }
    }
    version += 1
    return loaded
  }

  func save(into writer: inout SectionWriter, _ pool: borrowing StringPool) {
    writer.write(isFed)
    if isFed { return }
    writer.write(isInterned)
    writer.write(loaded, in: pool)
  }

  func restore(
    from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) {
    // Whoever restores fills the slots before.
    if try reader.boolean() { return }
    isInterned = try reader.boolean()
    loaded = try reader.batch(schema: schema, into: &pool)
    version += 1
  }

  func remapStrings(_ remap: inout StringRemapper) {
    for index in loaded.columns.indices { loaded.columns[index].remapStrings(&remap) }
    version += 1
  }
}

/// A stream's rows with the matching rows of a table.
final class ReferenceJoinOperator: Operator {
  private let table: TableState
  private let preservesStream: Bool
  private let streamKeys: [Kernel]
  private let tableKeys: [Kernel]
  private let condition: Kernel?
  private let matchLimit: Int
  private var index: KeyTable
  /// Rows of the table by key number, ascending.
  private var rowsByKey: [[Int32]] = []
  private var indexedVersion = -1

  init(
    input: Operator, join: ReferenceJoin, table: TableState, limits: DataflowLimits,
    schema: Schema, section: String
  ) {
    self.table = table
    preservesStream = join.preservesStream
    streamKeys = join.keys.map { ExpressionCompiler.compile($0.left) }
    tableKeys = join.keys.map { ExpressionCompiler.compile($0.right) }
    condition = join.condition.map(ExpressionCompiler.compile)
    matchLimit = limits.matchesPerRow
    index = KeyTable(streamKeys.map(\.storage))
    super.init(
      schema: schema, section: section, inputs: [input], isBounded: input.isBounded)
  }

  private func buildIndex(_ rows: Batch, _ pool: inout StringPool) {
    indexedVersion = table.version
    index = KeyTable(streamKeys.map(\.storage))
    rowsByKey = []
    var evaluation = Evaluation(count: rows.count)
    var columns: [Column] = []
    for key in tableKeys {
      columns.append(key.evaluate(rows, Rows(count: rows.count), &evaluation, &pool))
    }
    let words = index.keys(of: columns, count: rows.count)
    for row in 0..<rows.count where !evaluation.failed[row] && !index.hasNull(words, row: row) {
      let (number, isNew) = index.insert(words, row: row)
      if isNew { rowsByKey.append([]) }
      rowsByKey[number].append(Int32(truncatingIfNeeded: row))
    }
  }

  override func run(_ context: ExecutionContext, _ pool: inout StringPool) {
    output.removeAll()
    let input = inputs[0].output
    guard !input.isEmpty else { return }
    counters.rowsIn += Int64(input.count)
    let rows = table.rows(&pool)
    if indexedVersion != table.version { buildIndex(rows, &pool) }
    var evaluation = Evaluation(count: input.count, context)
    var columns: [Column] = []
    for key in streamKeys {
      columns.append(key.evaluate(input, Rows(count: input.count), &evaluation, &pool))
    }
    var (left, right) = candidates(input, columns, &evaluation)
    if let condition {
      (left, right) = surviving(input, rows, left, right, condition, &evaluation, context, &pool)
    }
    emit(input, rows, left, right, evaluation)
    report(evaluation, input, context, pool)
    counters.passed += Int64(output.count)
  }

  private func candidates(
    _ input: Batch, _ columns: [Column], _ evaluation: inout Evaluation
  ) -> (left: [Int32], right: [Int32]) {
    var left: [Int32] = []
    var right: [Int32] = []
    let words = index.keys(of: columns, count: input.count)
    for row in 0..<input.count where !evaluation.failed[row] && !index.hasNull(words, row: row) {
      guard let number = index.find(words, row: row) else { continue }
      guard rowsByKey[number].count <= matchLimit else {
        evaluation.fail(
          row, .limitExceeded,
          "the row matches \(rowsByKey[number].count) rows of the table (limits: matches_per_row)")
        continue
      }
      for match in rowsByKey[number] {
        left.append(Int32(truncatingIfNeeded: row))
        right.append(match)
      }
    }
    return (left, right)
  }

  private func surviving(
    _ input: Batch, _ rows: Batch, _ left: [Int32], _ right: [Int32], _ condition: Kernel,
    _ evaluation: inout Evaluation, _ context: ExecutionContext, _ pool: inout StringPool
  ) -> (left: [Int32], right: [Int32]) {
    var pairs = Batch(schema: schema, capacity: left.count)
    for index in input.columns.indices {
      pairs.columns[index].append(from: input.columns[index], rows: left)
    }
    for index in rows.columns.indices {
      pairs.columns[input.columns.count + index].append(from: rows.columns[index], rows: right)
    }
    pairs.rowtimes = left.map { input.rowtimes[Int($0)] }
    pairs.causes = left.map { input.causes[Int($0)] }
    var inner = Evaluation(count: pairs.count, context)
    let truth = condition.evaluate(pairs, Rows(count: pairs.count), &inner, &pool)
    for failure in inner.failures {
      evaluation.fail(Int(left[failure.row]), failure.error.code, failure.error.message)
    }
    var kept: (left: [Int32], right: [Int32]) = ([], [])
    for pair in 0..<pairs.count where !truth.isNull(pair) && truth.integers[pair] == 1 {
      kept.left.append(left[pair])
      kept.right.append(right[pair])
    }
    return kept
  }

  private func emit(
    _ input: Batch, _ rows: Batch, _ left: [Int32], _ right: [Int32], _ evaluation: Evaluation
  ) {
    var outLeft: [Int32] = []
    var outRight: [Int32] = []
    var pair = 0
    for row in 0..<Int32(input.count) {
      var isMatched = false
      while pair < left.count, left[pair] == row {
        if !evaluation.failed[Int(row)] {
          outLeft.append(row)
          outRight.append(right[pair])
        }
        isMatched = true
        pair += 1
      }
      if isMatched || evaluation.failed[Int(row)] { continue }
      if preservesStream {
        outLeft.append(row)
        outRight.append(-1)
      } else {
        counters.filtered += 1
      }
    }
    for index in input.columns.indices {
      output.columns[index].append(from: input.columns[index], rows: outLeft)
    }
    for index in rows.columns.indices {
      output.columns[input.columns.count + index].append(
        from: rows.columns[index], rowsOrNull: outRight)
    }
    output.rowtimes = outLeft.map { input.rowtimes[Int($0)] }
    output.causes = outLeft.map { input.causes[Int($0)] }
  }
}

extension Column {
  /// Adds the values at `rowsOrNull` of `other`, NULL for negative numbers.
  mutating func append(from other: borrowing Column, rowsOrNull: [Int32]) {
    for row in rowsOrNull {
      if row < 0 { appendNull() } else { append(from: other, row: Int(row)) }
    }
  }
}
