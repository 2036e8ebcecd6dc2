import Columns

/// What a snapshot in the making still lacks of an operator's groups, block by block.
///
/// A block is copied when its turn comes, or just before one of its groups first changes. Slice `b + 1` of
/// the operator's section is block `b`. Unlike models, groups rarely stay as they are from one snapshot
/// to the next: nothing refers to earlier snapshots.
struct BlockCopies {
  /// How many groups a block has unless it is said otherwise.
  static let size = 1_024

  private let size: Int
  private var isDue: [Bool] = []
  private var dueCount = 0
  /// All blocks before this one were copied.
  private var next = 0
  /// The copies that no caller has taken.
  private var copied = StateWriter()

  /// Creates what lacks nothing, for groups in blocks of `size`.
  init(size: Int = BlockCopies.size) { self.size = size }

  /// Whether blocks must be told of before they change.
  var isCopying: Bool { dueCount > 0 }

  /// How many blocks so many groups make.
  static func count(_ groups: Int, size: Int = size) -> Int { (groups + size - 1) / size }

  /// The groups of a block, of so many in all.
  static func groups(of block: Int, in count: Int, size: Int = size) -> Range<Int> {
    min(count, block * size)..<min(count, (block + 1) * size)
  }

  /// Begins a snapshot of so many groups.
  mutating func begin(groups: Int) {
    copied = StateWriter()
    dueCount = Self.count(groups, size: size)
    isDue = [Bool](repeating: true, count: dueCount)
    next = 0
  }

  /// To be called before a group changes, appears or vanishes; copies its block if the snapshot lacks it.
  mutating func willChange(
    _ group: Int, section: String, _ write: (_ block: Int, inout SectionWriter) -> Void
  ) {
    let block = group / size
    guard block < isDue.count, isDue[block] else { return }
    copy(block, section, write)
  }

  private mutating func copy(
    _ block: Int, _ section: String, _ write: (_ block: Int, inout SectionWriter) -> Void
  ) {
    copied.section(section, slice: block + 1) { write(block, &$0) }
    isDue[block] = false
    dueCount -= 1
  }

  /// Hands over what was copied, after copying one more block; returns whether any are left.
  mutating func copyOne(
    section: String, into writer: inout StateWriter,
    _ write: (_ block: Int, inout SectionWriter) -> Void
  ) -> Bool {
    if dueCount > 0 {
      while !isDue[next] { next += 1 }
      copy(next, section, write)
    }
    writer.append(copied.slices)
    copied = StateWriter()
    return dueCount > 0
  }

  /// Forgets a snapshot that was not finished.
  mutating func forget() { self = BlockCopies(size: size) }
}
