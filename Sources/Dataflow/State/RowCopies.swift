import Columns

/// The rows of a window or a join in the order of a snapshot, as they were at its beginning.
struct RowOrder {
  /// Slots that are left, where all rows are in the order of arrival.
  private var queue: ArraySlice<Int32>
  // Chains of slots that are left, group by group.
  private let heads: [Int32]
  private let counts: [Int32]
  private var group = 0
  private var slot: Int32 = -1
  private var rest: Int32 = 0
  /// How many rows are left.
  private(set) var count: Int

  /// Rows in the order of arrival.
  init(queue: ArraySlice<Int32>) {
    self.queue = queue
    heads = []
    counts = []
    count = queue.count
  }

  /// Rows group by group: each has the first slot of its chain and a length.
  init(heads: [Int32], counts: [Int32], count: Int) {
    queue = []
    self.heads = heads
    self.counts = counts
    self.count = count
  }

  /// The slots of the next `limit` rows, fewer at the end; `links` leads from a slot of a chain to the next.
  mutating func take(_ limit: Int, _ links: [Int32]) -> [Int32] {
    let size = min(limit, count)
    count -= size
    guard heads.isEmpty else { return chained(size, links) }
    defer { queue.removeFirst(size) }
    return Array(queue.prefix(size))
  }

  private mutating func chained(_ size: Int, _ links: [Int32]) -> [Int32] {
    var slots: [Int32] = []
    slots.reserveCapacity(size)
    while slots.count < size {
      while rest == 0 {
        (slot, rest) = (heads[group], counts[group])
        group += 1
      }
      slots.append(slot)
      slot = links[Int(slot)]
      rest -= 1
    }
    return slots
  }
}

/// What a snapshot in the making still lacks of the rows of a window or a join, block by block.
///
/// A row stays as it is as long as it has its slot, so that nothing needs to be copied before its turn: the
/// slots that rows leave meanwhile are withheld until all rows were written.
struct RowCopies {
  /// How many rows a block has.
  static let size = 4_096

  private var order = RowOrder(queue: [])
  private var block = 0
  private var withheld: [Int32] = []

  /// Whether rows must still be written.
  var isCopying: Bool { order.count > 0 }

  /// How many blocks so many rows make.
  static func count(_ rows: Int) -> Int { (rows + size - 1) / size }

  /// Begins a snapshot of rows.
  mutating func begin(_ order: RowOrder) {
    self.order = order
    block = 0
  }

  /// Lets slots be given out again: at once, or when the snapshot has all rows.
  mutating func release(_ freed: inout [Int32], into free: inout [Int32]) {
    if isCopying {
      withheld.append(contentsOf: freed)
    } else {
      free.append(contentsOf: withheld)
      withheld.removeAll()
      free.append(contentsOf: freed)
    }
    freed.removeAll(keepingCapacity: true)
  }

  /// Writes one more block as a slice of its own; returns whether any are left.
  mutating func copyOne(
    section: String, _ links: [Int32], into writer: inout StateWriter,
    _ write: (_ slots: [Int32], inout SectionWriter) -> Void
  ) -> Bool {
    guard isCopying else { return false }
    let slots = order.take(Self.size, links)
    writer.section(section, slice: block) { write(slots, &$0) }
    block += 1
    return isCopying
  }

  /// Forgets a snapshot that was not finished.
  mutating func forget() { order = RowOrder(queue: []) }
}
