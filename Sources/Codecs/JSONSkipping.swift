import Columns

enum JSONLiteral {
  case null, `false`, `true`
}

/// What is read only to be checked, and the marks between values.
extension RecordDecoder {
  /// Reads a value that no column wants: grammar, UTF-8 and depth count all the same.
  ///
  /// Not recursive: a record cannot exhaust the stack.
  mutating func skipValue(
    _ bytes: Span<UInt8>, at cursor: inout Int, depth base: Int
  ) throws(Fault) {
    var depth = base
    while true {
      switch bytes.byte(at: cursor) {
      case UInt8(ascii: "\""):
        cursor &+= 1
        _ = try bytes.string(at: &cursor)
      case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
        guard bytes.number(.json, at: &cursor) != nil else {
          throw bytes.fault(.badNumber, at: cursor)
        }
      case UInt8(ascii: "{"):
        depth = try enter(isObject: true, depth, at: cursor)
        cursor += 1
        bytes.skipBlanks(&cursor)
        if bytes.byte(at: cursor) != UInt8(ascii: "}") {
          _ = try readName(bytes, at: &cursor)
          continue
        }
        cursor += 1
        depth -= 1
      case UInt8(ascii: "["):
        depth = try enter(isObject: false, depth, at: cursor)
        cursor += 1
        bytes.skipBlanks(&cursor)
        if bytes.byte(at: cursor) != UInt8(ascii: "]") { continue }
        cursor += 1
        depth -= 1
      default: _ = try readLiteral(bytes, at: &cursor)
      }
      guard try leaveContainers(bytes, at: &cursor, depth: &depth, base: base) else { return }
    }
  }

  private mutating func enter(
    isObject: Bool, _ depth: Int, at cursor: Int
  ) throws(Fault) -> Int {
    guard depth < RecordFormat.depthLimit else { throw Fault(.depthExceeded, at: cursor) }
    let mask: UInt64 = 1 << UInt64(depth & 63)
    if isObject { containers[depth >> 6] |= mask } else { containers[depth >> 6] &= ~mask }
    return depth + 1
  }

  /// Closes what ends behind a value; says whether another value follows.
  private func leaveContainers(
    _ bytes: Span<UInt8>, at cursor: inout Int, depth: inout Int, base: Int
  ) throws(Fault) -> Bool {
    while depth > base {
      let top = depth - 1
      if containers[top >> 6] >> UInt64(top & 63) & 1 == 1 {
        if try !isLastMember(bytes, at: &cursor) {
          _ = try readName(bytes, at: &cursor)
          return true
        }
      } else if try !isLastElement(bytes, at: &cursor) {
        return true
      }
      depth = top
    }
    return false
  }

  /// Reads a member's name with its colon, up to the value.
  func readName(_ bytes: Span<UInt8>, at cursor: inout Int) throws(Fault) -> JSONString {
    guard bytes.byte(at: cursor) == UInt8(ascii: "\"") else {
      throw bytes.fault(.expectedKey, at: cursor)
    }
    cursor += 1
    let name = try bytes.string(at: &cursor)
    try readColon(bytes, at: &cursor)
    return name
  }

  @inline(__always)
  func readColon(_ bytes: Span<UInt8>, at cursor: inout Int) throws(Fault) {
    if bytes.byte(at: cursor) != UInt8(ascii: ":") {
      bytes.skipBlanks(&cursor)
      guard bytes.byte(at: cursor) == UInt8(ascii: ":") else {
        throw bytes.fault(.expectedColon, at: cursor)
      }
    }
    cursor &+= 1
    bytes.skipBlanks(&cursor)
  }

  /// Reads what follows a member: the end of the object, or the comma, up to the next name.
  @inline(__always)
  func isLastMember(_ bytes: Span<UInt8>, at cursor: inout Int) throws(Fault) -> Bool {
    var next = bytes.byte(at: cursor)
    if next <= 0x20 {
      bytes.skipBlanks(&cursor)
      next = bytes.byte(at: cursor)
    }
    if next == UInt8(ascii: ",") {
      cursor &+= 1
      bytes.skipBlanks(&cursor)
      return false
    }
    guard next == UInt8(ascii: "}") else { throw bytes.fault(.expectedCommaOrBrace, at: cursor) }
    cursor &+= 1
    return true
  }

  /// Reads what follows an element: the end of the array, or the comma, up to the next element.
  func isLastElement(_ bytes: Span<UInt8>, at cursor: inout Int) throws(Fault) -> Bool {
    bytes.skipBlanks(&cursor)
    switch bytes.byte(at: cursor) {
    case UInt8(ascii: ","):
      cursor += 1
      bytes.skipBlanks(&cursor)
      return false
    case UInt8(ascii: "]"):
      cursor += 1
      return true
    default: throw bytes.fault(.expectedCommaOrBracket, at: cursor)
    }
  }

  func readLiteral(_ bytes: Span<UInt8>, at cursor: inout Int) throws(Fault) -> JSONLiteral {
    let word = bytes.word(at: cursor)
    if word & 0xFFFF_FFFF == 0x6C6C_756E {
      cursor += 4
      return .null
    }
    if word & 0xFFFF_FFFF == 0x6575_7274 {
      cursor += 4
      return .true
    }
    if word & 0xFF_FFFF_FFFF == 0x65_736C_6166 {
      cursor += 5
      return .false
    }
    throw bytes.fault(.expectedValue, at: cursor)
  }
}
