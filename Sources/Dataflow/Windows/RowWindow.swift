import Columns
import StreamSQL

/// The rows that one OVER window holds: which rows of which partition, not their values.
///
/// A row lives in a slot until it leaves the window; slots freed within a batch are given out again only
/// after it, so that the functions can replay what happened.
struct RowWindow {
  let frame: WindowFrame
  let limits: DataflowLimits
  private var table: KeyTable

  // By slot.
  private(set) var times: [Int64] = []
  private(set) var groups: [Int32] = []
  private(set) var previous: [Int32] = []
  private(set) var next: [Int32] = []
  private var free: [Int32] = []
  private var freed: [Int32] = []
  // By group.
  private var heads: [Int32] = []
  private var tails: [Int32] = []
  private var counts: [Int32] = []
  /// Slots in the order of arrival, for time frames.
  private var queue: [Int32] = []
  private var queueStart = 0
  private(set) var liveCount = 0
  /// The rows that a snapshot in the making lacks.
  private var copies = RowCopies()

  // What happened in this batch, by row.
  /// The slot of each row.
  private(set) var slots: [Int32] = []
  /// The oldest slot of the row's partition that it sees.
  private(set) var oldest: [Int32] = []
  /// How many rows it sees, itself included.
  private(set) var sizes: [Int32] = []
  /// Where the row's part of `evicted` ends; it leaves before the row enters.
  private(set) var evictedEnds: [Int32] = []
  /// Slots that left.
  private(set) var evicted: [Int32] = []

  init(frame: WindowFrame, storages: [ColumnType.Storage], limits: DataflowLimits) {
    self.frame = frame
    self.limits = limits
    table = KeyTable(storages)
  }

  /// One more than the largest slot number.
  var slotCapacity: Int { times.count }
  /// One more than the largest group number.
  var groupCapacity: Int { heads.count }
  /// The live groups, ascending.
  var liveGroups: [Int] { table.numbers }

  /// Whether so many rows more may be too many.
  func mayOverflow(_ count: Int) -> Bool {
    frame == .unbounded
      ? table.count + count > limits.keys : liveCount + count > limits.heldRows
  }

  /// What is said about a row for which there is no room.
  var overflow: RuntimeError {
    RuntimeError(
      code: .limitExceeded,
      message: frame == .unbounded
        ? "the window holds \(limits.keys) partitions already (limits: keys)"
        : "the window holds \(limits.heldRows) rows already (limits: held_rows)")
  }

  private func threshold(at time: Int64) -> Int64 {
    switch frame {
    case .range(let milliseconds):
      let (value, overflow) = time.subtractingReportingOverflow(milliseconds)
      return overflow ? Int64.min : value
    case .rangeMonths(let months): return addMonths(-months, to: time)
    case .rows, .unbounded: return Int64.min
    }
  }

  /// The rows of a batch for which there is no room, as if the others entered one after the other.
  func rowsWithoutRoom(
    _ keys: [Column], _ rowtimes: [Int64], isFailed: (Int) -> Bool
  ) -> [Int] {
    switch frame {
    case .range, .rangeMonths: rowsWithoutRoom(rowtimes, isFailed)
    case .rows(let before):
      rowsWithoutRoom(keys, rowtimes, isFailed, held: liveCount, limit: limits.heldRows, before)
    case .unbounded:
      rowsWithoutRoom(keys, rowtimes, isFailed, held: table.count, limit: limits.keys, 0)
    }
  }

  /// For frames by count: a row of a partition that is full takes the place of another.
  private func rowsWithoutRoom(
    _ keys: [Column], _ rowtimes: [Int64], _ isFailed: (Int) -> Bool, held: Int, limit: Int,
    _ before: Int
  ) -> [Int] {
    var refused: [Int] = []
    var held = held
    var fresh = table.emptied
    // How many rows of the batch entered a partition: those known before, then new ones.
    var entered = [Int](repeating: 0, count: table.capacity)
    let words = table.keys(of: keys, count: rowtimes.count)
    for row in rowtimes.indices where !isFailed(row) {
      let known = table.find(words, row: row)
      let place = known ?? fresh.find(words, row: row).map { table.capacity + $0 }
      let size =
        (known.map { frame == .unbounded ? 1 : Int(counts[$0]) } ?? 0)
        + (place.map { entered[$0] } ?? 0)
      if size > before { continue }
      if held >= limit {
        refused.append(row)
        continue
      }
      held += 1
      if let place {
        entered[place] += 1
      } else {
        _ = fresh.insert(words, row: row)
        entered.append(1)
      }
    }
    return refused
  }

