/// Where a column's value lies in a JSON document: the subset of JSONPath that stream mappings use.
///
/// `$` is the root of the row; `.name`, `['any name']` and `["any name"]` name a member; `[0:]` means
/// all elements of an array. Names are compared byte by byte.
public struct JSONPath: Hashable, Sendable {
  /// One step down from a value.
  public enum Step: Hashable, Sendable {
    /// The member with this name.
    case member(String)
    /// Every element of the array.
    case elements
  }

  /// The steps from the root down.
  public let steps: [Step]

  /// The document, or the row, itself.
  public static let root = JSONPath(steps: [])

  /// Creates a path from its steps.
  public init(steps: [Step]) { self.steps = steps }

  /// Reads a path such as `$.orders[0:].id`.
  ///
  /// - Throws: `JSONPathError` with the byte position of what is wrong.
  public init(_ text: String) throws(JSONPathError) {
    var reader = JSONPathReader(text: Array(text.utf8))
    steps = try reader.read()
  }
}

extension JSONPath: CustomStringConvertible {
  /// The path as it is written in a mapping.
  public var description: String {
    steps.reduce(into: "$") { text, step in
      switch step {
      case .elements: text += "[0:]"
      case .member(let name):
        if !name.isEmpty, name.utf8.allSatisfy(JSONPathReader.isPlain) {
          text += "." + name
        } else {
          text += "['"
          for character in name {
            if character == "'" || character == "\\" { text += "\\" }
            text.append(character)
          }
          text += "']"
        }
      }
    }
  }
}

/// A path that cannot be read, with the place and a way out.
public struct JSONPathError: Error, Hashable, Sendable {
  /// What is wrong.
  public let message: String
  /// The byte of the path's text where it is wrong.
  public let position: Int
  /// What to write instead.
  public let hint: String
}

extension JSONPathError: CustomStringConvertible {
  /// Message, position and hint in one line.
  public var description: String { "\(message) at byte \(position) of the path (hint: \(hint))" }
}

struct JSONPathReader {
  let text: [UInt8]
  var position = 0

  static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "."), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "'"),
      UInt8(ascii: "\""), UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "("),
      UInt8(ascii: ")"), UInt8(ascii: "\\"), 0...0x20, 0x7F:
      false
    default: true
    }
  }

  mutating func read() throws(JSONPathError) -> [JSONPath.Step] {
    guard text.first == UInt8(ascii: "$") else {
      throw fail("a path begins with '$'", hint: "write '$.name' for the member 'name'")
    }
    position = 1
    var steps: [JSONPath.Step] = []
    while position < text.count {
      switch text[position] {
      case UInt8(ascii: "."): steps.append(try member())
      case UInt8(ascii: "["): steps.append(try bracket())
      default:
        throw fail("expected '.' or '['", hint: "write '$.name', \"$['a name']\" or '$.list[0:]'")
      }
    }
    return steps
  }

  private func fail(_ message: String, hint: String) -> JSONPathError {
    JSONPathError(message: message, position: position, hint: hint)
  }

  private mutating func member() throws(JSONPathError) -> JSONPath.Step {
    position += 1
    let start = position
    while position < text.count, Self.isPlain(text[position]) { position += 1 }
    guard position > start else {
      let hint =
        position < text.count && text[position] == UInt8(ascii: ".")
        ? "name every member on the way; '..' is not supported"
        : "quote a name with such characters: \"$['a name']\""
      throw fail("expected a member's name", hint: hint)
    }
    return .member(String(decoding: text[start..<position], as: UTF8.self))
  }

  private mutating func bracket() throws(JSONPathError) -> JSONPath.Step {
    position += 1
    if text[position...].starts(with: "0:]".utf8) {
      position += 3
      return .elements
    }
    guard position < text.count,
      text[position] == UInt8(ascii: "'") || text[position] == UInt8(ascii: "\"")
    else {
      throw fail(
        "expected a quoted name or '0:]'",
        hint: "write '[0:]' for all elements; single elements cannot be chosen")
    }
    let quote = text[position]
    position += 1
    var name: [UInt8] = []
    while position < text.count, text[position] != quote {
      if text[position] == UInt8(ascii: "\\") { position += 1 }
      guard position < text.count else { break }
      name.append(text[position])
      position += 1
    }
    guard position < text.count else {
      throw fail("the quoted name does not end", hint: "close it with the quote it began with")
    }
    position += 1
    guard position < text.count, text[position] == UInt8(ascii: "]") else {
      throw fail("expected ']'", hint: "close the bracket after the name")
    }
    position += 1
    return .member(String(decoding: name, as: UTF8.self))
  }
}
