import Columns
import StreamSQL

/// Groups rows and emits a result when a group's window is complete.
final class AggregateOperator: Operator {
  private let window: GroupWindow
  private let keys: [Kernel]
  private let arguments: [[Kernel]]
  private let accumulators: [Accumulator]
  private let keyLimit: Int
  private var table: KeyTable
  /// The tumbling window's end.
  private var due = Int64.max
  /// The value of an asserted key in the open window.
  private var openKey: [UInt64] = []
  // By group, for windows that close one by one.
  private var starts: [Int64] = []
  private var closes: [Int64] = []
  private var orders: [Int64] = []
  private var heap = DueHeap()
  private var opened: Int64 = 0
  private var copies = BlockCopies()

  // Rows that are not yet in the accumulators.
  private var pendingRows: [Int32] = []
  private var pendingGroups: [Int32] = []
  private var pendingArguments: [[Column]] = []
  private var failedResults: [(row: Int, error: RuntimeError)] = []

  init(
    input: Operator, window: GroupWindow, keys: [BoundExpression], calls: [AggregateCall],
    limits: DataflowLimits, schema: Schema, section: String
  ) {
    self.window = window
    self.keys = keys.map(ExpressionCompiler.compile)
    arguments = calls.map { $0.arguments.map(ExpressionCompiler.compile) }
    accumulators = calls.map { Accumulator.make($0, limits) }
    keyLimit = limits.keys
    var storages = self.keys.map(\.storage)
    if case .hopping = window { storages.append(.integer) }
    table = KeyTable(storages)
    super.init(
      schema: schema, section: section, inputs: [input], isBounded: input.isBounded)
  }

  override var hasState: Bool { true }

  override func run(_ context: ExecutionContext, _ pool: inout StringPool) {
    output.removeAll()
    let input = inputs[0].output
    var bounds = BoundCursor(context, isMoved: isBounded)
    if !input.isEmpty { addRows(input, &bounds, context, &pool) }
    while let cause = bounds.reaches(nextDue) { close(upTo: nextDue, cause: cause, pool) }
    flush(pool)
    pendingArguments = []
    counters.passed += Int64(output.count)
    if !failedResults.isEmpty { refuseResults(context, pool) }
  }

  override var nextDue: Int64 {
    if case .tumbling = window { return due }
    return heap.due
  }

  private func addRows(
    _ input: Batch, _ bounds: inout BoundCursor, _ context: ExecutionContext,
    _ pool: inout StringPool
  ) {
    counters.rowsIn += Int64(input.count)
    let rows = Rows(count: input.count)
    var evaluation = Evaluation(count: input.count, context)
    var keyColumns: [Column] = []
    for key in keys { keyColumns.append(key.evaluate(input, rows, &evaluation, &pool)) }
    for call in arguments {
      var columns: [Column] = []
      for argument in call { columns.append(argument.evaluate(input, rows, &evaluation, &pool)) }
      pendingArguments.append(columns)
    }
    if case .hopping = window { keyColumns.append(Column(zeros: input.count, storage: .integer)) }
    let words = table.keys(of: keyColumns, count: input.count)
    let mayFail = evaluation.hasFailures
    if !mayFail, !copies.isCopying, table.count > 0, addsAll(input.count, bounds) {
      table.insert(words, rows: 0..<input.count, into: &pendingGroups)
      pendingRows.append(contentsOf: 0..<Int32(input.count))
      counters.absorbed += Int64(input.count)
      return
    }
    for row in 0..<input.count {
      let cause = input.causes[row]
      while let earlier = bounds.reaches(nextDue, before: cause) {
        close(upTo: nextDue, cause: earlier, pool)
      }
      if mayFail, evaluation.failed[row] { continue }
      let rowtime = input.rowtimes[row]
      if rowtime >= nextDue { close(upTo: rowtime, cause: cause, pool) }
      if !add(row, words, rowtime: rowtime, cause: cause, pool) {
        evaluation.fail(
          row, .limitExceeded, "the window holds \(keyLimit) groups already (limits: keys)")
      }
    }
    counters.absorbed += Int64(input.count - evaluation.failures.count)
    report(evaluation, input, context, pool)
  }

  /// Whether all rows of the call belong to the open tumbling window and have room.
  private func addsAll(_ count: Int, _ bounds: BoundCursor) -> Bool {
    guard case .tumbling(_, .rowtime) = window else { return false }
    return bounds.staysBefore(due) && table.count + count <= keyLimit
  }

