import Columns

extension Operator {
  /// Puts out the input's rows with columns behind them, which are NULL until `fill` writes them; rows
  /// that it fails are reported and left out.
  ///
  /// - Parameters:
  ///   - firstColumn: The place of the first added column.
  ///   - context: Where failures are reported.
  ///   - pool: The strings of the task.
  ///   - fill: Writes the added columns of `output`.
  func addColumns(
    from firstColumn: Int, _ context: ExecutionContext, _ pool: inout StringPool,
    _ fill: (Batch, inout Evaluation, inout StringPool) -> Void
  ) {
    let input = inputs[0].output
    output.removeAll()
    guard !input.isEmpty else { return }
    counters.rowsIn += Int64(input.count)
    for index in input.columns.indices {
      output.columns[index] = Column(type: schema.columns[index].type, values: input.columns[index])
    }
    for index in firstColumn..<schema.columns.count {
      let type = schema.columns[index].type
      output.columns[index] = Column(
        type: type, values: Column(nulls: input.count, storage: type.storage))
    }
    output.rowtimes = input.rowtimes
    output.causes = input.causes
    var evaluation = Evaluation(count: input.count)
    fill(input, &evaluation, &pool)
    if evaluation.hasFailures {
      report(evaluation, input, context, pool)
      output.keep(Rows(count: input.count).filter { !evaluation.failed[$0] })
    }
    counters.passed += Int64(output.count)
  }
}

extension Column {
  /// A column of NULLs.
  init(nulls count: Int, storage: ColumnType.Storage) {
    self.init(zeros: count, storage: storage)
    for row in 0..<count { nulls[row] = true }
  }

  mutating func set(_ value: Int64, at row: Int) {
    integers[row] = value
    nulls[row] = false
  }

  mutating func set(_ value: Double, at row: Int) {
    doubles[row] = value
    nulls[row] = false
  }

  mutating func set(_ value: StringID, at row: Int) {
    texts[row] = value
    nulls[row] = false
  }
}
