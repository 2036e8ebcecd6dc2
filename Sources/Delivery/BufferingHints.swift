/// When an open object is closed: whichever limit is reached first.
///
/// Source of ranges and defaults: Firehose developer guide, "Buffering hints".
public struct BufferingHints: Hashable, Sendable {
  /// 1 to 128 MiB.
  public static let sizeRange = 1_048_576...134_217_728
  /// 0 to 900 s.
  public static let intervalRange: ClosedRange<Int64> = 0...900_000
  /// 1 to 10,000 records, as many as one request of the Firehose HTTP protocol may hold.
  public static let recordRange = 1...10_000

  /// Bytes before compression.
  public let sizeBytes: Int
  /// Milliseconds since the object was opened; 0 closes it as soon as there is a record.
  public let intervalMilliseconds: Int64
  /// The number of records, or nil for any number.
  public let records: Int?

  /// 5 MiB or 60 s.
  public static let standard = BufferingHints()

  private init() {
    sizeBytes = 5 * 1_048_576
    intervalMilliseconds = 60_000
    records = nil
  }

  /// Creates hints.
  ///
  /// - Throws: all values that are out of their range.
  public init(
    sizeBytes: Int = 5 * 1_048_576, intervalMilliseconds: Int64 = 60_000, records: Int? = nil
  ) throws(SettingErrors) {
    var errors: [SettingError] = []
    if !Self.sizeRange.contains(sizeBytes) {
      errors.append(
        SettingError(
          setting: "buffer.size", message: "\(sizeBytes) bytes are out of range",
          hint: "1MiB to 128MiB"))
    }
    if !Self.intervalRange.contains(intervalMilliseconds) {
      errors.append(
        SettingError(
          setting: "buffer.interval", message: "\(intervalMilliseconds) ms are out of range",
          hint: "0s to 900s"))
    }
    if let records, !Self.recordRange.contains(records) {
      errors.append(
        SettingError(
          setting: "buffer.records", message: "\(records) records are out of range",
          hint: "1 to 10000"))
    }
    guard errors.isEmpty else { throw SettingErrors(errors) }
    self.sizeBytes = sizeBytes
    self.intervalMilliseconds = intervalMilliseconds
    self.records = records
  }
}
