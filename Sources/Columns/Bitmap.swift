/// A growable row of bits; as a column's null map a set bit means NULL.
public struct Bitmap: Hashable, Sendable {
  package private(set) var words: [UInt64] = []
  /// How many bits there are.
  public private(set) var count = 0
  /// Whether any bit was ever set since the last `removeAll`: false lets kernels skip the map.
  public private(set) var hasSetBits = false

  /// Creates an empty bitmap.
  public init() {}

  /// Creates a bitmap of `count` clear bits.
  public init(clear count: Int) { appendClear(count) }

  /// Sets every bit that is set in `other`, which has as many bits.
  public mutating func formUnion(_ other: borrowing Bitmap) {
    guard other.hasSetBits else { return }
    precondition(other.count == count)
    for index in words.indices { words[index] |= other.words[index] }
    hasSetBits = true
  }

  /// The bit at `index`.
  ///
  /// - Precondition: `index` is below `count`.
  public subscript(_ index: Int) -> Bool {
    get {
      precondition(index < count)
      return words[index >> 6] & (1 << UInt64(index & 63)) != 0
    }
    set {
      precondition(index < count)
      let mask: UInt64 = 1 << UInt64(index & 63)
      if newValue {
        words[index >> 6] |= mask
        hasSetBits = true
      } else {
        words[index >> 6] &= ~mask
      }
    }
  }

  /// Adds a bit at the end.
  public mutating func append(_ bit: Bool) {
    if count & 63 == 0 { words.append(0) }
    count += 1
    if bit { self[count - 1] = true }
  }

  /// Adds `added` clear bits at the end.
  public mutating func appendClear(_ added: Int) {
    count += added
    let needed = (count + 63) >> 6
    if needed > words.count {
      words.append(contentsOf: repeatElement(0, count: needed - words.count))
    }
  }

  /// Forgets all bits and keeps the memory.
  public mutating func removeAll() {
    words.removeAll(keepingCapacity: true)
    count = 0
    hasSetBits = false
  }

  /// How many bits are set.
  public var setCount: Int {
    guard hasSetBits else { return 0 }
    return words.reduce(0) { $0 + $1.nonzeroBitCount }
  }
}
