/// The members that the objects of earlier records had, in their order.
///
/// Records of one topic repeat their members; comparing the next name with the one that came at this
/// place last time costs a few instructions. A wrong guess only costs time.
struct KeyPredictions {
  /// How many members of an object are remembered.
  static let perObject = 64
  /// The most bytes of a remembered name, its closing quote included.
  private static let byteLimit = 32

  /// A name with its closing quote, as words and the masks of their bytes in use.
  struct Key {
    var words: (UInt64, UInt64, UInt64, UInt64) = (1, 0, 0, 0)
    var masks: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    /// Bytes of the name and the quote.
    var length = 0
    /// The mapped member's node, or -1.
    var node = -1

    /// Whether the bytes at `index` are this name; never for a key that was not learned.
    @inline(__always)
    func matches(_ bytes: Span<UInt8>, at index: Int) -> Bool {
      guard bytes.word(at: index) & masks.0 == words.0 else { return false }
      if length <= 8 { return true }
      guard bytes.word(at: index &+ 8) & masks.1 == words.1 else { return false }
      if length <= 16 { return true }
      return bytes.word(at: index + 16) & masks.2 == words.2
        && bytes.word(at: index + 24) & masks.3 == words.3
    }
  }

  private(set) var keys: [Key]

  init(objects: Int) { keys = Array(repeating: Key(), count: objects * Self.perObject) }

  /// Remembers that the name at `range`, which has no escapes, came at place `index`.
  mutating func learn(_ bytes: Span<UInt8>, _ range: Range<Int>, node: Int, at index: Int) {
    let length = range.count + 1
    guard length <= Self.byteLimit else { return }
    func mask(_ word: Int) -> UInt64 {
      let used = length - 8 * word
      return used >= 8 ? .max : used <= 0 ? 0 : (1 << UInt64(8 * used)) - 1
    }
    var key = Key()
    key.masks = (mask(0), mask(1), mask(2), mask(3))
    let start = range.lowerBound
    key.words = (
      bytes.word(at: start) & key.masks.0, bytes.word(at: start + 8) & key.masks.1,
      bytes.word(at: start + 16) & key.masks.2, bytes.word(at: start + 24) & key.masks.3
    )
    key.length = length
    key.node = node
    keys[index] = key
  }
}
