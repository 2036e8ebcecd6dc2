import Columns
import StreamSQL

/// TOP_K_ITEMS_TUMBLING: the most frequent values of a column in each window aligned to 1970.
///
/// Counts are exact. Items with equal counts come out in the order in which they first came.
final class TopItemsOperator: CountingOperator<TopItemsWindow> {
  private let column: Int
  private let k: Int
  private let partitionBy: [Int]
  private let keyLimit: Int

  init(
    input: Operator, column: Int, k: Int, length: Int64, partitionBy: [Int], keyLimit: Int,
    schema: Schema, section: String
  ) {
    self.column = column
    self.k = k
    self.partitionBy = partitionBy
    self.keyLimit = keyLimit
    super.init(
      TopItemsWindow(
        partitions: KeyTable(partitionBy.map { input.schema.columns[$0].type.storage }),
        items: KeyTable([.integer, input.schema.columns[column].type.storage])),
      length: length, input: input, schema: schema, section: section)
  }

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
      beginIfNeeded(at: rowtime)
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
    if isCopying {
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
    endWindow()
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
}

/// How often each item of a window came.
struct TopItemsWindow: CountedWindow {
  fileprivate var partitions: KeyTable
  fileprivate var items: KeyTable
  fileprivate var counts: [Int64] = []
  /// The partition of each item.
  fileprivate var owners: [Int32] = []

  fileprivate init(partitions: KeyTable, items: KeyTable) {
    self.partitions = partitions
    self.items = items
  }

  static let blockSize = BlockCopies.size

  var groupCount: Int { items.count }

  mutating func removeAll() {
    items.removeAll()
    partitions.removeAll()
    counts.removeAll(keepingCapacity: true)
    owners.removeAll(keepingCapacity: true)
  }

  func saveHead(into section: inout SectionWriter) {
    partitions.saveNumbers(into: &section)
    items.saveNumbers(into: &section)
  }

  /// Writes the items of a block, and the partitions with the same numbers.
  func save(_ block: Int, into section: inout SectionWriter, _ pool: borrowing StringPool) {
    for number in BlockCopies.groups(of: block, in: items.count) {
      items.save(number, into: &section, pool)
      section.write(counts[number])
      section.write(Int64(owners[number]))
    }
    for number in BlockCopies.groups(of: block, in: partitions.count) {
      partitions.save(number, into: &section, pool)
    }
  }

  mutating func restoreHead(from section: inout SectionReader) throws {
    try partitions.restoreNumbers(from: &section)
    try items.restoreNumbers(from: &section)
    (counts, owners) = ([], [])
  }

  mutating func restore(
    _ block: Int, from section: inout SectionReader, _ pool: inout StringPool
  ) throws {
    for number in BlockCopies.groups(of: block, in: items.count) {
      try items.restore(number, from: &section, &pool)
      counts.append(try section.integer())
      owners.append(Int32(truncatingIfNeeded: try section.integer(Int64.self)))
    }
    for number in BlockCopies.groups(of: block, in: partitions.count) {
      try partitions.restore(number, from: &section, &pool)
    }
  }

  mutating func endRestoring() {
    partitions.endRestoring()
    items.endRestoring()
  }

  mutating func restoreWhole(
    from section: inout SectionReader, _ pool: inout StringPool
  ) throws {
    try partitions.restore(from: &section, &pool)
    try items.restore(from: &section, &pool)
    counts = try section.integers()
    owners = try section.integers().map { Int32(truncatingIfNeeded: $0) }
    guard counts.count == items.count, owners.count == items.count else {
      throw section.failure("the counts are of other items")
    }
  }

  mutating func remapStrings(_ remap: inout StringRemapper) {
    partitions.remapStrings(&remap)
    items.remapStrings(&remap)
  }
}
