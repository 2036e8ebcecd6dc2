/// Encoded rows one after the other in one array, so that staging a row allocates nothing.
package struct RowBlock: Hashable, Sendable {
  /// The bytes of all rows, each behind its key.
  package private(set) var bytes: [UInt8] = []
  /// Where each row ends in `bytes`.
  package private(set) var ends: [Int] = []
  /// Where the key of each row ends in `bytes`, or `noKey`; empty as long as no row has one.
  private var keyEnds: [Int] = []
  private static let noKey = -1

  /// Creates a block without rows.
  package init() {}

  /// Creates a block of these rows, without keys.
  package init(_ rows: [[UInt8]]) {
    for row in rows { append { $0 += row } }
  }

  /// How many rows there are.
  package var count: Int { ends.count }

  /// Whether there are no rows.
  package var isEmpty: Bool { ends.isEmpty }

  /// Adds what `write` appends as the key of the row that is appended next; when it returns false the row
  /// has none.
  package mutating func appendKey(_ write: (inout [UInt8]) -> Bool) {
    addMissingKeys()
    keyEnds.append(write(&bytes) ? bytes.count : Self.noKey)
  }

  /// Adds what `write` appends as one row, without the line end that an encoder leaves.
  package mutating func append(_ write: (inout [UInt8]) -> Void) {
    let start = bytes.count
    write(&bytes)
    if bytes.count > start, bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
    ends.append(bytes.count)
    if !keyEnds.isEmpty { addMissingKeys() }
  }

  private mutating func addMissingKeys() {
    while keyEnds.count < ends.count { keyEnds.append(Self.noKey) }
  }

  /// Where a row stands in `bytes`.
  package func range(_ row: Int) -> Range<Int> {
    (keyRange(row)?.upperBound ?? start(row))..<ends[row]
  }

  /// Where the key of a row stands in `bytes`; nil when it has none.
  package func keyRange(_ row: Int) -> Range<Int>? {
    guard !keyEnds.isEmpty, keyEnds[row] != Self.noKey else { return nil }
    return start(row)..<keyEnds[row]
  }

  private func start(_ row: Int) -> Int { row == 0 ? 0 : ends[row - 1] }

  /// Copies of the rows.
  package var rows: [[UInt8]] { (0..<count).map { Array(bytes[range($0)]) } }

  /// Copies of the keys.
  package var keys: [[UInt8]?] { (0..<count).map { row in keyRange(row).map { Array(bytes[$0]) } } }
}
