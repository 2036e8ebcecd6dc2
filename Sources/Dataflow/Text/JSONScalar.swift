/// Finds scalars in JSON text by a path of member names and array indexes: `$.a.b[0]`.
enum JSONScalar {
  private enum Step {
    case member([UInt8])
    case element(Int)
  }

  /// The text of the scalar at a path: strings without quotes and escapes, others as they stand.
  ///
  /// Nil when the path is malformed or leads to nothing, to null, to an object or an array.
  static func find(_ text: [UInt8], path: [UInt8]) -> [UInt8]? {
    guard let steps = parse(path) else { return nil }
    var scanner = Scanner(text: text)
    for step in steps {
      switch step {
      case .member(let name): guard scanner.enterMember(name) else { return nil }
      case .element(let index): guard scanner.enterElement(index) else { return nil }
      }
    }
    return scanner.scalar()
  }

  private static func parse(_ path: [UInt8]) -> [Step]? {
    guard path.first == 36 else { return nil }
    var steps: [Step] = []
    var index = 1
    while index < path.count {
      if path[index] == 46 {
        let rest = path[(index + 1)...].prefix { $0 != 46 && $0 != 91 }
        guard !rest.isEmpty else { return nil }
        steps.append(.member(Array(rest)))
        index = rest.endIndex
      } else if path[index] == 91, let close = path[index...].firstIndex(of: 93) {
        let inner = path[(index + 1)..<close]
        if let quote = inner.first, quote == 39 || quote == 34 {
          steps.append(.member(Array(inner.dropFirst().dropLast())))
        } else {
          guard let number = Int(String(decoding: inner, as: UTF8.self)), number >= 0 else {
            return nil
          }
          steps.append(.element(number))
        }
        index = close + 1
      } else {
        return nil
      }
    }
    return steps
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

    mutating func enterMember(_ name: [UInt8]) -> Bool {
      guard take(123) else { return false }
      if take(125) { return false }
      while true {
        skipBlanks()
        guard let key = string(), take(58) else { return false }
        if key == name {
          skipBlanks()
          return true
        }
        guard skipValue() else { return false }
        if !take(44) { return false }
      }
    }

    mutating func enterElement(_ number: Int) -> Bool {
      guard take(91) else { return false }
      skipBlanks()
      if index < text.count, text[index] == 93 { return false }
      for _ in 0..<number {
        guard skipValue(), take(44) else { return false }
      }
      skipBlanks()
      return true
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

    mutating func scalar() -> [UInt8]? {
      skipBlanks()
      guard index < text.count else { return nil }
      switch text[index] {
      case 34: return string()
      case 123, 91: return nil
      default:
        let word = Array(word())
        return word == Array("null".utf8) ? nil : word
      }
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
