import Columns

/// The rows of one input that wait for their event time, each in a slot of its own.
///
/// A row stays in its slot until its turn comes, so that a snapshot needs no copy of it before its own turn:
/// slots that rows leave meanwhile are withheld until the snapshot has all rows.
struct WaitingRows {
  /// How many rows a slice has.
  private static let blockSize = 4_096

  /// By slot; ROWTIME is the event time, the cause the number of the arrival.
  private(set) var rows: Batch
  private(set) var origins: [EventTimeSorter.Origin] = []
  private var isHeld: [Bool] = []
  private var free: [Int] = []
  private var withheld: [Int] = []
  /// Which slots had a row when the snapshot in the making was begun; empty when there is none.
  private var wasHeld: [Bool] = []
  /// All slots before this one were copied.
  private var next = 0
  private var block = 0

  init(schema: Schema) { rows = Batch(schema: schema) }

  /// Takes a row; returns its slot.
  mutating func insert(
    _ batch: Batch, row: Int, time: Int64, arrival: Int64, origin: EventTimeSorter.Origin
  ) -> Int {
    guard let slot = free.popLast() else {
      for index in rows.columns.indices {
        rows.columns[index].append(from: batch.columns[index], row: row)
      }
      add(time: time, arrival: arrival, origin: origin)
      return isHeld.count - 1
    }
    for index in rows.columns.indices {
      let column = batch.columns[index]
      rows.columns[index].nulls[slot] = column.nulls[row]
      switch column.type.storage {
      case .integer: rows.columns[index].integers[slot] = column.integers[row]
      case .floating: rows.columns[index].doubles[slot] = column.doubles[row]
      case .text: rows.columns[index].texts[slot] = column.texts[row]
      }
    }
    rows.rowtimes[slot] = time
    rows.causes[slot] = arrival
    origins[slot] = origin
    isHeld[slot] = true
    return slot
  }

  private mutating func add(time: Int64, arrival: Int64, origin: EventTimeSorter.Origin) {
    rows.rowtimes.append(time)
    rows.causes.append(arrival)
    origins.append(origin)
    isHeld.append(true)
  }

  /// Moves the row in a slot behind the columns of `batch`.
  mutating func move(_ slot: Int, to batch: inout Batch) {
    for index in batch.columns.indices {
      batch.columns[index].append(from: rows.columns[index], row: slot)
    }
    isHeld[slot] = false
    if wasHeld.isEmpty { release(slot) } else { withheld.append(slot) }
  }

  private mutating func release(_ slot: Int) {
    // So that texts which nobody needs are forgotten.
    for index in rows.columns.indices {
      if case .text = rows.columns[index].type.storage {
        rows.columns[index].texts[slot] = .empty
      }
    }
    free.append(slot)
  }

  mutating func remapStrings(_ remap: inout StringRemapper) {
    for index in rows.columns.indices { rows.columns[index].remapStrings(&remap) }
  }

  // MARK: State

  /// How many rows are held.
  var count: Int { isHeld.count - free.count - withheld.count }

  /// The next rows of a block in the order of their slots.
  private static func slots(from next: inout Int, of held: [Bool]) -> [Int32] {
    var slots: [Int32] = []
    while next < held.count, slots.count < blockSize {
      if held[next] { slots.append(Int32(truncatingIfNeeded: next)) }
      next += 1
    }
    return slots
  }

  private func save(
    _ slots: [Int32], into writer: inout SectionWriter, _ pool: borrowing StringPool
  ) {
    var part = Batch(schema: rows.schema, capacity: slots.count)
    part.append(from: rows, rows: slots)
    writer.write(part, in: pool)
    writer.write(slots.map { Int64(origins[Int($0)].partition) })
    writer.write(slots.map { origins[Int($0)].offset })
  }

  /// Writes all rows in slices of a section.
  func save(section: String, into writer: inout StateWriter, _ pool: borrowing StringPool) {
    var next = 0
    var block = 0
    while next < isHeld.count {
      let slots = Self.slots(from: &next, of: isHeld)
      guard !slots.isEmpty else { break }
      writer.section(section, slice: block) { save(slots, into: &$0, pool) }
      block += 1
    }
  }

  /// Begins a snapshot of the rows as they are now.
  mutating func beginSave() {
    forgetSaved()
    if count > 0 { wasHeld = isHeld }
  }

  /// Writes one more slice; returns whether any are left.
  mutating func copyOne(
    section: String, into writer: inout StateWriter, _ pool: borrowing StringPool
  ) -> Bool {
    guard !wasHeld.isEmpty else { return false }
    let slots = Self.slots(from: &next, of: wasHeld)
    if !slots.isEmpty {
      writer.section(section, slice: block) { save(slots, into: &$0, pool) }
      block += 1
    }
    guard next >= wasHeld.count else { return true }
    forgetSaved()
    return false
  }

  /// Forgets a snapshot that has everything, or was not finished.
  mutating func forgetSaved() {
    (wasHeld, next, block) = ([], 0, 0)
    for slot in withheld { release(slot) }
    withheld = []
  }

  /// Forgets all rows.
  mutating func clear() { self = WaitingRows(schema: rows.schema) }

  /// Reads one more slice behind the rows that are there.
  mutating func restore(
    from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) {
    let part = try reader.batch(schema: rows.schema, into: &pool)
    let partitions = try reader.integers()
    let offsets = try reader.integers()
    guard partitions.count == part.count, offsets.count == part.count else {
      throw reader.failure("the rows that are held are damaged")
    }
    for row in 0..<part.count {
      add(part, row, part.causes[row], Int(partitions[row]), offsets[row])
    }
  }

  /// Adds a row that was saved; its record is not at hand any more.
  mutating func add(
    _ saved: Batch, _ row: Int, _ arrival: Int64, _ partition: Int, _ offset: Int64
  ) {
    for index in rows.columns.indices {
      rows.columns[index].append(from: saved.columns[index], row: row)
    }
    add(
      time: saved.rowtimes[row], arrival: arrival,
      origin: EventTimeSorter.Origin(partition: partition, offset: offset, index: -1, batch: -1))
  }
}
