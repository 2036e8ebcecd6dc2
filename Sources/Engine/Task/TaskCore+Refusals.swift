import Columns
import Dataflow

/// Records that become dead letters.
extension TaskCore {
  /// Makes a dead letter of a record without looking into it.
  func passOver(_ buffer: PartitionBuffer, index: Int) throws {
    counters.polled += 1
    try refuse(
      buffer, index: index, code: "Record.ProcessCrashed",
      message: "the process has died twice while it processed this record")
  }

  /// Sends a record that has no row to the error stream and the dead letters.
  func refuse(
    _ buffer: PartitionBuffer, index: Int, code: String, message: String
  ) throws {
    if order != nil {
      let record = BufferedRecord(
        partition: buffers.firstIndex { $0 === buffer } ?? 0, index: index,
        offset: buffer.records.offset(at: index))
      return try refuse(buffer, record, code: code, message: message)
    }
    counters.deadLettered += 1
    refusals[position.rowNumber] = code
    let stamped = max(0, buffer.records.timestamp(at: index))
    dataflow.refuse(
      RowError(
        undecodable: position.rowNumber,
        rowtime: position.rowtime == .min ? stamped : position.rowtime, message: message,
        record: buffer.valueBytes(index)))
  }
}
