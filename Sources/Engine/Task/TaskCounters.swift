import Columns

/// What a task has done since its birth; kept in its snapshots.
///
/// Balance: `polled = decoded + deadLettered + skipped`.
public struct TaskCounters: Hashable, Sendable {
  /// Records taken.
  public var polled: Int64 = 0
  /// Records that became rows.
  public var decoded: Int64 = 0
  /// Records that could not be decoded, or were too far in the future.
  public var deadLettered: Int64 = 0
  /// Tombstones.
  public var skipped: Int64 = 0
  /// Rows that an operator refused.
  public var failedRows: Int64 = 0
  /// Records that were deleted from the topic before they were read.
  public var lost: Int64 = 0
  /// Rows that came behind the watermark of their event time.
  public var late: Int64 = 0
  /// Rows per output, in the order of the configuration.
  public var outputRows: [Int64]

  /// Whether no record is missing and none came from nowhere.
  public var isEven: Bool { polled == decoded + deadLettered + skipped }

  /// A task with so many outputs that has done nothing.
  package init(outputs: Int) { outputRows = Array(repeating: 0, count: outputs) }

  func save(into writer: inout SectionWriter) {
    writer.write([polled, decoded, deadLettered, skipped, failedRows, lost, late])
    writer.write(outputRows)
  }

  init(restoring reader: inout SectionReader) throws(StateError) {
    let values = try reader.integers()
    // The first release had no count of lost records, the second none of late rows.
    guard (5...7).contains(values.count) else {
      throw reader.failure("seven counters are needed")
    }
    polled = values[0]
    decoded = values[1]
    deadLettered = values[2]
    skipped = values[3]
    failedRows = values[4]
    lost = values.count > 5 ? values[5] : 0
    late = values.count > 6 ? values[6] : 0
    outputRows = try reader.integers()
  }
}