  private func rowsWithoutRoom(_ rowtimes: [Int64], _ isFailed: (Int) -> Bool) -> [Int] {
    var refused: [Int] = []
    var start = queueStart
    var entered: [Int64] = []
    var enteredStart = 0
    var live = liveCount
    for (row, time) in rowtimes.enumerated() where !isFailed(row) {
      let limit = threshold(at: time)
      while start < queue.count, times[Int(queue[start])] < limit {
        start += 1
        live -= 1
      }
      while enteredStart < entered.count, entered[enteredStart] < limit {
        enteredStart += 1
        live -= 1
      }
      if live >= limits.heldRows {
        refused.append(row)
      } else {
        live += 1
        entered.append(time)
      }
    }
    return refused
  }

  /// Takes the rows of a batch, one after the other.
  mutating func enter(_ keys: [Column], rowtimes: [Int64]) {
    slots.removeAll(keepingCapacity: true)
    oldest.removeAll(keepingCapacity: true)
    sizes.removeAll(keepingCapacity: true)
    evictedEnds.removeAll(keepingCapacity: true)
    evicted.removeAll(keepingCapacity: true)
    let words = table.keys(of: keys, count: rowtimes.count)
    for (row, time) in rowtimes.enumerated() {
      expire(before: threshold(at: time))
      let group = table.insert(words, row: row).number
      while heads.count <= group {
        heads.append(-1)
        tails.append(-1)
        counts.append(0)
      }
      if case .rows(let before) = frame, Int(counts[group]) > before { evict(heads[group]) }
      let slot = push(time: time, group: group)
      slots.append(slot)
      oldest.append(heads[group])
      sizes.append(counts[group])
      evictedEnds.append(Int32(truncatingIfNeeded: evicted.count))
      if frame == .unbounded { release(slot, group) }
    }
  }

  private mutating func release(_ slot: Int32, _ group: Int) {
    heads[group] = -1
    tails[group] = -1
    counts[group] = 0
    liveCount -= 1
    freed.append(slot)
  }

  private mutating func expire(before limit: Int64) {
    guard limit > Int64.min else { return }
    while queueStart < queue.count, times[Int(queue[queueStart])] < limit {
      let slot = queue[queueStart]
      let group = Int(groups[Int(slot)])
      queueStart += 1
      evict(slot)
      if counts[group] == 0 { table.remove(group) }
    }
    if queueStart > 1_024, queueStart * 2 > queue.count {
      queue.removeFirst(queueStart)
      queueStart = 0
    }
  }

  /// The oldest row of its partition leaves.
  private mutating func evict(_ slot: Int32) {
    let group = Int(groups[Int(slot)])
    let following = counts[group] > 1 ? next[Int(slot)] : -1
    heads[group] = following
    if following < 0 { tails[group] = -1 }
    counts[group] -= 1
    liveCount -= 1
    evicted.append(slot)
    freed.append(slot)
  }

  private mutating func push(time: Int64, group: Int) -> Int32 {
    let slot: Int32
    if let reused = free.popLast() {
      slot = reused
      times[Int(slot)] = time
      groups[Int(slot)] = Int32(truncatingIfNeeded: group)
    } else {
      slot = Int32(truncatingIfNeeded: times.count)
      times.append(time)
      groups.append(Int32(truncatingIfNeeded: group))
      previous.append(-1)
      next.append(-1)
    }
    let tail = tails[group]
    previous[Int(slot)] = tail
    next[Int(slot)] = -1
    if tail >= 0 { next[Int(tail)] = slot } else { heads[group] = slot }
    tails[group] = slot
    counts[group] += 1
    liveCount += 1
    switch frame {
    case .range, .rangeMonths: queue.append(slot)
    case .rows, .unbounded: break
    }
    return slot
  }

  /// Slots that left may be given out again.
  mutating func endBatch() { copies.release(&freed, into: &free) }

  // MARK: State

  /// The rows in the order of a snapshot: that of arrival for time frames, else partition by partition.
  private var order: RowOrder {
    switch frame {
    case .range, .rangeMonths: RowOrder(queue: queue[queueStart...])
    case .rows: RowOrder(heads: heads, counts: counts, count: liveCount)
    case .unbounded: RowOrder(queue: [])
    }
  }