  /// Notes the row for its groups; false when there is no room for its key.
  private func add(
    _ row: Int, _ words: [UInt64], rowtime: Int64, cause: Int64, _ pool: borrowing StringPool
  ) -> Bool {
    switch window {
    case .tumbling(let key, let monotonic):
      switch monotonic {
      case .rowtime(let function):
        if table.count == 0 { due = function.nextChange(after: rowtime) }
      case .asserted:
        let width = keys.count + 1
        let value = [
          words[row * width + key], words[row * width + width - 1] >> UInt64(key) & 1,
        ]
        if table.count > 0, value != openKey { closeTumbling(time: rowtime, cause: cause, pool) }
        openKey = value
      }
      return insert(words, row: row, pendingRow: row, pool) != nil
    case .stagger(let length):
      guard let (group, isNew) = insert(words, row: row, pendingRow: row, pool) else {
        return false
      }
      if isNew { open(group, start: rowtime, close: saturatingSum(rowtime, length)) }
      return true
    case .session(let gap):
      guard let (group, isNew) = insert(words, row: row, pendingRow: row, pool) else {
        return false
      }
      if isNew { open(group, start: rowtime, close: saturatingSum(rowtime, gap)) }
      closes[group] = saturatingSum(rowtime, gap)
      return true
    case .hopping(let slide, let size):
      let width = keys.count + 2
      var key = Array(words[(row * width)..<((row + 1) * width)])
      let first = nextMultiple(after: saturatingSum(rowtime, -size), of: slide)
      guard hasRoom(first: first, rowtime, slide, key) else { return false }
      var start = first
      while start <= rowtime {
        key[width - 2] = UInt64(bitPattern: start)
        guard let (group, isNew) = insert(key, row: 0, pendingRow: row, pool) else { return false }
        if isNew { open(group, start: start, close: saturatingSum(start, size)) }
        start = saturatingSum(start, slide)
        if start == Int64.max { break }
      }
      return true
    }
  }

  /// Whether all windows that begin from `first` up to a row's ROWTIME have room for its key.
  private func hasRoom(first: Int64, _ rowtime: Int64, _ slide: Int64, _ key: [UInt64]) -> Bool {
    var room = keyLimit - table.count
    var key = key
    var start = first
    while start <= rowtime, start < Int64.max {
      key[key.count - 2] = UInt64(bitPattern: start)
      if table.find(key, row: 0) == nil { room -= 1 }
      if room < 0 { return false }
      start = saturatingSum(start, slide)
    }
    return true
  }

  private func insert(
    _ words: [UInt64], row: Int, pendingRow: Int, _ pool: borrowing StringPool
  ) -> (group: Int, isNew: Bool)? {
    if table.count >= keyLimit, table.find(words, row: row) == nil { return nil }
    if copies.isCopying { willChange(table.find(words, row: row) ?? table.nextNumber, pool) }
    let (group, isNew) = table.insert(words, row: row)
    pendingRows.append(Int32(truncatingIfNeeded: pendingRow))
    pendingGroups.append(Int32(truncatingIfNeeded: group))
    return (group, isNew)
  }

  private func open(_ group: Int, start: Int64, close: Int64) {
    while starts.count <= group {
      starts.append(0)
      closes.append(0)
      orders.append(0)
    }
    starts[group] = start
    closes[group] = close
    orders[group] = opened
    opened += 1
    heap.push(.init(time: close, order: orders[group], group: Int32(truncatingIfNeeded: group)))
  }

  /// Brings the pending rows into the accumulators.
  private func flush(_ pool: borrowing StringPool) {
    guard !pendingRows.isEmpty else { return }
    for (index, accumulator) in accumulators.enumerated() {
      accumulator.reserve(table.capacity)
      accumulator.add(
        rows: pendingRows, groups: pendingGroups, pendingArguments[index], pool)
    }
    pendingRows.removeAll(keepingCapacity: true)
    pendingGroups.removeAll(keepingCapacity: true)
  }

  private func close(upTo time: Int64, cause: Int64, _ pool: borrowing StringPool) {
    if case .tumbling = window {
      closeTumbling(time: due, cause: cause, pool)
      return
    }
    flush(pool)
    while heap.due <= time, let entry = heap.pop() {
      let group = Int(entry.group)
      if closes[group] > entry.time {
        heap.push(.init(time: closes[group], order: entry.order, group: entry.group))
        continue
      }
      if copies.isCopying { willChange(group, pool) }
      emit(group, rowtime: entry.time, cause: cause, pool)
      table.remove(group)
      for accumulator in accumulators { accumulator.reset(group) }
    }
  }

  private func closeTumbling(time: Int64, cause: Int64, _ pool: borrowing StringPool) {
    flush(pool)
    for group in 0..<table.count {
      if copies.isCopying { willChange(group, pool) }
      emit(group, rowtime: time, cause: cause, pool)
      for accumulator in accumulators { accumulator.reset(group) }
    }
    table.removeAll()
    due = Int64.max
  }

