import Columns
import StreamSQL

/// OVER: every row with the results of analytic functions over the rows before it.
final class SlidingWindowsOperator: Operator {
  private var windows: [RowWindow]
  private let partitions: [[Kernel]]
  private let calls: [(window: Int, arguments: [Kernel], function: AnyWindowFunction)]

  init(
    input: Operator, windows: [SlidingWindow], calls: [WindowCall], limits: DataflowLimits,
    schema: Schema, section: String
  ) {
    partitions = windows.map { $0.partitionBy.map(ExpressionCompiler.compile) }
    self.windows = zip(windows, partitions).map { window, kernels in
      RowWindow(
        frame: window.frame, storages: kernels.map(\.storage), limits: limits)
    }
    self.calls = calls.map { call in
      let frame = windows[call.window].frame
      return (
        call.window, call.call.arguments.map(ExpressionCompiler.compile),
        AnyWindowFunction.make(call.call, isUnbounded: frame == .unbounded)
      )
    }
    super.init(
      schema: schema, section: section, inputs: [input], isBounded: input.isBounded)
  }

  override var hasState: Bool { true }

  override func run(_ context: ExecutionContext, _ pool: inout StringPool) {
    output.removeAll()
    var input = inputs[0].output
    guard !input.isEmpty else { return }
    counters.rowsIn += Int64(input.count)
    var evaluation = Evaluation(count: input.count, context)
    var (keys, arguments) = evaluate(input, &evaluation, &pool)
    findOverfullRows(input, keys, &evaluation)
    if evaluation.hasFailures {
      report(evaluation, input, context, pool)
      let kept = Rows(count: input.count).filter { !evaluation.failed[$0] }
      input.keep(kept)
      guard !input.isEmpty else { return }
      var again = Evaluation(count: input.count, context)
      (keys, arguments) = evaluate(input, &again, &pool)
    }
    for index in windows.indices {
      windows[index].enter(keys[index], rowtimes: input.rowtimes)
    }
    for index in input.columns.indices {
      output.columns[index] = Column(type: schema.columns[index].type, values: input.columns[index])
    }
    output.rowtimes = input.rowtimes
    output.causes = input.causes
    var failed = Evaluation(count: input.count)
    for (index, call) in calls.enumerated() {
      let place = input.columns.count + index
      var column = Column(type: schema.columns[place].type, capacity: input.count)
      call.function.run(windows[call.window], arguments[index], &column, &failed, pool)
      output.columns[place] = column
    }
    for index in windows.indices { windows[index].endBatch() }
    if failed.hasFailures {
      report(failed, input, context, pool)
      output.keep(Rows(count: output.count).filter { !failed.failed[$0] })
    }
    counters.passed += Int64(output.count)
  }

  private func evaluate(
    _ input: Batch, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> (keys: [[Column]], arguments: [[Column]]) {
    let rows = Rows(count: input.count)
    var keys: [[Column]] = []
    for kernels in partitions {
      var columns: [Column] = []
      for kernel in kernels { columns.append(kernel.evaluate(input, rows, &evaluation, &pool)) }
      keys.append(columns)
    }
    var arguments: [[Column]] = []
    for call in calls {
      var columns: [Column] = []
      for kernel in call.arguments {
        columns.append(kernel.evaluate(input, rows, &evaluation, &pool))
      }
      arguments.append(columns)
    }
    return (keys, arguments)
  }

  /// Fails the rows for which a window has no room, before any window takes a row.
  private func findOverfullRows(
    _ input: Batch, _ keys: [[Column]], _ evaluation: inout Evaluation
  ) {
    for (index, window) in windows.enumerated() where window.mayOverflow(input.count) {
      let refused = window.rowsWithoutRoom(
        keys[index], input.rowtimes, isFailed: { evaluation.failed[$0] })
      for row in refused {
        evaluation.fail(row, window.overflow.code, window.overflow.message)
      }
    }
  }

  override func save(into writer: inout StateWriter, _ pool: borrowing StringPool) {
    writer.section(section) { section in
      for (index, window) in windows.enumerated() {
        window.save(into: &section, pool)
        for call in calls where call.window == index {
          call.function.save(window, into: &section, pool)
        }
      }
    }
  }

  override func restore(from reader: StateReader, _ pool: inout StringPool) throws {
    var section = try reader.section(section)
    for index in windows.indices {
      try windows[index].restore(from: &section, &pool)
      for call in calls where call.window == index {
        try call.function.restore(windows[index], from: &section, &pool)
      }
    }
    try section.finish()
  }

  override func remapStrings(_ remap: inout StringRemapper) {
    for index in windows.indices { windows[index].remapStrings(&remap) }
    for call in calls { call.function.remapStrings(&remap) }
  }
}
