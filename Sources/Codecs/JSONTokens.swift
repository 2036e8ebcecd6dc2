/// A string of a JSON text: where its bytes lie between the quotes.
struct JSONString {
  let range: Range<Int>
  let isEscaped: Bool
}

extension Span where Element == UInt8 {
  /// Moves `cursor` behind blanks.
  @inline(__always)
  func skipBlanks(_ cursor: inout Int) {
    if byte(at: cursor) > 0x20 { return }
    skipMoreBlanks(&cursor)
  }

  @inline(never)
  private func skipMoreBlanks(_ cursor: inout Int) {
    while true {
      switch byte(at: cursor) {
      case 0x20, 0x0A, 0x0D, 0x09: cursor += 1
      default: return
      }
    }
  }

  /// The fault at `cursor`, which is the end of the record when nothing is there.
  func fault(_ reason: Fault.Reason, at cursor: Int) -> Fault {
    Fault(cursor < count ? reason : .unexpectedEnd, at: Swift.min(cursor, count))
  }

  /// Reads a string whose opening quote lies before `cursor` and moves behind the closing one.
  @inline(__always)
  func string(at cursor: inout Int) throws(Fault) -> JSONString {
    let start = cursor
    var isEscaped = false
    while true {
      let special = PaddedText.specialBytes(word(at: cursor))
      guard special != 0 else {
        cursor &+= 8
        continue
      }
      cursor &+= special.trailingZeroBitCount >> 3
      if byte(at: cursor) == UInt8(ascii: "\"") {
        cursor &+= 1
        return JSONString(range: start..<cursor &- 1, isEscaped: isEscaped)
      }
      if try specialCharacter(at: &cursor) { isEscaped = true }
    }
  }

  /// Moves behind an escape sequence or characters beyond ASCII; says whether it was an escape.
  @inline(never)
  private func specialCharacter(at cursor: inout Int) throws(Fault) -> Bool {
    let lead = byte(at: cursor)
    if lead >= 0x80 {
      while byte(at: cursor) >= 0x80 {
        let length = utf8SequenceLength(at: cursor)
        guard length > 0 else { throw Fault(.invalidUTF8, at: cursor) }
        cursor += length
      }
      return false
    }
    guard lead == UInt8(ascii: "\\") else { throw fault(.controlCharacter, at: cursor) }
    switch byte(at: cursor + 1) {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
      UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      cursor += 2
    case UInt8(ascii: "u"):
      _ = try escapedScalar(at: &cursor)
    default:
      throw cursor + 1 < count ? Fault(.badEscape, at: cursor) : fault(.badEscape, at: cursor + 1)
    }
    return true
  }

  /// Reads `\uXXXX`, or two of them for a surrogate pair, and moves behind.
  func escapedScalar(at cursor: inout Int) throws(Fault) -> UInt32 {
    let first = try hexadecimal(at: cursor)
    switch first {
    case 0xD800...0xDBFF:
      guard byte(at: cursor + 6) == UInt8(ascii: "\\"), byte(at: cursor + 7) == UInt8(ascii: "u")
      else { throw Fault(.loneSurrogate, at: cursor) }
      let second = try hexadecimal(at: cursor + 6)
      guard 0xDC00...0xDFFF ~= second else { throw Fault(.loneSurrogate, at: cursor) }
      cursor += 12
      return 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
    case 0xDC00...0xDFFF: throw Fault(.loneSurrogate, at: cursor)
    default:
      cursor += 6
      return first
    }
  }

  private func hexadecimal(at escape: Int) throws(Fault) -> UInt32 {
    var value: UInt32 = 0
    for index in escape + 2..<escape + 6 {
      guard let digit = hexadecimalDigit(byte(at: index)) else {
        throw index < count ? Fault(.badEscape, at: escape) : fault(.badEscape, at: index)
      }
      value = value << 4 | UInt32(digit)
    }
    return value
  }

  /// Replaces `text` by what the string at `range`, already checked, stands for.
  func unescape(_ range: Range<Int>, into text: inout [UInt8]) throws(Fault) {
    text.removeAll(keepingCapacity: true)
    var index = range.lowerBound
    while index < range.upperBound {
      let byte = self[index]
      guard byte == UInt8(ascii: "\\") else {
        text.append(byte)
        index += 1
        continue
      }
      switch self[index + 1] {
      case UInt8(ascii: "b"): text.append(0x08)
      case UInt8(ascii: "f"): text.append(0x0C)
      case UInt8(ascii: "n"): text.append(0x0A)
      case UInt8(ascii: "r"): text.append(0x0D)
      case UInt8(ascii: "t"): text.append(0x09)
      case UInt8(ascii: "u"):
        appendUTF8(try escapedScalar(at: &index), to: &text)
        continue
      case let same: text.append(same)
      }
      index += 2
    }
  }

  private func appendUTF8(_ scalar: UInt32, to text: inout [UInt8]) {
    func continuation(_ shift: UInt32) -> UInt8 { UInt8(0x80 | scalar >> shift & 0x3F) }
    switch scalar {
    case 0..<0x80: text.append(UInt8(scalar))
    case 0x80..<0x800:
      text.append(UInt8(0xC0 | scalar >> 6))
      text.append(continuation(0))
    case 0x800..<0x10000:
      text.append(UInt8(0xE0 | scalar >> 12))
      text.append(continuation(6))
      text.append(continuation(0))
    default:
      text.append(UInt8(0xF0 | scalar >> 18))
      text.append(continuation(12))
      text.append(continuation(6))
      text.append(continuation(0))
    }
  }
}

/// The value of a hexadecimal digit of either case, or nil.
func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
  default: nil
  }
}
