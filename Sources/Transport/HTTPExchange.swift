/// One HTTP request.
public struct HTTPExchangeRequest: Sendable {
  /// The method.
  public var method: String
  /// Where it goes.
  public var url: WebURL
  /// Names and values.
  public var headers: [(name: String, value: String)]
  /// The body; empty for none.
  public var body: [UInt8]
  /// The most that request and response may take together.
  public var timeoutMilliseconds: Int64
  /// How much of the response's body is read.
  public var responseLimit: Int

  /// Creates a request.
  public init(
    method: String, url: WebURL, headers: [(name: String, value: String)] = [],
    body: [UInt8] = [], timeoutMilliseconds: Int64 = 30_000, responseLimit: Int = 65_536
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.timeoutMilliseconds = timeoutMilliseconds
    self.responseLimit = responseLimit
  }
}

/// What came back.
public struct HTTPExchangeResponse: Sendable {
  /// The status code.
  public let status: Int
  /// Names in lower case, and values.
  public let headers: [(name: String, value: String)]
  /// The body as far as it was read.
  public let body: [UInt8]
  /// Whether `body` is all of it: neither cut at the limit nor broken off.
  public let isComplete: Bool

  /// The first value of a header.
  public func header(_ name: String) -> String? {
    headers.first { $0.name == name.lowercased() }?.value
  }
}

/// Why there is no response.
public struct HTTPExchangeFailure: Error, Hashable, Sendable, CustomStringConvertible {
  /// The kind of failure.
  public enum Kind: String, Hashable, Sendable {
    /// The address is refused by the policy.
    case blockedAddress = "ssrf_blocked"
    /// The name has no address.
    case unknownHost = "unknown_host"
    /// There is no connection, or it broke.
    case connection
    /// The certificate or the handshake is refused.
    case security = "tls"
    /// It took too long.
    case timeout
  }

  /// The kind of failure.
  public let kind: Kind
  /// What happened, without path, query or secrets of the URL.
  public let message: String

  /// Creates a failure.
  public init(kind: Kind, message: String) {
    self.kind = kind
    self.message = message
  }

  /// The failure as one line.
  public var description: String { "\(kind.rawValue): \(message)" }
}
