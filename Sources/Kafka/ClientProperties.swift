internal import CRdKafka
internal import Glibc

/// The properties of one client, from our fields, our defaults and what the user passes through.
struct ClientProperties {
  /// For errors: what is being configured.
  let operation: String
  /// Set by a field of our own, thus not to be set as a property.
  let fields: [String: String]
  /// Different from librdkafka's own defaults.
  let defaults: [String: String]
  let properties: [String: String]

  /// Different from librdkafka's own defaults for every client: a short request behind another would
  /// wait until the broker acknowledges that one, up to 40 ms.
  private static let common = ["socket.nagle.disable": "true"]

  /// All errors: properties unknown, refused, or set twice.
  func validate() -> [KafkaError] {
    guard let configuration = rd_kafka_conf_new() else { preconditionFailure("out of memory") }
    defer { rd_kafka_conf_destroy(configuration) }
    return apply(to: configuration)
  }

  /// Makes librdkafka's configuration; the caller owns it.
  func makeConfiguration() throws(KafkaError) -> OpaquePointer {
    guard let configuration = rd_kafka_conf_new() else { preconditionFailure("out of memory") }
    if let first = apply(to: configuration).first {
      rd_kafka_conf_destroy(configuration)
      throw first
    }
    return configuration
  }

  private func apply(to configuration: OpaquePointer) -> [KafkaError] {
    var errors: [KafkaError] = []
    for name in properties.keys.sorted() where fields[name] != nil {
      errors.append(
        KafkaError(
          .invalidArgument, "property `\(name)` has a setting of its own", operation: operation,
          hint: "remove it from the properties"))
    }
    let merged = Self.common.merging(defaults) { $1 }.merging(properties) { $1 }
      .merging(fields) { $1 }
    for (name, value) in merged.sorted(by: { $0.key < $1.key }) {
      if let error = set(name, to: value, in: configuration) { errors.append(error) }
    }
    return errors
  }

  private func set(
    _ name: String, to value: String, in configuration: OpaquePointer
  ) -> KafkaError? {
    var reason = [CChar](repeating: 0, count: 512)
    switch rd_kafka_conf_set(configuration, name, value, &reason, reason.count) {
    case RD_KAFKA_CONF_OK: return nil
    case RD_KAFKA_CONF_UNKNOWN:
      let nearest = Self.nearestProperty(to: name)
      return KafkaError(
        .invalidArgument, "unknown property `\(name)`", operation: operation,
        hint: nearest.map { "did you mean `\($0)`?" }
          ?? "use a property of librdkafka's CONFIGURATION.md")
    default:
      return KafkaError(
        .invalidArgument, "property `\(name)`: \(reason.message)", operation: operation,
        hint: "see librdkafka's CONFIGURATION.md for the values that it takes")
    }
  }

  private static func nearestProperty(to name: String) -> String? {
    let known = knownProperties()
    let nearest = known.map { (distance: editDistance($0, name), name: $0) }
      .min { ($0.distance, $0.name) < ($1.distance, $1.name) }
    return nearest.flatMap { $0.distance <= max(2, name.utf8.count / 4) ? $0.name : nil }
  }

  /// The names in the table of properties that librdkafka prints.
  private static func knownProperties() -> [String] {
    var text: UnsafeMutablePointer<CChar>?
    var size = 0
    guard let stream = open_memstream(&text, &size) else { return [] }
    rd_kafka_conf_properties_show(stream)
    fclose(stream)
    defer { free(text) }
    return text.map { String(cString: $0) }?.split(separator: "\n").compactMap { line in
      line.split(separator: " ", maxSplits: 1).first.map(String.init)
    }.filter { $0.contains(".") || $0 == "acks" } ?? []
  }

  /// Fewest insertions, deletions and substitutions of bytes that turn one into the other.
  private static func editDistance(_ left: String, _ right: String) -> Int {
    let right = Array(right.utf8)
    var row = Array(0...right.count)
    for (index, byte) in left.utf8.enumerated() {
      var diagonal = row[0]
      row[0] = index + 1
      for column in right.indices {
        let substituted = diagonal + (byte == right[column] ? 0 : 1)
        diagonal = row[column + 1]
        row[column + 1] = min(substituted, diagonal + 1, row[column] + 1)
      }
    }
    return row[right.count]
  }
}

extension [CChar] {
  /// The C string in this buffer, its first letter in lower case, without a full stop.
  var message: String {
    var text = String(
      decoding: prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    if text.hasSuffix(".") { text.removeLast() }
    return text.prefix(1).lowercased() + text.dropFirst()
  }
}
