/// A delivery stream: format, buffering, destination.
public struct DeliverySettings: Hashable, Sendable {
  /// How rows are encoded.
  public enum Encoding: String, Sendable {
    case jsonLines = "jsonl"
    case csv
    /// The bytes of the only column.
    case raw
    case parquet
  }

  /// A partition key of the prefix and the column that gives its values.
  public struct PartitionKey: Hashable, Sendable {
    /// The id in `!{partitionKeyFromQuery:ID}`.
    public var id: String
    /// The column.
    public var column: String
  }

  /// Where objects go: `file://…`, `s3://…`, `https://…` or `kafka://…`.
  public var destination: String
  /// How rows are encoded.
  public var encoding: Encoding = .jsonLines
  /// How objects are compressed.
  public var compression: String = "none"
  /// Whether a line feed ends every record.
  public var endsLines = true
  /// Size of an object before compression, bytes.
  public var bufferBytes: Int64 = 5 * 1_048_576
  /// Age of an object when it is closed, milliseconds.
  public var bufferMilliseconds: Int64 = 60_000
  /// Records of an object, or nil for no limit.
  public var bufferRecords: Int64?
  /// The Firehose prefix, or nil for the default.
  public var prefix: String?
  /// The prefix of objects with failed records, or nil for the default.
  public var errorPrefix: String?
  /// Columns of partition keys; an id that is not among them is itself the column's name.
  public var partitionKeys: [PartitionKey] = []
  /// The most partitions that are open at once.
  public var partitionLimit = 500
  /// Adds the deterministic `_id` to every row.
  public var includesID = false
  /// How an `s3://` destination is reached.
  public var objectStore = ObjectStoreSettings()
  /// How an `https://` destination is reached.
  public var endpoint = HTTPEndpointSettings()
  /// How long failed requests are waited for in all before the backup gets the records.
  public var retryMilliseconds: Int64 = 300_000
  /// What changes records before they are stored.
  public var transform: TransformSettings?
  /// Where records go that the destination or the transform step does not take.
  public var backup: BackupSettings?

  /// Creates settings with the defaults.
  public init(destination: String) { self.destination = destination }

  /// What the contents of objects and their names depend on, with the destination as `place` names it.
  func contentIdentity(place: String) -> String {
    [
      place, encoding.rawValue, compression, "\(endsLines)", "\(bufferBytes)",
      "\(bufferMilliseconds)", "\(bufferRecords ?? 0)", prefix ?? "", "\(partitionKeys)",
      "\(partitionLimit)", "\(includesID)", "\(transform != nil)",
    ].joined(separator: " ")
  }
}

/// How an S3-compatible object store is reached; keys come from the environment, never from here.
public struct ObjectStoreSettings: Hashable, Sendable {
  /// The region that requests are signed for.
  public var region = "us-east-1"
  /// The endpoint's URL, or nil for Amazon's of the region.
  public var endpoint: String?
  /// Whether the bucket stands in the path; nil for the usual of the endpoint.
  public var usesPathStyle: Bool?
  /// Address ranges that are allowed although they are private or loopback.
  public var allow: [String] = []

  /// Creates the defaults.
  public init() {}
}

/// How an HTTP endpoint with Firehose's protocol is reached.
public struct HTTPEndpointSettings: Hashable, Sendable {
  /// What the endpoint knows the sender by; empty for none.
  public var accessKey = ""
  /// Names and values that go with every request.
  public var attributes: [String: String] = [:]
  /// Whether `http` will do.
  public var allowsInsecure = false
  /// Address ranges that are allowed although they are private or loopback.
  public var allow: [String] = []

  /// Creates the defaults.
  public init() {}
}

/// A step that changes records, called by HTTP in the contract of Firehose's transformation.
public struct TransformSettings: Hashable, Sendable {
  /// What is called.
  public var url: String
  /// Address ranges that are allowed although they are private or loopback.
  public var allow: [String] = []
}

/// Where records go that could not be delivered, as Firehose's error envelopes.
public struct BackupSettings: Hashable, Sendable {
  /// A folder or an object store.
  public var destination: String
  /// How an `s3://` destination is reached.
  public var objectStore = ObjectStoreSettings()
}
