import Foundation
import Transport

/// One request of Firehose's HTTP endpoint protocol.
///
/// Source: Firehose developer guide, "HTTP endpoint delivery request and response specifications".
struct EndpointRequest {
  /// The most records of one request.
  static let recordLimit = 10_000
  /// The most bytes of a body before compression: 64 MiB.
  static let bodyLimit = 64 * 1_048_576
  /// The most bytes of one record, which is 1,365,336 characters of Base64.
  static let recordByteLimit = 1_024_000

  let id: String
  let object: ClosedObject
  let records: Range<Int>

  /// The body, whose time is that of the attempt, in milliseconds since 1970.
  func body(now: Int64) -> [UInt8] {
    var text = JSONText(capacity: 100 + object.bytes.count / 3 * 4)
    text.object { text in
      text.member("requestId", id)
      text.member("timestamp", now)
      text.name("records")
      text.array { text in
        for index in records {
          text.object { text in
            text.name("data")
            text.base64(object.record(index))
          }
        }
      }
    }
    return text.bytes
  }

  func headers(_ settings: EndpointSettings) -> [(name: String, value: String)] {
    var headers = [
      (name: "X-Amz-Firehose-Protocol-Version", value: "1.0"),
      (name: "X-Amz-Firehose-Request-Id", value: id),
      (name: "Content-Type", value: "application/json"),
      (name: "X-Amz-Firehose-Source-Arn", value: settings.sourceARN),
      (name: "User-Agent", value: "cutbank"),
    ]
    if settings.usesGzip { headers.append(("Content-Encoding", "gzip")) }
    if !settings.accessKey.isEmpty {
      headers.append(("X-Amz-Firehose-Access-Key", settings.accessKey))
    }
    if !settings.commonAttributes.isEmpty {
      var text = JSONText()
      text.object { text in
        text.name("commonAttributes")
        text.object { text in
          for (name, value) in settings.commonAttributes { text.member(name, value) }
        }
      }
      headers.append(
        ("X-Amz-Firehose-Common-Attributes", String(decoding: text.bytes, as: UTF8.self)))
    }
    return headers
  }

  /// What is wrong with an answer of status 200, or nil.
  func fault(in response: HTTPExchangeResponse) -> String? {
    guard response.isComplete else { return "the answer is cut or longer than 1 MiB" }
    let type = response.header("content-type") ?? ""
    guard type.lowercased().hasPrefix("application/json") else {
      return "the answer is not application/json"
    }
    let parsed: Any
    do { parsed = try JSONSerialization.jsonObject(with: Data(response.body)) } catch {
      return "the answer is not JSON"
    }
    guard let answer = parsed as? [String: Any] else { return "the answer is not an object" }
    guard answer["requestId"] as? String == id else { return "the answer names another request" }
    // Amazon's own example writes the timestamp as text.
    let isTimed = answer["timestamp"] is NSNumber || answer["timestamp"] is String
    return isTimed ? nil : "the answer has no timestamp"
  }
}
