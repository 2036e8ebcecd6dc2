import Columns

/// Composite keys of rows with a small number for each; NULLs are equal to each other.
///
/// A key is one word per column and, if there are columns at all, a word of null bits. Numbers of removed
/// keys are given out again, the last removed first.
struct KeyTable {
  private let storages: [ColumnType.Storage]
  /// The words of a key.
  let width: Int
  private var words: [UInt64] = []
  private var hashes: [UInt32] = []
  private var slots: [Int32]
  private var mask: Int
  private var free: [Int32] = []
  /// How many keys there are.
  private(set) var count = 0

  /// Creates an empty table for keys of columns with these storages.
  init(_ storages: [ColumnType.Storage]) {
    self.storages = storages
    width = storages.count + 1
    slots = [Int32](repeating: -1, count: 16)
    mask = 15
  }

  /// An empty table for the same keys.
  var emptied: KeyTable { KeyTable(storages) }

  /// One more than the largest number given out so far.
  var capacity: Int { hashes.count }

  /// The keys of all rows, `width` words each.
  func keys(of columns: [Column], count: Int) -> [UInt64] {
    var keys = [UInt64](repeating: 0, count: count * width)
    for (index, column) in columns.enumerated() {
      switch column.type.storage {
      case .integer:
        for row in 0..<count {
          keys[row * width + index] = UInt64(bitPattern: column.integers[row])
        }
      case .floating:
        for row in 0..<count {
          let value = column.doubles[row]
          keys[row * width + index] = value == 0 ? 0 : value.bitPattern
        }
      case .text: for row in 0..<count { keys[row * width + index] = UInt64(column.texts[row].raw) }
      }
      guard column.nulls.hasSetBits else { continue }
      for row in 0..<count where column.nulls[row] {
        keys[row * width + index] = 0
        keys[row * width + width - 1] |= 1 << UInt64(index)
      }
    }
    return keys
  }

  @inline(__always)
  private func hash(_ keys: [UInt64], _ start: Int) -> UInt32 {
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    for offset in 0..<width {
      state = (state ^ keys[start + offset]) &* 0xBF58_476D_1CE4_E5B9
      state ^= state >> 31
    }
    return UInt32(truncatingIfNeeded: state ^ (state >> 29))
  }

  @inline(__always)
  private func equals(_ number: Int, _ keys: [UInt64], _ start: Int) -> Bool {
    let stored = number * width
    for offset in 0..<width where words[stored + offset] != keys[start + offset] { return false }
    return true
  }

  /// The number of the key of `row` in `keys`, or nil.
  func find(_ keys: [UInt64], row: Int) -> Int? {
    let start = row * width
    let hash = hash(keys, start)
    var slot = Int(hash) & mask
    while slots[slot] >= 0 {
      let number = Int(slots[slot])
      if hashes[number] == hash, equals(number, keys, start) { return number }
      slot = (slot + 1) & mask
    }
    return nil
  }

  /// The number of the key of `row` in `keys`, and whether it is new.
  mutating func insert(_ keys: [UInt64], row: Int) -> (number: Int, isNew: Bool) {
    let start = row * width
    let hash = hash(keys, start)
    var slot = Int(hash) & mask
    while slots[slot] >= 0 {
      let number = Int(slots[slot])
      if hashes[number] == hash, equals(number, keys, start) { return (number, false) }
      slot = (slot + 1) & mask
    }
    let number: Int
    if let reused = free.popLast() {
      number = Int(reused)
      hashes[number] = hash
      for offset in 0..<width { words[number * width + offset] = keys[start + offset] }
    } else {
      number = hashes.count
      hashes.append(hash)
      for offset in 0..<width { words.append(keys[start + offset]) }
    }
    slots[slot] = Int32(truncatingIfNeeded: number)
    count += 1
    if count * 2 > slots.count { rebuild(size: slots.count * 2) }
    return (number, true)
  }

  /// Appends the numbers of the keys of rows to `numbers`; keys that are new are added.
  mutating func insert(_ keys: [UInt64], rows: Range<Int>, into numbers: inout [Int32]) {
    numbers.reserveCapacity(numbers.count + rows.count)
    for row in rows {
      numbers.append(Int32(truncatingIfNeeded: insert(keys, row: row).number))
    }
  }

  /// The number that the next new key will have.
  var nextNumber: Int { free.last.map(Int.init) ?? hashes.count }

  /// The numbers that the next `count` new keys may have, of those above `capacity` only the first.
  func nextNumbers(_ count: Int) -> [Int32] {
    free.suffix(count) + [Int32(truncatingIfNeeded: hashes.count)]
  }

  /// Forgets a key.
  mutating func remove(_ number: Int) {
    words[number * width + width - 1] = Self.unused
    var slot = Int(hashes[number]) & mask
    while slots[slot] != number { slot = (slot + 1) & mask }
    // Backward shift: what was pushed past the hole moves up.
    var hole = slot
    var next = (slot + 1) & mask
    while slots[next] >= 0 {
      let home = Int(hashes[Int(slots[next])]) & mask
      if (next &- home) & mask >= (next &- hole) & mask {
        slots[hole] = slots[next]
        hole = next
      }
      next = (next + 1) & mask
    }
    slots[hole] = -1
    free.append(Int32(truncatingIfNeeded: number))
    count -= 1
  }

