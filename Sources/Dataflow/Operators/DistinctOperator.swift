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
          seen.removeAll()
          openKey = value
        }
      case .asserted:
        if let keyWords, openTable.find(keyWords, row: row) == nil {
          openTable.removeAll()
          _ = openTable.insert(keyWords, row: row)
          seen.removeAll()
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

  override func save(into writer: inout StateWriter, _ pool: borrowing StringPool) {
    writer.section(section) { section in
      section.write(openKey != nil)
      section.write(openKey ?? 0)
      openTable.save(into: &section, pool)
      seen.save(into: &section, pool)
    }
  }

  override func restore(from reader: StateReader, _ pool: inout StringPool) throws {
    var section = try reader.section(section)
    let isOpen = try section.boolean()
    let value = try section.integer(Int64.self)
    openKey = isOpen ? value : nil
    try openTable.restore(from: &section, &pool)
    try seen.restore(from: &section, &pool)
    try section.finish()
  }

  override func remapStrings(_ remap: inout StringRemapper) {
    openTable.remapStrings(&remap)
    seen.remapStrings(&remap)
  }
}
