import Columns
import StreamSQL

/// What happened to the rows of an operator since the task began.
public struct OperatorCounters: Hashable, Sendable {
  /// Rows that entered.
  public internal(set) var rowsIn: Int64 = 0
  /// Rows that went on, or results for operators that make rows of their own.
  public internal(set) var passed: Int64 = 0
  /// Rows that a predicate or a duplicate check stopped.
  public internal(set) var filtered: Int64 = 0
  /// Rows that came too late.
  public internal(set) var late: Int64 = 0
  /// Rows that went to `error_stream`.
  public internal(set) var failed: Int64 = 0
  /// Rows that entered a group, a window or a model and left nothing but a result.
  public internal(set) var absorbed: Int64 = 0
}

/// One node of a pump: turns the rows that its inputs emitted in this call into its own.
class Operator {
  /// The columns of its rows.
  let schema: Schema
  /// The rows of this call, by cause and within a cause by ROWTIME.
  final var output: Batch
  /// Where its state stands.
  let section: String
  /// The operators that feed it.
  let inputs: [Operator]
  /// Whether the source's rowtime bounds hold for its rows.
  let isBounded: Bool
  final var counters = OperatorCounters()

  init(schema: Schema, section: String, inputs: [Operator], isBounded: Bool) {
    self.schema = schema
    self.section = section
    self.inputs = inputs
    self.isBounded = isBounded
    output = Batch(schema: schema)
  }

  /// Whether there is something to save besides the counters.
  var hasState: Bool { false }

  /// The earliest rowtime bound that would bring rows forth; `Int64.max` without one.
  var nextDue: Int64 { Int64.max }

  /// The models of its keys that need not be in memory, if it has any.
  var residence: (any ModelResidence)? { nil }

  /// Fills `output`.
  func run(_ context: ExecutionContext, _ pool: inout StringPool) {
    preconditionFailure("an operator runs itself")
  }

  /// Writes what the next rows depend on.
  func save(into writer: inout StateWriter, _ pool: borrowing StringPool) {}

  /// Begins a snapshot: writes at once what is small, and refers to what an earlier one has; the rest
  /// is written by `continueSave`, as it is now.
  func beginSave(
    _ snapshot: Int64, into writer: inout StateWriter, _ pool: borrowing StringPool
  ) { save(into: &writer, pool) }

  /// Writes one more part of the snapshot; returns whether parts are left.
  func continueSave(into writer: inout StateWriter, _ pool: borrowing StringPool) -> Bool { false }

  /// Forgets a snapshot that was begun and what earlier ones have.
  func forgetSaved() {}

  /// Reads what `save` wrote.
  func restore(from reader: StateReader, _ pool: inout StringPool) throws {}

  /// Takes the new ids of all strings that it holds.
  func remapStrings(_ remap: inout StringRemapper) {}

  /// Reports the failures of an input's rows.
  final func report(
    _ evaluation: Evaluation, _ input: Batch, _ context: ExecutionContext,
    _ pool: borrowing StringPool
  ) {
    guard evaluation.hasFailures else { return }
    let ordered = evaluation.failures.sorted { $0.row < $1.row }
    for failure in ordered { refuse(input, failure.row, failure.error, context, pool) }
  }

  /// Reports that a row is refused.
  final func refuse(
    _ batch: Batch, _ row: Int, _ error: RuntimeError, _ context: ExecutionContext,
    _ pool: borrowing StringPool
  ) {
    counters.failed += 1
    context.errors.append(
      RowError(
        cause: batch.causes[row], time: context.time(of: batch.causes[row]), error: error,
        rowtime: batch.rowtimes[row], data: RowText.json(batch, row: row, pool: pool),
        pump: context.pumpName, order: context.pump))
  }
}

/// The rows of a stream.
final class ScanOperator: Operator {
  let stream: Int

  init(stream: Int, schema: Schema, section: String, isBounded: Bool) {
    self.stream = stream
    super.init(schema: schema, section: section, inputs: [], isBounded: isBounded)
  }

  override func run(_ context: ExecutionContext, _ pool: inout StringPool) {
    counters.rowsIn += Int64(output.count)
    counters.passed += Int64(output.count)
  }
}

/// The rows whose predicate is true.
final class FilterOperator: Operator {
  private let predicate: Kernel

  init(input: Operator, predicate: BoundExpression, schema: Schema, section: String) {
    self.predicate = ExpressionCompiler.compile(predicate)
    super.init(
      schema: schema, section: section, inputs: [input], isBounded: input.isBounded)
  }

