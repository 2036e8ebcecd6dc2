import Transport

/// Signed requests to an object store.
struct ObjectStoreClient: Sendable {
  let store: ObjectStore
  let keys: AccessKeySource
  let connections: HTTPConnections
  let time: any TimeSource

  /// Sends one request and reads at most `limit` bytes of the answer.
  ///
  /// - Throws: `DeliveryError` when there are no keys or no answer.
  func send(
    _ method: String, key: String, query: [(name: String, value: String)] = [],
    headers: [(name: String, value: String)] = [], body: [UInt8] = [], limit: Int = 1_048_576
  ) async throws -> HTTPExchangeResponse {
    let keys = try await keys.keys()
    let path = store.path(of: key)
    guard let url = store.url(path: path, query: query) else {
      throw ObjectStoreFailure.unexpected("'\(store.host)' is no host")
    }
    let signature = SigV4(keys: keys, region: store.region, service: "s3", now: time.now)
    let signed = signature.signed(
      headers + [("host", store.host)], method: method, path: path, query: query, body: body)
    do {
      return try await connections.send(
        HTTPExchangeRequest(
          method: method, url: url, headers: signed.filter { $0.name != "host" }, body: body,
          timeoutMilliseconds: 180_000, responseLimit: limit))
    } catch let failure as HTTPExchangeFailure {
      throw DeliveryError(
        code: "S3.\(failure.kind.rawValue)", message: failure.message,
        hint: "delivery is tried again", remedy: .retry)
    }
  }
}
