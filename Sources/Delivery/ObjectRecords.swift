public import Columns

/// The records of an object.
public struct ObjectRecords: Hashable, Sendable {
  /// The encoded records, not compressed.
  public var bytes: [UInt8]
  /// Where each record ends in `bytes`; empty unless that is kept.
  public var ends: [Int64]

  /// Creates records.
  public init(bytes: [UInt8], ends: [Int64]) {
    self.bytes = bytes
    self.ends = ends
  }

  /// Writes how many bytes and ends there are.
  public func saveCounts(into writer: inout SectionWriter) {
    writer.write(bytes.count)
    writer.write(ends.count)
  }
}
