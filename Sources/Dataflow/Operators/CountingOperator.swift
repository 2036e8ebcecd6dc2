import Columns
import StreamSQL

/// What was counted since a window began, by groups with numbers from 0 on.
protocol CountedWindow {
  /// How many groups a slice of the state has.
  static var blockSize: Int { get }
  /// How many groups there are.
  var groupCount: Int { get }

  /// Writes what all groups share.
  func saveHead(into section: inout SectionWriter)
  /// Writes the groups of a block.
  func save(_ block: Int, into section: inout SectionWriter, _ pool: borrowing StringPool)
  /// Reads what `saveHead` wrote; how many groups there are is known then.
  mutating func restoreHead(from section: inout SectionReader) throws
  /// Reads what `save` wrote.
  mutating func restore(
    _ block: Int, from section: inout SectionReader, _ pool: inout StringPool) throws
  /// All blocks have been read.
  mutating func endRestoring()
  /// Reads a state that has everything in one slice.
  mutating func restoreWhole(
    from section: inout SectionReader, _ pool: inout StringPool) throws
  /// Takes the new ids of all strings that it holds.
  mutating func remapStrings(_ remap: inout StringRemapper)
  /// Forgets all groups.
  mutating func removeAll()
}

/// An operator that counts in windows aligned to 1970, and its state: a snapshot in the making has the
/// window that it was begun with, also when that is closed meanwhile.
class CountingOperator<Window: CountedWindow>: Operator {
  /// The window that counts.
  final var window: Window
  /// When it ends; `Int64.max` before its first row.
  final var due = Int64.max
  private let length: Int64
  /// What a snapshot in the making lacks, and the window that it was begun with once that is closed.
  private final var copies = BlockCopies(size: Window.blockSize)
  private final var closed: Window?

  init(
    _ window: Window, length: Int64, input: Operator, schema: Schema, section: String
  ) {
    self.window = window
    self.length = length
    super.init(
      schema: schema, section: section, inputs: [input], isBounded: input.isBounded)
  }

  override var hasState: Bool { true }
  override var nextDue: Int64 { due }

  /// A row belongs to the window: the first one says when it ends.
  final func beginIfNeeded(at rowtime: Int64) {
    if due == Int64.max { due = nextMultiple(after: rowtime, of: length) }
  }

  /// The window's results are out.
  final func endWindow() {
    if isCopying { closed = window }
    window.removeAll()
    due = Int64.max
  }

  // MARK: State

  /// Whether groups must be told of before they change.
  final var isCopying: Bool { copies.isCopying && closed == nil }

  /// To be called before a group changes or appears, while `isCopying`.
  final func willChange(_ number: Int, _ pool: borrowing StringPool) {
    copies.willChange(number, section: section) { window.save($0, into: &$1, pool) }
  }

  /// What a section begins with that has its groups in slices; others begin with a window's end.
  private static var sliced: Int64 { Int64.min }

  override func save(into writer: inout StateWriter, _ pool: borrowing StringPool) {
    saveHead(into: &writer)
    for block in 0..<BlockCopies.count(window.groupCount, size: Window.blockSize) {
      writer.section(section, slice: block + 1) { window.save(block, into: &$0, pool) }
    }
  }

  private func saveHead(into writer: inout StateWriter) {
    writer.section(section) { section in
      section.write(Self.sliced)
      section.write(due)
      window.saveHead(into: &section)
    }
  }

  override func beginSave(
    _ snapshot: Int64, into writer: inout StateWriter, _ pool: borrowing StringPool
  ) {
    saveHead(into: &writer)
    copies.begin(groups: window.groupCount)
    closed = nil
  }

  override func continueSave(into writer: inout StateWriter, _ pool: borrowing StringPool) -> Bool {
    let isUnfinished = copies.copyOne(section: section, into: &writer) {
      (closed ?? window).save($0, into: &$1, pool)
    }
    if !isUnfinished { closed = nil }
    return isUnfinished
  }

  override func forgetSaved() {
    copies.forget()
    closed = nil
  }

  override func restore(from reader: StateReader, _ pool: inout StringPool) throws {
    var head = try reader.section(section)
    let first = try head.integer(Int64.self)
    guard first == Self.sliced else {
      due = first
      try window.restoreWhole(from: &head, &pool)
      return try head.finish()
    }
    due = try head.integer()
    try window.restoreHead(from: &head)
    try head.finish()
    for block in 0..<BlockCopies.count(window.groupCount, size: Window.blockSize) {
      var slice = try reader.section(section, slice: block + 1)
      try window.restore(block, from: &slice, &pool)
      try slice.finish()
    }
    window.endRestoring()
  }

  override func remapStrings(_ remap: inout StringRemapper) {
    window.remapStrings(&remap)
    closed?.remapStrings(&remap)
  }
}
