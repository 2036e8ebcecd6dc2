import CKernels

/// The snapshot: magic, version, then the sections configuration, counters, store and trees.
///
/// Trees are written in preorder with their leaves numbered as met; boxes, ranges and masses of
/// inner nodes follow from the points. The order of entries and nodes in memory is not part of the
/// state.
private enum SnapshotFormat {
  static let magic: UInt64 = 0x0046_4352_4b4e_4243  // "CBNKRCF"
  static let version: UInt32 = 1
  static let configuration: UInt32 = 1
  static let counters: UInt32 = 2
  static let store: UInt32 = 3
  static let trees: UInt32 = 4
}

extension RandomCutForest {
  /// Everything needed to continue bit-identically, with a checksum per section.
  public mutating func snapshot() -> [UInt8] {
    let leaves = configuration.numberOfTrees * configuration.sampleSize
    var writer = SnapshotWriter(
      capacity: 512 + 8 * configuration.dimensions + core.store.end * (4 * core.store.block + 1)
        + leaves * 18 + configuration.numberOfTrees * 64)
    writer.write(SnapshotFormat.magic)
    writer.write(SnapshotFormat.version)
    writer.beginSection(SnapshotFormat.configuration)
    configuration.write(to: &writer)
    writer.endSection()
    writer.beginSection(SnapshotFormat.counters)
    writer.write(Int64(totalUpdates))
    writer.write(core.clock.arrivals)
    writer.write(core.clock.base)
    writer.write(UInt8(isSamplingPaused ? 1 : 0))
    writer.write(core.shingle, byteCount: 4 * core.dimensions)
    writer.endSection()
    core.write(to: &writer)
    return writer.finish()
  }

  /// The forest that wrote `snapshot`; it continues bit-identically.
  ///
  /// - Throws: `badSnapshot` when the bytes are damaged, cut short, or of another version.
  public init(snapshot: Span<UInt8>) throws(ForestError) {
    self = try snapshot.withUnsafeBytes { buffer throws(ForestError) in
      guard let start = buffer.baseAddress else { throw .badSnapshot(reason: "it is empty") }
      return try Self.restored(from: SnapshotReader(start, count: buffer.count))
    }
  }

  static func restored(
    from snapshot: SnapshotReader
  ) throws(ForestError) -> RandomCutForest {
    var reader = snapshot
    try reader.open(
      magic: SnapshotFormat.magic, version: SnapshotFormat.version, of: "a forest")
    var section = try reader.section(SnapshotFormat.configuration)
    var forest = try RandomCutForest(try ForestConfiguration(from: &section))
    var counters = try reader.section(SnapshotFormat.counters)
    forest.totalUpdates = Int(try counters.read(Int64.self))
    forest.core.clock.arrivals = try counters.read(Int64.self)
    forest.core.clock.base = try counters.read(Int64.self)
    guard forest.totalUpdates >= 0, forest.core.clock.base >= 0,
      forest.core.clock.arrivals >= forest.core.clock.base
    else {
      throw .badSnapshot(reason: "a counter is negative")
    }
    forest.isSamplingPaused = try counters.read(UInt8.self) != 0
    let shingle = try counters.bytes(4 * forest.core.dimensions)
    UnsafeMutableRawPointer(forest.core.shingle).copyMemory(
      from: shingle, byteCount: 4 * forest.core.dimensions)
    try forest.core.read(from: &reader)
    guard reader.isAtEnd else { throw .badSnapshot(reason: "bytes follow its end") }
    return forest
  }
}

extension ForestConfiguration {
  func write(to writer: inout SnapshotWriter) {
    for size in [dimensions, shingleSize, sampleSize, numberOfTrees, outputAfter] {
      writer.write(Int64(size))
    }
    writer.write(timeDecay)
    writer.write(initialAcceptFraction)
    writer.write(boundingBoxCacheFraction)
    writer.write(seed)
    writer.write(UInt8((internalShingling ? 1 : 0) | (internalRotation ? 2 : 0)))
  }

