package import CKernels

/// The points of all trees, each stored once.
///
/// Overlapping shingles share their blocks: a point is a run of `blocksPerPoint` consecutive
/// blocks, and a sliding shingle needs one new block.
package struct PointStore: ~Copyable {
  package private(set) var floats: UnsafeMutablePointer<Float>
  /// Trees that hold the point beginning at each block.
  package private(set) var references: UnsafeMutablePointer<UInt16>
  /// Blocks in use, and blocks there is room for.
  package private(set) var end = 0
  package private(set) var capacity: Int
  package let block: Int
  package let blocksPerPoint: Int
  /// Where growth turns from doubling to small steps: a little above what a forest of this
  /// configuration holds.
  private let expected: Int
  private var covered: UnsafeMutablePointer<UInt64>
  private var coveredBefore: UnsafeMutablePointer<UInt32>

  package init(_ configuration: ForestConfiguration) {
    block = configuration.storeBlock
    blocksPerPoint = configuration.dimensions / block
    expected = configuration.expectedStoreBlocks
    capacity = min(expected, max(64, 2 * blocksPerPoint))
    floats = .allocate(capacity: capacity * block)
    references = .allocate(capacity: capacity)
    let words = Self.words(capacity)
    covered = .allocate(capacity: words)
    coveredBefore = .allocate(capacity: words)
  }

  deinit {
    floats.deallocate()
    references.deallocate()
    covered.deallocate()
    coveredBefore.deallocate()
  }

  package var byteCount: Int { Self.byteCount(capacity: capacity, block: block) }

  package static func byteCount(capacity: Int, block: Int) -> Int {
    capacity * (4 * block + 2) + words(capacity) * 12
  }

  private static func words(_ capacity: Int) -> Int { (capacity + 63) / 64 }

  package func hasRoom(points: Int) -> Bool { end + points * blocksPerPoint <= capacity }

  /// Appends a point that no tree holds yet, sharing the blocks at the end where they are equal.
  package mutating func append(_ point: UnsafePointer<Float>) -> Int {
    let fresh = continues(with: point) ? 1 : blocksPerPoint
    let skipped = (blocksPerPoint - fresh) * block
    (floats + end * block).update(from: point + skipped, count: fresh * block)
    (references + end).update(repeating: 0, count: fresh)
    end += fresh
    return end - blocksPerPoint
  }

  /// Appends the newest block of a point that no tree took, so that the next point finds what it
  /// shares.
  package mutating func appendUntaken(_ point: UnsafePointer<Float>) {
    if blocksPerPoint > 1, continues(with: point) { _ = append(point) }
  }

  /// Whether the store ends with all but the newest block of the point.
  private func continues(with point: UnsafePointer<Float>) -> Bool {
    let shared = blocksPerPoint - 1
    guard end >= shared else { return false }
    let tail = floats + (end - shared) * block
    for i in 0..<shared * block where tail[i] != point[i] { return false }
    return true
  }

  package mutating func retain(_ position: Int) { references[position] += 1 }
  package mutating func release(_ position: Int) { references[position] -= 1 }

  /// Slides what is held together, then grows if that gained too little; `relocate` is told of
  /// every tree's entries.
  package mutating func makeRoom(points: Int, for forest: UnsafeMutablePointer<rcf_forest>) {
    compact(forest)
    let needed = end + points * blocksPerPoint
    if needed + capacity / 32 > capacity {
      var larger = capacity + max(capacity / 8, 64)
      if capacity < expected {
        // The last steps are one, so that a forest soon stops asking for memory.
        larger = 4 * capacity < expected ? 2 * capacity : expected
      }
      grow(to: max(larger, needed + needed / 16))
    }
    forest.pointee.store = floats
  }

  private mutating func compact(_ forest: UnsafeMutablePointer<rcf_forest>) {
    let target = cover()
    guard target < end else { return }
    var to = 0
    for position in 0..<end where isCovered(position) {
      if to != position {
        (floats + to * block).update(from: floats + position * block, count: block)
        references[to] = references[position]
      }
      to += 1
    }
    end = target
    let fields = forest.pointee
    for tree in 0..<Int(fields.tree_count) {
      let first = tree * Int(fields.capacity)
      for entry in first..<first + Int(fields.trees[tree].mass) {
        fields.setPosition(entry, moved(fields.position(entry)))
      }
    }
  }

  /// Finds the blocks that belong to a held point; returns their number.
  mutating func cover() -> Int {
    covered.update(repeating: 0, count: Self.words(end))
    var count = 0
    var coverEnd = 0
    for position in 0..<end {
      if references[position] > 0 { coverEnd = position + blocksPerPoint }
      if position & 63 == 0 { coveredBefore[position / 64] = UInt32(count) }
      guard position < coverEnd else { continue }
      covered[position / 64] |= 1 << UInt64(position & 63)
      count += 1
    }
    return count
  }

  func isCovered(_ position: Int) -> Bool {
    covered[position / 64] >> UInt64(position & 63) & 1 == 1
  }

  /// Prepares `rank`, in place of what `cover` found.
  mutating func rankStarts() {
    covered.update(repeating: 0, count: Self.words(end))
    var count = 0
    for position in 0..<end {
      if position & 63 == 0 { coveredBefore[position / 64] = UInt32(count) }
      guard references[position] > 0 else { continue }
      covered[position / 64] |= 1 << UInt64(position & 63)
      count += 1
    }
  }

  /// The number of held points that begin before the one at `position`; valid after `rankStarts`.
  func rank(_ position: UInt32) -> UInt32 { moved(position) }

  /// Where a held block goes when the held ones slide together; valid after `cover`.
  func moved(_ position: UInt32) -> UInt32 {
    let word = Int(position / 64)
    let before = covered[word] & ((1 << UInt64(position & 63)) - 1)
    return coveredBefore[word] + UInt32(before.nonzeroBitCount)
  }

  /// Makes room for so many blocks in all.
  mutating func reserve(_ blocks: Int) {
    if blocks + capacity / 32 > capacity { grow(to: max(expected, blocks + blocks / 8 + 64)) }
  }

  mutating func setEnd(_ blocks: Int) { end = blocks }

  private mutating func grow(to newCapacity: Int) {
    let newFloats = UnsafeMutablePointer<Float>.allocate(capacity: newCapacity * block)
    newFloats.update(from: floats, count: end * block)
    floats.deallocate()
    floats = newFloats
    let newReferences = UnsafeMutablePointer<UInt16>.allocate(capacity: newCapacity)
    newReferences.update(from: references, count: end)
    references.deallocate()
    references = newReferences
    covered.deallocate()
    covered = .allocate(capacity: Self.words(newCapacity))
    coveredBefore.deallocate()
    coveredBefore = .allocate(capacity: Self.words(newCapacity))
    capacity = newCapacity
  }
}

extension ForestConfiguration {
  /// Floats per block of the store: one input where consecutive points overlap, else a whole point.
  package var storeBlock: Int { internalRotation ? dimensions : inputDimensions }

  /// Blocks that the store of a long-running forest holds, with a margin; never more than all
  /// points need.
  ///
  /// A point of age a is in a given tree with probability p·exp(-λa), where p is about 1 -
  /// exp(-λn); hence (γ + ln(T·p·s)) / λ blocks are covered by a point of one of T trees.
  package var expectedStoreBlocks: Int {
    let blocks = dimensions / storeBlock
    let most = numberOfTrees * sampleSize * blocks
    let start = min(most, 2 * sampleSize + blocks)
    guard timeDecay > 0 else { return start }
    let accepted = -exponentialM1(-timeDecay * Double(sampleSize))
    let covering = Double(numberOfTrees * blocks) * accepted
    guard covering > 1 else { return start }
    let held = (0.5772156649 + logarithm(covering)) / timeDecay
    return min(most, max(start, Int(min(held * 1.14, 1e12))))
  }
}
