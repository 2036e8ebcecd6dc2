import Columns

/// A date pattern of Java's `DateTimeFormatter`, evaluated in UTC.
///
/// Supported letters: `y u Y M L d D Q q w E a H k K h m s S A n N X x Z z V O` and text in single
/// quotes. Weeks are those of the US locale: they begin on Sunday, week 1 holds 1 January.
public struct TimestampPattern: Hashable, Sendable {
  private enum Part: Hashable {
    case literal(String)
    case field(Character, Int)
  }

  private let parts: [Part]
  /// `yyyy-MM-dd-HH-mm-ss`, the time within object names.
  static let objectSuffix = TimestampPattern(parts: [
    .field("y", 4), .literal("-"), .field("M", 2), .literal("-"), .field("d", 2), .literal("-"),
    .field("H", 2), .literal("-"), .field("m", 2), .literal("-"), .field("s", 2),
  ])

  private init(parts: [Part]) { self.parts = parts }

  private static let supported = "yuYMLdDQqwEaHkKhmsSAnNXxZzVO"

  /// Reads a pattern.
  ///
  /// - Parameters:
  ///   - text: The pattern.
  ///   - setting: The setting's name for errors.
  ///   - column: The column of the pattern's first character in the setting's text.
  /// - Throws: `SettingError` at an unknown letter, a reserved character or an open quote.
  public init(_ text: String, setting: String, column: Int = 1) throws(SettingError) {
    let characters = Array(text)
    var parts: [Part] = []
    var index = 0
    while index < characters.count {
      let character = characters[index]
      if character == "'" {
        parts.append(.literal(try Self.quoted(characters, &index, setting, column)))
      } else if character.isASCII && character.isLetter {
        let start = index
        while index < characters.count, characters[index] == character { index += 1 }
        try Self.check(character, index - start, setting, column + start)
        parts.append(.field(character, index - start))
      } else {
        guard !"{}#[]".contains(character) else {
          throw SettingError(
            setting: setting, column: column + index,
            message: "'\(character)' is reserved in a timestamp pattern",
            hint: "put it in single quotes")
        }
        parts.append(.literal(String(character)))
        index += 1
      }
    }
    self.parts = parts
  }

  private static func quoted(
    _ characters: [Character], _ index: inout Int, _ setting: String, _ column: Int
  ) throws(SettingError) -> String {
    let start = index
    var text = ""
    index += 1
    while index < characters.count {
      guard characters[index] == "'" else {
        text.append(characters[index])
        index += 1
        continue
      }
      let isDoubled = index + 1 < characters.count && characters[index + 1] == "'"
      index += isDoubled ? 2 : 1
      guard isDoubled else { return index == start + 2 ? "'" : text }
      text.append("'")
    }
    throw SettingError(
      setting: setting, column: column + start, message: "the quoted text is not closed",
      hint: "close it with ' or write '' for a single quote")
  }

  private static func check(
    _ letter: Character, _ count: Int, _ setting: String, _ column: Int
  ) throws(SettingError) {
    guard supported.contains(letter) else {
      throw SettingError(
        setting: setting, column: column, message: "pattern letter '\(letter)' is unknown",
        hint: "use yyyy MM dd HH mm ss, and single quotes around text")
    }
    let limit =
      switch letter {
      case "d", "w", "H", "k", "K", "h", "m", "s", "V": 2
      case "a": 1
      case "D": 3
      case "z", "O": 4
      case "M", "L", "E", "Q", "q", "X", "x", "Z": 5
      case "S": 9
      default: 19
      }
    let isRefused = letter == "V" ? count != 2 : letter == "O" ? ![1, 4].contains(count) : false
    guard count <= limit, !isRefused else {
      throw SettingError(
        setting: setting, column: column, message: "too many or too few letters '\(letter)'",
        hint: letter == "V" ? "write VV" : "write at most \(limit) of them")
    }
  }

  /// The text of a moment in milliseconds since 1970-01-01 00:00 UTC.
  public func text(at milliseconds: Int64) -> String {
    let time = CivilTime(milliseconds: milliseconds)
    var result = ""
    for part in parts {
      switch part {
      case .literal(let text): result += text
      case .field(let letter, let count):
        result += TimestampField(time: time, letter: letter, count: count).text
      }
    }
    return result
  }
}
