import Columns

/// Where a task stands in its input.
struct TaskPosition: Hashable, Sendable {
  /// How many records were taken; numbers the steps.
  var rowNumber: Int64 = 0
  /// The offset to read next, per partition of the task.
  var nextOffsets: [Int64]
  /// The highest ROWTIME given, milliseconds since 1970.
  var rowtime = Int64.min
  /// The last tick.
  var clock: Int64 = 0
  /// The partition and offset of the last record taken: the cause of rows that a tick brings forth.
  var lastPartition = 0
  var lastOffset: Int64 = -1
  /// Per partition the offset from which on rows reach the outputs; what lies before teaches.
  var liveFrom: [Int64]

  /// Whether everything before the live offsets was read.
  var isLive: Bool { zip(nextOffsets, liveFrom).allSatisfy { $0 >= $1 } }

  init(nextOffsets: [Int64]) {
    self.nextOffsets = nextOffsets
    liveFrom = nextOffsets
  }

  func save(into writer: inout SectionWriter) {
    writer.write(rowNumber)
    writer.write(nextOffsets)
    for value in [rowtime, clock, Int64(lastPartition), lastOffset] { writer.write(value) }
    writer.write(liveFrom)
  }

  init(restoring reader: inout SectionReader) throws(StateError) {
    rowNumber = try reader.integer()
    nextOffsets = try reader.integers()
    rowtime = try reader.integer()
    clock = try reader.integer()
    lastPartition = Int(try reader.integer(Int64.self))
    lastOffset = try reader.integer()
    liveFrom = try reader.integers()
  }
}
