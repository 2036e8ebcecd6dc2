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
  private var items: KeyTable
  private var partitions: KeyTable
  private var counts: [Int64] = []
  private var owners: [Int32] = []
  private var due = Int64.max

  init(
    input: Operator, column: Int, k: Int, length: Int64, partitionBy: [Int], keyLimit: Int,
    schema: Schema, section: String
  ) {
    self.column = column
    self.k = k
    self.length = length
    self.partitionBy = partitionBy
    self.keyLimit = keyLimit
    partitions = KeyTable(partitionBy.map { input.schema.columns[$0].type.storage })
    items = KeyTable([.integer, input.schema.columns[column].type.storage])
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
    let keys = partitions.keys(of: partitionBy.map { input.columns[$0] }, count: input.count)
    // The numbers of the partitions take the place of the zeros, row by row.
    let zeros = Column(zeros: input.count, storage: .integer)
    var itemKeys = items.keys(of: [zeros, input.columns[column]], count: input.count)
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
      if !add(&itemKeys, row, keys) {
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
  private func add(_ itemKeys: inout [UInt64], _ row: Int, _ keys: [UInt64]) -> Bool {
    let isFull = items.count >= keyLimit
    guard let partition = partitions.find(keys, row: row) ?? (isFull ? nil : partitions.count)
    else { return false }
    itemKeys[row * items.width] = UInt64(partition)
    if isFull, items.find(itemKeys, row: row) == nil { return false }
    _ = partitions.insert(keys, row: row)
    let (number, isNew) = items.insert(itemKeys, row: row)
    if isNew {
      counts.append(0)
      owners.append(Int32(truncatingIfNeeded: partition))
    }
    counts[number] += 1
    counters.absorbed += 1
    return true
  }

  private func close(_ cause: Int64, _ type: ColumnType, _ pool: inout StringPool) {
    let order = counts.indices.sorted {
      (owners[$0], -counts[$0], $0) < (owners[$1], -counts[$1], $1)
    }
    var rank = 0
    for (place, number) in order.enumerated() {
      rank = place > 0 && owners[order[place - 1]] == owners[number] ? rank + 1 : 0
      if rank >= k { continue }
      for index in partitionBy.indices {
        partitions.append(
          number: Int(owners[number]), index: index, to: &output.columns[index])
      }
      var item = Column(zeros: 0, storage: type.storage)
      items.append(number: number, index: 1, to: &item)
      output.columns[partitionBy.count].append(itemText(item, type, &pool))
      output.columns[partitionBy.count + 1].append(counts[number])
      output.rowtimes.append(due)
      output.causes.append(cause)
    }
    items.removeAll()
    partitions.removeAll()
    counts.removeAll(keepingCapacity: true)
    owners.removeAll(keepingCapacity: true)
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

  override func save(into writer: inout StateWriter, _ pool: borrowing StringPool) {
    writer.section(section) { section in
      section.write(due)
      partitions.save(into: &section, pool)
      items.save(into: &section, pool)
      section.write(counts)
      section.write(owners.map(Int64.init))
    }
  }

  override func restore(from reader: StateReader, _ pool: inout StringPool) throws {
    var section = try reader.section(section)
    due = try section.integer()
    try partitions.restore(from: &section, &pool)
    try items.restore(from: &section, &pool)
    counts = try section.integers()
    owners = try section.integers().map { Int32(truncatingIfNeeded: $0) }
    guard counts.count == items.count, owners.count == items.count else {
      throw section.failure("the counts are of other items")
    }
    try section.finish()
  }

  override func remapStrings(_ remap: inout StringRemapper) {
    partitions.remapStrings(&remap)
    items.remapStrings(&remap)
  }
}

/// COUNT_DISTINCT_ITEMS_TUMBLING: how many different values a column had in each window aligned to 1970.
final class DistinctItemsOperator: Operator {
  private let column: Int
  private let length: Int64
  private let partitionBy: [Int]
  private let keyLimit: Int
  private var partitions: KeyTable
  private var items: [DistinctCounter] = []
  private var due = Int64.max

  init(
    input: Operator, column: Int, length: Int64, partitionBy: [Int], keyLimit: Int,
    schema: Schema, section: String
  ) {
    self.column = column
    self.length = length
    self.partitionBy = partitionBy
    self.keyLimit = keyLimit
    partitions = KeyTable(partitionBy.map { input.schema.columns[$0].type.storage })
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
    let keys = partitions.keys(of: partitionBy.map { input.columns[$0] }, count: input.count)
    for row in 0..<input.count {
      let cause = input.causes[row]
      if let earlier = bounds.reaches(due, before: cause) { close(earlier) }
      let rowtime = input.rowtimes[row]
      if rowtime >= due { close(cause) }
      if due == Int64.max { due = nextMultiple(after: rowtime, of: length) }
      guard partitions.count < keyLimit || partitions.find(keys, row: row) != nil else {
        refuse(
          input, row,
          RuntimeError(
            code: .limitExceeded, message: "the window holds \(keyLimit) keys (limits: keys)"),
          context, pool)
        continue
      }
      let (number, isNew) = partitions.insert(keys, row: row)
      if isNew { items.append(DistinctCounter()) }
      counters.absorbed += 1
      if !input.columns[column].isNull(row) {
        items[number].add(DistinctCounter.hash(input.columns[column], row, pool))
      }
    }
    if let cause = bounds.reaches(due) { close(cause) }
    counters.passed += Int64(output.count)
  }

  private func close(_ cause: Int64) {
    for (number, counter) in items.enumerated() {
      for index in partitionBy.indices {
        partitions.append(number: number, index: index, to: &output.columns[index])
      }
      output.columns[partitionBy.count].append(counter.count)
      output.rowtimes.append(due)
      output.causes.append(cause)
    }
    items.removeAll(keepingCapacity: true)
    partitions.removeAll()
    due = Int64.max
  }

  override func save(into writer: inout StateWriter, _ pool: borrowing StringPool) {
    writer.section(section) { section in
      section.write(due)
      partitions.save(into: &section, pool)
      for counter in items { counter.save(into: &section) }
    }
  }

  override func restore(from reader: StateReader, _ pool: inout StringPool) throws {
    var section = try reader.section(section)
    due = try section.integer()
    try partitions.restore(from: &section, &pool)
    items = []
    for _ in 0..<partitions.count { items.append(try DistinctCounter(from: &section)) }
    try section.finish()
  }

  override func remapStrings(_ remap: inout StringRemapper) { partitions.remapStrings(&remap) }
}
