import Columns

/// Rows that an operator holds until all of them come out at once.
///
/// Their section has a head and the rows in blocks; a snapshot copies them block by block.
struct HeldRows {
  private(set) var rows: Batch
  private var copies = PrefixCopies<Batch>()

  /// What a section begins with that has its rows in slices; others begin with the rows.
  private static let sliced: Int64 = -1

  init(schema: Schema) { rows = Batch(schema: schema) }

  mutating func append(from batch: Batch, row: Int) { rows.append(from: batch, row: row) }

  mutating func removeAll() {
    copies.willForget(rows)
    rows.removeAll()
  }

  /// Writes everything, with what `head` adds.
  func save(
    section: String, into writer: inout StateWriter, _ pool: borrowing StringPool,
    head: (inout SectionWriter) -> Void
  ) {
    saveHead(section, into: &writer, head)
    for block in 0..<PrefixCopies<Batch>.blocks(of: rows.count) {
      writer.section(section, slice: block + 1) {
        Self.save(rows, PrefixCopies<Batch>.rows(of: block, in: rows.count), into: &$0, pool)
      }
    }
  }

  private func saveHead(
    _ section: String, into writer: inout StateWriter, _ head: (inout SectionWriter) -> Void
  ) {
    writer.section(section) { section in
      section.write(Self.sliced)
      section.write(Int64(rows.count))
      head(&section)
    }
  }

  private static func save(
    _ rows: Batch, _ range: Range<Int>, into section: inout SectionWriter,
    _ pool: borrowing StringPool
  ) {
    var part = Batch(schema: rows.schema, capacity: range.count)
    part.append(from: rows, rows: range.map { Int32(truncatingIfNeeded: $0) })
    section.write(part, in: pool)
  }

  /// Begins a snapshot.
  mutating func beginSave(
    section: String, into writer: inout StateWriter, head: (inout SectionWriter) -> Void
  ) {
    saveHead(section, into: &writer, head)
    copies.begin(count: rows.count)
  }

  /// Writes one more block; returns whether any are left.
  mutating func copyOne(
    section: String, into writer: inout StateWriter, _ pool: borrowing StringPool
  ) -> Bool {
    copies.copyOne(rows, section: section, into: &writer) { Self.save($0, $1, into: &$2, pool) }
  }

  mutating func forgetSaved() { copies.forget() }

  /// Takes over rows that were saved; returns the reader of the head behind its rows.
  mutating func restore(
    section name: String, from reader: StateReader, _ pool: inout StringPool
  ) throws(StateError) -> SectionReader {
    let section = try reader.section(name)
    var head = section
    guard try head.integer(Int64.self) == Self.sliced else {
      head = section
      rows = try head.batch(schema: rows.schema, into: &pool)
      return head
    }
    let count = try head.integer(Int64.self)
    guard count >= 0, count <= Int64(Int32.max) else { throw head.failure("bad row count") }
    rows = Batch(schema: rows.schema)
    for block in 0..<PrefixCopies<Batch>.blocks(of: Int(count)) {
      var slice = try reader.section(name, slice: block + 1)
      let part = try slice.batch(schema: rows.schema, into: &pool)
      try slice.finish()
      rows.append(from: part, rows: (0..<Int32(truncatingIfNeeded: part.count)).map { $0 })
    }
    guard rows.count == Int(count) else { throw head.failure("\(count) rows are announced") }
    return head
  }

  mutating func remapStrings(_ remap: inout StringRemapper) {
    for index in rows.columns.indices { rows.columns[index].remapStrings(&remap) }
    copies.update { kept in
      for index in kept.columns.indices { kept.columns[index].remapStrings(&remap) }
    }
  }
}
