import Columns
import StreamSQL

/// Joins two streams over windows.
///
/// A call runs in three passes: rows arrive in order and meet the rows held of the other side; the
/// condition is evaluated for all pairs at once; what happened is told again in order, now with the
/// outcome, to emit pairs and rows without a match.
final class StreamJoinOperator: Operator {
  private let sides: [JoinSide]
  private let keyKernels: [[Kernel]]
  private let condition: Kernel?
  private let limits: DataflowLimits
  private var keys: KeyTable
  /// The keys that a snapshot in the making lacks.
  private var copies = BlockCopies()

  private enum Event {
    /// A row entered and met `pairs`.
    case arrival(pairs: Range<Int>, time: Int64, cause: Int64)
    /// A row of a preserved side left.
    case departure(side: Int, slot: Int32, time: Int64, cause: Int64)
  }
  private var events: [Event] = []
  private var pairs: [[Int32]] = [[], []]
  private var pairTimes: [Int64] = []
  private var pairCauses: [Int64] = []

  init(
    left: Operator, right: Operator, join: StreamJoin, limits: DataflowLimits, schema: Schema,
    section: String
  ) {
    let leftPreserved = join.kind == .left || join.kind == .full
    let rightPreserved = join.kind == .right || join.kind == .full
    sides = [
      JoinSide(
        window: join.leftWindow, span: Self.span(join.leftWindow, join.rightWindow),
        isPreserved: leftPreserved, schema: left.schema),
      JoinSide(
        window: join.rightWindow, span: Self.span(join.rightWindow, join.leftWindow),
        isPreserved: rightPreserved, schema: right.schema),
    ]
    keyKernels = [
      join.keys.map { ExpressionCompiler.compile($0.left) },
      join.keys.map { ExpressionCompiler.compile($0.right) },
    ]
    condition = join.condition.map(ExpressionCompiler.compile)
    self.limits = limits
    keys = KeyTable(keyKernels[0].map(\.storage))
    super.init(
      schema: schema, section: section, inputs: [left, right],
      isBounded: left.isBounded && right.isBounded)
  }

  /// How long a row may meet later rows: its own PRECEDING or the other side's FOLLOWING.
  private static func span(_ own: JoinWindow, _ other: JoinWindow) -> Int64? {
    if case .rows = own { return nil }
    var span: Int64 = 0
    if case .preceding(let milliseconds) = own { span = max(span, milliseconds) }
    if case .following(let milliseconds) = other { span = max(span, milliseconds) }
    return span
  }

  override var hasState: Bool { true }

  override func run(_ context: ExecutionContext, _ pool: inout StringPool) {
    output.removeAll()
    arrive(context, &pool)
    let passed = evaluateCondition(context, &pool)
    emit(passed)
    for side in sides { side.endBatch() }
    events.removeAll(keepingCapacity: true)
    pairs[0].removeAll(keepingCapacity: true)
    pairs[1].removeAll(keepingCapacity: true)
    pairTimes.removeAll(keepingCapacity: true)
    pairCauses.removeAll(keepingCapacity: true)
    counters.passed += Int64(output.count)
  }

  // MARK: First pass

  private func arrive(_ context: ExecutionContext, _ pool: inout StringPool) {
    let batches = inputs.map { $0.output }
    var evaluations: [Evaluation] = []
    var words: [[UInt64]] = []
    for side in 0...1 {
      var evaluation = Evaluation(count: batches[side].count, context)
      var columns: [Column] = []
      for kernel in keyKernels[side] {
        columns.append(
          kernel.evaluate(batches[side], Rows(count: batches[side].count), &evaluation, &pool))
      }
      words.append(keys.keys(of: columns, count: batches[side].count))
      counters.rowsIn += Int64(batches[side].count)
      evaluations.append(evaluation)
    }
    var bounds = BoundCursor(context, isMoved: isBounded)
    for (side, row) in mergeOrder(batches) {
      let cause = batches[side].causes[row]
      while let earlier = bounds.reaches(nextDue, before: cause) {
        expire(before: nextDue, cause: earlier, pool)
      }
      if evaluations[side].failed[row] { continue }
      let time = batches[side].rowtimes[row]
      expire(before: time, cause: cause, pool)
      enter(
        side, batches[side], row, words[side], &evaluations[side], time: time, cause: cause, pool)
    }
    while let cause = bounds.reaches(nextDue) {
      expire(before: nextDue, cause: cause, pool)
    }
    for side in 0...1 { report(evaluations[side], batches[side], context, pool) }
  }

