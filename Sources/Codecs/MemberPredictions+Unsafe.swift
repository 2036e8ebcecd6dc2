/// What stood between two values in earlier records: comma, blanks, the member's name, colon.
///
/// Records of one topic repeat their members in the same order and layout. Comparing the bytes before
/// the next value with those that came at this place last time costs a few instructions, and what to do
/// with the value lies beside them. After the member at a place the one at the next place is expected;
/// when another comes, all that were learned are looked through. A wrong guess only costs time; a right
/// one needs no check, because the same bytes were checked when they were learned. Invariant of the
/// pointer: places are below `count`, since only places that were learned match and the one behind the
/// last of an object is never learned.
struct MemberPredictions: ~Copyable {
  /// How many members of an object are remembered; one more place, never learned, follows them.
  static let perObject = 63
  /// The places of an object.
  static let placesPerObject = perObject + 1
  /// The most bytes that are remembered of what lies before a value.
  private static let byteLimit = 32

  private struct Member {
    /// The bytes; the first word of what was not learned matches nothing.
    var words: (UInt64, UInt64, UInt64, UInt64) = (1, 0, 0, 0)
    /// Which bits of the words count.
    var masks: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    var length = 0
    var node = -1
    var shortcut = Shortcut.none
    var slot = 0
    var minimum: Int64 = 0
    var maximum: Int64 = 0
  }

  /// Values of the commonest types, when one column alone wants them, or none does.
  enum Shortcut: UInt8 {
    case none, integer, double, boolean, text, unwanted

    init(_ sink: ColumnSink) {
      switch sink.kind {
      case .integer: self = .integer
      case .double: self = .double
      case .boolean: self = .boolean
      case .text: self = sink.isPadded ? .none : .text
      default: self = .none
      }
    }
  }

  private let members: UnsafeMutablePointer<Member>
  private let count: Int
  /// How many members of each object were learned.
  private var learned: [Int]

  init(objects: Int) {
    count = objects * Self.placesPerObject
    learned = Array(repeating: 0, count: objects)
    members = .allocate(capacity: max(1, count))
    members.initialize(repeating: Member(), count: count)
  }

  deinit { members.deallocate() }

  @inline(__always)
  private func member(_ place: Int) -> UnsafeMutablePointer<Member> {
    assert(place >= 0 && place < count)
    return members + place
  }

  /// Whether the bytes at `index` are those that came at `place`; never when none were learned.
  @inline(__always)
  func matches(_ place: Int, _ text: PaddedText, at index: Int) -> Bool {
    let member = self.member(place)
    guard text.word(at: index) & member.pointee.masks.0 == member.pointee.words.0,
      text.word(at: index &+ 8) & member.pointee.masks.1 == member.pointee.words.1
    else { return false }
    if member.pointee.length <= 16 { return true }
    return text.word(at: index &+ 16) & member.pointee.masks.2 == member.pointee.words.2
      && text.word(at: index &+ 24) & member.pointee.masks.3 == member.pointee.words.3
  }

  /// How many bytes came before the value.
  @inline(__always) func length(_ place: Int) -> Int { member(place).pointee.length }
  /// The node that wants the value, or -1.
  @inline(__always) func node(_ place: Int) -> Int { member(place).pointee.node }
  /// What a plain value needs to be stored at once.
  @inline(__always) func shortcut(_ place: Int) -> Shortcut { member(place).pointee.shortcut }
  /// The slot of the shortcut.
  @inline(__always) func slot(_ place: Int) -> Int { member(place).pointee.slot }
  /// The least integer of the shortcut.
  @inline(__always) func minimum(_ place: Int) -> Int64 { member(place).pointee.minimum }
  /// The greatest integer, or the most bytes of text, of the shortcut.
  @inline(__always) func maximum(_ place: Int) -> Int64 { member(place).pointee.maximum }

  /// The place of the object that begins at `first` where the bytes at `index` were learned, or -1.
  @inline(never)
  func find(from first: Int, _ text: PaddedText, at index: Int) -> Int {
    for place in first..<first + learned[first / Self.placesPerObject] {
      if matches(place, text, at: index) { return place }
    }
    return -1
  }

  /// Remembers that the bytes at `range`, already checked, lead to a value in the object whose places
  /// begin at `first`; returns the place, or `first` when they are too many bytes.
  ///
  /// An object whose places are full begins afresh, so that names that never come again do not stay.
  mutating func learn(
    _ text: PaddedText, _ range: Range<Int>, node: Int, sink: ColumnSink?, from first: Int
  ) -> Int {
    let object = first / Self.placesPerObject
    precondition(first >= 0 && first < count && first % Self.placesPerObject == 0)
    let length = range.count
    guard length <= Self.byteLimit else { return first }
    if learned[object] == Self.perObject { forget(first) }
    let place = first + learned[object]
    learned[object] += 1
    func mask(_ word: Int) -> UInt64 {
      let used = length - 8 * word
      return used >= 8 ? .max : used <= 0 ? 0 : (1 << UInt64(8 * used)) - 1
    }
    var member = Member()
    member.masks = (mask(0), mask(1), mask(2), mask(3))
    let start = range.lowerBound
    member.words = (
      text.word(at: start) & member.masks.0, text.word(at: start + 8) & member.masks.1,
      text.word(at: start + 16) & member.masks.2, text.word(at: start + 24) & member.masks.3
    )
    member.length = length
    member.node = node
    if let sink {
      member.shortcut = Shortcut(sink)
      member.slot = sink.slot
      member.minimum = sink.minimum
      member.maximum = member.shortcut == .text ? Int64(sink.limit) : sink.maximum
    } else if node < 0 {
      member.shortcut = .unwanted
    }
    members[place] = member
    return place
  }

  private mutating func forget(_ first: Int) {
    (members + first).update(repeating: Member(), count: Self.placesPerObject)
    learned[first / Self.placesPerObject] = 0
  }
}
