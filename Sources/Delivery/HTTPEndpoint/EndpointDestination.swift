public import Transport

/// Records of objects posted to an HTTP endpoint in Firehose's format.
///
/// At least once: a request that is repeated has the same id. Objects keep their record ends.
public struct EndpointDestination: Destination {
  private static let responseLimit = 1_048_577
  private let settings: EndpointSettings
  private let connections: HTTPConnections
  private let threads: BlockingThreads
  private let time: any TimeSource
  private let timeoutMilliseconds: Int64

  /// Creates a destination.
  ///
  /// - Parameters:
  ///   - settings: The endpoint.
  ///   - connections: The way to it.
  ///   - threads: Threads for encoding.
  ///   - time: The clock.
  ///   - timeoutMilliseconds: How long one request may take: 180 s unless tests say less.
  public init(
    settings: EndpointSettings, connections: HTTPConnections, threads: BlockingThreads,
    time: any TimeSource = SystemTime(), timeoutMilliseconds: Int64 = 180_000
  ) {
    self.settings = settings
    self.connections = connections
    self.threads = threads
    self.time = time
    self.timeoutMilliseconds = timeoutMilliseconds
  }

  /// Posts the records of an object.
  ///
  /// - Throws: `RejectedRecords` when all was posted but some records, which are too large;
  ///   `DeliveryError` when a request failed: all are posted again then, with the same ids.
  public func put(_ object: ClosedObject) async throws -> PutResult {
    precondition(object.recordEnds.count == object.recordCount, "record ends are kept for HTTP")
    var waiting = [0..<object.recordCount]
    var rejected: [Int] = []
    while let records = waiting.popLast() {
      guard try await post(records, of: object) == .tooLarge else { continue }
      if records.count == 1 {
        rejected.append(records.lowerBound)
      } else {
        let middle = records.lowerBound + records.count / 2
        waiting.append(middle..<records.upperBound)
        waiting.append(records.lowerBound..<middle)
      }
    }
    guard rejected.isEmpty else {
      throw RejectedRecords(
        records: rejected,
        error: DeliveryError(
          code: "HttpEndpoint.RequestEntityTooLarge",
          message: "\(rejected.count) records are too large for the endpoint",
          hint: "look for them in the backup", remedy: .none))
    }
    return .stored
  }

  private enum Answer {
    case accepted
    case tooLarge
  }

  private func post(_ records: Range<Int>, of object: ClosedObject) async throws -> Answer {
    let first = records.lowerBound == 0 ? 0 : Int(object.recordEnds[records.lowerBound - 1])
    let byteCount = Int(object.recordEnds[records.upperBound - 1]) - first
    let isOverweight = records.contains {
      object.record($0).count > EndpointRequest.recordByteLimit
    }
    let estimate = byteCount / 3 * 4 + 20 * records.count
    guard !isOverweight, records.count <= EndpointRequest.recordLimit,
      estimate <= EndpointRequest.bodyLimit
    else { return .tooLarge }
    let request = EndpointRequest(
      id: Self.requestID(object.identity, records), object: object, records: records)
    let now = time.now
    let body = try await threads.run {
      let plain = request.body(now: now)
      return settings.usesGzip ? try Compression.gzip.compress(plain) : plain
    }
    return try await exchange(request, body: body)
  }

  private func exchange(_ request: EndpointRequest, body: [UInt8]) async throws -> Answer {
    let response: HTTPExchangeResponse
    do {
      response = try await connections.send(
        HTTPExchangeRequest(
          method: "POST", url: settings.url, headers: request.headers(settings), body: body,
          timeoutMilliseconds: timeoutMilliseconds, responseLimit: Self.responseLimit))
    } catch let failure as HTTPExchangeFailure {
      throw Self.error("ConnectionFailed", failure.description, remedy: .retry)
    }
    switch response.status {
    case 200:
      guard let fault = request.fault(in: response) else { return .accepted }
      throw Self.error("InvalidResponse", fault, remedy: .retry)
    case 413: return .tooLarge
    case 401, 403:
      throw Self.error(
        "AccessDenied", "the endpoint answered \(response.status)", remedy: .operatorAction)
    default:
      var error = Self.error(
        "DestinationException", "the endpoint answered \(response.status)", remedy: .retry)
      error.retryAfterMilliseconds = response.header("retry-after").flatMap {
        RetryAfter.delay($0, now: time.now)
      }
      throw error
    }
  }

  private static func error(
    _ code: String, _ message: String, remedy: DeliveryError.Remedy
  ) -> DeliveryError {
    DeliveryError(
      code: "HttpEndpoint.\(code)", message: message,
      hint: remedy == .retry ? "delivery is tried again" : "check the endpoint's access key",
      remedy: remedy)
  }

  /// The id of a request for some records of an object, the same at every attempt.
  private static func requestID(_ identity: ObjectIdentity, _ records: Range<Int>) -> String {
    var part = identity
    part.output += "#\(records.lowerBound)-\(records.upperBound)"
    return part.uuid
  }
}
