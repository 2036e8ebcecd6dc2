package import CKernels

/// The memory of a forest: nodes, boxes, samples and shared points in flat arrays, and nothing
/// else.
///
/// All pointers of this library live here and in the other `+Unsafe` files.
///
/// One allocation holds what has a fixed size, one the arrays of the trees, one the point store.
/// Those of the trees double while the trees fill, so that a young forest is small.
package struct ForestCore: ~Copyable {
  package let forest: UnsafeMutablePointer<rcf_forest>
  /// Arrival number at which the sampler of each tree next accepts a point; meaningful once the
  /// tree is full.
  package let nextAcceptance: UnsafeMutablePointer<Int64>
  /// The key that the point accepted then gets.
  package let nextKey: UnsafeMutablePointer<Float>
  /// The entry that leaves each tree at its next acceptance.
  package let lastEntry: UnsafeMutablePointer<UInt16>
  /// Whether every tree holds as many points as it can.
  package var isFull = false
  /// The trees that accept the next arrival once all are full, and the ways through the first of
  /// them.
  package let due: UnsafeMutablePointer<UInt16>
  package let walks: UnsafeMutablePointer<rcf_walk>
  package var dueCount = 0
  /// Query lanes of the point at hand.
  package let query: UnsafeMutablePointer<Float>
  /// The point at hand, and the last `shingleSize` inputs.
  package let point: UnsafeMutablePointer<Float>
  package let shingle: UnsafeMutablePointer<Float>
  package var store: PointStore
  package var clock: SamplerClock
  /// The buffers of the batch functions, made at their first use.
  package var block: PointBlock?
  let fixed: ZeroedMemory
  var trees: ZeroedMemory
  package let sampleSize: Int
  package let numberOfTrees: Int
  package let dimensions: Int

  package init(_ configuration: ForestConfiguration) {
    sampleSize = configuration.sampleSize
    numberOfTrees = configuration.numberOfTrees
    dimensions = configuration.dimensions
    let layout = FixedLayout(configuration)
    fixed = ZeroedMemory(byteCount: layout.byteCount)
    let fixed = self.fixed.start
    forest = (fixed + layout.forest).bindMemory(to: rcf_forest.self, capacity: 1)
    nextAcceptance = (fixed + layout.nextAcceptance).bindMemory(
      to: Int64.self, capacity: numberOfTrees)
    nextKey = (fixed + layout.nextKey).bindMemory(to: Float.self, capacity: numberOfTrees)
    lastEntry = (fixed + layout.lastEntry).bindMemory(to: UInt16.self, capacity: numberOfTrees)
    due = (fixed + layout.due).bindMemory(to: UInt16.self, capacity: numberOfTrees)
    walks = (fixed + layout.walks).bindMemory(to: rcf_walk.self, capacity: Int(RCF_WALKS))
    let lanes = laneCount(dimensions: dimensions)
    query = (fixed + layout.query).bindMemory(to: Float.self, capacity: lanes)
    point = (fixed + layout.point).bindMemory(to: Float.self, capacity: dimensions)
    shingle = (fixed + layout.shingle).bindMemory(to: Float.self, capacity: dimensions)
    store = PointStore(configuration)
    clock = SamplerClock(timeDecay: configuration.timeDecay)

    let states = (fixed + layout.treeStates).bindMemory(
      to: rcf_tree.self, capacity: numberOfTrees)
    var seeds = SplitMix64(seed: configuration.seed)
    for tree in 0..<numberOfTrees {
      states[tree] = rcf_tree(
        random: seeds.next(), mass: 0, root: UInt16(RCF_NONE), free_node: UInt16(RCF_NONE),
        node_limit: 0)
    }
    let log2 = (fixed + layout.log2).bindMemory(to: Double.self, capacity: sampleSize + 2)
    let inverse = (fixed + layout.inverse).bindMemory(to: Double.self, capacity: sampleSize + 1)
    log2[0] = 0
    for i in 1..<(sampleSize + 2) { log2[i] = logarithm2(Double(i)) }
    for i in 0...sampleSize { inverse[i] = 1 / Double(i + 1) }

    let boxed = boxedTreeCount(configuration.boundingBoxCacheFraction, of: numberOfTrees)
    forest.pointee.trees = states
    forest.pointee.lane_scratch = (fixed + layout.laneScratch).bindMemory(
      to: Float.self, capacity: 4 * lanes)
    forest.pointee.log2_table = UnsafePointer(log2)
    forest.pointee.inverse_depth = UnsafePointer(inverse)
    forest.pointee.tree_count = UInt32(numberOfTrees)
    forest.pointee.boxed_trees = UInt32(boxed)
    forest.pointee.dimensions = UInt32(dimensions)
    forest.pointee.lanes = UInt32(lanes)
    forest.pointee.block = UInt32(configuration.storeBlock)
    forest.pointee.store = store.floats
    let capacity = min(sampleSize, 32)
    forest.pointee.capacity = UInt32(capacity)
    let treeLayout = TreeLayout(
      capacity: capacity, lanes: lanes, trees: numberOfTrees, boxed: boxed, isWide: false)
    trees = ZeroedMemory(byteCount: treeLayout.byteCount)
    treeLayout.place(in: trees.start, forest)
  }

  deinit {
    trees.deallocate()
    fixed.deallocate()
  }

  package var lanes: Int { Int(forest.pointee.lanes) }
  package var capacity: Int { Int(forest.pointee.capacity) }
  package var isWide: Bool { forest.pointee.wide != 0 }
  package var boxedTrees: Int { Int(forest.pointee.boxed_trees) }

  /// Bytes of all arrays, as requested from the allocator, the buffers of the batch functions included.
  package var byteCount: Int {
    FixedLayout(
      dimensions: dimensions, sampleSize: sampleSize, numberOfTrees: numberOfTrees
    ).byteCount
      + TreeLayout(
        capacity: capacity, lanes: lanes, trees: numberOfTrees, boxed: boxedTrees, isWide: isWide
      ).byteCount + store.byteCount + PointBlock.byteCount(dimensions: dimensions)
  }

  /// Gives the trees room for `capacity` points each, and boxes to the first `boxed` of them.
  package mutating func resize(capacity: Int, boxed: Int, isWide: Bool) {
    let old = forest.pointee
    let layout = TreeLayout(
      capacity: capacity, lanes: lanes, trees: numberOfTrees, boxed: boxed, isWide: isWide)
    let memory = ZeroedMemory(byteCount: layout.byteCount)
    layout.place(in: memory.start, forest)
    forest.pointee.capacity = UInt32(capacity)
    forest.pointee.boxed_trees = UInt32(boxed)
    forest.pointee.wide = isWide ? 1 : 0
    let from = Int(old.capacity)
    let kept = min(from, capacity)
    for tree in 0..<numberOfTrees {
      let source = tree * from
      let target = tree * capacity
      (forest.pointee.nodes + target).update(from: old.nodes + source, count: kept)
      (forest.pointee.keys + target).update(from: old.keys + source, count: kept)
      for entry in 0..<min(kept, mass(ofTree: tree)) {
        forest.pointee.setPosition(target + entry, old.position(source + entry))
      }
      guard tree < boxed else { continue }
      if tree < Int(old.boxed_trees) {
        (forest.pointee.ranges + target).update(from: old.ranges + source, count: kept)
        (forest.pointee.boxes + target * lanes).update(
          from: old.boxes + source * lanes, count: kept * lanes)
      } else {
        rebuildBoxes(ofTree: tree)
      }
    }
    trees.deallocate()
    trees = memory
  }

  /// Makes room in the store; positions get more bits when the store needs them.
  package mutating func makeRoom(points: Int) {
    if !store.hasRoom(points: points) { store.makeRoom(points: points, for: forest) }
    fitPositions()
  }

  package mutating func fitPositions() {
    guard !isWide, store.capacity > 1 << 16 else { return }
    resize(capacity: capacity, boxed: boxedTrees, isWide: true)
  }

  /// Computes the kept boxes of a tree from its points.
  package func rebuildBoxes(ofTree tree: Int) {
    rcf_rebuild(
      forest, UInt32(tree), forest.pointee.boxes + tree * capacity * lanes,
      forest.pointee.ranges + tree * capacity)
  }

  package func mass(ofTree tree: Int) -> Int { Int(forest.pointee.trees[tree].mass) }

  /// Brings the query lanes of `point` into `query`.
  package func prepareQuery() { rcf_query(forest, point, query) }

  /// The score of `query`, mean over the trees.
  package func score() -> Double { rcf_score(forest, query) / Double(numberOfTrees) }
}

