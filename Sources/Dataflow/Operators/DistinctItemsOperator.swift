import Columns
import StreamSQL

/// COUNT_DISTINCT_ITEMS_TUMBLING: how many different values a column had in each window aligned to 1970.
final class DistinctItemsOperator: Operator {
  private let column: Int
  private let length: Int64
  private let partitionBy: [Int]
  private let keyLimit: Int
  private var window: Window
  private var due = Int64.max
  /// What a snapshot in the making lacks, and the window that it was begun with once that is closed.
  private var copies = BlockCopies(size: DistinctItemsOperator.blockSize)
  private var closed: Window?

  /// A counter takes up to 130 KB: fewer in a block than there are groups elsewhere.
  private static let blockSize = 64

  /// What was counted since a window began.
  private struct Window {
    var partitions: KeyTable
    var items: [DistinctCounter] = []
  }

  init(
    input: Operator, column: Int, length: Int64, partitionBy: [Int], keyLimit: Int,
    schema: Schema, section: String
  ) {
    self.column = column
    self.length = length
    self.partitionBy = partitionBy
    self.keyLimit = keyLimit
    window = Window(
      partitions: KeyTable(partitionBy.map { input.schema.columns[$0].type.storage }))
    super.init(
      schema: schema, section: section, inputs: [input], isBounded: input.isBounded)
  }

  override var hasState: Bool { true }
  override var nextDue: Int64 { due }

  override func run(_ context: ExecutionContext, _ pool: inout StringPool) {
    output.removeAll()
    let input = inputs[0].output
    var bounds = BoundCursor(context, isMoved: isBounded)
    counters.rowsIn += Int64(input.count)
    let keys = window.partitions.keys(of: partitionBy.map { input.columns[$0] }, count: input.count)
    for row in 0..<input.count {
      let cause = input.causes[row]
      if let earlier = bounds.reaches(due, before: cause) { close(earlier) }
      let rowtime = input.rowtimes[row]
      if rowtime >= due { close(cause) }
      if due == Int64.max { due = nextMultiple(after: rowtime, of: length) }
      guard window.partitions.count < keyLimit || window.partitions.find(keys, row: row) != nil
      else {
        refuse(
          input, row,
          RuntimeError(
            code: .limitExceeded, message: "the window holds \(keyLimit) keys (limits: keys)"),
          context, pool)
        continue
      }
      if copies.isCopying, closed == nil {
        willChange(window.partitions.find(keys, row: row) ?? window.partitions.nextNumber, pool)
      }
      let (number, isNew) = window.partitions.insert(keys, row: row)
      if isNew { window.items.append(DistinctCounter()) }
      counters.absorbed += 1
      if !input.columns[column].isNull(row) {
        window.items[number].add(DistinctCounter.hash(input.columns[column], row, pool))
      }
    }
    if let cause = bounds.reaches(due) { close(cause) }
    counters.passed += Int64(output.count)
  }

  private func close(_ cause: Int64) {
    for (number, counter) in window.items.enumerated() {
      for index in partitionBy.indices {
        window.partitions.append(number: number, index: index, to: &output.columns[index])
      }
      output.columns[partitionBy.count].append(counter.count)
      output.rowtimes.append(due)
      output.causes.append(cause)
    }
    if copies.isCopying, closed == nil { closed = window }
    window.items.removeAll(keepingCapacity: true)
    window.partitions.removeAll()
    due = Int64.max
  }

  // MARK: State

  /// What a section begins with that has its counters in slices; others begin with a window's end.
  private static let sliced = Int64.min

  override func save(into writer: inout StateWriter, _ pool: borrowing StringPool) {
    saveHead(into: &writer)
    for block in 0..<BlockCopies.count(window.items.count, size: Self.blockSize) {
      writer.section(section, slice: block + 1) { Self.save(window, block, into: &$0, pool) }
    }
  }

  private func saveHead(into writer: inout StateWriter) {
    writer.section(section) { section in
      section.write(Self.sliced)
      section.write(due)
      window.partitions.saveNumbers(into: &section)
    }
  }

  private static func save(
    _ window: Window, _ block: Int, into section: inout SectionWriter, _ pool: borrowing StringPool
  ) {
    for number in BlockCopies.groups(of: block, in: window.items.count, size: blockSize) {
      window.partitions.save(number, into: &section, pool)
      window.items[number].save(into: &section)
    }
  }

  private func willChange(_ number: Int, _ pool: borrowing StringPool) {
    copies.willChange(number, section: section) { Self.save(window, $0, into: &$1, pool) }
  }

  override func beginSave(
    _ snapshot: Int64, into writer: inout StateWriter, _ pool: borrowing StringPool
  ) {
    saveHead(into: &writer)
    copies.begin(groups: window.items.count)
    closed = nil
  }

  override func continueSave(into writer: inout StateWriter, _ pool: borrowing StringPool) -> Bool {
    let isUnfinished = copies.copyOne(section: section, into: &writer) {
      Self.save(closed ?? window, $0, into: &$1, pool)
    }
    if !isUnfinished { closed = nil }
    return isUnfinished
  }

  override func forgetSaved() {
    copies.forget()
    closed = nil
  }

  override func restore(from reader: StateReader, _ pool: inout StringPool) throws {
    var head = try reader.section(section)
    let first = try head.integer(Int64.self)
    window.items = []
    guard first == Self.sliced else {
      due = first
      try window.partitions.restore(from: &head, &pool)
      for _ in 0..<window.partitions.count {
        window.items.append(try DistinctCounter(from: &head))
      }
      return try head.finish()
    }
    due = try head.integer()
    try window.partitions.restoreNumbers(from: &head)
    try head.finish()
    let count = window.partitions.count
    for block in 0..<BlockCopies.count(count, size: Self.blockSize) {
      var slice = try reader.section(section, slice: block + 1)
      for number in BlockCopies.groups(of: block, in: count, size: Self.blockSize) {
        try window.partitions.restore(number, from: &slice, &pool)
        window.items.append(try DistinctCounter(from: &slice))
      }
      try slice.finish()
    }
    window.partitions.endRestoring()
  }

  override func remapStrings(_ remap: inout StringRemapper) {
    window.partitions.remapStrings(&remap)
    closed?.partitions.remapStrings(&remap)
  }
}
