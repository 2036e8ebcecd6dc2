import CKernels

/// The idle form: the points of the store in 16 bits per value, and which of them each tree holds
/// with its sampling key in 8 bits.
///
/// Trees are regrown on waking, so that a woken forest is statistically, not bit for bit, the one
/// that went to sleep.
private enum IdleFormat {
  static let magic: UInt64 = 0x0045_4c44_494e_4243  // "CBNIDLE"
  static let version: UInt32 = 1
  static let content: UInt32 = 1
  /// Steps of the coded keys per unit.
  static let keySteps: Float = 16
}

extension RandomCutForest {
  /// A compact form for a forest that will not be used for a while.
  public mutating func idleForm() -> [UInt8] {
    let entries = configuration.numberOfTrees * configuration.sampleSize
    var writer = SnapshotWriter(
      capacity: 512 + 16 * configuration.dimensions + core.store.end * (2 * core.store.block + 1)
        + entries * 6 + configuration.numberOfTrees * 24)
    writer.write(IdleFormat.magic)
    writer.write(IdleFormat.version)
    writer.beginSection(IdleFormat.content)
    configuration.write(to: &writer)
    writer.write(Int64(totalUpdates))
    writer.write(core.clock.arrivals)
    writer.write(core.clock.base)
    writer.write(UInt8(isSamplingPaused ? 1 : 0))
    writer.write(core.shingle, byteCount: 4 * core.dimensions)
    core.writeIdle(to: &writer)
    writer.endSection()
    return writer.finish()
  }

  /// Wakes a forest from its idle form: the same points in every tree, under new cuts.
  ///
  /// - Parameter idleForm: What `idleForm()` returned.
  /// - Throws: `badSnapshot` when the bytes are damaged, cut short, or of another version.
  public init(idleForm: Span<UInt8>) throws(ForestError) {
    self = try idleForm.withUnsafeBytes { buffer throws(ForestError) in
      guard let start = buffer.baseAddress else { throw .badSnapshot(reason: "it is empty") }
      return try Self.woken(from: SnapshotReader(start, count: buffer.count))
    }
  }

  private static func woken(from bytes: SnapshotReader) throws(ForestError) -> RandomCutForest {
    var outer = bytes
    guard try outer.read(UInt64.self) == IdleFormat.magic else {
      throw .badSnapshot(reason: "it does not begin like an idle form")
    }
    let version = try outer.read(UInt32.self)
    guard version == IdleFormat.version else {
      throw .badSnapshot(reason: "its version is \(version), this library reads 1")
    }
    var reader = try outer.section(IdleFormat.content)
    var forest = try RandomCutForest(try ForestConfiguration(from: &reader))
    forest.totalUpdates = Int(try reader.read(Int64.self))
    forest.core.clock.arrivals = try reader.read(Int64.self)
    forest.core.clock.base = try reader.read(Int64.self)
    guard forest.totalUpdates >= 0, forest.core.clock.base >= 0,
      forest.core.clock.arrivals >= forest.core.clock.base
    else { throw .badSnapshot(reason: "a counter is negative") }
    forest.isSamplingPaused = try reader.read(UInt8.self) != 0
    let shingle = try reader.bytes(4 * forest.core.dimensions)
    UnsafeMutableRawPointer(forest.core.shingle).copyMemory(
      from: shingle, byteCount: 4 * forest.core.dimensions)
    try forest.core.readIdle(from: &reader)
    guard reader.isAtEnd, outer.isAtEnd else { throw .badSnapshot(reason: "bytes follow its end") }
    return forest
  }
}

extension ForestCore {
  mutating func writeIdle(to writer: inout SnapshotWriter) {
    let points = store.writeCoded(to: &writer)
    for tree in 0..<numberOfTrees {
      let mass = mass(ofTree: tree)
      let first = tree * capacity
      let keys = forest.pointee.keys + first
      let fields = forest.pointee
      var largest: Float = 0
      for entry in 0..<mass { largest = entry == 0 ? keys[0] : max(largest, keys[entry]) }
      let order = (0..<mass).map { (rank: store.rank(fields.position(first + $0)), key: keys[$0]) }
        .sorted { a, b in a.rank != b.rank ? a.rank < b.rank : a.key < b.key }
      writer.write(UInt16(mass))
      writer.write(largest)
      writer.write(forest.pointee.trees[tree].random)
      var previous: UInt32 = 0
      for entry in order {
        writer.writeCompact(entry.rank - previous)
        previous = entry.rank
        writer.write(UInt8(min(255, (largest - entry.key) * IdleFormat.keySteps)))
      }
    }
    precondition(points >= 0)
  }