  init(from reader: inout SnapshotReader) throws(ForestError) {
    var sizes = [0, 0, 0, 0, 0]
    for i in 0..<5 { sizes[i] = Int(try reader.read(Int64.self)) }
    let timeDecay = try reader.read(Double.self)
    let initialAcceptFraction = try reader.read(Double.self)
    let boundingBoxCacheFraction = try reader.read(Double.self)
    let seed = try reader.read(UInt64.self)
    let flags = try reader.read(UInt8.self)
    self.init(
      dimensions: sizes[0], shingleSize: sizes[1], sampleSize: sizes[2], numberOfTrees: sizes[3],
      timeDecay: timeDecay, outputAfter: sizes[4], initialAcceptFraction: initialAcceptFraction,
      seed: seed, internalShingling: flags & 1 != 0, internalRotation: flags & 2 != 0,
      boundingBoxCacheFraction: boundingBoxCacheFraction)
  }
}

extension ForestCore {
  private var dimensionIsByte: Bool { dimensions <= 256 }

  mutating func write(to writer: inout SnapshotWriter) {
    writer.beginSection(SnapshotFormat.store)
    let points = store.write(to: &writer)
    writer.endSection()
    writer.beginSection(SnapshotFormat.trees)
    let steps = UnsafeMutablePointer<Step>.allocate(capacity: 4 * sampleSize)
    defer { steps.deallocate() }
    for tree in 0..<numberOfTrees { write(tree, pointCount: points, steps, to: &writer) }
    writer.endSection()
  }

  /// A node or leaf in preorder: its reference, and the entries below it.
  private typealias Step = (reference: UInt32, mass: UInt32)

  private func write(
    _ tree: Int, pointCount: Int, _ steps: UnsafeMutablePointer<Step>,
    to writer: inout SnapshotWriter
  ) {
    let state = forest.pointee.trees[tree]
    writer.write(state.random)
    writer.write(nextAcceptance[tree])
    writer.write(nextKey[tree])
    writer.write(UInt16(state.mass))
    guard state.mass > 0 else { return }
    let count = walk(tree, into: steps, pending: steps + 2 * sampleSize)
    let leaves = (count + 1) / 2
    writer.write(UInt16(leaves))
    writeTopology(steps, count, to: &writer)
    writeNodes(tree, steps, count, to: &writer)
    writeRanks(tree, steps, count, isWide: pointCount > 65_536, to: &writer)
    if leaves == Int(state.mass) {
      let keys = forest.pointee.keys + tree * capacity
      let place = writer.reserve(4 * leaves)
      var leaf = 0
      for step in 0..<count where steps[step].reference & RCF_LEAF != 0 {
        let entry = Int(steps[step].reference & (RCF_LEAF - 1))
        place.storeBytes(of: keys[entry], toByteOffset: 4 * leaf, as: Float.self)
        leaf += 1
      }
    } else {
      writeTwins(tree, steps, count, to: &writer)
    }
  }

  private func writeTopology(
    _ steps: UnsafeMutablePointer<Step>, _ count: Int, to writer: inout SnapshotWriter
  ) {
    let place = writer.reserve((count + 7) / 8)
    for byte in 0..<(count + 7) / 8 {
      var bits: UInt8 = 0
      for step in 8 * byte..<min(count, 8 * byte + 8)
      where steps[step].reference & RCF_LEAF == 0 {
        bits |= 1 << UInt8(step & 7)
      }
      place.storeBytes(of: bits, toByteOffset: byte, as: UInt8.self)
    }
  }

  private func writeNodes(
    _ tree: Int, _ steps: UnsafeMutablePointer<Step>, _ count: Int,
    to writer: inout SnapshotWriter
  ) {
    let nodes = forest.pointee.nodes + tree * capacity
    let width = dimensionIsByte ? 5 : 6
    var place = writer.reserve(count / 2 * width)
    for step in 0..<count where steps[step].reference & RCF_LEAF == 0 {
      let node = nodes[Int(steps[step].reference)]
      place.storeBytes(of: node.cut, as: Float.self)
      if dimensionIsByte {
        place.storeBytes(
          of: UInt8(truncatingIfNeeded: node.dimension), toByteOffset: 4, as: UInt8.self)
      } else {
        place.storeBytes(of: node.dimension, toByteOffset: 4, as: UInt16.self)
      }
      place += width
    }
  }

