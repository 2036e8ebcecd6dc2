/// A JSON value that keeps the order of members and the text of numbers.
public indirect enum JSONDocument: Hashable, Sendable {
  case null
  case boolean(Bool)
  /// A number as it was written.
  case number(String)
  case string(String)
  case array([JSONDocument])
  case object([Member])

  /// A name with its value.
  public struct Member: Hashable, Sendable {
    /// The name.
    public let name: String
    /// The value.
    public let value: JSONDocument
  }

  /// The value of the first member with this name, or nil.
  public subscript(_ name: String) -> JSONDocument? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }

  /// The text of a string, or nil.
  public var text: String? { if case .string(let text) = self { text } else { nil } }
  /// The value of a number, or nil.
  public var double: Double? { if case .number(let text) = self { Double(text) } else { nil } }
  /// The value of a whole number, or nil.
  public var integer: Int? { if case .number(let text) = self { Int(text) } else { nil } }
  /// The value of a truth value, or nil.
  public var boolean: Bool? { if case .boolean(let value) = self { value } else { nil } }
  /// The elements of an array, or nil.
  public var elements: [JSONDocument]? {
    if case .array(let elements) = self { elements } else { nil }
  }
  /// The members of an object, or nil.
  public var members: [Member]? {
    if case .object(let members) = self { members } else { nil }
  }

  /// Reads a document.
  ///
  /// - Throws: `JSONDocumentError` at the first byte that does not fit.
  public init(_ bytes: some Sequence<UInt8>) throws(JSONDocumentError) {
    var reader = JSONDocumentReader(bytes: Array(bytes))
    self = try reader.document()
  }
}

/// Text that is not JSON.
public struct JSONDocumentError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Where, and what was expected.
  public let description: String
}

extension JSONDocument: CustomStringConvertible {
  /// The value as JSON on one line.
  public var description: String {
    switch self {
    case .null: "null"
    case .boolean(let value): value ? "true" : "false"
    case .number(let text): text
    case .string(let text): Self.quoted(text)
    case .array(let elements): "[\(elements.map(\.description).joined(separator: ", "))]"
    case .object(let members):
      "{\(members.map { "\(Self.quoted($0.name)): \($0.value)" }.joined(separator: ", "))}"
    }
  }

  /// A text as a JSON string.
  static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case "\r": quoted += "\\r"
      case "\t": quoted += "\\t"
      case _ where scalar.value < 32:
        let hex = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}

private struct JSONDocumentReader {
  let bytes: [UInt8]
  var index = 0
  private static let depthLimit = 512

  init(bytes: [UInt8]) { self.bytes = bytes }

  mutating func document() throws(JSONDocumentError) -> JSONDocument {
    let value = try value(depth: 0)
    skipBlanks()
    if index < bytes.count { throw failure("nothing more") }
    return value
  }

  private func failure(_ expected: String) -> JSONDocumentError {
    JSONDocumentError(description: "expected \(expected) at byte \(index)")
  }

  private mutating func skipBlanks() {
    while index < bytes.count, [32, 9, 10, 13].contains(bytes[index]) { index += 1 }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    skipBlanks()
    guard index < bytes.count, bytes[index] == byte else { return false }
    index += 1
    return true
  }

  private mutating func value(depth: Int) throws(JSONDocumentError) -> JSONDocument {
    skipBlanks()
    guard index < bytes.count, depth < Self.depthLimit else { throw failure("a value") }
    switch bytes[index] {
    case 123: return try object(depth: depth)
    case 91: return try array(depth: depth)
    case 34: return .string(try string())
    default: return try word()
    }
  }

  private mutating func object(depth: Int) throws(JSONDocumentError) -> JSONDocument {
    index += 1
    var members: [JSONDocument.Member] = []
    if take(125) { return .object(members) }
    while true {
      skipBlanks()
      let name = try string()
      guard take(58) else { throw failure("':'") }
      members.append(.init(name: name, value: try value(depth: depth + 1)))
      if take(125) { return .object(members) }
      guard take(44) else { throw failure("',' or '}'") }
    }
  }

  private mutating func array(depth: Int) throws(JSONDocumentError) -> JSONDocument {
    index += 1
    var elements: [JSONDocument] = []
    if take(93) { return .array(elements) }
    while true {
      elements.append(try value(depth: depth + 1))
      if take(93) { return .array(elements) }
      guard take(44) else { throw failure("',' or ']'") }
    }
  }

  private mutating func word() throws(JSONDocumentError) -> JSONDocument {
    let start = index
    while index < bytes.count, ![32, 9, 10, 13, 44, 93, 125].contains(bytes[index]) { index += 1 }
    let word = String(decoding: bytes[start..<index], as: UTF8.self)
    switch word {
    case "null": return .null
    case "true": return .boolean(true)
    case "false": return .boolean(false)
    default:
      guard let first = word.utf8.first, first == 45 || (48...57).contains(first),
        Double(word) != nil
      else {
        index = start
        throw failure("a value")
      }
      return .number(word)
    }
  }

  private mutating func string() throws(JSONDocumentError) -> String {
    guard index < bytes.count, bytes[index] == 34 else { throw failure("a string") }
    index += 1
    var content: [UInt8] = []
    while index < bytes.count {
      let byte = bytes[index]
      index += 1
      if byte == 34 { return String(decoding: content, as: UTF8.self) }
      guard byte == 92 else {
        content.append(byte)
        continue
      }
      guard index < bytes.count else { break }
      let escape = bytes[index]
      index += 1
      switch escape {
      case 110: content.append(10)
      case 116: content.append(9)
      case 114: content.append(13)
      case 98: content.append(8)
      case 102: content.append(12)
      case 117: content.append(contentsOf: String(try unicode()).utf8)
      default: content.append(escape)
      }
    }
    throw failure("'\"'")
  }

  private mutating func unicode() throws(JSONDocumentError) -> Character {
    var code = try hexadecimal()
    if (0xD800..<0xDC00).contains(code), index + 1 < bytes.count, bytes[index] == 92,
      bytes[index + 1] == 117
    {
      index += 2
      let low = try hexadecimal()
      guard (0xDC00..<0xE000).contains(low) else { throw failure("a low surrogate") }
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
    }
    guard let scalar = UnicodeScalar(code) else { throw failure("a Unicode scalar") }
    return Character(scalar)
  }

  private mutating func hexadecimal() throws(JSONDocumentError) -> UInt32 {
    guard index + 4 <= bytes.count,
      let code = UInt32(String(decoding: bytes[index..<(index + 4)], as: UTF8.self), radix: 16)
    else { throw failure("four hexadecimal digits") }
    index += 4
    return code
  }
}