  private func emit(
    _ group: Int, rowtime: Int64, cause: Int64, _ pool: borrowing StringPool
  ) {
    for index in keys.indices {
      table.append(number: group, index: index, to: &output.columns[index])
    }
    var column = keys.count
    switch window {
    case .hopping, .session:
      output.columns[column].append(starts[group])
      output.columns[column + 1].append(closes[group])
      column += 2
    default: break
    }
    for accumulator in accumulators {
      if let error = accumulator.appendResult(of: group, to: &output.columns[column], pool) {
        failedResults.append((output.count, error))
      }
      column += 1
    }
    output.rowtimes.append(rowtime)
    output.causes.append(cause)
  }

  private func refuseResults(_ context: ExecutionContext, _ pool: borrowing StringPool) {
    var failed = Bitmap(clear: output.count)
    for (row, error) in failedResults where !failed[row] {
      failed[row] = true
      refuse(output, row, error, context, pool)
    }
    failedResults.removeAll()
    output.keep(Rows(count: output.count).filter { !failed[$0] })
  }

  // MARK: State

  /// What a section begins with that has its groups in slices; others begin with a window's end.
  private static let sliced = Int64.min

  override func save(into writer: inout StateWriter, _ pool: borrowing StringPool) {
    saveHead(into: &writer)
    for block in 0..<BlockCopies.count(table.capacity) {
      writer.section(section, slice: block + 1) { save(block, into: &$0, pool) }
    }
  }

  private func saveHead(into writer: inout StateWriter) {
    writer.section(section) { section in
      section.write(Self.sliced)
      section.write(due)
      section.write(openKey.map { Int64(bitPattern: $0) })
      section.write(opened)
      table.saveNumbers(into: &section)
    }
  }

  private func save(
    _ block: Int, into section: inout SectionWriter, _ pool: borrowing StringPool
  ) {
    for group in BlockCopies.groups(of: block, in: table.capacity) where table.isUsed(group) {
      table.save(group, into: &section, pool)
      if !isTumbling { section.write([starts[group], closes[group], orders[group]]) }
      for accumulator in accumulators { accumulator.save(group: group, into: &section, pool) }
    }
  }

  private var isTumbling: Bool { if case .tumbling = window { true } else { false } }

  private func willChange(_ group: Int, _ pool: borrowing StringPool) {
    copies.willChange(group, section: section) { save($0, into: &$1, pool) }
  }

  override func beginSave(
    _ snapshot: Int64, into writer: inout StateWriter, _ pool: borrowing StringPool
  ) {
    saveHead(into: &writer)
    copies.begin(groups: table.capacity)
  }

  override func continueSave(into writer: inout StateWriter, _ pool: borrowing StringPool) -> Bool {
    copies.copyOne(section: section, into: &writer) { save($0, into: &$1, pool) }
  }

  override func forgetSaved() { copies.forget() }

  override func restore(from reader: StateReader, _ pool: inout StringPool) throws {
    var head = try reader.section(section)
    let first = try head.integer(Int64.self)
    let isSliced = first == Self.sliced
    due = isSliced ? try head.integer() : first
    openKey = try head.integers().map { UInt64(bitPattern: $0) }
    opened = try head.integer()
    try table.restoreNumbers(from: &head)
    heap.removeAll()
    for accumulator in accumulators { accumulator.reserve(table.capacity) }
    starts = [Int64](repeating: 0, count: table.capacity)
    closes = starts
    orders = starts
    if isSliced {
      for block in 0..<BlockCopies.count(table.capacity) {
        var slice = try reader.section(section, slice: block + 1)
        for group in BlockCopies.groups(of: block, in: table.capacity) where table.isUsed(group) {
          try table.restore(group, from: &slice, &pool)
          try restore(group, from: &slice, &pool)
        }
        try slice.finish()
      }
    } else {
      for group in table.numbers { try table.restore(group, from: &head, &pool) }
      for group in table.numbers { try restore(group, from: &head, &pool) }
    }
    try head.finish()
    table.endRestoring()
  }

  private func restore(
    _ group: Int, from section: inout SectionReader, _ pool: inout StringPool
  ) throws {
    if !isTumbling {
      let times = try section.integers()
      guard times.count == 3 else { throw section.failure("a window has three numbers") }
      (starts[group], closes[group], orders[group]) = (times[0], times[1], times[2])
      heap.push(
        .init(time: closes[group], order: orders[group], group: Int32(truncatingIfNeeded: group)))
    }
    for accumulator in accumulators {
      try accumulator.restore(group: group, from: &section, &pool)
    }
  }

  override func remapStrings(_ remap: inout StringRemapper) {
    table.remapStrings(&remap)
    for accumulator in accumulators { accumulator.remapStrings(&remap) }
  }
}
