import Columns
import StreamSQL

/// TOP_K_ITEMS_TUMBLING: the most frequent values of a column in each window aligned to 1970.
///
/// Counts are exact. Items with equal counts come out in the order in which they first came.
final class TopItemsOperator: Operator {
  private let column: Int
  private let k: Int
  private let length: Int64
  private let partitionBy: [Int]
  private let keyLimit: Int
  private var window: Window
  private var due = Int64.max
  /// What a snapshot in the making lacks, and the window that it was begun with once that is closed.
  private var copies = BlockCopies()
  private var closed: Window?

  /// What was counted since a window began.
  private struct Window {
    var partitions: KeyTable
    var items: KeyTable
    var counts: [Int64] = []
    var owners: [Int32] = []

    mutating func removeAll() {
      items.removeAll()
      partitions.removeAll()
      counts.removeAll(keepingCapacity: true)
      owners.removeAll(keepingCapacity: true)
    }

    mutating func remapStrings(_ remap: inout StringRemapper) {
      partitions.remapStrings(&remap)
      items.remapStrings(&remap)
    }
  }

  init(
    input: Operator, column: Int, k: Int, length: Int64, partitionBy: [Int], keyLimit: Int,
    schema: Schema, section: String
  ) {
    self.column = column
    self.k = k
    self.length = length
    self.partitionBy = partitionBy
    self.keyLimit = keyLimit
    window = Window(
      partitions: KeyTable(partitionBy.map { input.schema.columns[$0].type.storage }),
      items: KeyTable([.integer, input.schema.columns[column].type.storage]))
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
    // The numbers of the partitions take the place of the zeros, row by row.
    let zeros = Column(zeros: input.count, storage: .integer)
    var itemKeys = window.items.keys(of: [zeros, input.columns[column]], count: input.count)
    let itemType = inputs[0].schema.columns[column].type
    for row in 0..<input.count {
      let cause = input.causes[row]
      if let earlier = bounds.reaches(due, before: cause) { close(earlier, itemType, &pool) }
      let rowtime = input.rowtimes[row]
      if rowtime >= due { close(cause, itemType, &pool) }
      if input.columns[column].isNull(row) {
        counters.filtered += 1
        continue
      }
      if due == Int64.max { due = nextMultiple(after: rowtime, of: length) }
      if !add(&itemKeys, row, keys, pool) {
        refuse(
          input, row,
          RuntimeError(
            code: .limitExceeded, message: "the window holds \(keyLimit) items (limits: keys)"),
          context, pool)
      }
    }
    if let cause = bounds.reaches(due) { close(cause, itemType, &pool) }
    counters.passed += Int64(output.count)
  }

  /// Counts the item of a row; false when it is new and there is no room for it.
  private func add(
    _ itemKeys: inout [UInt64], _ row: Int, _ keys: [UInt64], _ pool: borrowing StringPool
  ) -> Bool {
    let isFull = window.items.count >= keyLimit
    guard
      let partition = window.partitions.find(keys, row: row)
        ?? (isFull ? nil : window.partitions.count)
    else { return false }
    itemKeys[row * window.items.width] = UInt64(partition)
    if isFull, window.items.find(itemKeys, row: row) == nil { return false }
    if copies.isCopying, closed == nil {
      willChange(window.items.find(itemKeys, row: row) ?? window.items.nextNumber, pool)
      if partition == window.partitions.count { willChange(partition, pool) }
    }
    _ = window.partitions.insert(keys, row: row)
    let (number, isNew) = window.items.insert(itemKeys, row: row)
    if isNew {
      window.counts.append(0)
      window.owners.append(Int32(truncatingIfNeeded: partition))
    }
    window.counts[number] += 1
    counters.absorbed += 1
    return true
  }

