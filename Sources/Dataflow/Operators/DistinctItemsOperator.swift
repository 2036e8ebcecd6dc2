import Columns
import StreamSQL

/// COUNT_DISTINCT_ITEMS_TUMBLING: how many different values a column had in each window aligned to 1970.
final class DistinctItemsOperator: CountingOperator<DistinctItemsWindow> {
  private let column: Int
  private let partitionBy: [Int]
  private let keyLimit: Int

  init(
    input: Operator, column: Int, length: Int64, partitionBy: [Int], keyLimit: Int,
    schema: Schema, section: String
  ) {
    self.column = column
    self.partitionBy = partitionBy
    self.keyLimit = keyLimit
    super.init(
      DistinctItemsWindow(
        partitions: KeyTable(partitionBy.map { input.schema.columns[$0].type.storage })),
      length: length, input: input, schema: schema, section: section)
  }

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
      beginIfNeeded(at: rowtime)
      guard window.partitions.count < keyLimit || window.partitions.find(keys, row: row) != nil
      else {
        refuse(
          input, row,
          RuntimeError(
            code: .limitExceeded, message: "the window holds \(keyLimit) keys (limits: keys)"),
          context, pool)
        continue
      }
      if isCopying {
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
    endWindow()
  }
}

/// How many different values each partition of a window had.
struct DistinctItemsWindow: CountedWindow {
  fileprivate var partitions: KeyTable
  fileprivate var items: [DistinctCounter] = []

  fileprivate init(partitions: KeyTable) { self.partitions = partitions }

  /// A counter takes up to 130 KB: fewer in a block than there are groups elsewhere.
  static let blockSize = 64

  var groupCount: Int { partitions.count }

  mutating func removeAll() {
    items.removeAll(keepingCapacity: true)
    partitions.removeAll()
  }

  func saveHead(into section: inout SectionWriter) { partitions.saveNumbers(into: &section) }

  func save(_ block: Int, into section: inout SectionWriter, _ pool: borrowing StringPool) {
    for number in BlockCopies.groups(of: block, in: groupCount, size: Self.blockSize) {
      partitions.save(number, into: &section, pool)
      items[number].save(into: &section)
    }
  }

  mutating func restoreHead(from section: inout SectionReader) throws {
    try partitions.restoreNumbers(from: &section)
    items = []
  }

  mutating func restore(
    _ block: Int, from section: inout SectionReader, _ pool: inout StringPool
  ) throws {
    for number in BlockCopies.groups(of: block, in: groupCount, size: Self.blockSize) {
      try partitions.restore(number, from: &section, &pool)
      items.append(try DistinctCounter(from: &section))
    }
  }

  mutating func endRestoring() { partitions.endRestoring() }

  mutating func restoreWhole(
    from section: inout SectionReader, _ pool: inout StringPool
  ) throws {
    try partitions.restore(from: &section, &pool)
    items = []
    for _ in 0..<groupCount { items.append(try DistinctCounter(from: &section)) }
  }

  mutating func remapStrings(_ remap: inout StringRemapper) { partitions.remapStrings(&remap) }
}
