/// Reads the text of a prefix and collects all its errors.
struct PrefixParser {
  private let setting: String
  private let isErrorPrefix: Bool
  private let characters: [Character]
  private var errors: [SettingError] = []
  private var segments: [Prefix.Segment] = []
  /// Whether the text had no timestamp, so that the default one was added.
  private(set) var addsTimestamp = false

  init(_ text: String, setting: String, isErrorPrefix: Bool) {
    characters = Array(text)
    self.setting = setting
    self.isErrorPrefix = isErrorPrefix
  }

  /// The segments of the prefix, with the default timestamp where it belongs.
  mutating func parse() throws(SettingErrors) -> [Prefix.Segment] {
    scan()
    checkWhole()
    guard errors.isEmpty else { throw SettingErrors(errors) }
    let hasTimestamp = segments.contains { segment in
      if case .timestamp = segment { true } else { false }
    }
    addsTimestamp = !isErrorPrefix && !hasTimestamp
    if addsTimestamp {
      do {
        segments.append(.timestamp(try TimestampPattern("yyyy/MM/dd/HH/", setting: setting)))
      } catch { throw SettingErrors([error]) }
    }
    return segments
  }

  private mutating func scan() {
    var literal = ""
    var index = 0
    while index < characters.count {
      guard characters[index] == "!", index + 1 < characters.count, characters[index + 1] == "{"
      else {
        if characters[index] == "\0" {
          report(index, "a zero character cannot be part of a name", "leave it out")
        }
        literal.append(characters[index])
        index += 1
        continue
      }
      if !literal.isEmpty { segments.append(.literal(literal)) }
      literal = ""
      guard let end = characters[index...].firstIndex(of: "}") else {
        report(index, "the expression is not closed", "end it with }")
        return
      }
      expression(start: index + 2, end: end, opening: index)
      index = end + 1
    }
    if !literal.isEmpty { segments.append(.literal(literal)) }
  }

  private mutating func expression(start: Int, end: Int, opening: Int) {
    guard let colon = characters[start..<end].firstIndex(of: ":") else {
      report(
        opening, "an expression has the form !{namespace:value}",
        "for example !{timestamp:yyyy/MM/dd/HH}")
      return
    }
    let namespace = String(characters[start..<colon])
    let value = String(characters[(colon + 1)..<end])
    switch namespace {
    case "timestamp": timestamp(value, at: colon + 1)
    case "firehose": firehose(value, at: colon + 1)
    case "partitionKeyFromQuery": partitionKey(value, opening: opening, at: colon + 1)
    default:
      report(
        start, "namespace '\(namespace)' is unknown",
        "use timestamp, firehose or partitionKeyFromQuery")
    }
  }

  private mutating func timestamp(_ pattern: String, at index: Int) {
    guard !pattern.isEmpty else {
      report(index, "the timestamp pattern is empty", "for example yyyy/MM/dd/HH")
      return
    }
    do {
      segments.append(
        .timestamp(try TimestampPattern(pattern, setting: setting, column: index + 1)))
    } catch {
      errors.append(error)
    }
  }

  private mutating func firehose(_ value: String, at index: Int) {
    switch value {
    case "random-string": segments.append(.randomString)
    case "error-output-type" where isErrorPrefix: segments.append(.errorOutputType)
    case "error-output-type":
      report(index, "error-output-type belongs to the error prefix only", "move it to error_prefix")
    default:
      report(index, "firehose:\(value) is unknown", "use random-string or error-output-type")
    }
  }

  private mutating func partitionKey(_ id: String, opening: Int, at index: Int) {
    if isErrorPrefix {
      report(opening, "an error prefix cannot hold partition keys", "use it in prefix only")
    } else if id.isEmpty {
      report(index, "the partition key has no id", "name one of the partition_keys")
    } else {
      segments.append(.partitionKey(id))
    }
  }

  private mutating func checkWhole() {
    let text = String(characters)
    if text.split(separator: "/").contains(where: { $0 == ".." || $0 == "." }) {
      report(0, "a folder cannot be named . or ..", "name the folder itself")
    }
    if isErrorPrefix, errors.isEmpty, text.contains("!{"), !segments.contains(.errorOutputType) {
      report(
        0, "an error prefix with expressions needs the error type",
        "add !{firehose:error-output-type}/")
    }
  }

  private mutating func report(_ index: Int, _ message: String, _ hint: String) {
    errors.append(
      SettingError(setting: setting, column: index + 1, message: message, hint: hint))
  }
}
