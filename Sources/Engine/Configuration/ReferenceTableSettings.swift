/// A table that the pipeline's application joins its streams to.
public struct ReferenceTableSettings: Sendable {
  /// Where the rows come from.
  public enum Source: Hashable, Sendable {
    /// A file of this machine.
    case file(path: String)
    /// An object of an S3-compatible store.
    case object(bucket: String, key: String, store: ObjectStoreSettings)
    /// A compacted topic: the newest record of each key, none where it is a tombstone.
    case topic(name: String, keyColumn: String?)
  }

  /// The table's name, as SQL must write it.
  public var table: String
  /// Where the rows come from.
  public var source: Source
  /// How the bytes become columns.
  public var format: PipelineConfiguration.Format
  /// Whether the first line of a CSV file names the columns and is no row.
  public var hasHeader = false
  /// The declared columns in order.
  public var columns: [PipelineConfiguration.InputColumn]
  /// How long between two looks for changes, milliseconds.
  public var refresh: Int64
  /// The most bytes that the source may have.
  public var byteLimit: Int64
  /// Where the table stands in its file, for messages.
  public var place = Place()

  /// The source in words, for messages and plans.
  public var sourceName: String {
    switch source {
    case .file(let path): path
    case .object(let bucket, let key, _): "s3://\(bucket)/\(key)"
    case .topic(let name, _): "topic \(name)"
    }
  }
}