  private func close(_ cause: Int64, _ type: ColumnType, _ pool: inout StringPool) {
    let (counts, owners) = (window.counts, window.owners)
    let order = counts.indices.sorted {
      (owners[$0], -counts[$0], $0) < (owners[$1], -counts[$1], $1)
    }
    var rank = 0
    for (place, number) in order.enumerated() {
      rank = place > 0 && owners[order[place - 1]] == owners[number] ? rank + 1 : 0
      if rank >= k { continue }
      for index in partitionBy.indices {
        window.partitions.append(
          number: Int(owners[number]), index: index, to: &output.columns[index])
      }
      var item = Column(zeros: 0, storage: type.storage)
      window.items.append(number: number, index: 1, to: &item)
      output.columns[partitionBy.count].append(itemText(item, type, &pool))
      output.columns[partitionBy.count + 1].append(counts[number])
      output.rowtimes.append(due)
      output.causes.append(cause)
    }
    if copies.isCopying, closed == nil { closed = window }
    window.removeAll()
    due = Int64.max
  }

  private func itemText(
    _ item: Column, _ type: ColumnType, _ pool: inout StringPool
  ) -> StringID {
    var text: [UInt8] = []
    switch type.storage {
    case .text: return item.texts[0]
    case .floating: TextFormat(type)?.append(item.doubles[0], to: &text)
    case .integer: TextFormat(type)?.append(item.integers[0], to: &text)
    }
    return pool.intern(text.span)
  }

  // MARK: State

  /// What a section begins with that has its items in slices; others begin with a window's end.
  private static let sliced = Int64.min

  override func save(into writer: inout StateWriter, _ pool: borrowing StringPool) {
    saveHead(into: &writer, pool)
    for block in 0..<BlockCopies.count(window.counts.count) {
      writer.section(section, slice: block + 1) { Self.save(window, block, into: &$0, pool) }
    }
  }

  private func saveHead(into writer: inout StateWriter, _ pool: borrowing StringPool) {
    writer.section(section) { section in
      section.write(Self.sliced)
      section.write(due)
      window.partitions.saveNumbers(into: &section)
      window.items.saveNumbers(into: &section)
    }
  }

  /// Writes the items of a block, and the partitions with the same numbers.
  private static func save(
    _ window: Window, _ block: Int, into section: inout SectionWriter, _ pool: borrowing StringPool
  ) {
    for number in BlockCopies.groups(of: block, in: window.counts.count) {
      window.items.save(number, into: &section, pool)
      section.write(window.counts[number])
      section.write(Int64(window.owners[number]))
    }
    for number in BlockCopies.groups(of: block, in: window.partitions.count) {
      window.partitions.save(number, into: &section, pool)
    }
  }

  private func willChange(_ number: Int, _ pool: borrowing StringPool) {
    copies.willChange(number, section: section) { Self.save(window, $0, into: &$1, pool) }
  }

  override func beginSave(
    _ snapshot: Int64, into writer: inout StateWriter, _ pool: borrowing StringPool
  ) {
    saveHead(into: &writer, pool)
    copies.begin(groups: window.counts.count)
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
    guard first == Self.sliced else {
      due = first
      return try restoreOnePiece(from: &head, &pool)
    }
    due = try head.integer()
    try window.partitions.restoreNumbers(from: &head)
    try window.items.restoreNumbers(from: &head)
    try head.finish()
    let (items, partitions) = (window.items.count, window.partitions.count)
    (window.counts, window.owners) = ([], [])
    for block in 0..<BlockCopies.count(items) {
      var slice = try reader.section(section, slice: block + 1)
      for number in BlockCopies.groups(of: block, in: items) {
        try window.items.restore(number, from: &slice, &pool)
        window.counts.append(try slice.integer())
        window.owners.append(Int32(truncatingIfNeeded: try slice.integer(Int64.self)))
      }
      for number in BlockCopies.groups(of: block, in: partitions) {
        try window.partitions.restore(number, from: &slice, &pool)
      }
      try slice.finish()
    }
    window.partitions.endRestoring()
    window.items.endRestoring()
  }

  /// Reads a state that has everything in one slice.
  private func restoreOnePiece(
    from section: inout SectionReader, _ pool: inout StringPool
  ) throws {
    try window.partitions.restore(from: &section, &pool)
    try window.items.restore(from: &section, &pool)
    window.counts = try section.integers()
    window.owners = try section.integers().map { Int32(truncatingIfNeeded: $0) }
    guard window.counts.count == window.items.count, window.owners.count == window.items.count
    else { throw section.failure("the counts are of other items") }
    try section.finish()
  }

  override func remapStrings(_ remap: inout StringRemapper) {
    window.remapStrings(&remap)
    closed?.remapStrings(&remap)
  }
}
