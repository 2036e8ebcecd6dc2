import Columns

/// The walk over a record's documents.
extension RecordDecoder {
  /// Reads documents until the record ends; the whole record is checked, mapped or not.
  mutating func decodeDocuments(_ bytes: Span<UInt8>, pool: inout StringPool) throws(Fault) {
    var cursor = 0
    bytes.skipBlanks(&cursor)
    guard cursor < bytes.count else { throw Fault(.empty, at: 0) }
    repeat {
      if tree.isPlain, bytes.byte(at: cursor) == UInt8(ascii: "{") {
        try openRow(at: cursor)
        try readMembers(of: PathTree.root, bytes, at: &cursor, depth: 1, pool: &pool)
      } else if tree.rowMembers.isEmpty, !tree.rowIsElement {
        try readRow(bytes, at: &cursor, depth: 0, pool: &pool)
      } else {
        let start = cursor
        guard try findRows(bytes, at: &cursor, level: 0, pool: &pool) else {
          throw Fault(.rowMissing, at: start)
        }
      }
      bytes.skipBlanks(&cursor)
    } while cursor < bytes.count
  }

  /// Follows the row path from its `level`-th member on; says whether it led to a value.
  private mutating func findRows(
    _ bytes: Span<UInt8>, at cursor: inout Int, level: Int, pool: inout StringPool
  ) throws(Fault) -> Bool {
    if level == tree.rowMembers.count {
      if tree.rowIsElement { return try readRows(bytes, at: &cursor, depth: level, pool: &pool) }
      try readRow(bytes, at: &cursor, depth: level, pool: &pool)
      return true
    }
    guard bytes.byte(at: cursor) == UInt8(ascii: "{") else {
      try skipValue(bytes, at: &cursor, depth: level)
      return false
    }
    cursor += 1
    let before = rows.count
    var isFound = false
    bytes.skipBlanks(&cursor)
    if bytes.byte(at: cursor) == UInt8(ascii: "}") {
      cursor += 1
      return false
    }
    while true {
      let name = try readName(bytes, at: &cursor)
      let wanted = tree.rowMembers[level]
      if isName(name, wanted.span, in: bytes) {
        // Of members with the same name the last wins.
        truncate(to: before)
        isFound = try findRows(bytes, at: &cursor, level: level + 1, pool: &pool)
      } else {
        try skipValue(bytes, at: &cursor, depth: level + 1)
      }
      if try isLastMember(bytes, at: &cursor) { return isFound }
    }
  }

  /// Reads an array of rows; says whether there was one.
  private mutating func readRows(
    _ bytes: Span<UInt8>, at cursor: inout Int, depth: Int, pool: inout StringPool
  ) throws(Fault) -> Bool {
    guard bytes.byte(at: cursor) == UInt8(ascii: "[") else {
      try skipValue(bytes, at: &cursor, depth: depth)
      return false
    }
    cursor += 1
    bytes.skipBlanks(&cursor)
    if bytes.byte(at: cursor) == UInt8(ascii: "]") {
      cursor += 1
      return true
    }
    while true {
      try readRow(bytes, at: &cursor, depth: depth + 1, pool: &pool)
      if try isLastElement(bytes, at: &cursor) { return true }
    }
  }

  /// Reads one row, or one per element of its flattened array.
  private mutating func readRow(
    _ bytes: Span<UInt8>, at cursor: inout Int, depth: Int, pool: inout StringPool
  ) throws(Fault) {
    try openRow(at: cursor)
    let first = row
    let root = tree.nodes[PathTree.root]
    let start = cursor
    try readValue(for: PathTree.root, bytes, at: &cursor, depth: depth, pool: &pool)
    let expected = root.elements >= 0 ? UInt8(ascii: "[") : UInt8(ascii: "{")
    if root.isInner || root.sinks.isEmpty, bytes[start] != expected {
      failures.append(Failure(row: first, slot: -1, fault: Fault(.rowNotObject, at: start)))
    }
    if rows.count - first > 1 { repeatColumns(of: first) }
    row = first
  }

  /// Gives the rows behind `first`, one per element, the columns that are not from the array.
  private mutating func repeatColumns(of first: Int) {
    let elements = tree.nodes[tree.nodes[tree.flattened].elements].subtreeSinks
    for index in tree.sinks.indices where !elements.contains(index) {
      for row in first + 1..<rows.count {
        rows.copy(slot: tree.sinks[index].slot, from: first, to: row)
      }
    }
  }

  private mutating func isName(
    _ name: JSONString, _ wanted: Span<UInt8>, in bytes: Span<UInt8>
  ) -> Bool {
    var plain = takeText()
    defer { text = plain }
    do throws(Fault) {
      try bytes.unescape(name.range, into: &plain)
    } catch {
      preconditionFailure("the escapes of a name were checked when it was read")
    }
    guard plain.count == wanted.count else { return false }
    for index in plain.indices where plain[index] != wanted[index] { return false }
    return true
  }

