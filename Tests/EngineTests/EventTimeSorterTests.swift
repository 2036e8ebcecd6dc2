import Columns
import Engine
import Testing
import Transport

/// Rows that wait for their event time, copied while others come and go.
@Suite struct EventTimeSorterTests {
  static let schemas = [
    Schema([ColumnDefinition(name: "K", type: .varchar(8))]),
    Schema([
      ColumnDefinition(name: "V", type: .double), ColumnDefinition(name: "K", type: .varchar(8)),
    ]),
  ]

  /// A row that comes.
  struct Row {
    let time: Int64
    let input: Int
    let number: Int
  }

  /// A sorter with the texts of its rows.
  final class Subject {
    var sorter = EventTimeSorter(
      schemas: EventTimeSorterTests.schemas, lateness: 500, rowLimit: 100_000)
    var pool = StringPool()
    /// What has come out: time, input and number.
    var sorted: [String] = []

    func take(_ row: Row) {
      var batch = Batch(schema: EventTimeSorterTests.schemas[row.input])
      batch.rowtimes.append(row.time)
      batch.causes.append(0)
      if row.input == 1 { batch.columns[0].append(Double(row.number)) }
      batch.columns[row.input].append(pool.intern("n\(row.number)"))
      sorter.insert(
        batch, row: 0, time: row.time, input: row.input,
        origin: EventTimeSorter.Origin(
          partition: row.input, offset: Int64(row.number), index: 0, batch: 0))
      sorter.advance()
      while let next = sorter.next {
        var out = Batch(schema: EventTimeSorterTests.schemas[next.input])
        sorter.moveNext(to: &out)
        sorted.append(
          "\(out.rowtimes[0]) \(next.input) \(pool.string(out.columns[next.input].texts[0]))")
      }
    }

    func compactPool() {
      var old = StringPool()
      swap(&old, &pool)
      var remap = StringRemapper(from: old)
      sorter.remapStrings(&remap)
      pool = remap.finish()
    }

    func head() -> StateWriter {
      var writer = StateWriter()
      writer.section("rows") { sorter.saveHead(into: &$0) }
      return writer
    }

    func whole() -> [String: [UInt8]] {
      var writer = head()
      sorter.saveRows(of: "rows", into: &writer, pool)
      return EventTimeSorterTests.state(writer.slices)
    }

    func restore(_ slices: [StateWriter.Slice]) throws {
      let reader = StateReader(slices)
      var head = try reader.section("rows")
      try sorter.restore(of: "rows", from: reader, &head, &pool)
      try head.finish()
    }
  }

  static func state(_ slices: [StateWriter.Slice]) -> [String: [UInt8]] {
    Dictionary(uniqueKeysWithValues: slices.map { ("\($0.section)#\($0.number)", $0.bytes) })
  }

  /// Rows late by up to the bound, many of equal time, from the time `now` on, which goes on.
  static func rows(_ count: Int, from now: inout Int64, _ random: inout SplitMix64) -> [Row] {
    var rows: [Row] = []
    for number in 0..<count {
      if Int.random(in: 0..<20, using: &random) == 0 { now += 1 }
      rows.append(
        Row(
          time: now - Int64.random(in: 0...500, using: &random),
          input: Int.random(in: 0...1, using: &random), number: number))
    }
    return rows
  }

  /// What was copied in slices, while rows came and went, is what there was at its beginning, and a sorter that
  /// has it goes on as the other does.
  @Test(arguments: 1...6 as ClosedRange<UInt64>) func aCopyIsWhatWasThereAtItsBeginning(
    seed: UInt64
  ) throws {
    var random = SplitMix64(seed: seed)
    let one = Subject()
    var now: Int64 = 0
    for snapshot in 0..<3 {
      let count = Int.random(in: 0...12_000, using: &random)
      for row in Self.rows(count, from: &now, &random) { one.take(row) }
      if snapshot == 1 {
        // One that is given up leaves no trace.
        one.sorter.beginSave()
        for row in Self.rows(900, from: &now, &random) { one.take(row) }
        one.sorter.forgetSaved()
      }
      one.sorted = []
      let expected = one.whole()
      var writer = one.head()
      one.sorter.beginSave()
      var isUnfinished = true
      let later = Self.rows(3_000, from: &now, &random)
      for row in later {
        if isUnfinished, Int.random(in: 0..<200, using: &random) == 0 {
          isUnfinished = one.sorter.copyOne(of: "rows", into: &writer, one.pool)
        }
        if Int.random(in: 0..<500, using: &random) == 0 { one.compactPool() }
        one.take(row)
      }
      while isUnfinished {
        isUnfinished = one.sorter.copyOne(of: "rows", into: &writer, one.pool)
      }
      #expect(Self.state(writer.slices) == expected)
      let other = Subject()
      try other.restore(writer.slices.shuffled(using: &random))
      #expect(other.whole() == expected)
      for row in later { other.take(row) }
      #expect(other.sorted == one.sorted)
    }
  }

  /// A state of before the rows had slices: places, then the rows of each input.
  @Test func aStateInOnePieceIsRead() throws {
    var pool = StringPool()
    var texts = Batch(schema: Self.schemas[0])
    for (time, text) in [(10, "a"), (30, "c")] as [(Int64, String)] {
      texts.rowtimes.append(time)
      texts.causes.append(0)
      texts.columns[0].append(pool.intern(text))
    }
    var numbers = Batch(schema: Self.schemas[1])
    numbers.rowtimes.append(20)
    numbers.causes.append(0)
    numbers.columns[0].append(2.0)
    numbers.columns[1].append(pool.intern("b"))
    var writer = StateWriter()
    writer.section("rows") { section in
      section.write([5, 40, 3] as [Int64])
      section.write([10, 0, 0, 0, 7, 20, 1, 1, 1, 8, 30, 2, 0, 0, 9] as [Int64])
      section.write(texts, in: pool)
      section.write(numbers, in: pool)
    }
    let subject = Subject()
    try subject.restore(writer.slices)
    subject.take(Row(time: 600, input: 0, number: 4))
    #expect(subject.sorted == ["10 0 a", "20 1 b", "30 0 c"])
  }

  @Test func rowsThatAreMissingAreFound() throws {
    let subject = Subject()
    var random = SplitMix64(seed: 1)
    var now: Int64 = 0
    for row in Self.rows(9_000, from: &now, &random) { subject.take(row) }
    var writer = subject.head()
    subject.sorter.saveRows(of: "rows", into: &writer, subject.pool)
    let other = Subject()
    #expect(throws: StateError.self) { try other.restore(Array(writer.slices.dropLast())) }
  }
}