  private func writeRanks(
    _ tree: Int, _ steps: UnsafeMutablePointer<Step>, _ count: Int, isWide: Bool,
    to writer: inout SnapshotWriter
  ) {
    let first = tree * capacity
    let fields = forest.pointee
    let width = isWide ? 4 : 2
    var place = writer.reserve((count + 1) / 2 * width)
    for step in 0..<count where steps[step].reference & RCF_LEAF != 0 {
      let entry = Int(steps[step].reference & (RCF_LEAF - 1))
      let rank = store.rank(fields.position(first + entry))
      if isWide {
        place.storeBytes(of: rank, as: UInt32.self)
      } else {
        place.storeBytes(of: UInt16(truncatingIfNeeded: rank), as: UInt16.self)
      }
      place += width
    }
  }

  /// Writes the keys of a tree in which some leaves stand for several entries.
  private func writeTwins(
    _ tree: Int, _ steps: UnsafeMutablePointer<Step>, _ count: Int,
    to writer: inout SnapshotWriter
  ) {
    let first = tree * capacity
    let fields = forest.pointee
    let keys = fields.keys + first
    for step in 0..<count where steps[step].reference & RCF_LEAF != 0 {
      let entry = Int(steps[step].reference & (RCF_LEAF - 1))
      writer.write(UInt16(steps[step].mass))
      writer.write(keys[entry])
      guard steps[step].mass > 1 else { continue }
      var twins: [Float] = []
      for other in 0..<Int(fields.trees[tree].mass)
      where other != entry
        && fields.position(first + other) == fields.position(first + entry)
      {
        twins.append(keys[other])
      }
      for key in twins.sorted() { writer.write(key) }
    }
  }

  /// Puts down every node and leaf of the tree, parents before their left, then their right part.
  ///
  /// Both areas have room for twice the sample; returns how many there are.
  private func walk(
    _ tree: Int, into steps: UnsafeMutablePointer<Step>, pending: UnsafeMutablePointer<Step>
  ) -> Int {
    let state = forest.pointee.trees[tree]
    let nodes = forest.pointee.nodes + tree * capacity
    pending[0] = (UInt32(state.root), state.mass)
    var waiting = 1
    var count = 0
    while waiting > 0 {
      waiting -= 1
      let next = pending[waiting]
      steps[count] = next
      count += 1
      guard next.reference & RCF_LEAF == 0 else { continue }
      let node = nodes[Int(next.reference)]
      pending[waiting] = (UInt32(node.right), next.mass - UInt32(node.left_mass))
      pending[waiting + 1] = (UInt32(node.left), UInt32(node.left_mass))
      waiting += 2
    }
    return count
  }

  mutating func read(from reader: inout SnapshotReader) throws(ForestError) {
    var section = try reader.section(SnapshotFormat.store)
    let starts = try store.read(from: &section)
    forest.pointee.store = store.floats
    fitPositions()
    var trees = try reader.section(SnapshotFormat.trees)
    for tree in 0..<numberOfTrees { try read(tree, starts: starts, from: &trees) }
    guard section.isAtEnd, trees.isAtEnd else {
      throw .badSnapshot(reason: "a section is longer than its content")
    }
  }

