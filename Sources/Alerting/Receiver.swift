import Crypto
import Foundation
public import Transport

/// Where alerts are sent and how.
public struct Receiver: Sendable {
  /// The receiver's name, unique in the daemon.
  public let name: String
  /// Where messages go.
  public let url: WebURL
  /// How they are written.
  public let format: AlertFormat
  /// What signs them: all sign while secrets are changed over.
  public let secrets: [WebhookSecret]
  /// Further headers, such as an authorization.
  public let headers: [(name: String, value: String)]
  /// Whether the end of an alert is told.
  public let sendsResolved: Bool
  /// How alerts are put together; nil sends each by itself at once.
  public let grouping: Grouping?
  /// Hours in which alerts are not told.
  public let maintenance: [MaintenanceWindow]
  /// How long one attempt may take.
  public let timeoutMilliseconds: Int64
  /// How many requests may be under way.
  public let concurrency: Int

  /// Creates a receiver.
  public init(
    name: String, url: WebURL, format: AlertFormat = .alertmanager(externalURL: ""),
    secrets: [WebhookSecret] = [], headers: [(name: String, value: String)] = [],
    sendsResolved: Bool = true, grouping: Grouping? = nil,
    maintenance: [MaintenanceWindow] = [], timeoutMilliseconds: Int64 = 30_000, concurrency: Int = 8
  ) {
    self.name = name
    self.url = url
    self.format = format
    self.secrets = secrets
    self.headers = headers
    self.sendsResolved = sendsResolved
    self.grouping = grouping
    self.maintenance = maintenance
    self.timeoutMilliseconds = timeoutMilliseconds
    self.concurrency = concurrency
  }

  /// What a receiver tells repetitions by: the same at every attempt.
  static func webhookID(pipeline: String, receiver: String, identity: String) -> String {
    guard !identity.hasPrefix(messagePrefix) else { return identity }
    return messageID("\(pipeline)\0\(receiver)\0\(identity)")
  }

  /// An id for what a text names.
  static func messageID(_ text: String) -> String {
    messagePrefix + Hexadecimal.encode(SHA256.hash(data: Array(text.utf8)).prefix(16))
  }

  private static let messagePrefix = "msg_"

  /// The request of one attempt.
  func request(for message: OutboxMessage, now: Int64) -> HTTPExchangeRequest {
    let timestamp = now / 1_000
    let body = format.completed(message.body)
    var all = headers
    all.append(("content-type", format.contentType))
    all.append(("user-agent", "cutbank"))
    all.append(("webhook-id", message.webhookID))
    all.append(("webhook-timestamp", String(timestamp)))
    if !secrets.isEmpty {
      let signatures = secrets.map {
        $0.signature(id: message.webhookID, timestamp: timestamp, body: body)
      }
      all.append(("webhook-signature", signatures.joined(separator: " ")))
    }
    return HTTPExchangeRequest(
      method: "POST", url: url, headers: all, body: body,
      timeoutMilliseconds: timeoutMilliseconds)
  }
}
