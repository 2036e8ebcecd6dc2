import Columns

/// What a snapshot in the making still lacks of rows, or keys, that only become more until all are forgotten
/// at once, block by block.
///
/// What is there stays as it is, so that nothing needs to be copied before its turn; what its owner forgets
/// meanwhile is kept here until the snapshot has it.
struct PrefixCopies<Content> {
  /// How many rows a block has.
  static var size: Int { 4_096 }

  /// How many rows the snapshot is to have.
  private var count = 0
  private var block = 0
  private var kept: Content?

  /// Whether rows must still be written.
  private var isCopying: Bool { block * Self.size < count }

  /// How many blocks so many rows make.
  static func blocks(of rows: Int) -> Int { (rows + size - 1) / size }

  /// The rows of a block, of so many in all.
  static func rows(of block: Int, in count: Int) -> Range<Int> {
    block * size..<min(count, (block + 1) * size)
  }

  /// Begins a snapshot of the first `count` rows.
  mutating func begin(count: Int) {
    self.count = count
    block = 0
    kept = nil
  }

  /// To be called before all rows are forgotten.
  mutating func willForget(_ content: Content) {
    if isCopying, kept == nil { kept = content }
  }

  /// Writes one more block as a slice of its own, behind the head in slice 0; returns whether any are left.
  mutating func copyOne(
    _ content: Content, section: String, into writer: inout StateWriter,
    _ write: (Content, Range<Int>, inout SectionWriter) -> Void
  ) -> Bool {
    guard isCopying else { return false }
    writer.section(section, slice: block + 1) {
      write(kept ?? content, Self.rows(of: block, in: count), &$0)
    }
    block += 1
    if !isCopying { kept = nil }
    return isCopying
  }

  /// Changes what is kept, as its owner changes its own.
  mutating func update(_ body: (inout Content) -> Void) {
    guard var content = kept.take() else { return }
    body(&content)
    kept = content
  }

  /// Forgets a snapshot that was not finished.
  mutating func forget() { begin(count: 0) }
}
