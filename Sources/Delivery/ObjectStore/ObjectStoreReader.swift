public import Transport

/// Reads whole objects of an S3-compatible store.
public struct ObjectStoreReader: Sendable {
  /// An object as it was read.
  public struct Object: Sendable {
    /// What its contents are told apart by.
    public let tag: String
    /// The contents, up to the limit.
    public let bytes: [UInt8]
    /// Whether that is all of it.
    public let isComplete: Bool
  }

  private let client: ObjectStoreClient

  /// Creates a reader.
  ///
  /// - Parameters:
  ///   - store: The store.
  ///   - keys: What signs requests.
  ///   - connections: The way to the store.
  ///   - time: The clock.
  public init(
    store: ObjectStore, keys: AccessKeySource, connections: HTTPConnections,
    time: any TimeSource = SystemTime()
  ) {
    client = ObjectStoreClient(store: store, keys: keys, connections: connections, time: time)
  }

  /// Reads an object; nil when it still has the ETag `known`.
  ///
  /// - Throws: `DeliveryError` when there is no such object, or it cannot be had.
  public func read(_ key: String, unless known: String?, limit: Int) async throws -> Object? {
    var headers: [(name: String, value: String)] = []
    if let known { headers.append(("if-none-match", known)) }
    // One byte more, so that an object of just the limit is seen to end.
    let response = try await client.send("GET", key: key, headers: headers, limit: limit + 1)
    switch response.status {
    case 304: return nil
    case 200:
      let isCut = response.body.count > limit
      guard isCut || response.isComplete else {
        throw ObjectStoreFailure.unexpected("the object broke off")
      }
      let tag = response.header("etag") ?? ""
      return Object(tag: tag, bytes: response.body, isComplete: !isCut)
    case 404 where XMLText.value("Code", in: Self.text(response)) != "NoSuchBucket":
      throw DeliveryError(
        code: "S3.NoSuchKey", message: "there is no object '\(key)' in '\(client.store.bucket)'",
        hint: "put it there, or correct the key", remedy: .operatorAction)
    default:
      throw ObjectStoreFailure.error(
        for: response, bucket: client.store.bucket, now: client.time.now)
    }
  }

  private static func text(_ response: HTTPExchangeResponse) -> String {
    String(decoding: response.body, as: UTF8.self)
  }
}