  /// The slots of all rows, block by block in the order of a snapshot.
  var blocks: [[Int32]] {
    var order = order
    var blocks: [[Int32]] = []
    while order.count > 0 { blocks.append(order.take(RowCopies.size, next)) }
    return blocks
  }

  /// The groups that the rows of a batch change when they enter, and perhaps some that they do not.
  func groupsChanged(by keys: [Column], rowtimes: [Int64]) -> [Int32] {
    var changed = table.nextNumbers(rowtimes.count)
    let words = table.keys(of: keys, count: rowtimes.count)
    for row in rowtimes.indices {
      if let known = table.find(words, row: row) {
        changed.append(Int32(truncatingIfNeeded: known))
      }
    }
    let limit = rowtimes.max().map { threshold(at: $0) } ?? Int64.min
    var place = queueStart
    while place < queue.count, times[Int(queue[place])] < limit {
      changed.append(groups[Int(queue[place])])
      place += 1
    }
    return changed
  }

  /// Lets `copyRows` write the rows as they are now.
  mutating func beginCopyingRows() { copies.begin(order) }

  /// Writes one more block of rows with what `write` adds; returns whether any are left.
  mutating func copyRows(
    section: String, into writer: inout StateWriter,
    _ write: (_ slots: [Int32], inout SectionWriter) -> Void
  ) -> Bool {
    let (times, groups) = (times, groups)
    return copies.copyOne(section: section, next, into: &writer) { slots, section in
      Self.save(slots, times, groups, into: &section)
      write(slots, &section)
    }
  }

  mutating func forgetCopies() { copies.forget() }

  /// Writes which groups there are, and how many rows.
  func saveHead(into writer: inout SectionWriter) {
    table.saveNumbers(into: &writer)
    writer.write(Int64(liveCount))
  }

  /// Whether a group has a partition.
  func isUsed(_ group: Int) -> Bool { table.isUsed(group) }

  /// Writes the key of a partition.
  func saveKey(
    of group: Int, into writer: inout SectionWriter, _ pool: borrowing StringPool
  ) { table.save(group, into: &writer, pool) }

  func saveRows(_ slots: [Int32], into writer: inout SectionWriter) {
    Self.save(slots, times, groups, into: &writer)
  }

  private static func save(
    _ slots: [Int32], _ times: [Int64], _ groups: [Int32], into writer: inout SectionWriter
  ) {
    writer.write(slots.map { times[Int($0)] })
    writer.write(slots.map { Int64(groups[Int($0)]) })
  }

  /// Reads what `saveHead` wrote and returns how many rows follow; keys and `endRestoringKeys` must be
  /// next.
  mutating func restoreHead(from reader: inout SectionReader) throws(StateError) -> Int {
    try table.restoreNumbers(from: &reader)
    clear()
    let rows = try reader.integer(Int64.self)
    guard rows >= 0, rows <= Int64(Int32.max) else { throw reader.failure("bad row count") }
    return Int(rows)
  }

  mutating func restoreKey(
    of group: Int, from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) { try table.restore(group, from: &reader, &pool) }

  mutating func endRestoringKeys() { table.endRestoring() }

  /// Reads all keys from a state that has them in one piece.
  mutating func restoreKeys(
    from reader: inout SectionReader, _ pool: inout StringPool
  ) throws(StateError) {
    try table.restore(from: &reader, &pool)
    clear()
  }

  /// Reads a block of rows and returns their slots, which ascend.
  mutating func restoreRows(from reader: inout SectionReader) throws(StateError) -> Range<Int> {
    let savedTimes = try reader.integers()
    let savedGroups = try reader.integers()
    guard savedTimes.count == savedGroups.count,
      savedGroups.allSatisfy({
        $0 >= 0 && $0 < Int64(table.capacity) && table.isUsed(Int($0))
      })
    else { throw reader.failure("the rows of a window are damaged") }
    let first = slotCapacity
    for (time, group) in zip(savedTimes, savedGroups) { _ = push(time: time, group: Int(group)) }
    return first..<slotCapacity
  }

  private mutating func clear() {
    (times, groups, previous, next) = ([], [], [], [])
    (free, freed, queue, queueStart, liveCount) = ([], [], [], 0, 0)
    copies = RowCopies()
    heads = [Int32](repeating: -1, count: table.capacity)
    tails = heads
    counts = [Int32](repeating: 0, count: table.capacity)
  }

  mutating func remapStrings(_ remap: inout StringRemapper) { table.remapStrings(&remap) }
}
