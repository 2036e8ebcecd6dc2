/// How the bytes of an object are compressed; the same bytes give the same result.
public enum Compression: String, CaseIterable, Hashable, Sendable {
  /// Not at all.
  case none
  /// RFC 1952 without name and time.
  case gzip

  /// What ends the name of an object, `.gz` for instance.
  public var fileExtension: String {
    switch self {
    case .none: ""
    case .gzip: ".gz"
    }
  }

  /// The value of `Content-Encoding`, or nil.
  public var contentEncoding: String? {
    switch self {
    case .none: nil
    case .gzip: "gzip"
    }
  }

  /// The compressed form of `bytes`.
  ///
  /// - Throws: `DeliveryError` when there is not enough memory.
  public func compress(_ bytes: [UInt8]) throws(DeliveryError) -> [UInt8] {
    switch self {
    case .none: bytes
    case .gzip: try gzipMember(bytes)
    }
  }

  /// The bytes that `compress` was given; nil when these are not its result or hold more than `limit`
  /// bytes.
  public func decompress(_ bytes: [UInt8], limit: Int) -> [UInt8]? {
    switch self {
    case .none: bytes.count <= limit ? bytes : nil
    case .gzip: gzipContent(bytes, limit: limit)
    }
  }
}
