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
    let input: Int
    let slot: Int
    let origin: Origin

    func isBefore(_ other: Entry) -> Bool { (time, arrival) < (other.time, other.arrival) }
  }

  private let lateness: Int64
  private let rowLimit: Int
  /// By time and arrival: a binary heap.
  private var entries: [Entry] = []
  /// Per input the rows that are held, in any order; `free` names the places without one.
  private var held: [Batch]
  private var free: [[Int]]
  private var arrivals: Int64 = 0
  private var greatest = Int64.min
  /// No row before this time will come out any more.
  private(set) var watermark = Int64.min

  /// Creates a sorter without rows for inputs with these schemas.
  package init(schemas: [Schema], lateness: Int64, rowLimit: Int) {
    self.lateness = lateness
    self.rowLimit = rowLimit
    held = schemas.map { Batch(schema: $0) }
    free = schemas.map { _ in [] }
  }

  /// The time of the earliest row that is held.
  var earliest: Int64? { entries.first?.time }

  /// Whether no further row can be held.
  var isFull: Bool { entries.count >= rowLimit }

  /// Holds a row.
  ///
  /// - Precondition: its time is not before the watermark.
  package mutating func insert(_ batch: Batch, row: Int, time: Int64, input: Int, origin: Origin) {
    let slot = store(batch, row, input)
    entries.append(
      Entry(time: time, arrival: arrivals, input: input, slot: slot, origin: origin))
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
    return (first.input, first.time, first.origin)
  }

  /// Moves the next row behind the rows of `batch`; the caller adds its cause.
  package mutating func moveNext(to batch: inout Batch) {
    guard let first = entries.first, let last = entries.popLast() else { return }
    if !entries.isEmpty {
      entries[0] = last
      sink()
    }
    batch.rowtimes.append(first.time)
    for index in batch.columns.indices {
      batch.columns[index].append(from: held[first.input].columns[index], row: first.slot)
      // So that texts which nobody needs are forgotten.
      if case .text = batch.columns[index].type.storage {
        held[first.input].columns[index].texts[first.slot] = .empty
      }
    }
    free[first.input].append(first.slot)
  }

  /// Takes the new ids of all strings that are held.
  package mutating func remapStrings(_ remap: inout StringRemapper) {
    for input in held.indices {
      for index in held[input].columns.indices {
        held[input].columns[index].remapStrings(&remap)
      }
    }
  }

  private mutating func store(_ batch: Batch, _ row: Int, _ input: Int) -> Int {
    guard let slot = free[input].popLast() else {
      for index in held[input].columns.indices {
        held[input].columns[index].append(from: batch.columns[index], row: row)
      }
      held[input].rowtimes.append(0)
      held[input].causes.append(0)
      return held[input].count - 1
    }
    for index in held[input].columns.indices {
      let column = batch.columns[index]
      held[input].columns[index].nulls[slot] = column.nulls[row]
      switch column.type.storage {
      case .integer: held[input].columns[index].integers[slot] = column.integers[row]
      case .floating: held[input].columns[index].doubles[slot] = column.doubles[row]
      case .text: held[input].columns[index].texts[slot] = column.texts[row]
      }
    }
    return slot
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

  private mutating func sink() {
    var parent = 0
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

  /// Writes what is held, in its order.
  func save(into writer: inout SectionWriter, _ pool: borrowing StringPool) {
    writer.write([watermark, greatest, arrivals])
    var rows = held.map { Batch(schema: $0.schema) }
    var places: [Int64] = []
    for entry in entries.sorted(by: { $0.isBefore($1) }) {
      places += [
        entry.time, entry.arrival, Int64(entry.input), Int64(entry.origin.partition),
        entry.origin.offset,
      ]
      for index in rows[entry.input].columns.indices {
        rows[entry.input].columns[index].append(
          from: held[entry.input].columns[index], row: entry.slot)
      }
      rows[entry.input].rowtimes.append(entry.time)
      rows[entry.input].causes.append(0)
    }
    writer.write(places)
    for batch in rows { writer.write(batch, in: pool) }
  }

  /// Takes over what was held; the records themselves are not at hand any more.
  mutating func restore(
    from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) {
    let numbers = try reader.integers()
    let places = try reader.integers()
    guard numbers.count == 3, places.count.isMultiple(of: 5) else {
      throw reader.failure("the rows that are held are damaged")
    }
    (watermark, greatest, arrivals) = (numbers[0], numbers[1], numbers[2])
    for input in held.indices {
      held[input] = try reader.batch(schema: held[input].schema, into: &pool)
      free[input] = []
    }
    var taken = held.map { _ in 0 }
    entries = []
    for place in stride(from: 0, to: places.count, by: 5) {
      let input = Int(places[place + 2])
      guard held.indices.contains(input), taken[input] < held[input].count else {
        throw reader.failure("there are fewer rows than places")
      }
      entries.append(
        Entry(
          time: places[place], arrival: places[place + 1], input: input, slot: taken[input],
          origin: Origin(
            partition: Int(places[place + 3]), offset: places[place + 4], index: -1, batch: -1)))
      taken[input] += 1
    }
  }
}
