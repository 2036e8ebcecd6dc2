/// The name of an interned byte string within one `StringPool`.
public struct StringID: Hashable, Sendable {
  /// The position in the pool.
  public let raw: UInt32
  /// Wraps a position.
  public init(raw: UInt32) { self.raw = raw }
  /// The empty string, which every pool holds.
  public static let empty = StringID(raw: 0)
}

/// The distinct byte strings of one task; equal bytes have equal ids.
///
/// Ids are only names: nothing that a user sees may depend on their values or order.
public struct StringPool: ~Copyable {
  /// All strings, one after the other.
  public private(set) var bytes: [UInt8] = []
  private var starts: [UInt32] = [0, 0]
  /// Open addressing: the id in the lower half, its hash in the upper one; 0 is free.
  private var slots: [UInt64]
  private var mask: Int

  /// How many distinct strings the pool holds, the empty one included.
  public var count: Int { starts.count - 1 }

  /// Creates a pool that holds the empty string.
  public init() {
    slots = Array(repeating: 0, count: 1_024)
    mask = 1_023
  }

  /// Where the bytes of `id` lie in `bytes`.
  public func range(of id: StringID) -> Range<Int> {
    Int(starts[Int(id.raw)])..<Int(starts[Int(id.raw) + 1])
  }

  /// Calls `body` with the bytes of `id`.
  @inlinable
  public func withBytes<Result>(of id: StringID, _ body: (Span<UInt8>) -> Result) -> Result {
    body(bytes.span.extracting(range(of: id)))
  }

  /// The text of `id`; bytes that are not UTF-8 become U+FFFD.
  public func string(_ id: StringID) -> String {
    String(decoding: bytes[range(of: id)], as: UTF8.self)
  }

  /// The id of `text`'s UTF-8 bytes, added when new.
  public mutating func intern(_ text: String) -> StringID {
    var text = text
    return text.withUTF8 { buffer in intern(buffer.span) }
  }

  /// The id of `text`, added when new.
  ///
  /// - Precondition: the pool holds less than 4 GiB; tasks compact it between batches long before.
  public mutating func intern(_ text: Span<UInt8>) -> StringID {
    let count = text.count
    if count == 0 { return .empty }
    let hash = text.interningHash
    var slot = Int(hash) & mask
    while true {
      let candidate = slots[slot]
      if candidate == 0 { break }
      if candidate >> 32 == hash, equals(Int(candidate & 0xFFFF_FFFF), text) {
        return StringID(raw: UInt32(truncatingIfNeeded: candidate))
      }
      slot = (slot &+ 1) & mask
    }
    return add(text, hash: hash, slot: slot)
  }

  @inline(never)
  private mutating func add(_ text: Span<UInt8>, hash: UInt32, slot: Int) -> StringID {
    let id = UInt32(starts.count - 1)
    for index in 0..<text.count { bytes.append(text[index]) }
    precondition(bytes.count <= Int(UInt32.max), "a string pool holds at most 4 GiB")
    starts.append(UInt32(bytes.count))
    slots[slot] = UInt64(hash) << 32 | UInt64(id)
    if starts.count * 2 > slots.count { grow() }
    return StringID(raw: id)
  }

  @inline(__always)
  private func equals(_ candidate: Int, _ text: Span<UInt8>) -> Bool {
    let start = Int(starts[candidate])
    guard Int(starts[candidate &+ 1]) &- start == text.count else { return false }
    return text.equalsBytes(of: bytes.span, from: start)
  }

  private mutating func grow() {
    let old = slots
    slots = Array(repeating: 0, count: old.count * 2)
    mask = slots.count - 1
    for entry in old where entry != 0 {
      var slot = Int(entry >> 32) & mask
      while slots[slot] != 0 { slot = (slot + 1) & mask }
      slots[slot] = entry
    }
  }
}

/// Moves the strings that are still in use into a fresh pool.
///
/// A task compacts its pool between two batches when it has grown: every holder of ids passes each of
/// them through `callAsFunction` and keeps the answer; what nobody asks for is forgotten.
public struct StringRemapper: ~Copyable {
  private let old: StringPool
  private var fresh = StringPool()

  /// Begins to empty `pool`.
  public init(from pool: consuming StringPool) { old = pool }

  /// The id in the fresh pool of what `id` names in the old one.
  public mutating func callAsFunction(_ id: StringID) -> StringID {
    let text = Array(old.bytes[old.range(of: id)])
    return fresh.intern(text.span)
  }

  /// The fresh pool.
  public consuming func finish() -> StringPool { fresh }
}
