public import Transport

/// An HTTP endpoint that speaks Firehose's delivery protocol.
public struct EndpointSettings: Sendable {
  /// Where requests go.
  public let url: WebURL
  /// What the endpoint knows the sender by; empty for none.
  public let accessKey: String
  /// The ARN, or another name, of the delivery stream.
  public let sourceARN: String
  /// Names and values that go with every request, in the order of the names' bytes.
  public let commonAttributes: [(name: String, value: String)]
  /// Whether bodies are compressed.
  public let usesGzip: Bool

  /// Creates settings.
  ///
  /// - Parameters:
  ///   - url: Where requests go; `https` unless `allowsInsecure`.
  ///   - accessKey: At most 4,096 bytes.
  ///   - sourceARN: The delivery stream's name.
  ///   - commonAttributes: At most 50; names of 1 to 256, values of at most 1,024 characters.
  ///   - usesGzip: Whether bodies are compressed.
  ///   - allowsInsecure: Whether `http` will do.
  /// - Throws: all settings that are out of their range.
  public init(
    url: String, accessKey: String = "", sourceARN: String,
    commonAttributes: [String: String] = [:], usesGzip: Bool = false, allowsInsecure: Bool = false
  ) throws(SettingErrors) {
    var errors: [SettingError] = []
    func refuse(_ setting: String, _ message: String, _ hint: String) {
      errors.append(SettingError(setting: setting, message: message, hint: hint))
    }
    let parsed = WebURL(url)
    if parsed == nil {
      refuse("to", "this is no URL of an endpoint", "write https://host/path")
    } else if parsed?.isSecure == false, !allowsInsecure {
      refuse(
        "to", "the endpoint is not encrypted",
        "write https, or http: {allow_insecure: true} beside it")
    }
    if accessKey.utf8.count > 4_096 || accessKey.utf8.contains(where: { $0 < 0x20 }) {
      refuse("access_key", "it is longer than 4,096 bytes or holds line ends", "shorten it")
    }
    let attributes = commonAttributes.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    if attributes.count > 50 {
      refuse("common_attributes", "there are more than 50", "leave some out")
    }
    for (name, value) in attributes
    where !(1...256).contains(name.count) || value.count > 1_024 {
      refuse(
        "common_attributes", "'\(name.prefix(20))' or its value is too long or empty",
        "names have 1 to 256 characters, values up to 1,024")
    }
    guard errors.isEmpty, let parsed else { throw SettingErrors(errors) }
    self.url = parsed
    self.accessKey = accessKey
    self.sourceARN = sourceARN
    self.commonAttributes = attributes.map { (name: $0.key, value: $0.value) }
    self.usesGzip = usesGzip
  }
}
