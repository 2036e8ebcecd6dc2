import Columns
import Crypto
import Foundation
import Transport

/// Keys that sign requests to an object store.
public struct AccessKeys: Hashable, Sendable, CustomStringConvertible {
  /// The public part.
  public let id: String
  let secret: String
  let sessionToken: String?
  /// When they end, in milliseconds since 1970; nil for never.
  public let expiresAt: Int64?

  /// Creates keys.
  public init(id: String, secret: String, sessionToken: String? = nil, expiresAt: Int64? = nil) {
    self.id = id
    self.secret = secret
    self.sessionToken = sessionToken
    self.expiresAt = expiresAt
  }

  /// The public part only.
  public var description: String { "access key \(id)" }
}

/// AWS Signature Version 4 of one request, in the `Authorization` header.
///
/// Source: AWS General Reference, "Signature Version 4 signing process".
package struct SigV4 {
  let keys: AccessKeys
  let region: String
  let service: String
  let now: Int64

  package init(keys: AccessKeys, region: String, service: String, now: Int64) {
    self.keys = keys
    self.region = region
    self.service = service
    self.now = now
  }

  /// The moment as `yyyyMMdd'T'HHmmss'Z'`.
  private var timestamp: String {
    let time = CivilTime(milliseconds: now)
    var text: [UInt8] = []
    for (value, digits) in [(time.year, 4), (time.month, 2), (time.day, 2)] {
      CivilTime.append(value, digits: digits, to: &text)
    }
    text.append(UInt8(ascii: "T"))
    for value in [time.hour, time.minute, time.second] {
      CivilTime.append(value, digits: 2, to: &text)
    }
    return String(decoding: text, as: UTF8.self) + "Z"
  }

  /// The headers with date, content hash, token and signature added.
  ///
  /// - Parameters:
  ///   - headers: Names in lower case, `host` among them.
  ///   - method: The method.
  ///   - path: The path, percent-encoded.
  ///   - query: Names and values, not encoded.
  ///   - body: The body.
  /// - Returns: All headers, `host` among them.
  package func signed(
    _ headers: [(name: String, value: String)], method: String, path: String,
    query: [(name: String, value: String)], body: [UInt8]
  ) -> [(name: String, value: String)] {
    let contentHash = Hexadecimal.encode(SHA256.hash(data: body))
    var all = headers
    all.append(("x-amz-content-sha256", contentHash))
    all.append(("x-amz-date", timestamp))
    if let token = keys.sessionToken { all.append(("x-amz-security-token", token)) }
    all.sort { $0.name < $1.name }
    let names = all.map(\.name).joined(separator: ";")
    let canonical =
      [method, path, Self.encode(query)]
      + all.map { "\($0.name):\($0.value.trimmingCharacters(in: .whitespaces))" }
      + ["", names, contentHash]
    let date = String(timestamp.prefix(8))
    let scope = "\(date)/\(region)/\(service)/aws4_request"
    let hash = SHA256.hash(data: Array(canonical.joined(separator: "\n").utf8))
    let text = "AWS4-HMAC-SHA256\n\(timestamp)\n\(scope)\n\(Hexadecimal.encode(hash))"
    var key = Array("AWS4\(keys.secret)".utf8)
    for part in [date, region, service, "aws4_request", text] {
      let code = HMAC<SHA256>.authenticationCode(
        for: Array(part.utf8), using: SymmetricKey(data: key))
      key = Array(code)
    }
    all.append(
      (
        "authorization",
        "AWS4-HMAC-SHA256 Credential=\(keys.id)/\(scope),SignedHeaders=\(names),"
          + "Signature=\(Hexadecimal.encode(key))"
      ))
    return all
  }

  /// A query in the order of its encoded names.
  static func encode(_ query: [(name: String, value: String)]) -> String {
    query.map { "\(percentEncoded($0.name))=\(percentEncoded($0.value))" }
      .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.joined(separator: "&")
  }

  /// Everything but unreserved characters as `%XX`; slashes stay where `keepsSlashes`.
  static func percentEncoded(_ text: String, keepsSlashes: Bool = false) -> String {
    var result: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
        UInt8(ascii: "."), UInt8(ascii: "~"):
        result.append(byte)
      case UInt8(ascii: "/") where keepsSlashes: result.append(byte)
      default:
        result.append(UInt8(ascii: "%"))
        result += Hexadecimal.encode([byte]).uppercased().utf8
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}
