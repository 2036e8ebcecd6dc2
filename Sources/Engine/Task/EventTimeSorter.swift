package import Columns

/// Puts the rows of a task into the order of a declared column, as far as they are late by no more than
/// a bound.
///
/// The watermark is the greatest time seen less the bound. A row at or behind it is held until the
/// watermark has reached it; rows come out by time, and by arrival where times are equal. Everything is
/// decided row by row, so that it does not matter where batches are cut.
package struct EventTimeSorter {
  /// Where a row came from.
  package struct Origin: Hashable {
    let partition: Int
    let offset: Int64
    /// The place of the record in its buffer, and in which of the task's batches that holds.
    let index: Int
    let batch: Int64

    package init(partition: Int, offset: Int64, index: Int, batch: Int64) {
      self.partition = partition
      self.offset = offset
      self.index = index
      self.batch = batch
    }
  }

  private struct Entry {
    let time: Int64
    let arrival: Int64
    let input: Int32
    let slot: Int32

    init(_ time: Int64, _ arrival: Int64, input: Int, slot: Int) {
      self.time = time
      self.arrival = arrival
      self.input = Int32(truncatingIfNeeded: input)
      self.slot = Int32(truncatingIfNeeded: slot)
    }

    func isBefore(_ other: Entry) -> Bool { (time, arrival) < (other.time, other.arrival) }
  }

  private let lateness: Int64
  private let rowLimit: Int
  /// By time and arrival: a binary heap.
  private var entries: [Entry] = []
  /// Per input the rows that are held.
  private var held: [WaitingRows]
  private var arrivals: Int64 = 0
  private var greatest = Int64.min
  /// No row before this time will come out any more.
  private(set) var watermark = Int64.min

  /// Creates a sorter without rows for inputs with these schemas.
  package init(schemas: [Schema], lateness: Int64, rowLimit: Int) {
    self.lateness = lateness
    self.rowLimit = rowLimit
    held = schemas.map { WaitingRows(schema: $0) }
  }

  /// The time of the earliest row that is held.
  var earliest: Int64? { entries.first?.time }

  /// Whether no further row can be held.
  var isFull: Bool { entries.count >= rowLimit }

  /// Holds a row.
  ///
  /// - Precondition: its time is not before the watermark.
  package mutating func insert(_ batch: Batch, row: Int, time: Int64, input: Int, origin: Origin) {
    let slot = held[input].insert(
      batch, row: row, time: time, arrival: arrivals, origin: origin)
    entries.append(Entry(time, arrivals, input: input, slot: slot))
    arrivals += 1
    greatest = max(greatest, time)
    rise(entries.count - 1)
  }

  /// Lets the watermark follow the rows that were inserted; call it behind each record.
  package mutating func advance() {
    guard greatest > .min + lateness else { return }
    watermark = max(watermark, greatest - lateness)
  }

  /// Lets the watermark follow a time of which no row is held.
  mutating func see(_ time: Int64) {
    greatest = max(greatest, time)
    advance()
  }

  /// Lets the watermark reach `time` without rows.
  mutating func advance(to time: Int64) { watermark = max(watermark, time) }

  /// The input and the record of the next row that the watermark has reached, and its time.
  package var next: (input: Int, time: Int64, origin: Origin)? {
    guard let first = entries.first, first.time <= watermark else { return nil }
    let input = Int(first.input)
    return (input, first.time, held[input].origins[Int(first.slot)])
  }

  /// Moves the next row behind the rows of `batch`; the caller adds its cause.
  package mutating func moveNext(to batch: inout Batch) {
    guard let first = entries.first, let last = entries.popLast() else { return }
    if !entries.isEmpty {
      entries[0] = last
      sink(0)
    }
    batch.rowtimes.append(first.time)
    held[Int(first.input)].move(Int(first.slot), to: &batch)
  }

  /// Takes the new ids of all strings that are held.
  package mutating func remapStrings(_ remap: inout StringRemapper) {
    for input in held.indices { held[input].remapStrings(&remap) }
  }

  private mutating func rise(_ start: Int) {
    var child = start
    while child > 0 {
      let parent = (child - 1) / 2
      guard entries[child].isBefore(entries[parent]) else { return }
      entries.swapAt(child, parent)
      child = parent
    }
  }

  private mutating func sink(_ start: Int) {
    var parent = start
    while true {
      var child = 2 * parent + 1
      guard child < entries.count else { return }
      if child + 1 < entries.count, entries[child + 1].isBefore(entries[child]) { child += 1 }
      guard entries[child].isBefore(entries[parent]) else { return }
      entries.swapAt(child, parent)
      parent = child
    }
  }

  // MARK: State

  // The head of the section says how many rows there are of each input; each has a section for them, in slices.

  private static func section(_ input: Int, of section: String) -> String { "\(section)/\(input)" }

  /// Writes where time stands, and how many rows are held.
  package func saveHead(into writer: inout SectionWriter) {
    writer.write([watermark, greatest, arrivals, Int64(entries.count)])
  }

  /// Writes the rows that are held.
  package func saveRows(
    of section: String, into writer: inout StateWriter, _ pool: borrowing StringPool
  ) {
    for input in held.indices {
      held[input].save(section: Self.section(input, of: section), into: &writer, pool)
    }
  }

  /// Begins a snapshot of the rows as they are now.
  package mutating func beginSave() {
    for input in held.indices { held[input].beginSave() }
  }

  /// Writes one more slice of rows; returns whether any are left.
  package mutating func copyOne(
    of section: String, into writer: inout StateWriter, _ pool: borrowing StringPool
  ) -> Bool {
    held.indices.contains { input in
      held[input].copyOne(section: Self.section(input, of: section), into: &writer, pool)
    }
  }

  /// Forgets a snapshot that was not finished.
  package mutating func forgetSaved() {
    for input in held.indices { held[input].forgetSaved() }
  }

  /// Takes over what was held; the records themselves are not at hand any more.
  ///
  /// `head` is the section's, behind what its owner wrote there.
  package mutating func restore(
    of section: String, from reader: StateReader, _ head: inout SectionReader,
    _ pool: inout StringPool
  ) throws(StateError) {
    let numbers = try head.integers()
    guard (3...4).contains(numbers.count) else {
      throw head.failure("the rows that are held are damaged")
    }
    (watermark, greatest, arrivals) = (numbers[0], numbers[1], numbers[2])
    for input in held.indices { held[input].clear() }
    if numbers.count == 3 {
      try restoreOnePiece(from: &head, &pool)
    } else {
      for input in held.indices {
        let name = Self.section(input, of: section)
        for block in 0..<reader.sliceCount(name) {
          var slice = try reader.section(name, slice: block)
          try held[input].restore(from: &slice, &pool)
          try slice.finish()
        }
      }
    }
    entries = []
    for input in held.indices {
      let rows = held[input].rows
      for slot in 0..<rows.count {
        entries.append(Entry(rows.rowtimes[slot], rows.causes[slot], input: input, slot: slot))
      }
    }
    guard numbers.count == 3 || numbers[3] == Int64(entries.count) else {
      throw head.failure("\(numbers[3]) rows are announced")
    }
    for parent in (0..<entries.count / 2).reversed() { sink(parent) }
  }

  /// Reads rows out of one slice, as they were saved before they had slices of their own.
  private mutating func restoreOnePiece(
    from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) {
    let places = try reader.integers()
    guard places.count.isMultiple(of: 5) else {
      throw reader.failure("the rows that are held are damaged")
    }
    var saved: [Batch] = []
    for rows in held { saved.append(try reader.batch(schema: rows.rows.schema, into: &pool)) }
    var taken = held.map { _ in 0 }
    for place in stride(from: 0, to: places.count, by: 5) {
      let input = Int(places[place + 2])
      guard held.indices.contains(input), taken[input] < saved[input].count else {
        throw reader.failure("there are fewer rows than places")
      }
      held[input].add(
        saved[input], taken[input], places[place + 1], Int(places[place + 3]), places[place + 4])
      taken[input] += 1
    }
  }
}