  /// Reads the value of a node.
  @inline(__always)
  mutating func readValue(
    for node: Int, _ bytes: Span<UInt8>, at cursor: inout Int, depth: Int,
    pool: inout StringPool
  ) throws(Fault) {
    if tree.nodes[node].isInner {
      try readInner(node, bytes, at: &cursor, depth: depth, pool: &pool)
    } else {
      try readLeaf(tree.nodes[node].sinks, bytes, at: &cursor, depth: depth, pool: &pool)
    }
  }

  /// Reads a value below which there are columns; what an earlier one of the same name left is void.
  private mutating func readInner(
    _ node: Int, _ bytes: Span<UInt8>, at cursor: inout Int, depth: Int, pool: inout StringPool
  ) throws(Fault) {
    for index in tree.nodes[node].subtreeSinks { setNull(tree.sinks[index].slot) }
    let lead = bytes.byte(at: cursor)
    let start = cursor
    if lead == UInt8(ascii: "{"), !tree.nodes[node].children.isEmpty {
      dropElements(under: node)
      try readMembers(of: node, bytes, at: &cursor, depth: depth + 1, pool: &pool)
    } else if lead == UInt8(ascii: "["), tree.nodes[node].elements >= 0 {
      dropElements(under: node)
      cursor += 1
      try readElements(of: node, bytes, at: &cursor, depth: depth + 1, pool: &pool)
    } else {
      dropElements(under: node)
      try readLeaf(tree.nodes[node].sinks, bytes, at: &cursor, depth: depth, pool: &pool)
      return
    }
    for index in tree.nodes[node].sinks {
      storeSource(bytes, start..<cursor, tree.sinks[index], pool: &pool)
    }
  }

  /// Drops the rows of an earlier array when the flattened array lies at or below `node`.
  private mutating func dropElements(under node: Int) {
    guard tree.flattened >= 0, rows.count > row + 1,
      tree.nodes[node].subtreeSinks.contains(
        tree.nodes[tree.nodes[tree.flattened].elements].subtreeSinks.lowerBound),
      node <= tree.flattened
    else { return }
    truncate(to: row + 1)
  }

  /// Reads the elements of the flattened array, a row each; the first shares the row at hand.
  private mutating func readElements(
    of node: Int, _ bytes: Span<UInt8>, at cursor: inout Int, depth: Int, pool: inout StringPool
  ) throws(Fault) {
    guard depth <= RecordFormat.depthLimit else { throw Fault(.depthExceeded, at: cursor - 1) }
    let first = row
    let element = tree.nodes[node].elements
    bytes.skipBlanks(&cursor)
    if bytes.byte(at: cursor) == UInt8(ascii: "]") {
      cursor += 1
      return
    }
    while true {
      try readValue(for: element, bytes, at: &cursor, depth: depth, pool: &pool)
      if try isLastElement(bytes, at: &cursor) { break }
      try openRow(at: cursor)
    }
    row = first
  }

  /// Reads a value into `sinks`.
  @inline(__always)
  private mutating func readLeaf(
    _ sinks: Range<Int>, _ bytes: Span<UInt8>, at cursor: inout Int, depth: Int,
    pool: inout StringPool
  ) throws(Fault) {
    let start = cursor
    switch bytes.byte(at: cursor) {
    case UInt8(ascii: "\""):
      cursor &+= 1
      let string = try bytes.string(at: &cursor)
      if string.isEscaped {
        try storeEscaped(string, bytes, sinks, at: start, pool: &pool)
      } else {
        let characters = bytes.extracting(string.range)
        for index in sinks { store(characters, tree.sinks[index], at: start, pool: &pool) }
      }
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      guard let number = bytes.number(.json, at: &cursor) else {
        throw bytes.fault(.badNumber, at: cursor)
      }
      for index in sinks {
        store(number, text: bytes, range: start..<cursor, tree.sinks[index], pool: &pool)
      }
    case UInt8(ascii: "["), UInt8(ascii: "{"):
      try skipValue(bytes, at: &cursor, depth: depth)
      for index in sinks { storeSource(bytes, start..<cursor, tree.sinks[index], pool: &pool) }
    default:
      let literal = try readLiteral(bytes, at: &cursor)
      for index in sinks {
        switch literal {
        case .null: setNull(tree.sinks[index].slot)
        case .false: store(false, tree.sinks[index], at: start, pool: &pool)
        case .true: store(true, tree.sinks[index], at: start, pool: &pool)
        }
      }
    }
  }

  private mutating func storeEscaped(
    _ string: JSONString, _ bytes: Span<UInt8>, _ sinks: Range<Int>, at position: Int,
    pool: inout StringPool
  ) throws(Fault) {
    var plain = takeText()
    defer { text = plain }
    try bytes.unescape(string.range, into: &plain)
    for index in sinks { store(plain.span, tree.sinks[index], at: position, pool: &pool) }
  }

  /// The scratch text, emptied; the borrower puts it back.
  mutating func takeText() -> [UInt8] {
    var taken: [UInt8] = []
    swap(&taken, &text)
    taken.removeAll(keepingCapacity: true)
    return taken
  }
}
