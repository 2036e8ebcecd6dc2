import Columns

/// The members of mapped objects: the hot path.
extension RecordDecoder {
  /// Reads the members of an object whose brace lies at `position`, and moves behind it.
  mutating func readMembers(
    of node: Int, _ bytes: Span<UInt8>, at position: inout Int, depth: Int,
    pool: inout StringPool
  ) throws(Fault) {
    guard depth <= RecordFormat.depthLimit else { throw Fault(.depthExceeded, at: position) }
    let text = padded
    var cursor = position
    let firstPlace = tree.nodes[node].firstPrediction
    var place = firstPlace
    while true {
      // What was learned of a first member begins with its brace and fits no other place.
      if text.byte(at: cursor) == UInt8(ascii: "{"), cursor != position {
        throw Fault(.expectedCommaOrBrace, at: cursor)
      }
      if predictions.matches(place, text, at: cursor) {
        let value = cursor &+ predictions.length(place)
        cursor = takeShortcut(place, text, at: value, pool: &pool)
        if cursor < 0 {
          let child = predictions.node(place)
          cursor = try readMember(child, bytes, from: value, depth: depth, pool: &pool)
        }
        place &+= 1
        continue
      }
      if text.byte(at: cursor) == UInt8(ascii: "}") {
        position = cursor &+ 1
        return
      }
      let known = predictions.find(from: firstPlace, text, at: cursor)
      if known >= 0 {
        place = known
        continue
      }
      var value = cursor
      guard try startMember(bytes, at: &value, isFirst: cursor == position) else {
        position = value
        return
      }
      let child = try readKey(of: node, bytes, at: &value, from: cursor, place: &place)
      cursor = try readMember(child, bytes, from: value, depth: depth, pool: &pool)
    }
  }

  /// Moves from the brace or from behind a value to the next name, or behind the end of the object.
  @inline(never)
  private func startMember(
    _ bytes: Span<UInt8>, at cursor: inout Int, isFirst: Bool
  ) throws(Fault) -> Bool {
    guard isFirst else { return try !isLastMember(bytes, at: &cursor) }
    cursor += 1
    bytes.skipBlanks(&cursor)
    guard bytes.byte(at: cursor) == UInt8(ascii: "}") else { return true }
    cursor += 1
    return false
  }

  /// Reads a name and its colon; returns the node that wants the value, or -1.
  ///
  /// What lies between `start` and the value is remembered; `place` moves behind it.
  @inline(never)
  private mutating func readKey(
    of node: Int, _ bytes: Span<UInt8>, at cursor: inout Int, from start: Int, place: inout Int
  ) throws(Fault) -> Int {
    let name = try readName(bytes, at: &cursor)
    let child: Int
    if name.isEscaped {
      var plain = takeText()
      defer { text = plain }
      try bytes.unescape(name.range, into: &plain)
      child = tree.child(of: node, named: plain.span)
    } else {
      child = tree.child(of: node, named: bytes.extracting(name.range))
    }
    let sinks = child < 0 || tree.nodes[child].isInner ? 0..<0 : tree.nodes[child].sinks
    place =
      predictions.learn(
        padded, start..<cursor, node: child,
        sink: sinks.count == 1 ? tree.sinks[sinks.lowerBound] : nil,
        from: tree.nodes[node].firstPrediction) + 1
    return child
  }

  /// Reads a member's value, whoever wants it; returns the byte behind it.
  @inline(never)
  private mutating func readMember(
    _ child: Int, _ bytes: Span<UInt8>, from start: Int, depth: Int, pool: inout StringPool
  ) throws(Fault) -> Int {
    var cursor = start
    // More blanks than came here last time.
    bytes.skipBlanks(&cursor)
    if child >= 0 {
      try readValue(for: child, bytes, at: &cursor, depth: depth, pool: &pool)
    } else {
      try skipValue(bytes, at: &cursor, depth: depth)
    }
    return cursor
  }

  /// Stores a plain value of a common type; returns the byte behind it, or -1 when it takes more.
  @inline(__always)
  private mutating func takeShortcut(
    _ place: Int, _ text: PaddedText, at cursor: Int, pool: inout StringPool
  ) -> Int {
    switch predictions.shortcut(place) {
    case .none: return -1
    case .unwanted: return text.plainValueEnd(from: cursor)
    case .double:
      let number = text.plainNumber(at: cursor)
      guard number.end >= 0, number.mantissa <= 1 << 53 else { return -1 }
      let exact = Double(number.mantissa) / exactPowerOfTen(number.decimals)
      set((number.isNegative ? -exact : exact).bitPattern, slot: predictions.slot(place))
      return number.end
    case .integer:
      let number = text.plainNumber(at: cursor)
      guard number.end >= 0, number.decimals == 0 else { return -1 }
      let value = number.isNegative ? 0 &- number.mantissa : number.mantissa
      guard value >= predictions.minimum(place), value <= predictions.maximum(place) else {
        return -1
      }
      set(UInt64(bitPattern: value), slot: predictions.slot(place))
      return number.end
    case .text:
      guard text.byte(at: cursor) == UInt8(ascii: "\"") else { return -1 }
      let start = cursor &+ 1
      let end = text.plainStringEnd(from: start)
      guard end >= 0, end &- start <= predictions.maximum(place) else { return -1 }
      let id = text.intern(start..<end, into: &pool)
      set(UInt64(id.raw), slot: predictions.slot(place))
      return end &+ 1
    case .boolean:
      // "true" and "false" as little-endian words.
      let word = text.word(at: cursor)
      let isTrue = word & 0xFFFF_FFFF == 0x6575_7274
      guard isTrue || word & 0xFF_FFFF_FFFF == 0x65_736C_6166 else { return -1 }
      set(isTrue ? 1 : 0, slot: predictions.slot(place))
      return cursor &+ (isTrue ? 4 : 5)
    }
  }
}
