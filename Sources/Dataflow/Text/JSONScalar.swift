import StreamSQL

/// What lies at a path of a JSON document.
enum JSONScalar: Hashable {
  /// The text of a string without quotes and escapes, or a number or truth value as it stands.
  case scalar([UInt8])
  case null
  /// The path leads to nothing.
  case empty
  /// The document is no JSON, or there is an object or an array.
  case malformed

  /// Follows a path from the document down.
  init(in document: [UInt8], at path: JSONScalarPath) {
    var scanner = Scanner(text: document)
    for step in path.steps {
      let obstacle =
        switch step {
        case .member(let name): scanner.enter(member: name)
        case .element(let index): scanner.enter(element: index)
        }
      if let obstacle {
        self = obstacle
        return
      }
    }
    self = scanner.scalar()
  }

  private struct Scanner {
    let text: [UInt8]
    var index = 0

    private mutating func skipBlanks() {
      while index < text.count, text[index] <= 32 { index += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
      skipBlanks()
      guard index < text.count, text[index] == byte else { return false }
      index += 1
      return true
    }

    /// Goes to the value of a member; nil when it is there, else what its absence means.
    mutating func enter(member name: [UInt8]) -> JSONScalar? {
      guard take(123) else { return otherValue() }
      if take(125) { return .empty }
      while true {
        skipBlanks()
        guard let key = string(), take(58) else { return .malformed }
        if key == name { return nil }
        guard skipValue() else { return .malformed }
        if !take(44) { return take(125) ? .empty : .malformed }
      }
    }

    /// Goes to an element; nil when it is there, else what its absence means.
    mutating func enter(element number: Int) -> JSONScalar? {
      guard take(91) else { return otherValue() }
      if take(93) { return .empty }
      for _ in 0..<number {
        guard skipValue() else { return .malformed }
        if !take(44) { return take(93) ? .empty : .malformed }
      }
      return nil
    }

    /// Where no object or array begins: another value has no members, no value at all is malformed.
    private mutating func otherValue() -> JSONScalar {
      switch scalar() {
      case .malformed where index < text.count && (text[index] == 123 || text[index] == 91): .empty
      case .malformed: .malformed
      default: .empty
      }
    }

    /// Passes over a value without looking into it, by counting brackets.
    private mutating func skipValue() -> Bool {
      var depth = 0
      while true {
        skipBlanks()
        guard index < text.count else { return false }
        switch text[index] {
        case 34: if string() == nil { return false }
        case 123, 91:
          depth += 1
          index += 1
        case 125, 93:
          depth -= 1
          index += 1
        case 44, 58: index += 1
        default: _ = word()
        }
        if depth < 0 { return false }
        if depth == 0 { return true }
      }
    }

    private mutating func word() -> ArraySlice<UInt8> {
      let start = index
      while index < text.count, text[index] > 32, ![44, 58, 93, 125].contains(text[index]) {
        index += 1
      }
      if index == start { index += 1 }
      return text[start..<min(index, text.count)]
    }

    mutating func scalar() -> JSONScalar {
      skipBlanks()
      guard index < text.count else { return .malformed }
      switch text[index] {
      case 34: return string().map(JSONScalar.scalar) ?? .malformed
      case 123, 91: return .malformed
      default: return Self.plain(Array(word()))
      }
    }

    /// A word without quotes: null, true, false or a number.
    private static func plain(_ word: [UInt8]) -> JSONScalar {
      switch String(decoding: word, as: UTF8.self) {
      case "null": .null
      case "true", "false": .scalar(word)
      case let text:
        text.utf8.allSatisfy(isNumeric) && Double(text) != nil ? .scalar(word) : .malformed
      }
    }

    private static func isNumeric(_ byte: UInt8) -> Bool {
      (48...57).contains(byte) || byte == 43 || byte == 45 || byte == 46 || byte | 32 == 101
    }

    /// The content of a string, escapes resolved.
    private mutating func string() -> [UInt8]? {
      guard index < text.count, text[index] == 34 else { return nil }
      index += 1
      var content: [UInt8] = []
      while index < text.count {
        let byte = text[index]
        index += 1
        if byte == 34 { return content }
        guard byte == 92, index < text.count else {
          content.append(byte)
          continue
        }
        let escape = text[index]
        index += 1
        switch Character(UnicodeScalar(escape)) {
        case "n": content.append(10)
        case "t": content.append(9)
        case "r": content.append(13)
        case "b": content.append(8)
        case "f": content.append(12)
        case "u":
          guard let scalar = unicodeScalar() else { return nil }
          content.append(contentsOf: String(Character(scalar)).utf8)
        default: content.append(escape)
        }
      }
      return nil
    }

    private mutating func unicodeScalar() -> UnicodeScalar? {
      guard let first = hexadecimal() else { return nil }
      guard (0xD800..<0xDC00).contains(first) else { return UnicodeScalar(first) }
      guard index + 1 < text.count, text[index] == 92, text[index + 1] == 117 else { return nil }
      index += 2
      guard let second = hexadecimal(), (0xDC00..<0xE000).contains(second) else { return nil }
      return UnicodeScalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
    }

    private mutating func hexadecimal() -> UInt32? {
      guard index + 4 <= text.count else { return nil }
      defer { index += 4 }
      return UInt32(String(decoding: text[index..<(index + 4)], as: UTF8.self), radix: 16)
    }
  }
}
