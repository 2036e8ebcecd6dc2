public import Columns

/// An object of an output while records are added to it; a value of the task that writes it.
///
/// Whether it is full depends on its content only, so a replay closes it at the same record.
public struct OpenObject: Hashable, Sendable {
  /// The values of the partition keys in the order of the prefix.
  public let partitionValues: [String]
  /// Whether the end of every record is kept, for destinations that send records one by one.
  public let keepsRecordEnds: Bool
  /// The encoded records, not compressed.
  public private(set) var bytes: [UInt8] = []
  /// Where each record ends in `bytes`; empty unless `keepsRecordEnds`.
  public private(set) var recordEnds: [Int64] = []
  /// How many records it holds.
  public private(set) var recordCount = 0
  /// The number of the first row; 0 while empty.
  public private(set) var firstRow: Int64 = 0
  /// The number of the last row; 0 while empty.
  public private(set) var lastRow: Int64 = 0
  /// The least ROWTIME in milliseconds since 1970; 0 while empty.
  public private(set) var oldestRowTime: Int64 = 0
  /// The task's clock when the first record was added, in milliseconds since 1970; 0 while empty.
  public private(set) var openedAt: Int64 = 0

  /// Creates an empty object.
  public init(partitionValues: [String] = [], keepsRecordEnds: Bool = false) {
    self.partitionValues = partitionValues
    self.keepsRecordEnds = keepsRecordEnds
  }

  /// Whether it holds no record.
  public var isEmpty: Bool { recordCount == 0 }

  /// Adds one record.
  ///
  /// - Parameters:
  ///   - row: The row's number in the output of the task, above those before it.
  ///   - rowTime: Its ROWTIME in milliseconds since 1970.
  ///   - now: The task's clock, for the buffering interval.
  ///   - encode: Appends the record's bytes, delimiter included; when it throws, nothing is added.
  /// - Throws: what `encode` throws.
  public mutating func append<Failure: Error>(
    row: Int64, rowTime: Int64, now: Int64, encode: (inout [UInt8]) throws(Failure) -> Void
  ) throws(Failure) {
    let start = bytes.count
    do {
      try encode(&bytes)
    } catch {
      bytes.removeSubrange(start...)
      throw error
    }
    if keepsRecordEnds { recordEnds.append(Int64(bytes.count)) }
    if isEmpty {
      firstRow = row
      oldestRowTime = rowTime
      openedAt = now
    }
    oldestRowTime = min(oldestRowTime, rowTime)
    lastRow = row
    recordCount += 1
  }

  /// Whether its size or record count has reached the limit.
  public func isFull(_ hints: BufferingHints) -> Bool {
    if let records = hints.records, recordCount >= records { return true }
    return bytes.count >= hints.sizeBytes
  }

  /// The task's clock at which the interval ends, in milliseconds since 1970; nil while empty.
  public func dueAt(_ hints: BufferingHints) -> Int64? {
    isEmpty ? nil : openedAt + hints.intervalMilliseconds
  }

  /// Ends the object; it is not empty.
  ///
  /// - Throws: `DeliveryError` with code `Partitioning.*` when the prefix cannot be evaluated.
  public consuming func closed(
    pipeline: String, life: String, task: Int, output: String, naming: ObjectNaming
  ) throws(DeliveryError) -> ClosedObject {
    let identity = ObjectIdentity(
      pipeline: pipeline, life: life, task: task, output: output,
      partitionValues: partitionValues, firstRow: firstRow, lastRow: lastRow)
    let name = try naming.name(of: identity, rowTime: oldestRowTime)
    return ClosedObject(
      identity: identity, name: name, bytes: bytes, recordEnds: recordEnds,
      recordCount: recordCount, oldestRowTime: oldestRowTime)
  }

  /// Its records so far.
  public var records: ObjectRecords { ObjectRecords(bytes: bytes, ends: recordEnds) }

  /// Writes everything but the records into a section of a snapshot.
  public func saveHead(into writer: inout SectionWriter) {
    writer.write(partitionValues.count)
    for value in partitionValues { writer.write(value) }
    writer.write(keepsRecordEnds)
    for value in [Int64(recordCount), firstRow, lastRow, oldestRowTime, openedAt] {
      writer.write(value)
    }
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
    var values: [String] = []
    for _ in 0..<(try reader.count()) { values.append(try reader.text()) }
    partitionValues = values
    keepsRecordEnds = try reader.boolean()
    if let records {
      (bytes, recordEnds) = (records.bytes, records.ends)
    } else {
      (bytes, recordEnds) = (try reader.byteArray(), try reader.integers())
    }
    recordCount = try reader.integer()
    firstRow = try reader.integer()
    lastRow = try reader.integer()
    oldestRowTime = try reader.integer()
    openedAt = try reader.integer()
    guard recordCount >= 0, !keepsRecordEnds || recordEnds.count == recordCount else {
      throw reader.failure("the record count of an open object does not fit")
    }
  }
}