extension rcf_forest {
  /// Where in the store the point of an entry begins.
  @inline(__always)
  package func position(_ index: Int) -> UInt32 {
    wide != 0
      ? points.assumingMemoryBound(to: UInt32.self)[index]
      : UInt32(points.assumingMemoryBound(to: UInt16.self)[index])
  }

  @inline(__always)
  package func setPosition(_ index: Int, _ position: UInt32) {
    if wide != 0 {
      points.assumingMemoryBound(to: UInt32.self)[index] = position
    } else {
      points.assumingMemoryBound(to: UInt16.self)[index] = UInt16(position)
    }
  }
}

/// The fraction of the trees that keep boxes, as a number of trees.
package func boxedTreeCount(_ fraction: Double, of trees: Int) -> Int {
  Int(nearest(fraction * Double(trees)))
}

/// Floats of a box: two halves, each padded to what one vector step takes.
package func laneCount(dimensions: Int) -> Int {
  switch dimensions {
  case ...2: 4
  case ...4: 8
  default: 2 * ((dimensions + 7) / 8 * 8)
  }
}

/// Zeroed memory whose arrays begin at cache lines.
///
/// The allocator is not asked to align it: glibc before 2.38 finds no use for the room of an aligned block
/// when another of its size is wanted, so that forests that come and go would take twice their memory.
struct ZeroedMemory {
  /// What is asked for beyond the arrays, so that they fit behind the first line that begins there.
  static let slack = 48

