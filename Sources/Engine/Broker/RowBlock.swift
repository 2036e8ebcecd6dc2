/// Encoded rows one after the other in one array, so that staging a row allocates nothing.
package struct RowBlock: Hashable, Sendable {
  /// The bytes of all rows.
  package private(set) var bytes: [UInt8] = []
  /// Where each row ends in `bytes`.
  package private(set) var ends: [Int] = []

  /// Creates a block without rows.
  package init() {}

  /// Creates a block of these rows.
  package init(_ rows: [[UInt8]]) {
    for row in rows { append { $0 += row } }
  }

  /// How many rows there are.
  package var count: Int { ends.count }

  /// Whether there are no rows.
  package var isEmpty: Bool { ends.isEmpty }

  /// Adds what `write` appends as one row, without the line end that an encoder leaves.
  package mutating func append(_ write: (inout [UInt8]) -> Void) {
    write(&bytes)
    if bytes.count > ends.last ?? 0, bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
    ends.append(bytes.count)
  }

  /// Adds the rows of another block.
  package mutating func append(_ other: RowBlock) {
    let start = bytes.count
    bytes += other.bytes
    ends += other.ends.map { $0 + start }
  }

  /// Where a row stands in `bytes`.
  package func range(_ row: Int) -> Range<Int> { (row == 0 ? 0 : ends[row - 1])..<ends[row] }

  /// Copies of the rows.
  package var rows: [[UInt8]] { (0..<count).map { Array(bytes[range($0)]) } }
}
