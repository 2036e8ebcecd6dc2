import Crypto
import Foundation

/// What went wrong with the records of an error object; part of its prefix.
public enum ErrorOutputType: String, CaseIterable, Hashable, Sendable {
  /// A transform step or an operator failed.
  case processingFailed = "processing-failed"
  /// A row could not be written in the output's format.
  case formatConversionFailed = "format-conversion-failed"
  /// An HTTP endpoint refused the records or did not take them in time.
  case httpEndpointFailed = "http-endpoint-failed"
  /// A record could not be decoded.
  case decodeFailed = "decode-failed"
  /// A partition value is missing or too long, or there are too many partitions.
  case partitioningFailed = "partitioning-failed"
  /// A row came after the watermark had passed it.
  case late
  /// An alert could not be sent.
  case webhookFailed = "webhook-failed"
}

/// The prefix of object names in the syntax of Amazon Data Firehose.
///
/// Source: Firehose developer guide, "Custom prefixes for Amazon S3 objects".
public struct Prefix: Hashable, Sendable {
  enum Segment: Hashable, Sendable {
    case literal(String)
    case timestamp(TimestampPattern)
    case randomString
    case errorOutputType
    case partitionKey(String)
  }

  /// What a prefix is evaluated with.
  public struct Context: Sendable {
    /// ROWTIME of the oldest record of the object, in milliseconds since 1970.
    public var rowTime: Int64
    /// What random strings are made from, so that the same object has the same name.
    public var seed: [UInt8]
    /// The kind of an error object.
    public var errorOutputType: ErrorOutputType?
    /// The values of the partition keys by their ids.
    public var partitionValues: [String: String]

    /// Creates a context.
    public init(
      rowTime: Int64, seed: [UInt8], errorOutputType: ErrorOutputType? = nil,
      partitionValues: [String: String] = [:]
    ) {
      self.rowTime = rowTime
      self.seed = seed
      self.errorOutputType = errorOutputType
      self.partitionValues = partitionValues
    }
  }

  /// The longest evaluated prefix, in characters.
  public static let characterLimit = 512
  /// The name Hive gives to the partition of rows without a value.
  public static let emptyPartition = "__HIVE_DEFAULT_PARTITION__"

  let segments: [Segment]
  private let addsTimestamp: Bool

  /// The prefix `yyyy/MM/dd/HH/` that Firehose uses when none is given.
  public static var standard: Prefix {
    get throws(SettingErrors) { try Prefix(parsing: nil) }
  }

  /// Reads the prefix of data objects; without a timestamp expression `yyyy/MM/dd/HH/` follows it.
  ///
  /// - Throws: all errors of the text, each with its column.
  public init(parsing text: String?, setting: String = "prefix") throws(SettingErrors) {
    var parser = PrefixParser(text ?? "", setting: setting, isErrorPrefix: false)
    segments = try parser.parse()
    addsTimestamp = parser.addsTimestamp
  }

  private init(errorPrefix text: String, setting: String) throws(SettingErrors) {
    var parser = PrefixParser(text, setting: setting, isErrorPrefix: true)
    segments = try parser.parse()
    addsTimestamp = false
  }

  /// Reads the prefix of error objects.
  ///
  /// - Parameters:
  ///   - text: The error prefix; nil only when `prefix` has no expression: then it is `prefix`,
  ///     the error type and `yyyy/MM/dd/HH/`.
  ///   - prefix: The text of the data prefix.
  ///   - setting: The setting's name for errors.
  /// - Returns: The error prefix.
  /// - Throws: all errors of the text, each with its column.
  public static func errorPrefix(
    parsing text: String?, besides prefix: String?, setting: String = "error_prefix"
  ) throws(SettingErrors) -> Prefix {
    if let text { return try Prefix(errorPrefix: text, setting: setting) }
    guard prefix?.contains("!{") != true else {
      throw SettingErrors([
        SettingError(
          setting: setting, message: "an error prefix is needed because the prefix has expressions",
          hint: "write, for example, errors/!{firehose:error-output-type}/")
      ])
    }
    let timestamp = "!{timestamp:yyyy/MM/dd/HH/}"
    return try Prefix(
      errorPrefix: (prefix ?? "") + "!{firehose:error-output-type}/" + timestamp, setting: setting)
  }

  /// The ids of the partition keys in the order of the text.
  public var partitionKeys: [String] {
    segments.compactMap { segment in
      if case .partitionKey(let id) = segment { id } else { nil }
    }
  }

  /// What a user should know although it is no error, or nil.
  public var warning: String? {
    guard addsTimestamp, segments.count > 1,
      case .literal(let text) = segments[segments.count - 2], !text.hasSuffix("/")
    else { return nil }
    return "the prefix does not end with '/': the timestamp follows '\(text)' directly"
  }

  /// The prefix of an object.
  ///
  /// - Throws: `DeliveryError` with code `Partitioning.*` when a partition value is missing, or the
  ///   result or one of its folders is too long.
  public func evaluate(_ context: Context) throws(DeliveryError) -> String {
    var result = ""
    var randomStrings: UInt8 = 0
    for segment in segments {
      switch segment {
      case .literal(let text): result += text
      case .timestamp(let pattern): result += pattern.text(at: context.rowTime)
      case .errorOutputType: result += context.errorOutputType?.rawValue ?? ""
      case .randomString:
        result += Self.randomString(seed: context.seed, use: randomStrings)
        randomStrings &+= 1
      case .partitionKey(let id):
        guard let value = context.partitionValues[id] else {
          throw DeliveryError(
            code: "Partitioning.MissingKey", message: "the partition key '\(id)' has no value",
            hint: "declare it under partition_keys", remedy: .none)
        }
        result += Self.folderName(of: value)
      }
    }
    guard result.count <= Self.characterLimit,
      result.split(separator: "/").allSatisfy({ $0.utf8.count <= 255 })
    else {
      throw DeliveryError(
        code: "Partitioning.PrefixTooLong",
        message: "the evaluated prefix has \(result.count) characters",
        hint: "\(Self.characterLimit) in all and 255 bytes between slashes are the limits",
        remedy: .none)
    }
    return result
  }

  /// Eleven letters and digits that depend on nothing but the object.
  private static func randomString(seed: [UInt8], use: UInt8) -> String {
    let alphabet = Array("0123456789abcdefghijklmnopqrstuvwxyz".utf8)
    let digest = Array(SHA256.hash(data: seed + [use]))
    let characters = (0..<11).map { index in
      alphabet[(Int(digest[2 * index]) << 8 | Int(digest[2 * index + 1])) % alphabet.count]
    }
    return String(decoding: characters, as: UTF8.self)
  }

  /// A partition value as part of a folder's name: what a path or Hive would misread becomes `%XX`.
  static func folderName(of value: String) -> String {
    guard !value.isEmpty else { return emptyPartition }
    guard value != ".", value != ".." else { return String(repeating: "%2E", count: value.count) }
    var name: [UInt8] = []
    for byte in value.utf8 {
      let isMisread = byte < 0x20 || byte == 0x7F || "\"#%*/:<=>?[\\]^{|}".utf8.contains(byte)
      guard isMisread else {
        name.append(byte)
        continue
      }
      let digits = Array("0123456789ABCDEF".utf8)
      name += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }
    return String(decoding: name, as: UTF8.self)
  }
}