  private mutating func read(
    _ tree: Int, starts: [UInt32], from reader: inout SnapshotReader
  ) throws(ForestError) {
    forest.pointee.trees[tree].random = try reader.read(UInt64.self)
    nextAcceptance[tree] = try reader.read(Int64.self)
    nextKey[tree] = try reader.read(Float.self)
    let mass = Int(try reader.read(UInt16.self))
    guard mass > 0 else { return }
    let leaves = Int(try reader.read(UInt16.self))
    guard mass <= sampleSize, leaves >= 1, leaves <= mass else {
      throw .badSnapshot(reason: "tree \(tree) has \(leaves) leaves for \(mass) points")
    }
    if mass > capacity {
      var room = capacity
      while room < mass { room *= 2 }
      resize(capacity: min(sampleSize, room), boxed: boxedTrees, isWide: isWide)
    }
    let topology = try reader.bytes((2 * leaves + 6) / 8)
    try readNodes(tree, leaves: leaves, topology: topology, from: &reader)
    try readLeaves(tree, leaves: leaves, mass: mass, starts: starts, from: &reader)
    forest.pointee.trees[tree].mass = UInt32(mass)
    let inRoot = setMasses(tree, masses: leafMasses(tree, leaves: leaves, mass: mass))
    guard inRoot == mass else { throw .badSnapshot(reason: "tree \(tree) has a wrong mass") }
    if tree < boxedTrees { rebuildBoxes(ofTree: tree) }
    if mass == sampleSize { findLastEntry(tree) }
  }

  /// Rebuilds the topology; nodes and leaves are numbered as met.
  private func readNodes(
    _ tree: Int, leaves: Int, topology: UnsafeRawPointer, from reader: inout SnapshotReader
  ) throws(ForestError) {
    let nodes = forest.pointee.nodes + tree * capacity
    // Places that wait for a child: a node, doubled, plus 1 for its right side; -1 is the root.
    var pending = [-1]
    pending.reserveCapacity(leaves + 1)
    var inner = 0
    var leaf = 0
    for step in 0..<(2 * leaves - 1) {
      guard let place = pending.popLast() else {
        throw .badSnapshot(reason: "tree \(tree) ends too early")
      }
      let isInner = bit(step, of: topology)
      let reference = UInt16(isInner ? inner : leaf | Int(RCF_LEAF))
      if place < 0 {
        forest.pointee.trees[tree].root = reference
      } else if place & 1 == 0 {
        nodes[place / 2].left = reference
      } else {
        nodes[place / 2].right = reference
      }
      guard isInner else {
        leaf += 1
        continue
      }
      guard inner < leaves - 1 else { throw .badSnapshot(reason: "tree \(tree) has no end") }
      pending.append(2 * inner + 1)
      pending.append(2 * inner)
      inner += 1
    }
    guard pending.isEmpty else { throw .badSnapshot(reason: "tree \(tree) has no end") }
    for node in 0..<inner {
      nodes[node].cut = try reader.read(Float.self)
      nodes[node].dimension =
        dimensionIsByte ? UInt16(try reader.read(UInt8.self)) : try reader.read(UInt16.self)
      guard Int(nodes[node].dimension) < dimensions else {
        throw .badSnapshot(reason: "tree \(tree) cuts a dimension that is not there")
      }
    }
    forest.pointee.trees[tree].node_limit = UInt16(inner)
    forest.pointee.trees[tree].free_node = UInt16(RCF_NONE)
  }

  private mutating func readLeaves(
    _ tree: Int, leaves: Int, mass: Int, starts: [UInt32], from reader: inout SnapshotReader
  ) throws(ForestError) {
    let first = tree * capacity
    let keys = forest.pointee.keys + first
    for leaf in 0..<leaves {
      let rank =
        starts.count <= 65_536
        ? Int(try reader.read(UInt16.self)) : Int(try reader.read(UInt32.self))
      guard rank < starts.count else {
        throw .badSnapshot(reason: "tree \(tree) holds a point that is not stored")
      }
      forest.pointee.setPosition(first + leaf, starts[rank])
      store.retain(Int(starts[rank]))
    }
    var entry = leaves
    for leaf in 0..<leaves {
      let copies = leaves < mass ? Int(try reader.read(UInt16.self)) : 1
      keys[leaf] = try reader.read(Float.self)
      guard copies >= 1, entry + copies - 1 <= mass else {
        throw .badSnapshot(reason: "tree \(tree) has too many points")
      }
      for _ in 1..<max(1, copies) {
        forest.pointee.setPosition(first + entry, forest.pointee.position(first + leaf))
        keys[entry] = try reader.read(Float.self)
        entry += 1
      }
    }
    guard entry == mass else { throw .badSnapshot(reason: "tree \(tree) has too few points") }
  }