  override func run(_ context: ExecutionContext, _ pool: inout StringPool) {
    output.removeAll()
    let input = inputs[0].output
    guard !input.isEmpty else { return }
    var evaluation = Evaluation(count: input.count, context)
    let truth = predicate.evaluate(input, Rows(count: input.count), &evaluation, &pool)
    var kept: [Int32] = []
    kept.reserveCapacity(input.count)
    let mayFail = evaluation.hasFailures
    for row in 0..<input.count {
      if truth.integers[row] == 1, !truth.isNull(row), !mayFail || !evaluation.failed[row] {
        kept.append(Int32(truncatingIfNeeded: row))
      }
    }
    output.append(from: input, rows: kept)
    report(evaluation, input, context, pool)
    counters.rowsIn += Int64(input.count)
    counters.passed += Int64(kept.count)
    counters.filtered += Int64(input.count - kept.count - evaluation.failures.count)
  }
}

/// One column per expression, and a new ROWTIME where the query names one.
final class ProjectOperator: Operator {
  private let expressions: [Kernel]
  private let rowtime: Kernel?
  private var lastRowtime = Int64.min

  init(
    input: Operator, expressions: [BoundExpression], rowtime: BoundExpression?, schema: Schema,
    section: String
  ) {
    self.expressions = expressions.map(ExpressionCompiler.compile)
    self.rowtime = rowtime.map(ExpressionCompiler.compile)
    super.init(
      schema: schema, section: section, inputs: [input],
      isBounded: input.isBounded && rowtime == nil)
  }

  override var hasState: Bool { rowtime != nil }

  override func run(_ context: ExecutionContext, _ pool: inout StringPool) {
    let input = inputs[0].output
    guard !input.isEmpty else {
      output.removeAll()
      return
    }
    counters.rowsIn += Int64(input.count)
    let rows = Rows(count: input.count)
    var evaluation = Evaluation(count: input.count, context)
    for index in expressions.indices {
      let values = expressions[index].evaluate(input, rows, &evaluation, &pool)
      output.columns[index] = Column(type: schema.columns[index].type, values: values)
    }
    output.rowtimes = input.rowtimes
    output.causes = input.causes
    if let rowtime {
      let times = rowtime.evaluate(input, rows, &evaluation, &pool)
      setRowtimes(times, &evaluation)
    }
    if evaluation.hasFailures {
      report(evaluation, input, context, pool)
      output.keep(rows.filter { !evaluation.failed[$0] })
    }
    counters.passed += Int64(output.count)
  }

  private func setRowtimes(_ times: Column, _ evaluation: inout Evaluation) {
    for row in 0..<output.count where !evaluation.failed[row] {
      if times.isNull(row) {
        evaluation.fail(row, .outOfOrderRowtime, "ROWTIME is NULL")
      } else if times.integers[row] < lastRowtime {
        evaluation.fail(
          row, .outOfOrderRowtime,
          "ROWTIME goes back from \(CivilTime(milliseconds: lastRowtime))")
      } else {
        lastRowtime = times.integers[row]
        output.rowtimes[row] = lastRowtime
      }
    }
  }

  override func save(into writer: inout StateWriter, _ pool: borrowing StringPool) {
    writer.section(section) { $0.write(lastRowtime) }
  }

  override func restore(from reader: StateReader, _ pool: inout StringPool) throws {
    var section = try reader.section(section)
    lastRowtime = try section.integer()
    try section.finish()
  }
}

extension Batch {
  /// Keeps only some rows.
  mutating func keep(_ rows: Rows) {
    guard let selected = rows.selected, selected.count < count else { return }
    var kept = Batch(schema: schema, capacity: selected.count)
    kept.append(from: self, rows: selected)
    self = kept
  }
}

/// The rows of several inputs merged by cause, ROWTIME and input.
final class UnionOperator: Operator {
  init(inputs: [Operator], schema: Schema, section: String) {
    super.init(
      schema: schema, section: section, inputs: inputs,
      isBounded: inputs.allSatisfy { $0.isBounded })
  }

  override func run(_ context: ExecutionContext, _ pool: inout StringPool) {
    output.removeAll()
    for (input, row) in mergeOrder(inputs.map { $0.output }) {
      output.append(from: inputs[input].output, row: row)
    }
    counters.rowsIn += Int64(output.count)
    counters.passed += Int64(output.count)
  }
}

/// The rows of several batches in the order of cause, then ROWTIME, then batch, then row.
func mergeOrder(_ batches: [Batch]) -> [(batch: Int, row: Int)] {
  var order: [(batch: Int, row: Int)] = []
  for batch in batches.indices {
    for row in 0..<batches[batch].count { order.append((batch, row)) }
  }
  if batches.filter({ !$0.isEmpty }).count < 2 { return order }
  order.sort { left, right in
    let first = batches[left.batch]
    let second = batches[right.batch]
    if first.causes[left.row] != second.causes[right.row] {
      return first.causes[left.row] < second.causes[right.row]
    }
    if first.rowtimes[left.row] != second.rowtimes[right.row] {
      return first.rowtimes[left.row] < second.rowtimes[right.row]
    }
    return (left.batch, left.row) < (right.batch, right.row)
  }
  return order
}