  /// The bound at which the next held row leaves: just beyond its due time, which still counts.
  override var nextDue: Int64 {
    let due = min(sides[0].oldestDue, sides[1].oldestDue)
    return due < Int64.max ? due + 1 : due
  }

  private func expire(before time: Int64, cause: Int64, _ pool: borrowing StringPool) {
    while true {
      let side = sides[0].oldestDue <= sides[1].oldestDue ? 0 : 1
      let due = sides[side].oldestDue
      guard due < time else { return }
      leave(side, time: due, cause: cause, pool)
    }
  }

  private func leave(_ side: Int, time: Int64, cause: Int64, _ pool: borrowing StringPool) {
    let slot = sides[side].removeOldest()
    if sides[side].isPreserved {
      events.append(.departure(side: side, slot: slot, time: time, cause: cause))
    }
    let key = sides[side].key(of: slot)
    if key >= 0, !sides[0].holds(key), !sides[1].holds(key) {
      if copies.isCopying { willChange(key, pool) }
      keys.remove(key)
    }
    counters.absorbed += 1
  }

  private func enter(
    _ side: Int, _ batch: Batch, _ row: Int, _ words: [UInt64], _ evaluation: inout Evaluation,
    time: Int64, cause: Int64, _ pool: borrowing StringPool
  ) {
    let (own, other) = (sides[side], sides[1 - side])
    guard own.liveCount < limits.heldRows else {
      evaluation.fail(
        row, .limitExceeded,
        "the join holds \(limits.heldRows) rows of this side already (limits: held_rows)")
      return
    }
    var key = -1
    if keyKernels[side].isEmpty || !keys.hasNull(words, row: row) {
      if copies.isCopying, keys.find(words, row: row) == nil { willChange(keys.nextNumber, pool) }
      key = keys.insert(words, row: row).number
    }
    let matches = other.slots(of: key)
    guard matches.count <= limits.matchesPerRow else {
      evaluation.fail(
        row, .limitExceeded,
        "the row meets \(matches.count) rows of the other side (limits: matches_per_row)")
      return
    }
    let slot = own.add(batch, row: row, key: key)
    let start = pairTimes.count
    for match in matches {
      pairs[side].append(slot)
      pairs[1 - side].append(match)
      pairTimes.append(time)
      pairCauses.append(cause)
    }
    events.append(.arrival(pairs: start..<pairTimes.count, time: time, cause: cause))
    if case .rows(let before) = own.window {
      while own.liveCount > before + 1 { leave(side, time: time, cause: cause, pool) }
    }
  }

  // MARK: Second pass

  private func joined(_ left: [Int32], _ right: [Int32]) -> Batch {
    var batch = Batch(schema: schema, capacity: left.count)
    let width = sides[0].rows.columns.count
    for index in sides[0].rows.columns.indices {
      batch.columns[index].append(from: sides[0].rows.columns[index], rowsOrNull: left)
    }
    for index in sides[1].rows.columns.indices {
      batch.columns[width + index].append(from: sides[1].rows.columns[index], rowsOrNull: right)
    }
    return batch
  }

  private func evaluateCondition(
    _ context: ExecutionContext, _ pool: inout StringPool
  ) -> Bitmap? {
    guard let condition, !pairTimes.isEmpty else { return nil }
    var batch = joined(pairs[0], pairs[1])
    batch.rowtimes = pairTimes
    batch.causes = pairCauses
    var evaluation = Evaluation(count: batch.count, context)
    let truth = condition.evaluate(batch, Rows(count: batch.count), &evaluation, &pool)
    report(evaluation, batch, context, pool)
    var passed = Bitmap(clear: batch.count)
    for pair in 0..<batch.count
    where truth.integers[pair] == 1 && !truth.isNull(pair) && !evaluation.failed[pair] {
      passed[pair] = true
    }
    return passed
  }

  // MARK: Third pass

