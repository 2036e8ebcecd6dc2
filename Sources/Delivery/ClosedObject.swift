public import Columns

/// An object whose records are fixed, on its way to the destination.
public struct ClosedObject: Hashable, Sendable {
  /// What it holds.
  public let identity: ObjectIdentity
  /// Its name below the destination's root.
  public let name: String
  /// The encoded records, not compressed.
  public let bytes: [UInt8]
  /// Where each record ends in `bytes`; empty unless the open object kept them.
  public let recordEnds: [Int64]
  /// How many records it holds.
  public let recordCount: Int
  /// The least ROWTIME in milliseconds since 1970.
  public let oldestRowTime: Int64

  /// Creates an object.
  public init(
    identity: ObjectIdentity, name: String, bytes: [UInt8], recordEnds: [Int64] = [],
    recordCount: Int, oldestRowTime: Int64
  ) {
    self.identity = identity
    self.name = name
    self.bytes = bytes
    self.recordEnds = recordEnds
    self.recordCount = recordCount
    self.oldestRowTime = oldestRowTime
  }

  /// The bytes of one record; only when record ends were kept.
  public func record(_ index: Int) -> ArraySlice<UInt8> {
    let start = index == 0 ? 0 : Int(recordEnds[index - 1])
    return bytes[start..<Int(recordEnds[index])]
  }

  /// The bytes as they are stored.
  func encoded(_ compression: Compression, _ parquet: ParquetFormat?) throws(DeliveryError)
    -> [UInt8]
  {
    guard let parquet else { return try compression.compress(bytes) }
    return try parquet.file(rows: bytes, count: recordCount)
  }

  /// Its records.
  public var records: ObjectRecords { ObjectRecords(bytes: bytes, ends: recordEnds) }

  /// Writes everything but the records into a section of a snapshot.
  public func saveHead(into writer: inout SectionWriter) {
    writer.write(identity.pipeline)
    writer.write(identity.life)
    writer.write(identity.task)
    writer.write(identity.output)
    writer.write(identity.partitionValues.count)
    for value in identity.partitionValues { writer.write(value) }
    writer.write(identity.firstRow)
    writer.write(identity.lastRow)
    writer.write(name)
    writer.write(recordCount)
    writer.write(oldestRowTime)
  }

  /// Reads what `saveHead` wrote.
  ///
  /// - Parameters:
  ///   - reader: Where it was written.
  ///   - records: The object's records; nil when they stand between the rest, as in earlier formats.
  /// - Throws: `StateError` when the section is damaged.
  public init(
    restoring reader: inout SectionReader, records: ObjectRecords? = nil
  ) throws(StateError) {
    let pipeline = try reader.text()
    let life = try reader.text()
    let task: Int = try reader.integer()
    let output = try reader.text()
    var values: [String] = []
    for _ in 0..<(try reader.count()) { values.append(try reader.text()) }
    identity = ObjectIdentity(
      pipeline: pipeline, life: life, task: task, output: output, partitionValues: values,
      firstRow: try reader.integer(), lastRow: try reader.integer())
    name = try reader.text()
    if let records {
      (bytes, recordEnds) = (records.bytes, records.ends)
    } else {
      (bytes, recordEnds) = (try reader.byteArray(), try reader.integers())
    }
    recordCount = try reader.integer()
    oldestRowTime = try reader.integer()
    let ends = [0] + recordEnds
    guard recordEnds.isEmpty || recordEnds.count == recordCount,
      zip(ends, recordEnds).allSatisfy({ $0 <= $1 }), recordEnds.last ?? 0 <= Int64(bytes.count)
    else { throw reader.failure("the record ends of a closed object do not fit") }
  }
}
