import Columns

/// Decoded rows before they enter a batch: row after row of 8-byte slots, each row with a bit per slot
/// that is set while the slot is NULL.
///
/// A value is written by two stores, without the growth and uniqueness checks that appending to nine
/// arrays costs; whole columns are copied out once per batch. Invariant of all pointer arithmetic here:
/// `row < count <= capacity` and `slot < width`, the first checked by `append` and `truncate`, the
/// second by the mapping, whose slots are the data columns' positions.
struct StagedRows: ~Copyable {
  /// Slots of a row.
  let width: Int
  /// How many rows there are.
  private(set) var count = 0
  private let nullWords: Int
  private var capacity: Int
  private var slots: UnsafeMutablePointer<UInt64>
  private var nulls: UnsafeMutablePointer<UInt64>
  /// One column on its way out, as long as `capacity`.
  private var values: UnsafeMutablePointer<UInt64>

  init(width: Int) {
    self.width = width
    nullWords = max(1, (width + 63) / 64)
    capacity = Batch.rowLimit
    slots = .allocate(capacity: max(1, capacity * width))
    nulls = .allocate(capacity: capacity * nullWords)
    values = .allocate(capacity: capacity)
  }

  deinit {
    slots.deallocate()
    nulls.deallocate()
    values.deallocate()
  }

  /// Adds a row of NULLs and returns its number.
  @inline(__always)
  mutating func append() -> Int {
    if count == capacity { grow() }
    let row = count
    count &+= 1
    for word in 0..<nullWords { nulls[row &* nullWords &+ word] = .max }
    return row
  }

  /// Forgets the rows from `row` on.
  mutating func truncate(to row: Int) {
    precondition(row >= 0 && row <= count)
    count = row
  }

  @inline(__always)
  mutating func set(_ bits: UInt64, row: Int, slot: Int) {
    assert(row < count && slot < width)
    slots[row &* width &+ slot] = bits
    nulls[row &* nullWords &+ slot >> 6] &= ~(1 << UInt64(truncatingIfNeeded: slot & 63))
  }

  mutating func setNull(row: Int, slot: Int) {
    precondition(row < count && slot < width)
    nulls[row * nullWords + slot >> 6] |= 1 << UInt64(slot & 63)
  }

  func isNull(row: Int, slot: Int) -> Bool {
    precondition(row < count && slot < width)
    return nulls[row * nullWords + slot >> 6] >> UInt64(slot & 63) & 1 == 1
  }

  /// Gives `row` the value or NULL that `source` has in `slot`.
  mutating func copy(slot: Int, from source: Int, to row: Int) {
    if isNull(row: source, slot: slot) {
      setNull(row: row, slot: slot)
    } else {
      set(slots[source * width + slot], row: row, slot: slot)
    }
  }

  /// Makes `rows` rows of NULLs out of whatever was there.
  mutating func reset(count rows: Int) {
    count = 0
    while capacity < rows { grow() }
    count = rows
    nulls.update(repeating: .max, count: rows * nullWords)
  }

  /// Sets `slot` of every row to the column's value.
  mutating func load(slot: Int, from column: borrowing Column) {
    precondition(column.count == count && slot < width)
    let hasNulls = column.nulls.hasSetBits
    for row in 0..<count where !hasNulls || !column.nulls[row] {
      let bits =
        switch column.type.storage {
        case .integer: UInt64(bitPattern: column.integers[row])
        case .floating: column.doubles[row].bitPattern
        case .text: UInt64(column.texts[row].raw)
        }
      set(bits, row: row, slot: slot)
    }
  }

  /// The value in `slot`, which must not be NULL.
  @inline(__always)
  func bits(row: Int, slot: Int) -> UInt64 {
    precondition(row < count && slot < width)
    return slots[row &* width &+ slot]
  }

  private mutating func grow() {
    let larger = capacity * 2
    let moreSlots = UnsafeMutablePointer<UInt64>.allocate(capacity: max(1, larger * width))
    let moreNulls = UnsafeMutablePointer<UInt64>.allocate(capacity: larger * nullWords)
    moreSlots.moveInitialize(from: slots, count: count * width)
    moreNulls.moveInitialize(from: nulls, count: count * nullWords)
    slots.deallocate()
    nulls.deallocate()
    values.deallocate()
    values = .allocate(capacity: larger)
    (slots, nulls, capacity) = (moreSlots, moreNulls, larger)
  }

  /// Adds the values of `slot` to `column`.
  mutating func copy(slot: Int, to column: inout Column) {
    guard count > 0 else { return }
    precondition(slot < width)
    let hasNulls = appendNulls(of: slot, to: &column.nulls)
    for row in 0..<count { values[row] = slots[row &* width &+ slot] }
    if hasNulls {
      for row in 0..<count where isNull(row: row, slot: slot) { values[row] = 0 }
    }
    // Slots hold the bits of the column's own type, of equal size and alignment, or a string's number.
    let all = UnsafeMutableBufferPointer(start: values, count: count)
    switch column.type.storage {
    case .integer:
      all.withMemoryRebound(to: Int64.self) { column.integers.append(contentsOf: $0) }
    case .floating:
      all.withMemoryRebound(to: Double.self) { column.doubles.append(contentsOf: $0) }
    case .text:
      column.texts.reserveCapacity(column.texts.count + count)
      for value in all { column.texts.append(StringID(raw: UInt32(truncatingIfNeeded: value))) }
    }
  }

  private func appendNulls(of slot: Int, to map: inout Bitmap) -> Bool {
    let word = slot >> 6
    let bit = UInt64(slot & 63)
    var any: UInt64 = 0
    for row in 0..<count { any |= nulls[row &* nullWords &+ word] }
    guard any >> bit & 1 == 1 else {
      map.appendClear(count)
      return false
    }
    for row in 0..<count { map.append(nulls[row &* nullWords &+ word] >> bit & 1 == 1) }
    return true
  }
}