  mutating func readIdle(from reader: inout SnapshotReader) throws(ForestError) {
    let starts = try store.readCoded(from: &reader)
    forest.pointee.store = store.floats
    fitPositions()
    for tree in 0..<numberOfTrees {
      let mass = Int(try reader.read(UInt16.self))
      let largest = try reader.read(Float.self)
      forest.pointee.trees[tree].random = try reader.read(UInt64.self)
      guard mass <= sampleSize else {
        throw .badSnapshot(reason: "tree \(tree) has \(mass) points for \(sampleSize)")
      }
      if mass > capacity {
        var room = capacity
        while room < mass { room *= 2 }
        resize(capacity: min(sampleSize, room), boxed: boxedTrees, isWide: isWide)
      }
      var rank: UInt32 = 0
      for entry in 0..<mass {
        rank &+= try reader.readCompact()
        let code = try reader.read(UInt8.self)
        guard rank < starts.count else {
          throw .badSnapshot(reason: "tree \(tree) holds a point that is not stored")
        }
        let position = Int(starts[Int(rank)])
        for j in 0..<dimensions { point[j] = store.floats[position * store.block + j] }
        prepareQuery()
        hold(
          tree, query: query, position: position, entry: entry,
          key: largest - Float(code) / IdleFormat.keySteps)
      }
      if mass == sampleSize { schedule(tree, at: clock.arrivals, elapsed: clock.elapsed) }
    }
  }
}

extension SnapshotWriter {
  /// Seven bits per byte, small numbers first.
  mutating func writeCompact(_ value: UInt32) {
    var rest = value
    while rest >= 0x80 {
      write(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    write(UInt8(rest))
  }
}

extension SnapshotReader {
  mutating func readCompact() throws(ForestError) -> UInt32 {
    var value: UInt32 = 0
    for shift in stride(from: 0, to: 35, by: 7) as StrideTo<Int> {
      let byte = try read(UInt8.self)
      value |= UInt32(byte & 0x7f) << UInt32(shift)
      if byte < 0x80 { return value }
    }
    throw .badSnapshot(reason: "a number has no end")
  }
}

extension PointStore {
  /// Writes what trees hold with 65,535 steps between the smallest and largest value of each input;
  /// prepares `rank` and returns how many points begin in it.
  mutating func writeCoded(to writer: inout SnapshotWriter) -> Int {
    let blocks = cover()
    writer.write(UInt64(blocks))
    let bits = writer.reserveZeroes((blocks + 7) / 8)
    for position in 0..<end where references[position] > 0 {
      writer.setBit(Int(moved(UInt32(position))), from: bits)
    }
    for j in 0..<block {
      var low = Float.infinity
      var high = -Float.infinity
      for position in 0..<end where isCovered(position) {
        low = min(low, floats[position * block + j])
        high = max(high, floats[position * block + j])
      }
      writer.write(blocks > 0 ? low : 0)
      writer.write(blocks > 0 ? high : 0)
      let step = (high - low) / 65_535
      for position in 0..<end where isCovered(position) {
        let value = step > 0 ? (floats[position * block + j] - low) / step : 0
        writer.write(UInt16(min(65_535, value + 0.5)))
      }
    }
    rankStarts()
    return blocks
  }

  mutating func readCoded(from reader: inout SnapshotReader) throws(ForestError) -> [UInt32] {
    let blocks = Int(truncatingIfNeeded: try reader.read(UInt64.self))
    guard blocks >= 0, blocks <= Int(UInt32.max) else {
      throw .badSnapshot(reason: "\(blocks) blocks")
    }
    let bits = try reader.bytes((blocks + 7) / 8)
    let (bytes, overflow) = blocks.multipliedReportingOverflow(by: 2)
    guard !overflow else { throw .badSnapshot(reason: "\(blocks) blocks") }
    for j in 0..<block {
      let low = try reader.read(Float.self)
      let high = try reader.read(Float.self)
      let codes = try reader.bytes(bytes)
      guard low.magnitude <= ForestError.largestMagnitude,
        high.magnitude <= ForestError.largestMagnitude, low <= high
      else { throw .badSnapshot(reason: "a stored value is not finite") }
      if j == 0 { reserve(blocks) }
      let step = (high - low) / 65_535
      for position in 0..<blocks {
        let code = codes.loadUnaligned(fromByteOffset: 2 * position, as: UInt16.self)
        floats[position * block + j] = code == 65_535 ? high : low + Float(code) * step
      }
    }
    references.update(repeating: 0, count: blocks)
    setEnd(blocks)
    var starts: [UInt32] = []
    for position in 0..<blocks where bit(position, of: bits) {
      guard position + blocksPerPoint <= blocks else {
        throw .badSnapshot(reason: "a point begins in block \(position) of \(blocks)")
      }
      starts.append(UInt32(position))
    }
    return starts
  }
}