  /// How many entries each leaf stands for: twins follow all leaves, in the order of the leaves.
  private func leafMasses(_ tree: Int, leaves: Int, mass: Int) -> [Int] {
    var masses = [Int](repeating: 1, count: leaves)
    let first = tree * capacity
    let fields = forest.pointee
    var leaf = 0
    for twin in leaves..<mass {
      while leaf < leaves - 1, fields.position(first + leaf) != fields.position(first + twin) {
        leaf += 1
      }
      masses[leaf] += 1
    }
    return masses
  }

  /// Sets the left masses from those of the leaves; returns the mass of the root.
  package func setMasses(_ tree: Int, masses: [Int]) -> Int {
    let nodes = forest.pointee.nodes + tree * capacity
    let root = UInt32(forest.pointee.trees[tree].root)
    guard root & RCF_LEAF == 0 else { return masses[Int(root & (RCF_LEAF - 1))] }
    let inner = Int(forest.pointee.trees[tree].node_limit)
    var total = [Int](repeating: 0, count: inner)
    func mass(_ reference: UInt16) -> Int {
      let reference = UInt32(reference)
      return reference & RCF_LEAF == 0
        ? total[Int(reference)] : masses[Int(reference & (RCF_LEAF - 1))]
    }
    // Numbered in preorder, children come after their parents.
    for node in (0..<inner).reversed() {
      let left = mass(nodes[node].left)
      nodes[node].left_mass = UInt16(left)
      total[node] = left + mass(nodes[node].right)
    }
    return total[0]
  }
}

extension PointStore {
  /// Writes what trees hold, slid together; returns how many points begin in it.
  mutating func write(to writer: inout SnapshotWriter) -> Int {
    let blocks = cover()
    var points = 0
    for position in 0..<end where references[position] > 0 { points += 1 }
    writer.write(UInt64(blocks))
    writer.write(UInt64(points))
    let bits = writer.reserveZeroes((blocks + 7) / 8)
    for position in 0..<end where references[position] > 0 {
      writer.setBit(Int(moved(UInt32(position))), from: bits)
    }
    for position in 0..<end where isCovered(position) {
      writer.write(floats + position * block, byteCount: 4 * block)
    }
    rankStarts()
    return points
  }

  /// Reads the blocks; returns where points begin.
  mutating func read(from reader: inout SnapshotReader) throws(ForestError) -> [UInt32] {
    let blocks = Int(truncatingIfNeeded: try reader.read(UInt64.self))
    let points = Int(truncatingIfNeeded: try reader.read(UInt64.self))
    guard blocks >= 0, blocks <= Int(UInt32.max), points >= 0, points <= blocks else {
      throw .badSnapshot(reason: "\(points) points in \(blocks) blocks")
    }
    let bits = try reader.bytes((blocks + 7) / 8)
    let (bytes, overflow) = blocks.multipliedReportingOverflow(by: 4 * block)
    guard !overflow else { throw .badSnapshot(reason: "\(blocks) blocks") }
    let content = try reader.bytes(bytes)
    reserve(blocks)
    UnsafeMutableRawPointer(floats).copyMemory(from: content, byteCount: bytes)
    references.update(repeating: 0, count: blocks)
    for i in 0..<blocks * block where !(floats[i].magnitude <= ForestError.largestMagnitude) {
      throw .badSnapshot(reason: "a stored value is not finite")
    }
    setEnd(blocks)
    var starts: [UInt32] = []
    starts.reserveCapacity(points)
    for position in 0..<blocks where bit(position, of: bits) {
      guard position + blocksPerPoint <= blocks else {
        throw .badSnapshot(reason: "a point begins in block \(position) of \(blocks)")
      }
      starts.append(UInt32(position))
    }
    guard starts.count == points else { throw .badSnapshot(reason: "points are missing") }
    return starts
  }
}
