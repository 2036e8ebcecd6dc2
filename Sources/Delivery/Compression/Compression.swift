/// How the bytes of an object are compressed; the same bytes give the same result.
public enum Compression: String, CaseIterable, Hashable, Sendable {
  /// Not at all.
  case none
  /// RFC 1952 without name and time.
  case gzip
  /// RFC 8878, one frame at level 3.
  case zstd
  /// Snappy's framing format; raw blocks within Parquet.
  case snappy

  /// What ends the name of an object, `.gz` for instance.
  public var fileExtension: String {
    switch self {
    case .none: ""
    case .gzip: ".gz"
    case .zstd: ".zst"
    case .snappy: ".snappy"
    }
  }

  /// The compressed form of `bytes`.
  ///
  /// - Throws: `DeliveryError` when it cannot be done, for want of memory for instance.
  public func compress(_ bytes: [UInt8]) throws(DeliveryError) -> [UInt8] {
    switch self {
    case .none: bytes
    case .gzip: try gzipMember(bytes)
    case .zstd: try zstdFrame(bytes)
    case .snappy: Snappy.framed(bytes)
    }
  }

  /// The bytes that `compress` was given; nil when these are not its result or hold more than `limit`
  /// bytes.
  public func decompress(_ bytes: [UInt8], limit: Int) -> [UInt8]? {
    switch self {
    case .none: bytes.count <= limit ? bytes : nil
    case .gzip: gzipContent(bytes, limit: limit)
    case .zstd: zstdContent(bytes, limit: limit)
    case .snappy: Snappy.content(bytes, limit: limit)
    }
  }
}