  /// Where the arrays begin.
  let start: UnsafeMutableRawPointer
  private let allocated: UnsafeMutableRawPointer

  init(byteCount: Int) {
    allocated = .allocate(byteCount: byteCount, alignment: 16)
    start = allocated.alignedUp(toMultipleOf: 64)
    start.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount - Self.slack)
  }

  func deallocate() { allocated.deallocate() }
}

/// Offsets of the arrays that never change their size.
struct FixedLayout {
  let forest, treeStates, nextAcceptance, nextKey, lastEntry, due, walks: Int
  let query, point, shingle, laneScratch, log2, inverse: Int
  let byteCount: Int

  init(_ configuration: ForestConfiguration) {
    self.init(
      dimensions: configuration.dimensions, sampleSize: configuration.sampleSize,
      numberOfTrees: configuration.numberOfTrees)
  }

  init(dimensions: Int, sampleSize: Int, numberOfTrees: Int) {
    var end = Offsets()
    let lanes = laneCount(dimensions: dimensions)
    forest = end.take(MemoryLayout<rcf_forest>.size)
    treeStates = end.take(MemoryLayout<rcf_tree>.stride * numberOfTrees)
    nextAcceptance = end.take(8 * numberOfTrees)
    nextKey = end.take(4 * numberOfTrees)
    lastEntry = end.take(2 * numberOfTrees)
    due = end.take(2 * numberOfTrees)
    walks = end.take(MemoryLayout<rcf_walk>.stride * Int(RCF_WALKS))
    query = end.take(4 * lanes)
    point = end.take(4 * dimensions)
    shingle = end.take(4 * dimensions)
    laneScratch = end.take(16 * lanes)
    log2 = end.take(8 * (sampleSize + 2))
    inverse = end.take(8 * (sampleSize + 1))
    byteCount = end.bytes + ZeroedMemory.slack
  }
}

/// Offsets of the arrays whose size follows the capacity of the trees.
struct TreeLayout {
  let boxes, ranges, scratchBoxes, scratchRanges, nodes, keys, points, paths, duePaths, order: Int
  let byteCount: Int

  init(capacity: Int, lanes: Int, trees: Int, boxed: Int, isWide: Bool) {
    var end = Offsets()
    let scratch = boxed < trees ? 1 : 0
    boxes = end.take(4 * lanes * capacity * boxed)
    scratchBoxes = end.take(4 * lanes * capacity * scratch)
    ranges = end.take(4 * capacity * boxed)
    scratchRanges = end.take(4 * capacity * scratch)
    nodes = end.take(MemoryLayout<rcf_node>.stride * capacity * trees)
    keys = end.take(4 * capacity * trees)
    points = end.take((isWide ? 4 : 2) * capacity * trees)
    paths = end.take(2 * capacity * Int(RCF_LOCKSTEP))
    duePaths = end.take(2 * capacity * Int(RCF_LOCKSTEP))
    order = end.take(2 * capacity)
    byteCount = end.bytes + ZeroedMemory.slack
  }

  func place(in memory: UnsafeMutableRawPointer, _ forest: UnsafeMutablePointer<rcf_forest>) {
    forest.pointee.boxes = (memory + boxes).assumingMemoryBound(to: Float.self)
    forest.pointee.ranges = (memory + ranges).assumingMemoryBound(to: Float.self)
    forest.pointee.scratch_boxes = (memory + scratchBoxes).assumingMemoryBound(to: Float.self)
    forest.pointee.scratch_ranges = (memory + scratchRanges).assumingMemoryBound(to: Float.self)
    forest.pointee.nodes = (memory + nodes).assumingMemoryBound(to: rcf_node.self)
    forest.pointee.keys = (memory + keys).assumingMemoryBound(to: Float.self)
    forest.pointee.points = memory + points
    forest.pointee.paths = (memory + paths).assumingMemoryBound(to: UInt16.self)
    forest.pointee.due_paths = (memory + duePaths).assumingMemoryBound(to: UInt16.self)
    forest.pointee.order = (memory + order).assumingMemoryBound(to: UInt16.self)
  }
}

/// Hands out offsets, each on a cache line of its own.
private struct Offsets {
  var bytes = 0

  mutating func take(_ count: Int) -> Int {
    let start = bytes
    bytes += (count + 63) & ~63
    return start
  }
}