  private func emit(_ passed: Bitmap?) {
    var out: [[Int32]] = [[], []]
    var times: [Int64] = []
    var causes: [Int64] = []
    func add(_ left: Int32, _ right: Int32, _ time: Int64, _ cause: Int64) {
      out[0].append(left)
      out[1].append(right)
      times.append(time)
      causes.append(cause)
    }
    for event in events {
      switch event {
      case .arrival(let met, let time, let cause):
        for pair in met where passed.map({ $0[pair] }) ?? true {
          sides[0].isMatched[Int(pairs[0][pair])] = true
          sides[1].isMatched[Int(pairs[1][pair])] = true
          add(pairs[0][pair], pairs[1][pair], time, cause)
        }
      case .departure(let side, let slot, let time, let cause):
        if !sides[side].isMatched[Int(slot)] {
          add(side == 0 ? slot : -1, side == 1 ? slot : -1, time, cause)
        }
      }
    }
    output = joined(out[0], out[1])
    output.rowtimes = times
    output.causes = causes
  }

  // MARK: State

  // The keys have a section, in blocks behind a head, and so have the rows of each side, in blocks.

  private var keysSection: String { "\(section)/keys" }
  private func rowsSection(_ side: Int) -> String { "\(section)/\(side)/rows" }

  override func save(into writer: inout StateWriter, _ pool: borrowing StringPool) {
    saveHead(into: &writer)
    for block in 0..<BlockCopies.count(keys.capacity) {
      writer.section(keysSection, slice: block + 1) { saveKeys(block, into: &$0, pool) }
    }
    for (index, side) in sides.enumerated() {
      side.save(section: rowsSection(index), into: &writer, pool)
    }
  }

  private func saveHead(into writer: inout StateWriter) {
    writer.section(keysSection) { section in
      keys.saveNumbers(into: &section)
      for side in sides { section.write(Int64(side.liveCount)) }
    }
  }

  private func saveKeys(
    _ block: Int, into section: inout SectionWriter, _ pool: borrowing StringPool
  ) {
    for key in BlockCopies.groups(of: block, in: keys.capacity) where keys.isUsed(key) {
      keys.save(key, into: &section, pool)
    }
  }

  private func willChange(_ key: Int, _ pool: borrowing StringPool) {
    copies.willChange(key, section: keysSection) { saveKeys($0, into: &$1, pool) }
  }

  override func beginSave(
    _ snapshot: Int64, into writer: inout StateWriter, _ pool: borrowing StringPool
  ) {
    saveHead(into: &writer)
    copies.begin(groups: keys.capacity)
    for side in sides { side.beginSave() }
  }

  override func continueSave(
    into writer: inout StateWriter, _ pool: borrowing StringPool
  ) -> Bool {
    let hasKeys = copies.copyOne(section: keysSection, into: &writer) {
      saveKeys($0, into: &$1, pool)
    }
    if hasKeys { return true }
    for (index, side) in sides.enumerated() {
      if side.copyOne(section: rowsSection(index), into: &writer, pool) { return true }
    }
    return false
  }

  override func forgetSaved() {
    copies.forget()
    for side in sides { side.forgetSaved() }
  }

  override func restore(from reader: StateReader, _ pool: inout StringPool) throws {
    for side in sides { side.clear() }
    guard !reader.has(section) else { return try restoreOnePiece(from: reader, &pool) }
    var head = try reader.section(keysSection)
    try keys.restoreNumbers(from: &head)
    var counts: [Int] = []
    for _ in sides { counts.append(Int(try head.integer(Int64.self))) }
    try head.finish()
    for block in 0..<BlockCopies.count(keys.capacity) {
      var slice = try reader.section(keysSection, slice: block + 1)
      for key in BlockCopies.groups(of: block, in: keys.capacity) where keys.isUsed(key) {
        try keys.restore(key, from: &slice, &pool)
      }
      try slice.finish()
    }
    keys.endRestoring()
    for (index, side) in sides.enumerated() {
      for block in 0..<RowCopies.count(max(0, counts[index])) {
        var slice = try reader.section(rowsSection(index), slice: block)
        try side.restore(from: &slice, &pool, keyCapacity: keys.capacity)
        try slice.finish()
      }
      guard side.liveCount == counts[index] else {
        throw head.failure("\(counts[index]) rows are announced")
      }
    }
  }

  /// Reads a state that has everything in one slice.
  private func restoreOnePiece(from reader: StateReader, _ pool: inout StringPool) throws {
    var section = try reader.section(section)
    try keys.restore(from: &section, &pool)
    for side in sides {
      try side.restore(from: &section, &pool, keyCapacity: keys.capacity)
    }
    try section.finish()
  }

  override func remapStrings(_ remap: inout StringRemapper) {
    keys.remapStrings(&remap)
    for side in sides { side.remapStrings(&remap) }
  }
}
