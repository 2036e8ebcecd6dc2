import Columns
import StreamSQL

/// OVER: every row with the results of analytic functions over the rows before it.
final class SlidingWindowsOperator: Operator {
  private var windows: [RowWindow]
  private let partitions: [[Kernel]]
  private let calls: [(window: Int, arguments: [Kernel], function: AnyWindowFunction)]
  /// What a snapshot in the making lacks of each window's partitions.
  private var copies: [BlockCopies]

  init(
    input: Operator, windows: [SlidingWindow], calls: [WindowCall], limits: DataflowLimits,
    schema: Schema, section: String
  ) {
    partitions = windows.map { $0.partitionBy.map(ExpressionCompiler.compile) }
    self.windows = zip(windows, partitions).map { window, kernels in
      RowWindow(
        frame: window.frame, storages: kernels.map(\.storage), limits: limits)
    }
    copies = windows.map { _ in BlockCopies() }
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
      if copies[index].isCopying { willChange(index, keys[index], input.rowtimes, pool) }
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

  // MARK: State

  // Each window has a section for its partitions, in blocks behind a head, and one for its rows, in blocks.

  private func partitionsSection(_ window: Int) -> String { "\(section)/\(window)" }
  private func rowsSection(_ window: Int) -> String { "\(section)/\(window)/rows" }

  override func save(into writer: inout StateWriter, _ pool: borrowing StringPool) {
    for (index, window) in windows.enumerated() {
      saveHead(index, into: &writer)
      for block in 0..<BlockCopies.count(window.groupCapacity) {
        writer.section(partitionsSection(index), slice: block + 1) {
          savePartitions(index, block, into: &$0, pool)
        }
      }
      for (block, slots) in window.blocks.enumerated() {
        writer.section(rowsSection(index), slice: block) { section in
          window.saveRows(slots, into: &section)
          saveValues(index, slots, into: &section, pool)
        }
      }
    }
  }

  private func saveHead(_ index: Int, into writer: inout StateWriter) {
    writer.section(partitionsSection(index)) { windows[index].saveHead(into: &$0) }
  }

  private func savePartitions(
    _ index: Int, _ block: Int, into section: inout SectionWriter, _ pool: borrowing StringPool
  ) {
    let window = windows[index]
    for group in BlockCopies.groups(of: block, in: window.groupCapacity)
    where window.isUsed(group) {
      window.saveKey(of: group, into: &section, pool)
      for call in calls where call.window == index {
        call.function.saveGroup(group, into: &section, pool)
      }
    }
  }

  private func saveValues(
    _ index: Int, _ slots: [Int32], into section: inout SectionWriter,
    _ pool: borrowing StringPool
  ) {
    for call in calls where call.window == index {
      call.function.saveRows(slots, into: &section, pool)
    }
  }

  private func willChange(
    _ index: Int, _ keys: [Column], _ rowtimes: [Int64], _ pool: borrowing StringPool
  ) {
    for group in windows[index].groupsChanged(by: keys, rowtimes: rowtimes) {
      copies[index].willChange(Int(group), section: partitionsSection(index)) {
        savePartitions(index, $0, into: &$1, pool)
      }
    }
  }

  override func beginSave(
    _ snapshot: Int64, into writer: inout StateWriter, _ pool: borrowing StringPool
  ) {
    for index in windows.indices {
      saveHead(index, into: &writer)
      copies[index].begin(groups: windows[index].groupCapacity)
      windows[index].beginCopyingRows()
    }
  }

  override func continueSave(
    into writer: inout StateWriter, _ pool: borrowing StringPool
  ) -> Bool {
    for index in windows.indices {
      let isUnfinished = copies[index].copyOne(
        section: partitionsSection(index), into: &writer
      ) { savePartitions(index, $0, into: &$1, pool) }
      if isUnfinished { return true }
      let hasRows = windows[index].copyRows(section: rowsSection(index), into: &writer) {
        saveValues(index, $0, into: &$1, pool)
      }
      if hasRows { return true }
    }
    return false
  }

  override func forgetSaved() {
    for index in windows.indices {
      copies[index].forget()
      windows[index].forgetCopies()
    }
  }

  override func restore(from reader: StateReader, _ pool: inout StringPool) throws {
    guard !reader.has(section) else { return try restoreOnePiece(from: reader, &pool) }
    for index in windows.indices {
      let name = partitionsSection(index)
      var head = try reader.section(name)
      let count = try windows[index].restoreHead(from: &head)
      try head.finish()
      for call in calls where call.window == index {
        call.function.beginRestoring(windows[index])
      }
      let capacity = windows[index].groupCapacity
      for block in 0..<BlockCopies.count(capacity) {
        var slice = try reader.section(name, slice: block + 1)
        for group in BlockCopies.groups(of: block, in: capacity)
        where windows[index].isUsed(group) {
          try windows[index].restoreKey(of: group, from: &slice, &pool)
          for call in calls where call.window == index {
            try call.function.restoreGroup(group, from: &slice, &pool)
          }
        }
        try slice.finish()
      }
      windows[index].endRestoringKeys()
      for block in 0..<RowCopies.count(count) {
        var slice = try reader.section(rowsSection(index), slice: block)
        try restoreRows(index, from: &slice, &pool)
        try slice.finish()
      }
      guard windows[index].liveCount == count else {
        throw StateError(section: name, offset: 0, message: "\(count) rows are announced")
      }
    }
  }

  private func restoreRows(
    _ index: Int, from slice: inout SectionReader, _ pool: inout StringPool
  ) throws {
    let slots = try windows[index].restoreRows(from: &slice)
    for call in calls where call.window == index {
      try call.function.restoreRows(slots, windows[index], from: &slice, &pool)
    }
  }

  /// Reads a state that has everything in one slice, and the partitions of a function behind its rows.
  private func restoreOnePiece(from reader: StateReader, _ pool: inout StringPool) throws {
    var section = try reader.section(section)
    for index in windows.indices {
      try windows[index].restoreKeys(from: &section, &pool)
      let slots = try windows[index].restoreRows(from: &section)
      for call in calls where call.window == index {
        call.function.beginRestoring(windows[index])
        try call.function.restoreRows(slots, windows[index], from: &section, &pool)
        for group in windows[index].liveGroups {
          try call.function.restoreGroup(group, from: &section, &pool)
        }
      }
    }
    try section.finish()
  }

  override func remapStrings(_ remap: inout StringRemapper) {
    for index in windows.indices { windows[index].remapStrings(&remap) }
    for call in calls { call.function.remapStrings(&remap) }
  }
}
