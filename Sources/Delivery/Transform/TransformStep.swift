import Foundation
public import Transport

/// A step that changes records before they are stored, in the contract of Firehose's Lambda
/// transformation, called by HTTP.
///
/// Source: Firehose developer guide, "Data transformation and status model".
public struct TransformStep: Sendable {
  /// The most bytes of records of one call before Base64: 3 MiB.
  static let batchBytes = 3 * 1_048_576
  private static let attemptLimit = 4
  private static let timeoutMilliseconds: Int64 = 300_000
  private static let responseLimit = 6 * 1_048_576

  private let url: WebURL
  private let sourceARN: String
  private let connections: HTTPConnections
  private let threads: BlockingThreads
  private let backoff = Backoff(firstMilliseconds: 500, capMilliseconds: 10_000)
  private let time: any TimeSource

  /// Creates a step.
  ///
  /// - Parameters:
  ///   - url: What is called.
  ///   - sourceARN: The delivery stream's name.
  ///   - connections: The way to it.
  ///   - threads: Threads for encoding.
  ///   - time: The clock.
  public init(
    url: WebURL, sourceARN: String, connections: HTTPConnections, threads: BlockingThreads,
    time: any TimeSource = SystemTime()
  ) {
    self.url = url
    self.sourceARN = sourceARN
    self.connections = connections
    self.threads = threads
    self.time = time
  }

  /// What became of a record.
  enum Outcome: Equatable {
    case ok([UInt8])
    case dropped
    case failed
  }

  /// What the step makes of some records of an object.
  ///
  /// A call is tried four times in all; after that its records have failed.
  /// - Throws: `CancellationError` when the task is cancelled.
  func outcomes(of object: ClosedObject, records: Range<Int>) async throws -> [Outcome] {
    // The id depends on the content only, so that a repeated call is known as such.
    var part = object.identity
    part.output += "#transform\(records.lowerBound)"
    let id = part.uuid
    let body = try await threads.run { request(id: id, object: object, records: records) }
    var generator = SplitMix64(seed: UInt64(records.lowerBound))
    for attempt in 1...Self.attemptLimit {
      do {
        let response = try await connections.send(
          HTTPExchangeRequest(
            method: "POST", url: url, headers: [("content-type", "application/json")],
            body: body, timeoutMilliseconds: Self.timeoutMilliseconds,
            responseLimit: Self.responseLimit + 1))
        let answer = response.status == 200 && response.isComplete ? response.body : nil
        if let answer, let outcomes = Self.outcomes(in: answer, records: records) {
          return outcomes
        }
      } catch is HTTPExchangeFailure {
        // It is tried again below like an answer that cannot be read.
      }
      guard attempt < Self.attemptLimit else { break }
      let delay = backoff.delay(failures: attempt, using: &generator)
      try await time.sleep(milliseconds: delay)
    }
    return records.map { _ in .failed }
  }

  private func request(id: String, object: ClosedObject, records: Range<Int>) -> [UInt8] {
    var text = JSONText(capacity: 200 + object.bytes.count / 3 * 4)
    text.object { text in
      text.member("invocationId", id)
      text.member("deliveryStreamArn", sourceARN)
      text.member("region", "local")
      text.name("records")
      text.array { text in
        for index in records {
          text.object { text in
            text.member("recordId", "\(index)")
            text.member("approximateArrivalTimestamp", object.oldestRowTime)
            text.name("data")
            text.base64(object.record(index))
          }
        }
      }
    }
    return text.bytes
  }

  /// The outcome of every record; nil when the answer is not of the contract's form.
  static func outcomes(in answer: [UInt8], records: Range<Int>) -> [Outcome]? {
    let parsed: Any
    do { parsed = try JSONSerialization.jsonObject(with: Data(answer)) } catch { return nil }
    guard let list = (parsed as? [String: Any])?["records"] as? [[String: Any]] else { return nil }
    var byID: [String: Outcome] = [:]
    for record in list {
      guard let id = record["recordId"] as? String else { continue }
      let data = (record["data"] as? String).flatMap(Base64.decode)
      let outcome: Outcome =
        switch record["result"] as? String {
        case "Ok": data.map(Outcome.ok) ?? .failed
        case "Dropped": .dropped
        default: .failed
        }
      // An id that comes twice says nothing certain about its record.
      byID[id] = byID[id] == nil ? outcome : .failed
    }
    return records.map { byID["\($0)"] ?? .failed }
  }
}
