/// Slots by the square cell of the plane in which their points lie.
///
/// Cells share buckets; lists are linked through the slots.
struct PointGrid: Sendable {
  private let side: Double
  private let mask: Int
  private var heads: [Int32]
  private var next: [Int32]
  private var previous: [Int32]
  private var cellX: [Int64]
  private var cellY: [Int64]

  init(capacity: Int, side: Double) {
    self.side = side
    var buckets = 16
    while buckets < capacity * 2 { buckets *= 2 }
    mask = buckets - 1
    heads = [Int32](repeating: -1, count: buckets)
    next = [Int32](repeating: -1, count: capacity)
    previous = next
    cellX = [Int64](repeating: 0, count: capacity)
    cellY = cellX
  }

  private static let limit = 4e18

  private func cell(_ value: Double) -> Int64 {
    Int64(max(-Self.limit, min(Self.limit, (value / side).rounded(.down))))
  }

  private func bucket(_ x: Int64, _ y: Int64) -> Int {
    let mixed =
      UInt64(bitPattern: x) &* 0x9E37_79B9_7F4A_7C15
      ^ (UInt64(bitPattern: y) &* 0xC2B2_AE3D_27D4_EB4F)
    return Int(truncatingIfNeeded: (mixed ^ (mixed >> 32)) &* 0x9E37_79B1 >> 7) & mask
  }

  mutating func insert(_ slot: Int32, x: Double, y: Double) {
    let index = Int(slot)
    cellX[index] = cell(x)
    cellY[index] = cell(y)
    let bucket = bucket(cellX[index], cellY[index])
    let first = heads[bucket]
    next[index] = first
    previous[index] = -1
    if first >= 0 { previous[Int(first)] = slot }
    heads[bucket] = slot
  }

  mutating func remove(_ slot: Int32) {
    let index = Int(slot)
    if previous[index] >= 0 {
      next[Int(previous[index])] = next[index]
    } else {
      heads[bucket(cellX[index], cellY[index])] = next[index]
    }
    if next[index] >= 0 { previous[Int(next[index])] = previous[index] }
  }

  /// Calls `body` with every slot in the cell of `slot` and the eight around it.
  @inline(__always)
  func forEachCandidate(of slot: Int32, _ body: (Int32) -> Void) {
    for x in (cellX[Int(slot)] - 1)...(cellX[Int(slot)] + 1) {
      for y in (cellY[Int(slot)] - 1)...(cellY[Int(slot)] + 1) {
        var other = heads[bucket(x, y)]
        while other >= 0 {
          if cellX[Int(other)] == x, cellY[Int(other)] == y { body(other) }
          other = next[Int(other)]
        }
      }
    }
  }

  /// Some slots, which can be taken out one by one.
  struct Selection {
    private var heads: [Int32]
    private var next: [Int32]
    private var isIn: [Bool]

    init(_ grid: PointGrid, _ slots: [Int32]) {
      heads = [Int32](repeating: -1, count: grid.heads.count)
      next = [Int32](repeating: -1, count: grid.next.count)
      isIn = [Bool](repeating: false, count: grid.next.count)
      for slot in slots {
        let bucket = grid.bucket(grid.cellX[Int(slot)], grid.cellY[Int(slot)])
        next[Int(slot)] = heads[bucket]
        heads[bucket] = slot
        isIn[Int(slot)] = true
      }
    }

    /// Takes a slot out; false if it was out already.
    ///
    /// Its list is cleaned when it is next walked.
    mutating func take(_ slot: Int32) -> Bool {
      guard isIn[Int(slot)] else { return false }
      isIn[Int(slot)] = false
      return true
    }

    /// Takes out the slots around `slot` for which `isNear` holds, and adds them to `queue`.
    mutating func takeCandidates(
      of slot: Int32, in grid: PointGrid, where isNear: (Int32) -> Bool, into queue: inout [Int32]
    ) {
      for x in (grid.cellX[Int(slot)] - 1)...(grid.cellX[Int(slot)] + 1) {
        for y in (grid.cellY[Int(slot)] - 1)...(grid.cellY[Int(slot)] + 1) {
          let bucket = grid.bucket(x, y)
          var last: Int32 = -1
          var other = heads[bucket]
          while other >= 0 {
            let following = next[Int(other)]
            var leaves = !isIn[Int(other)]
            if !leaves, grid.cellX[Int(other)] == x, grid.cellY[Int(other)] == y, isNear(other) {
              isIn[Int(other)] = false
              queue.append(other)
              leaves = true
            }
            if leaves {
              if last >= 0 { next[Int(last)] = following } else { heads[bucket] = following }
            } else {
              last = other
            }
            other = following
          }
        }
      }
    }
  }
}