  /// Forgets all keys and keeps some memory.
  mutating func removeAll() {
    words.removeAll(keepingCapacity: true)
    hashes.removeAll(keepingCapacity: true)
    free.removeAll(keepingCapacity: true)
    count = 0
    for slot in slots.indices { slots[slot] = -1 }
  }

  private mutating func rebuild(size: Int) {
    var live = [Bool](repeating: false, count: hashes.count)
    for slot in slots where slot >= 0 { live[Int(slot)] = true }
    slots = [Int32](repeating: -1, count: size)
    mask = size - 1
    for number in hashes.indices where live[number] {
      var slot = Int(hashes[number]) & mask
      while slots[slot] >= 0 { slot = (slot + 1) & mask }
      slots[slot] = Int32(truncatingIfNeeded: number)
    }
  }

  /// Appends the value of one of a key's columns to a column with the same storage.
  func append(number: Int, index: Int, to column: inout Column) {
    if words[number * width + width - 1] & (1 << UInt64(index)) != 0 {
      column.appendNull()
      return
    }
    let word = words[number * width + index]
    switch storages[index] {
    case .integer: column.append(Int64(bitPattern: word))
    case .floating: column.append(Double(bitPattern: word))
    case .text: column.append(StringID(raw: UInt32(truncatingIfNeeded: word)))
    }
  }

  /// Whether one of a key's columns is NULL.
  func hasNull(_ keys: [UInt64], row: Int) -> Bool { keys[row * width + width - 1] != 0 }

  /// Stands in place of the null bits of a number that no key has.
  private static let unused = UInt64.max

  /// Whether a number below `capacity` has a key.
  func isUsed(_ number: Int) -> Bool { words[number * width + width - 1] != Self.unused }

  /// The numbers in use, ascending.
  var numbers: [Int] { hashes.indices.filter(isUsed) }

  // MARK: State

  func save(into writer: inout SectionWriter, _ pool: borrowing StringPool) {
    saveNumbers(into: &writer)
    for number in numbers { save(number, into: &writer, pool) }
  }

  /// Writes which numbers are in use.
  func saveNumbers(into writer: inout SectionWriter) {
    writer.write(Int64(hashes.count))
    writer.write(free.map(Int64.init))
  }

  /// Writes the key of a number in use.
  func save(_ number: Int, into writer: inout SectionWriter, _ pool: borrowing StringPool) {
    writer.write(words[number * width + width - 1])
    for index in storages.indices {
      let word = words[number * width + index]
      if storages[index] == .text {
        writer.write(StringID(raw: UInt32(truncatingIfNeeded: word)), in: pool)
      } else {
        writer.write(word)
      }
    }
  }

  mutating func restore(
    from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) {
    try restoreNumbers(from: &reader)
    for number in numbers { try restore(number, from: &reader, &pool) }
    endRestoring()
  }

  /// Reads which numbers are in use; `restore` for each of them and `endRestoring` must follow.
  mutating func restoreNumbers(from reader: inout SectionReader) throws(StateError) {
    let total = try reader.integer(Int64.self)
    guard total >= 0, total <= Int64(Int32.max) else { throw reader.failure("bad key count") }
    free = try reader.integers().map { Int32(truncatingIfNeeded: $0) }
    guard Set(free).count == free.count, free.allSatisfy({ $0 >= 0 && $0 < total }) else {
      throw reader.failure("bad list of free keys")
    }
    words = [UInt64](repeating: 0, count: Int(total) * width)
    for number in free { words[Int(number) * width + width - 1] = Self.unused }
    hashes = [UInt32](repeating: 0, count: Int(total))
    count = Int(total) - free.count
  }

  /// Reads the key of a number in use.
  mutating func restore(
    _ number: Int, from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) {
    words[number * width + width - 1] = try reader.integer(UInt64.self)
    for index in storages.indices {
      words[number * width + index] =
        storages[index] == .text
        ? UInt64(try reader.stringID(into: &pool).raw) : try reader.integer(UInt64.self)
    }
    hashes[number] = hash(words, number * width)
  }

  /// Lets the keys that were read be found.
  mutating func endRestoring() { place() }

  /// Takes the new ids of all texts.
  mutating func remapStrings(_ remap: inout StringRemapper) {
    guard storages.contains(.text) else { return }
    for number in numbers {
      for index in storages.indices where storages[index] == .text {
        let id = StringID(raw: UInt32(truncatingIfNeeded: words[number * width + index]))
        words[number * width + index] = UInt64(remap(id).raw)
      }
      hashes[number] = hash(words, number * width)
    }
    place()
  }

  private mutating func place() {
    var size = 16
    while size < count * 2 + 2 { size *= 2 }
    slots = [Int32](repeating: -1, count: size)
    mask = size - 1
    for number in numbers {
      var slot = Int(hashes[number]) & mask
      while slots[slot] >= 0 { slot = (slot + 1) & mask }
      slots[slot] = Int32(truncatingIfNeeded: number)
    }
  }
}
