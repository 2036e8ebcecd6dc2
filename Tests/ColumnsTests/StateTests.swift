import Columns
import Testing

@Suite struct StateTests {
  static let schema = Schema([
    ColumnDefinition(name: "A", type: .bigint),
    ColumnDefinition(name: "B", type: .double),
    ColumnDefinition(name: "C", type: .varchar(20)),
  ])

  static func sample(_ pool: inout StringPool) -> Batch {
    var batch = Batch(schema: schema)
    for row in 0..<130 {
      batch.rowtimes.append(Int64(row) * 1_000)
      batch.causes.append(Int64(row))
      if row % 7 == 0 {
        batch.columns[0].appendNull()
      } else {
        batch.columns[0].append(Int64(-row))
      }
      batch.columns[1].append(Double(row) / 3)
      batch.columns[2].append(pool.intern("text \(row % 11)"))
    }
    return batch
  }

  @Test func aBatchReadsBackIntoAnotherPool() throws {
    var pool = StringPool()
    let batch = Self.sample(&pool)
    var writer = StateWriter()
    writer.section("rows") { $0.write(batch, in: pool) }
    var other = StringPool()
    _ = other.intern("shifts the ids")
    var reader = try StateReader(writer.slices).section("rows")
    let copy = try reader.batch(schema: Self.schema, into: &other)
    try reader.finish()
    #expect(copy.rowtimes == batch.rowtimes && copy.causes == batch.causes)
    #expect(copy.columns[0].integers == batch.columns[0].integers)
    #expect(copy.columns[0].nulls == batch.columns[0].nulls)
    #expect(copy.columns[1].doubles == batch.columns[1].doubles)
    for row in 0..<batch.count {
      #expect(
        other.string(copy.columns[2].texts[row]) == pool.string(batch.columns[2].texts[row]))
    }
  }

  @Test func everyTruncationIsAnErrorAndNeverATrap() throws {
    var pool = StringPool()
    let batch = Self.sample(&pool)
    var whole = SectionWriter()
    whole.write(batch, in: pool)
    for length in stride(from: 0, to: whole.bytes.count, by: 13) {
      var reader = SectionReader(section: "rows", bytes: Array(whole.bytes[..<length]))
      #expect(throws: StateError.self) { try reader.batch(schema: Self.schema, into: &pool) }
    }
  }

  @Test func aMissingSectionNamesItself() {
    let reader = StateReader([])
    #expect(throws: StateError(section: "x", offset: 0, message: "slice 0 is missing")) {
      try reader.section("x")
    }
  }

  @Test func integersOfEveryWidthReadBack() throws {
    var writer = SectionWriter()
    func edges<Value: FixedWidthInteger>(_: Value.Type) -> [Value] {
      [.min, .max, 0, 1, Value.max / 3, Value.min / 7 &+ 1]
    }
    for value in edges(Int8.self) { writer.write(value) }
    for value in edges(UInt16.self) { writer.write(value) }
    for value in edges(Int32.self) { writer.write(value) }
    for value in edges(UInt64.self) { writer.write(value) }
    for value in edges(Int64.self) { writer.write(value) }
    for value in edges(Int128.self) { writer.write(value) }
    for value in edges(UInt128.self) { writer.write(value) }
    #expect(writer.bytes.count == 6 * (1 + 2 + 4 + 8 + 8 + 16 + 16))
    var reader = SectionReader(section: "integers", bytes: writer.bytes)
    for value in edges(Int8.self) { #expect(try reader.integer() == value) }
    for value in edges(UInt16.self) { #expect(try reader.integer() == value) }
    for value in edges(Int32.self) { #expect(try reader.integer() == value) }
    for value in edges(UInt64.self) { #expect(try reader.integer() == value) }
    for value in edges(Int64.self) { #expect(try reader.integer() == value) }
    for value in edges(Int128.self) { #expect(try reader.integer() == value) }
    for value in edges(UInt128.self) { #expect(try reader.integer() == value) }
    try reader.finish()
    var other = SectionWriter()
    other.write(Int32(-2))
    other.write(Int128(1) << 64 | 5)
    #expect(other.bytes == [254, 255, 255, 255, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
  }

  @Test func aSliceIsHandedOverOnceUnderAnyName() throws {
    var writer = StateWriter()
    for slice in 0..<3 { writer.section("a", slice: slice) { $0.write(Int64(slice)) } }
    writer.section("a/rows") { $0.write(Int64(9)) }
    let reader = StateReader(writer.slices.reversed())
    let renamed = reader.renaming("a", to: "b")
    #expect(renamed.sliceCount("b") == 3 && renamed.has("b/rows") && !reader.has("b"))
    var rows = try renamed.section("b/rows")
    #expect(try rows.integer(Int64.self) == 9)
    for slice in 0..<3 {
      var section = try (slice == 1 ? renamed : reader).section(
        slice == 1 ? "b" : "a", slice: slice)
      #expect(try section.integer(Int64.self) == Int64(slice))
    }
    for slice in 0..<3 {
      #expect(throws: StateError.self) { try reader.section("a", slice: slice) }
    }
    #expect(reader.sliceCount("a") == 3)
  }
}

@Suite struct StringPoolTests {
  @Test func equalBytesHaveEqualIds() {
    var pool = StringPool()
    var ids: [String: StringID] = [:]
    for round in 0..<2 {
      for number in 0..<5_000 {
        let text = "key-\(number)"
        let id = pool.intern(text)
        if round == 0 { ids[text] = id }
        #expect(ids[text] == id)
        #expect(pool.string(id) == text)
      }
    }
    #expect(pool.count == 5_001)
    #expect(pool.intern("") == .empty)
  }

  @Test func compactionKeepsWhatIsAskedForAndForgetsTheRest() {
    var pool = StringPool()
    var column = Column(type: .varchar(10))
    for number in 0..<100 { _ = pool.intern("unused \(number)") }
    column.append(pool.intern("kept"))
    column.appendNull()
    var remap = StringRemapper(from: pool)
    column.remapStrings(&remap)
    let fresh = remap.finish()
    #expect(fresh.count == 2)
    #expect(fresh.string(column.texts[0]) == "kept")
    #expect(column.nulls[1])
  }
}
