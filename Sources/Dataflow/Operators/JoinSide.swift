import Columns
import StreamSQL

/// The rows of one side of a stream join that rows of the other side may still meet.
///
/// A row lives in a slot of `rows`; slots freed within a batch are given out again only after it, and those
/// freed while a snapshot is copied when that has all rows.
final class JoinSide {
  let window: JoinWindow
  /// How long after its ROWTIME a row may still match; nil when the number of rows decides.
  let span: Int64?
  /// Whether rows without a match come out.
  let isPreserved: Bool

  /// The rows by slot; ROWTIMEs too.
  private(set) var rows: Batch
  private(set) var times: [Int64] = []
  /// Whether the row in a slot has met a row.
  var isMatched: [Bool] = []
  private var keys: [Int32] = []
  private var next: [Int32] = []
  private var previous: [Int32] = []
  private var free: [Int32] = []
  private var freed: [Int32] = []
  private var queue: [Int32] = []
  private var queueStart = 0
  /// First and last slot of each key number.
  private var heads: [Int32] = []
  private var tails: [Int32] = []
  /// The rows that a snapshot in the making lacks.
  private var copies = RowCopies()
  /// Whether the row in a slot had met a row when that snapshot was begun.
  private var wasMatched: [Bool] = []

  init(window: JoinWindow, span: Int64?, isPreserved: Bool, schema: Schema) {
    self.window = window
    self.span = span
    self.isPreserved = isPreserved
    rows = Batch(schema: schema)
  }

  var liveCount: Int { queue.count - queueStart }

  /// The time that the bound must exceed for the oldest row to leave.
  var oldestDue: Int64 {
    guard let span, queueStart < queue.count else { return Int64.max }
    return due(of: queue[queueStart], span)
  }

  private func due(of slot: Int32, _ span: Int64) -> Int64 {
    let (sum, overflow) = times[Int(slot)].addingReportingOverflow(span)
    return overflow ? Int64.max : sum
  }

  /// The oldest row leaves.
  func removeOldest() -> Int32 {
    let slot = queue[queueStart]
    queueStart += 1
    let key = Int(keys[Int(slot)])
    if key >= 0 {
      heads[key] = next[Int(slot)]
      if heads[key] < 0 { tails[key] = -1 } else { previous[Int(heads[key])] = -1 }
    }
    freed.append(slot)
    if queueStart > 1_024, queueStart * 2 > queue.count {
      queue.removeFirst(queueStart)
      queueStart = 0
    }
    return slot
  }

  /// Whether rows of a key are held.
  func holds(_ key: Int) -> Bool { key < heads.count && heads[key] >= 0 }

  /// The key number of the row in a slot, -1 if it has a NULL key.
  func key(of slot: Int32) -> Int { Int(keys[Int(slot)]) }

  /// Takes a row; `key` is -1 when it equals nothing.
  func add(_ batch: Batch, row: Int, key: Int, isMatched matched: Bool = false) -> Int32 {
    let slot: Int32
    if let reused = free.popLast() {
      slot = reused
      for index in rows.columns.indices {
        rows.columns[index].setValue(at: Int(slot), from: batch.columns[index], row: row)
      }
    } else {
      slot = Int32(truncatingIfNeeded: times.count)
      for index in rows.columns.indices {
        rows.columns[index].append(from: batch.columns[index], row: row)
      }
      rows.rowtimes.append(0)
      rows.causes.append(0)
      times.append(0)
      isMatched.append(false)
      keys.append(-1)
      next.append(-1)
      previous.append(-1)
    }
    times[Int(slot)] = batch.rowtimes[row]
    isMatched[Int(slot)] = matched
    keys[Int(slot)] = Int32(truncatingIfNeeded: key)
    next[Int(slot)] = -1
    previous[Int(slot)] = -1
    queue.append(slot)
    guard key >= 0 else { return slot }
    while heads.count <= key {
      heads.append(-1)
      tails.append(-1)
    }
    if tails[key] >= 0 {
      next[Int(tails[key])] = slot
      previous[Int(slot)] = tails[key]
    } else {
      heads[key] = slot
    }
    tails[key] = slot
    return slot
  }

  /// The slots of a key in the order of arrival.
  func slots(of key: Int) -> [Int32] {
    guard key >= 0, key < heads.count else { return [] }
    var found: [Int32] = []
    var slot = heads[key]
    while slot >= 0 {
      found.append(slot)
      slot = next[Int(slot)]
    }
    return found
  }

  func endBatch() { copies.release(&freed, into: &free) }

  // MARK: State

  /// The rows in blocks, each as a slice of a section.
  func save(section: String, into writer: inout StateWriter, _ pool: borrowing StringPool) {
    var order = RowOrder(queue: queue[queueStart...])
    var block = 0
    while order.count > 0 {
      let slots = order.take(RowCopies.size, [])
      writer.section(section, slice: block) { save(slots, isMatched, into: &$0, pool) }
      block += 1
    }
  }

  private func save(
    _ slots: [Int32], _ isMatched: [Bool], into writer: inout SectionWriter,
    _ pool: borrowing StringPool
  ) {
    var held = Batch(schema: rows.schema)
    held.append(from: rows, rows: slots)
    held.rowtimes = slots.map { times[Int($0)] }
    writer.write(held, in: pool)
    writer.write(slots.map { Int64(keys[Int($0)]) })
    writer.write(slots.map { isMatched[Int($0)] ? Int64(1) : 0 })
  }

  /// Lets `copyOne` write the rows as they are now.
  func beginSave() {
    copies.begin(RowOrder(queue: queue[queueStart...]))
    wasMatched = isMatched
  }

  /// Writes one more block; returns whether any are left.
  func copyOne(
    section: String, into writer: inout StateWriter, _ pool: borrowing StringPool
  ) -> Bool {
    let isUnfinished = copies.copyOne(section: section, [], into: &writer) {
      save($0, wasMatched, into: &$1, pool)
    }
    if !isUnfinished { wasMatched = [] }
    return isUnfinished
  }

  func forgetSaved() {
    copies.forget()
    wasMatched = []
  }

  /// Forgets all rows.
  func clear() {
    rows = Batch(schema: rows.schema)
    (times, isMatched, keys, next, previous) = ([], [], [], [], [])
    (free, freed, queue, queueStart, heads, tails) = ([], [], [], 0, [], [])
    copies = RowCopies()
    wasMatched = []
  }

  /// Reads one more block of rows.
  func restore(
    from reader: inout SectionReader, _ pool: inout StringPool, keyCapacity: Int
  ) throws(StateError) {
    let held = try reader.batch(schema: rows.schema, into: &pool)
    let savedKeys = try reader.integers()
    let matched = try reader.integers()
    guard savedKeys.count == held.count, matched.count == held.count,
      savedKeys.allSatisfy({ $0 >= -1 && $0 < Int64(keyCapacity) })
    else { throw reader.failure("the rows of a join are damaged") }
    for row in 0..<held.count {
      _ = add(held, row: row, key: Int(savedKeys[row]), isMatched: matched[row] == 1)
    }
  }

  func remapStrings(_ remap: inout StringRemapper) {
    for index in rows.columns.indices { rows.columns[index].remapStrings(&remap) }
  }
}
