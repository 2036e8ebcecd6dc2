public import Transport

/// Objects in an S3-compatible store, each put whole and never replaced.
///
/// Source: Amazon S3 API Reference; conditional writes by `If-None-Match: *`.
public struct ObjectStoreDestination: Destination {
  /// Compressed objects above this many bytes are uploaded in parts of this size: 8 MiB.
  public static let partBytes = 8 * 1_048_576

  private let store: ObjectStore
  private let prefix: String
  private let compression: Compression
  private let parquet: ParquetFormat?
  private let keys: AccessKeySource
  private let connections: HTTPConnections
  private let threads: BlockingThreads
  private let time: any TimeSource

  /// Creates a destination.
  ///
  /// - Parameters:
  ///   - store: The store.
  ///   - prefix: What comes before every name; empty or ending with `/`.
  ///   - compression: How objects are compressed.
  ///   - parquet: The format of objects whose rows are for Parquet, in place of `compression`.
  ///   - keys: What signs requests.
  ///   - connections: The way to the store.
  ///   - threads: Threads for compression.
  ///   - time: The clock.
  public init(
    store: ObjectStore, prefix: String, compression: Compression,
    parquet: ParquetFormat? = nil, keys: AccessKeySource, connections: HTTPConnections,
    threads: BlockingThreads, time: any TimeSource = SystemTime()
  ) {
    self.store = store
    self.prefix = prefix
    self.compression = compression
    self.parquet = parquet
    self.keys = keys
    self.connections = connections
    self.threads = threads
    self.time = time
  }

  /// Stores an object; when there is one of its name, it was stored before.
  public func put(_ object: ClosedObject) async throws -> PutResult {
    let key = prefix + object.name
    let bytes = try await threads.run { try object.encoded(compression, parquet) }
    guard bytes.count > Self.partBytes else {
      let response = try await send(
        "PUT", key: key, headers: [("if-none-match", "*")], body: bytes)
      return try result(of: response)
    }
    let found = try await send("HEAD", key: key)
    if found.status == 200 { return .existed }
    try await abortUploads(of: key)
    return try await upload(bytes, key: key)
  }

  private func result(of response: HTTPExchangeResponse) throws -> PutResult {
    switch response.status {
    case 200: return .stored
    case 412: return .existed
    default: throw failure(of: response)
    }
  }

  private func failure(of response: HTTPExchangeResponse) -> DeliveryError {
    ObjectStoreFailure.error(for: response, bucket: store.bucket, now: time.now)
  }

  /// Uploads in parts; a failed upload leaves nothing that is paid for.
  private func upload(_ bytes: [UInt8], key: String) async throws -> PutResult {
    let created = try await succeed("POST", key: key, query: [("uploads", "")])
    guard let id = XMLText.value("UploadId", in: String(decoding: created.body, as: UTF8.self))
    else { throw ObjectStoreFailure.unexpected("the store named no upload") }
    do {
      return try await uploadParts(of: bytes, key: key, upload: id)
    } catch {
      // What stays behind when this fails too is aborted by the next attempt.
      _ = try await send("DELETE", key: key, query: [("uploadId", id)])
      throw error
    }
  }

  private func uploadParts(
    of bytes: [UInt8], key: String, upload id: String
  ) async throws -> PutResult {
    var list = "<CompleteMultipartUpload>"
    for (index, start) in stride(from: 0, to: bytes.count, by: Self.partBytes).enumerated() {
      let part = Array(bytes[start..<min(bytes.count, start + Self.partBytes)])
      let response = try await succeed(
        "PUT", key: key, query: [("partNumber", "\(index + 1)"), ("uploadId", id)], body: part)
      guard let tag = response.header("etag") else {
        throw ObjectStoreFailure.unexpected("the store named no tag of a part")
      }
      list += "<Part><PartNumber>\(index + 1)</PartNumber><ETag>\(tag)</ETag></Part>"
    }
    list += "</CompleteMultipartUpload>"
    let response = try await send(
      "POST", key: key, query: [("uploadId", id)], headers: [("if-none-match", "*")],
      body: Array(list.utf8))
    // A completion can fail after its status was sent.
    let text = String(decoding: response.body, as: UTF8.self)
    if response.status == 200, XMLText.value("ETag", in: text) == nil {
      throw failure(of: response)
    }
    let result = try result(of: response)
    if result == .existed { _ = try await send("DELETE", key: key, query: [("uploadId", id)]) }
    return result
  }

  /// Ends what an earlier attempt left of the same object.
  private func abortUploads(of key: String) async throws {
    let listed = try await succeed("GET", key: "", query: [("uploads", ""), ("prefix", key)])
    let text = String(decoding: listed.body, as: UTF8.self)
    let uploads = zip(XMLText.values("Key", in: text), XMLText.values("UploadId", in: text))
    for (found, id) in uploads where found == key {
      _ = try await send("DELETE", key: key, query: [("uploadId", id)])
    }
  }

  private func succeed(
    _ method: String, key: String, query: [(name: String, value: String)] = [],
    body: [UInt8] = []
  ) async throws -> HTTPExchangeResponse {
    let response = try await send(method, key: key, query: query, body: body)
    guard response.status == 200, response.isComplete else { throw failure(of: response) }
    return response
  }

  private func send(
    _ method: String, key: String, query: [(name: String, value: String)] = [],
    headers: [(name: String, value: String)] = [], body: [UInt8] = []
  ) async throws -> HTTPExchangeResponse {
    try await ObjectStoreClient(store: store, keys: keys, connections: connections, time: time)
      .send(method, key: key, query: query, headers: headers, body: body)
  }
}

/// The store's errors in our words.
enum ObjectStoreFailure {
  static func unexpected(_ message: String) -> DeliveryError {
    DeliveryError(
      code: "S3.Unexpected", message: message, hint: "delivery is tried again", remedy: .retry)
  }

  static func error(
    for response: HTTPExchangeResponse, bucket: String, now: Int64
  ) -> DeliveryError {
    let text = String(decoding: response.body, as: UTF8.self)
    let code = XMLText.value("Code", in: text) ?? "Status\(response.status)"
    let said = XMLText.value("Message", in: text).map { ": \($0)" } ?? ""
    let (hint, remedy): (String, DeliveryError.Remedy) =
      switch code {
      case "NoSuchBucket": ("make the bucket '\(bucket)' or correct its name", .operatorAction)
      case "SignatureDoesNotMatch", "InvalidAccessKeyId", "AccessDenied", "ExpiredToken":
        ("check the access keys and what they permit", .operatorAction)
      case "RequestTimeTooSkewed": ("set this machine's clock", .operatorAction)
      case "PermanentRedirect", "AuthorizationHeaderMalformed":
        ("set the bucket's region", .operatorAction)
      case "EntityTooLarge", "KeyTooLongError": ("make buffer.size or the prefix smaller", .none)
      case "NotImplemented": ("the store knows no conditional writes", .operatorAction)
      default: ("delivery is tried again", .retry)
      }
    let retryAfter = response.header("retry-after").flatMap { RetryAfter.delay($0, now: now) }
    return DeliveryError(
      code: "S3.\(code)", message: "the store answered \(response.status)\(said)", hint: hint,
      remedy: remedy, retryAfterMilliseconds: retryAfter)
  }
}
