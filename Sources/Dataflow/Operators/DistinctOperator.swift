import Columns
import StreamSQL

/// Lets a row pass when no row with the same values came since a monotonic key last changed.
final class DistinctOperator: Operator {
  private let columns: [Int]
  private let key: MonotonicKey
  private let keyColumn: Int?
  private let keyLimit: Int
  private var seen: KeyTable
  private var openKey: Int64?
  private var openTable: KeyTable
  private var copies = PrefixCopies<KeyTable>()

  init(
    input: Operator, columns: [Int], key: MonotonicKey, keyColumn: Int?, limits: DataflowLimits,
    schema: Schema, section: String
  ) {
    self.columns = columns
    self.key = key
    self.keyColumn = keyColumn
    keyLimit = limits.keys
    seen = KeyTable(columns.map { input.schema.columns[$0].type.storage })
    openTable = KeyTable(keyColumn.map { [input.schema.columns[$0].type.storage] } ?? [])
    super.init(
      schema: schema, section: section, inputs: [input], isBounded: input.isBounded)
  }

  override var hasState: Bool { true }

  override func run(_ context: ExecutionContext, _ pool: inout StringPool) {
    output.removeAll()
    let input = inputs[0].output
    guard !input.isEmpty else { return }
    counters.rowsIn += Int64(input.count)
    let words = seen.keys(of: columns.map { input.columns[$0] }, count: input.count)
    let keyWords = keyColumn.map { openTable.keys(of: [input.columns[$0]], count: input.count) }
    var kept: [Int32] = []
    for row in 0..<input.count {
      switch key {
      case .rowtime(let function):
        let value = function.value(at: input.rowtimes[row])
        if value != openKey {
          forget()
          openKey = value
        }
      case .asserted:
        if let keyWords, openTable.find(keyWords, row: row) == nil {
          openTable.removeAll()
          _ = openTable.insert(keyWords, row: row)
          forget()
        }
      }
      if seen.count >= keyLimit, seen.find(words, row: row) == nil {
        refuse(
          input, row,
          RuntimeError(
            code: .limitExceeded,
            message: "DISTINCT holds \(keyLimit) rows already (limits: keys)"),
          context, pool)
      } else if seen.insert(words, row: row).isNew {
        kept.append(Int32(truncatingIfNeeded: row))
      } else {
        counters.filtered += 1
      }
    }
    output.append(from: input, rows: kept)
    counters.passed += Int64(kept.count)
  }

  private func forget() {
    copies.willForget(seen)
    seen.removeAll()
  }

  // MARK: State

  /// What a section begins with that has its rows in slices; others begin with a truth value.
  private static let sliced: UInt8 = 2

  override func save(into writer: inout StateWriter, _ pool: borrowing StringPool) {
    saveHead(into: &writer, pool)
    for block in 0..<PrefixCopies<KeyTable>.blocks(of: seen.capacity) {
      writer.section(section, slice: block + 1) {
        Self.save(seen, PrefixCopies<KeyTable>.rows(of: block, in: seen.capacity), into: &$0, pool)
      }
    }
  }

  private func saveHead(into writer: inout StateWriter, _ pool: borrowing StringPool) {
    writer.section(section) { section in
      section.write(Self.sliced)
      section.write(openKey != nil)
      section.write(openKey ?? 0)
      openTable.save(into: &section, pool)
      seen.saveNumbers(into: &section)
    }
  }

  private static func save(
    _ seen: KeyTable, _ numbers: Range<Int>, into section: inout SectionWriter,
    _ pool: borrowing StringPool
  ) {
    for number in numbers { seen.save(number, into: &section, pool) }
  }

  override func beginSave(
    _ snapshot: Int64, into writer: inout StateWriter, _ pool: borrowing StringPool
  ) {
    saveHead(into: &writer, pool)
    copies.begin(count: seen.capacity)
  }

  override func continueSave(into writer: inout StateWriter, _ pool: borrowing StringPool) -> Bool {
    copies.copyOne(seen, section: section, into: &writer) { Self.save($0, $1, into: &$2, pool) }
  }

  override func forgetSaved() { copies.forget() }

  override func restore(from reader: StateReader, _ pool: inout StringPool) throws {
    let whole = try reader.section(section)
    var head = whole
    let isSliced = try head.integer(UInt8.self) == Self.sliced
    if !isSliced { head = whole }
    let isOpen = try head.boolean()
    let value = try head.integer(Int64.self)
    openKey = isOpen ? value : nil
    try openTable.restore(from: &head, &pool)
    if isSliced {
      try seen.restoreNumbers(from: &head)
      for block in 0..<PrefixCopies<KeyTable>.blocks(of: seen.capacity) {
        var slice = try reader.section(section, slice: block + 1)
        for number in PrefixCopies<KeyTable>.rows(of: block, in: seen.capacity) {
          try seen.restore(number, from: &slice, &pool)
        }
        try slice.finish()
      }
      seen.endRestoring()
    } else {
      try seen.restore(from: &head, &pool)
    }
    try head.finish()
  }

  override func remapStrings(_ remap: inout StringRemapper) {
    openTable.remapStrings(&remap)
    seen.remapStrings(&remap)
    copies.update { $0.remapStrings(&remap) }
  }
}
