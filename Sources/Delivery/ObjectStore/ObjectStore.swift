public import Transport

/// An S3-compatible object store and how it is reached.
public struct ObjectStore: Hashable, Sendable {
  /// The bucket.
  public let bucket: String
  /// The region that requests are signed for.
  public let region: String
  /// The endpoint's URL.
  public let endpoint: WebURL
  /// Whether the bucket is the first part of the path instead of the host.
  public let usesPathStyle: Bool

  /// Creates a store.
  ///
  /// - Parameters:
  ///   - bucket: The bucket.
  ///   - region: The region.
  ///   - endpoint: The endpoint's URL; nil for Amazon's of the region.
  ///   - usesPathStyle: Whether the bucket is in the path; nil for yes at any but Amazon's
  ///     endpoint or with a dot in the bucket's name.
  /// - Throws: `SettingError` when the endpoint is no URL.
  public init(
    bucket: String, region: String, endpoint: String? = nil, usesPathStyle: Bool? = nil
  ) throws(SettingError) {
    let text = endpoint ?? "https://s3.\(region).amazonaws.com"
    guard let url = WebURL(text), url.target == "/" else {
      throw SettingError(
        setting: "s3.endpoint", message: "this is no URL of an endpoint",
        hint: "write https://host:port")
    }
    self.bucket = bucket
    self.region = region
    self.endpoint = url
    self.usesPathStyle = usesPathStyle ?? (endpoint != nil || bucket.contains("."))
  }

  /// The value of `Host`.
  var host: String { usesPathStyle ? endpoint.hostHeader : "\(bucket).\(endpoint.hostHeader)" }

  /// The percent-encoded path of an object.
  func path(of key: String) -> String {
    let encoded = SigV4.percentEncoded(key, keepsSlashes: true)
    return usesPathStyle ? "/\(bucket)/\(encoded)" : "/\(encoded)"
  }

  /// The URL of a request.
  func url(path: String, query: [(name: String, value: String)]) -> WebURL? {
    let scheme = endpoint.isSecure ? "https" : "http"
    let tail = query.isEmpty ? "" : "?" + SigV4.encode(query)
    return WebURL("\(scheme)://\(host)\(path)\(tail)")
  }
}
