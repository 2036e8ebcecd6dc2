import Columns
import Dataflow

/// What became of the rows of one operator.
struct OperatorBalance {
  let name: String
  let counters: OperatorCounters
}

/// What a snapshot tells about records and rows, for `cutbank state inspect`: nothing reads it to go on.
struct Balances {
  static let section = "balances"

  /// `records=…`, one line for each balance.
  private(set) var lines: [String] = []

  init(records: TaskCounters, outputs: [OutputBalance], operators: [OperatorBalance]) {
    lines.append(
      "records: \(records.polled) polled = \(records.decoded) decoded + \(records.deadLettered) "
        + "dead-lettered + \(records.skipped) skipped" + (records.isEven ? "" : " (UNEVEN)"))
    if records.lost > 0 { lines.append("records: \(records.lost) lost before they were polled") }
    if records.late > 0 { lines.append("rows: \(records.late) came behind the watermark") }
    for entry in operators {
      let counted = entry.counters
      lines.append(
        "\(entry.name): \(counted.rowsIn) in, \(counted.passed) out, \(counted.filtered) filtered, "
          + "\(counted.late) late, \(counted.failed) failed, \(counted.absorbed) absorbed")
    }
    for output in outputs {
      lines.append(
        "output \(output.name): \(output.rows) rows = \(output.delivered) delivered + "
          + "\(output.deadLettered) dead-lettered + \(output.inFlight) in flight"
          + (output.isEven ? "" : " (UNEVEN)"))
    }
  }

  func save(into writer: inout SectionWriter) {
    writer.write(Int64(lines.count))
    for line in lines { writer.write(line) }
  }

  init(restoring reader: inout SectionReader) throws(StateError) {
    for _ in 0..<(try reader.count(width: 8)) { lines.append(try reader.text()) }
    try reader.finish()
  }
}
