import Delivery
import Yams

/// Reads the keys of one mapping; what was not asked for is an unknown key.
final class MappingReader {
  let node: Node
  let path: String
  let reader: ConfigurationReader
  private let mapping: Node.Mapping
  private var asked: [String] = []

  init(mapping: Node.Mapping, node: Node, path: String, reader: ConfigurationReader) {
    self.mapping = mapping
    self.node = node
    self.path = path
    self.reader = reader
  }

  /// The names of all keys, in order.
  var keys: [String] { mapping.compactMap { $0.key.string } }

  func path(to key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  /// The value of `key`; a YAML null counts as absent.
  func value(_ key: String) -> Node? {
    if !asked.contains(key) { asked.append(key) }
    guard let node = mapping[key], node != Node("null", Tag(.null)) else { return nil }
    if case .scalar(let scalar) = node, scalar.style == .plain,
      scalar.string.isEmpty || scalar.string == "null" || scalar.string == "~"
    {
      return nil
    }
    return node
  }

  func required(_ key: String) -> Node? {
    if let node = value(key) { return node }
    reader.report("\(path(to: key)) is missing", at: node)
    return nil
  }

  func string(_ key: String) -> String? {
    value(key).flatMap { text($0, key) }
  }

  func requiredString(_ key: String) -> String? {
    required(key) == nil ? nil : filledString(key)
  }

  /// A text that must not be empty.
  func filledString(_ key: String) -> String? {
    guard let node = value(key), let text = text(node, key) else { return nil }
    guard !text.isEmpty else {
      reader.report("\(path(to: key)) is empty", at: node)
      return nil
    }
    return text
  }

  /// The name of a topic, by the rule of Kafka.
  func requiredTopic(_ key: String) -> String? {
    guard let name = requiredString(key) else { return nil }
    guard DestinationURL.isTopicName(name) else {
      reader.report(
        "\(path(to: key)) '\(name)' is not a topic name", at: value(key),
        hint: DestinationURL.topicNameRule)
      return nil
    }
    return name
  }

  func text(_ node: Node, _ key: String) -> String? {
    guard case .scalar(let scalar) = node else {
      reader.report("\(path(to: key)) must be a text", at: node)
      return nil
    }
    return reader.expand(scalar.string, at: node)
  }

  func boolean(_ key: String) -> Bool? {
    guard let node = value(key), let text = text(node, key) else { return nil }
    switch text.lowercased() {
    case "true", "yes", "on": return true
    case "false", "no", "off": return false
    default:
      reader.report("\(path(to: key)) must be true or false, not '\(text)'", at: node)
      return nil
    }
  }

  func integer(_ key: String, in range: ClosedRange<Int64>) -> Int64? {
    guard let node = value(key), let text = text(node, key) else { return nil }
    guard let number = Int64(text.replacing("_", with: "")), range.contains(number) else {
      reader.report(
        "\(path(to: key)) must be a whole number from \(range.lowerBound) to \(range.upperBound), "
          + "not '\(text)'", at: node)
      return nil
    }
    return number
  }

  /// A duration in milliseconds.
  func duration(_ key: String, in range: ClosedRange<Int64>) -> Int64? {
    quantity(
      key, in: range, Quantity.milliseconds, "a duration such as 60s, 5m or 250ms",
      Quantity.duration)
  }

  /// A size in bytes.
  func size(_ key: String, in range: ClosedRange<Int64>) -> Int64? {
    quantity(key, in: range, Quantity.bytes, "a size such as 5MiB or 64KiB", Quantity.size)
  }

  private func quantity(
    _ key: String, in range: ClosedRange<Int64>, _ parse: (String) -> Int64?, _ form: String,
    _ show: (Int64) -> String
  ) -> Int64? {
    guard let node = value(key), let text = text(node, key) else { return nil }
    guard let number = parse(text) else {
      reader.report("\(path(to: key)) must be \(form), not '\(text)'", at: node)
      return nil
    }
    guard range.contains(number) else {
      reader.report(
        "\(path(to: key)) is \(text), outside \(show(range.lowerBound)) to "
          + show(range.upperBound), at: node)
      return nil
    }
    return number
  }

  /// One of a closed set of words.
  func choice<Choice>(_ key: String, _ choices: [(String, Choice)]) -> Choice? {
    guard let node = value(key), let text = text(node, key) else { return nil }
    if let found = choices.first(where: { $0.0 == text }) { return found.1 }
    let names = choices.map(\.0)
    reader.report(
      "\(path(to: key)) is '\(text)', which is none of \(names.joined(separator: ", "))",
      at: node, hint: Self.nearest(text, in: names).map { "did you mean \($0)?" })
    return nil
  }

  func mapping(_ key: String) -> MappingReader? {
    value(key).flatMap { reader.mapping($0, path: path(to: key)) }
  }

  /// The elements of a sequence of mappings.
  func mappings(_ key: String) -> [MappingReader] {
    elements(key).enumerated().compactMap { index, element in
      reader.mapping(element, path: "\(path(to: key))[\(index)]")
    }
  }

  /// The elements of a sequence of texts; a single text counts as one element.
  func strings(_ key: String) -> [String] {
    guard let node = value(key) else { return [] }
    if case .scalar = node { return text(node, key).map { [$0] } ?? [] }
    guard case .sequence(let sequence) = node else {
      reader.report("\(path(to: key)) must be a list", at: node)
      return []
    }
    return sequence.compactMap { text($0, key) }
  }

  private func elements(_ key: String) -> [Node] {
    guard let node = value(key) else { return [] }
    guard case .sequence(let sequence) = node else {
      reader.report("\(path(to: key)) must be a list", at: node)
      return []
    }
    return Array(sequence)
  }

  /// Every key and text of a mapping of free names.
  func stringTable(_ key: String) -> [(String, String)] {
    guard let table = mapping(key) else { return [] }
    return table.keys.compactMap { name in table.string(name).map { (name, $0) } }
  }

  /// Reports the keys that nobody asked for.
  func finish() {
    for (key, _) in mapping {
      let name = key.string ?? "?"
      guard !asked.contains(name) else { continue }
      let hint =
        Self.nearest(name, in: asked).map { "did you mean \($0)?" }
        ?? "known keys: \(asked.joined(separator: ", "))"
      reader.report("unknown key \(path(to: name))", at: key, hint: hint)
    }
  }

  /// The candidate that is at most two (or a third of the length) edits away.
  static func nearest(_ name: String, in candidates: [String]) -> String? {
    let limit = max(2, name.count / 3)
    let ranked = candidates.map { ($0, distance(Array(name.utf8), Array($0.utf8))) }
    return ranked.filter { $0.1 <= limit }.min { $0.1 < $1.1 }?.0
  }

  private static func distance(_ first: [UInt8], _ second: [UInt8]) -> Int {
    var row = Array(0...second.count)
    for (index, byte) in first.enumerated() {
      var diagonal = row[0]
      row[0] = index + 1
      for column in second.indices {
        let substitution = diagonal + (byte == second[column] ? 0 : 1)
        diagonal = row[column + 1]
        row[column + 1] = min(substitution, row[column] + 1, row[column + 1] + 1)
      }
    }
    return row[second.count]
  }
}
