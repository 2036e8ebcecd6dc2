/// Writes little-endian values into memory of a known size.
struct SnapshotWriter: ~Copyable {
  private let bytes: UnsafeMutableRawPointer
  private let limit: Int
  private(set) var count = 0
  private var sectionStart = 0

  init(capacity: Int) {
    bytes = .allocate(byteCount: max(1, capacity), alignment: 8)
    limit = capacity
  }

  deinit { bytes.deallocate() }

  mutating func write<Value: BitwiseCopyable>(_ value: Value) {
    precondition(count + MemoryLayout<Value>.size <= limit, "the size of a snapshot is known")
    bytes.storeBytes(of: value, toByteOffset: count, as: Value.self)
    count += MemoryLayout<Value>.size
  }

  mutating func write(_ source: UnsafeRawPointer, byteCount: Int) {
    precondition(count + byteCount <= limit, "the size of a snapshot is known")
    (bytes + count).copyMemory(from: source, byteCount: byteCount)
    count += byteCount
  }

  mutating func write(contentsOf source: [UInt8]) {
    source.withUnsafeBytes { bytes in
      if let start = bytes.baseAddress { write(start, byteCount: bytes.count) }
    }
  }

  /// The number of bytes, then the bytes.
  mutating func write(counted source: [UInt8]) {
    write(UInt32(source.count))
    write(contentsOf: source)
  }

  /// Reserves bytes, all of which the caller stores before it writes anything else.
  mutating func reserve(_ byteCount: Int) -> UnsafeMutableRawPointer {
    precondition(count + byteCount <= limit, "the size of a snapshot is known")
    count += byteCount
    return bytes + (count - byteCount)
  }

  /// Reserves bytes that start at 0, for bits set later; returns where they begin.
  mutating func reserveZeroes(_ byteCount: Int) -> Int {
    precondition(count + byteCount <= limit, "the size of a snapshot is known")
    (bytes + count).initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    count += byteCount
    return count - byteCount
  }

  mutating func setBit(_ bit: Int, from start: Int) {
    let target = (bytes + start + bit / 8).assumingMemoryBound(to: UInt8.self)
    target.pointee |= 1 << UInt8(bit & 7)
  }

  /// A section is its tag, its length, its bytes and their checksum.
  mutating func beginSection(_ tag: UInt32) {
    write(tag)
    write(UInt64(0))
    sectionStart = count
  }

  mutating func endSection() {
    let length = count - sectionStart
    bytes.storeBytes(of: UInt64(length), toByteOffset: sectionStart - 8, as: UInt64.self)
    write(checksum(UnsafeRawPointer(bytes + sectionStart), count: length))
  }

  consuming func finish() -> [UInt8] {
    [UInt8](UnsafeRawBufferPointer(start: bytes, count: count))
  }
}

/// Reads what a `SnapshotWriter` wrote; every read is checked against the end.
struct SnapshotReader {
  private let bytes: UnsafeRawPointer
  private let limit: Int
  private(set) var offset = 0

  init(_ bytes: UnsafeRawPointer, count: Int) {
    self.bytes = bytes
    limit = count
  }

  mutating func read<Value: BitwiseCopyable>(_ type: Value.Type) throws(ForestError) -> Value {
    try bytes(MemoryLayout<Value>.size).loadUnaligned(as: type)
  }

  /// The next bytes, in place.
  mutating func bytes(_ count: Int) throws(ForestError) -> UnsafeRawPointer {
    guard count >= 0, count <= limit - offset else {
      throw .badSnapshot(reason: "it ends at byte \(limit), in the middle of a value")
    }
    offset += count
    return bytes + (offset - count)
  }

  /// Reads what every kind of snapshot begins with.
  mutating func open(magic: UInt64, version: UInt32, of kind: String) throws(ForestError) {
    guard try read(UInt64.self) == magic else {
      throw .badSnapshot(reason: "it does not begin like one of \(kind)")
    }
    let found = try read(UInt32.self)
    guard found == version else {
      throw .badSnapshot(reason: "its version is \(found), this library reads \(version)")
    }
  }

  /// Opens a section after checking its tag and checksum.
  mutating func section(_ tag: UInt32) throws(ForestError) -> SnapshotReader {
    let found = try read(UInt32.self)
    guard found == tag else {
      throw .badSnapshot(reason: "section \(found) stands where \(tag) should")
    }
    let length = Int(truncatingIfNeeded: try read(UInt64.self))
    let content = try bytes(length)
    guard try read(UInt64.self) == checksum(content, count: length) else {
      throw .badSnapshot(reason: "the checksum of section \(tag) does not match")
    }
    return SnapshotReader(content, count: length)
  }

  var isAtEnd: Bool { offset == limit }
  var remaining: Int { limit - offset }

  /// The forest whose snapshot these bytes are.
  func forest() throws(ForestError) -> RandomCutForest {
    try RandomCutForest.restored(from: self)
  }
}

@inline(__always)
func bit(_ index: Int, of bits: UnsafeRawPointer) -> Bool {
  bits.load(fromByteOffset: index / 8, as: UInt8.self) >> UInt8(index & 7) & 1 == 1
}

/// XXH64 with seed 0, after its published specification.
func checksum(_ bytes: UnsafeRawPointer, count: Int) -> UInt64 {
  let primes: (UInt64, UInt64, UInt64, UInt64, UInt64) = (
    0x9E37_79B1_85EB_CA87, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0x85EB_CA77_C2B2_AE63,
    0x27D4_EB2F_1656_67C5
  )
  func rotate(_ x: UInt64, _ bits: UInt64) -> UInt64 { x << bits | x >> (64 - bits) }
  func round(_ sum: UInt64, _ word: UInt64) -> UInt64 {
    rotate(sum &+ word &* primes.1, 31) &* primes.0
  }
  func word(_ offset: Int) -> UInt64 {
    bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
  }
  var offset = 0
  var hash = primes.4
  if count >= 32 {
    var sums = SIMD4(primes.0 &+ primes.1, primes.1, 0, 0 &- primes.0)
    while offset + 32 <= count {
      for lane in 0..<4 { sums[lane] = round(sums[lane], word(offset + 8 * lane)) }
      offset += 32
    }
    hash = rotate(sums[0], 1) &+ rotate(sums[1], 7) &+ rotate(sums[2], 12) &+ rotate(sums[3], 18)
    for lane in 0..<4 { hash = (hash ^ round(0, sums[lane])) &* primes.0 &+ primes.3 }
  }
  hash &+= UInt64(count)
  while offset + 8 <= count {
    hash = rotate(hash ^ round(0, word(offset)), 27) &* primes.0 &+ primes.3
    offset += 8
  }
  if offset + 4 <= count {
    let half = UInt64(bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    hash = rotate(hash ^ half &* primes.0, 23) &* primes.1 &+ primes.2
    offset += 4
  }
  while offset < count {
    let byte = UInt64(bytes.load(fromByteOffset: offset, as: UInt8.self))
    hash = rotate(hash ^ byte &* primes.4, 11) &* primes.0
    offset += 1
  }
  hash = (hash ^ hash >> 33) &* primes.1
  hash = (hash ^ hash >> 29) &* primes.2
  return hash ^ hash >> 32
}
