/// Where objects go, as written in `delivery: {to: …}`.
public enum DestinationURL: Hashable, Sendable {
  /// `file:///absolute/path` or `file://./relative/path`.
  case directory(path: String)
  /// `s3://bucket/prefix`; the prefix is empty or ends with `/`.
  case objectStore(bucket: String, prefix: String)
  /// `https://…`, or `http://…` where that is allowed.
  case httpEndpoint(url: String)
  /// `kafka://topic`.
  case topic(name: String)

  /// Reads a URL.
  ///
  /// - Throws: `SettingError` with the column of the part that is wrong.
  public init(parsing text: String, setting: String = "to") throws(SettingError) {
    func failure(_ offset: Int, _ message: String, _ hint: String) -> SettingError {
      SettingError(setting: setting, column: offset + 1, message: message, hint: hint)
    }
    let parts = text.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else {
      throw failure(
        0, "'\(text)' has no scheme", "write file://./out, s3://bucket/prefix or https://host/path")
    }
    let rest = String(parts[1])
    let start = parts[0].count + 3
    if let control = rest.unicodeScalars.firstIndex(where: { $0.value < 0x21 || $0.value == 0x7F })
    {
      let offset = rest.unicodeScalars.distance(from: rest.startIndex, to: control)
      throw failure(start + offset, "a URL cannot hold this character", "write %20 for a space")
    }
    switch parts[0].lowercased() {
    case "file": self = try Self.directory(rest, at: start, failure)
    case "s3": self = try Self.objectStore(rest, at: start, failure)
    case "http", "https":
      guard rest.first?.isLetter == true || rest.first?.isNumber == true || rest.first == "[" else {
        throw failure(start, "the host is missing", "write https://host/path")
      }
      self = .httpEndpoint(url: text)
    case "kafka": self = try Self.topic(rest, at: start, failure)
    default:
      throw failure(0, "scheme '\(parts[0])' is unknown", "use file, s3, https or kafka")
    }
  }

  private typealias Failure = (Int, String, String) -> SettingError

  private static func directory(
    _ rest: String, at start: Int, _ failure: Failure
  ) throws(SettingError) -> DestinationURL {
    guard rest.hasPrefix("/") || rest.hasPrefix("./") || rest.hasPrefix("../") || rest == "."
    else {
      throw failure(
        start, "the path is neither absolute nor relative",
        "write file:///\(rest) or file://./\(rest)")
    }
    var path = rest
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    return .directory(path: path)
  }

  private static func objectStore(
    _ rest: String, at start: Int, _ failure: Failure
  ) throws(SettingError) -> DestinationURL {
    let parts = rest.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    let bucket = String(parts[0])
    let isValid = bucket.utf8.allSatisfy { byte in
      (97...122).contains(byte) || (48...57).contains(byte) || byte == 45 || byte == 46
    }
    guard (3...63).contains(bucket.utf8.count), isValid else {
      throw failure(
        start, "'\(bucket)' is not a bucket name",
        "3 to 63 lower-case letters, digits, dots and hyphens")
    }
    var prefix = parts.count == 2 ? String(parts[1]) : ""
    if !prefix.isEmpty, !prefix.hasSuffix("/") { prefix += "/" }
    return .objectStore(bucket: bucket, prefix: prefix)
  }

  private static func topic(
    _ rest: String, at start: Int, _ failure: Failure
  ) throws(SettingError) -> DestinationURL {
    guard isTopicName(rest) else {
      throw failure(start, "'\(rest)' is not a topic name", topicNameRule)
    }
    return .topic(name: rest)
  }

  /// What Kafka lets a topic be called, for messages.
  package static let topicNameRule = "1 to 249 letters, digits, dots, underscores and hyphens"

  /// Whether Kafka lets a topic be called so.
  package static func isTopicName(_ name: String) -> Bool {
    let isValid = name.utf8.allSatisfy { byte in
      (97...122).contains(byte) || (65...90).contains(byte)
        || (45...57).contains(byte)
          && byte != 47
        || byte == 95
    }
    return isValid && (1...249).contains(name.utf8.count) && name != "." && name != ".."
  }
}
