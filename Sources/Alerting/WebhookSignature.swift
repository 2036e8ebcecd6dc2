import Crypto
import Foundation
import Transport

/// A secret that signs webhooks, in the form `whsec_` and Base64.
///
/// Source: Standard Webhooks 1.0.0, "Signature scheme".
public struct WebhookSecret: Sendable, Hashable, CustomStringConvertible {
  private let key: [UInt8]

  /// Reads a secret; nil unless it is `whsec_` and the Base64 form of 24 to 64 bytes.
  public init?(_ text: String) {
    guard text.hasPrefix("whsec_"), let key = Base64.decode(String(text.dropFirst(6))),
      (24...64).contains(key.count)
    else { return nil }
    self.key = key
  }

  /// Never the secret.
  public var description: String { "whsec_…" }

  /// The signature `v1,<base64>` of a message.
  ///
  /// - Parameters:
  ///   - id: The message's id, without dots.
  ///   - timestamp: When it is sent, in seconds since 1970.
  ///   - body: The body as sent.
  /// - Returns: The signature.
  public func signature(id: String, timestamp: Int64, body: [UInt8]) -> String {
    var authentication = HMAC<SHA256>(key: SymmetricKey(data: key))
    authentication.update(data: Array("\(id).\(timestamp).".utf8))
    authentication.update(data: body)
    return "v1," + Base64.encode(Array(authentication.finalize()))
  }
}
