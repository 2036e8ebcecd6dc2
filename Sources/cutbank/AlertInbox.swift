import Alerting
import Demo
import Foundation
import Synchronization

/// An alert as it came by webhook.
struct ReceivedAlert: Sendable {
  /// The record that caused it.
  let pickupTime: Int64
  /// The forest's score of the record.
  let score: Double
}

/// Takes webhook posts as a receiver should: the signature decides before the body is read, and an id
/// that has come before is answered and forgotten.
final class AlertInbox: Sendable {
  /// One post.
  struct Post: Sendable {
    let id: String?
    let timestamp: String?
    let signature: String?
    let body: [UInt8]
  }

  private struct State {
    var ids: Set<String> = []
    var alerts: [ReceivedAlert] = []
    var refused = 0
  }

  /// Older or younger posts are refused, seconds; the reference implementations allow as much.
  private static let tolerance: Int64 = 300

  private let secret: WebhookSecret
  private let state = Mutex(State())

  init(secret: WebhookSecret) {
    self.secret = secret
  }

  /// The alerts of all posts that were believed.
  var alerts: [ReceivedAlert] { state.withLock { $0.alerts } }

  /// How many posts were not believed.
  var refused: Int { state.withLock { $0.refused } }

  /// The HTTP status for a post at a time, seconds since 1970.
  func receive(_ post: Post, now: Int64) -> Int {
    guard let id = verifiedID(of: post, now: now) else { return refuse(401) }
    guard let alerts = try? Self.alerts(in: post.body) else { return refuse(400) }
    state.withLock { state in
      if state.ids.insert(id).inserted { state.alerts += alerts }
    }
    return 200
  }

  private func refuse(_ status: Int) -> Int {
    state.withLock { $0.refused += 1 }
    return status
  }

  private func verifiedID(of post: Post, now: Int64) -> String? {
    guard let id = post.id, let timestamp = post.timestamp.flatMap(Int64.init),
      (timestamp - now).magnitude <= Self.tolerance
    else { return nil }
    let expected = secret.signature(id: id, timestamp: timestamp, body: post.body)
    let given = post.signature?.split(separator: " ").map(String.init) ?? []
    return given.contains { Self.isEqual($0, expected) } ? id : nil
  }

  /// Compares in a time that does not depend on where the texts differ.
  private static func isEqual(_ left: String, _ right: String) -> Bool {
    let left = Array(left.utf8)
    let right = Array(right.utf8)
    guard left.count == right.count else { return false }
    return zip(left, right).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
  }

  private struct Body: Decodable {
    struct Alert: Decodable {
      let annotations: [String: String]
    }
    let alerts: [Alert]
  }

  private static func alerts(in body: [UInt8]) throws -> [ReceivedAlert] {
    try JSONDecoder().decode(Body.self, from: Data(body)).alerts.compactMap { alert in
      guard let time = alert.annotations["pickup_time"].flatMap(RideTime.milliseconds(of:)),
        let score = alert.annotations["score"].flatMap(Double.init)
      else { return nil }
      return ReceivedAlert(pickupTime: time, score: score)
    }
  }
}
