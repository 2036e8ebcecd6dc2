import Columns

/// One step of a task's input; the rim decides the steps, the journal remembers them.
///
/// Outputs and state are a pure function of snapshot, steps and records.
package enum Step: Hashable, Sendable {
  /// The next `count` records of a partition, the last of which has the offset `nextOffset - 1`.
  ///
  /// `partition` is the position in the task's list of partitions.
  case take(partition: Int, count: Int, nextOffset: Int64)
  /// The next record of a partition, with the offset `nextOffset - 1`, which ends the process when it
  /// is processed, is passed over and becomes a dead letter.
  case skip(partition: Int, nextOffset: Int64)
  /// The clock reads `time`, milliseconds since 1970.
  case tick(time: Int64)
  /// Nothing is unread and has been for the idle time-out: no row will be earlier than `time`.
  case bound(time: Int64)
  /// The open object of a delivery output that begins with `firstRow` is closed before the next record.
  case close(output: Int, firstRow: Int64)
  /// The closed object of a delivery output that begins with `firstRow` has arrived.
  case done(output: Int, firstRow: Int64)
  /// From the next record on a slot of the application holds the blob of this name, which lies in the
  /// state store before the step is written.
  case activate(slot: String, blob: String)
}

/// A step at the row number, counted in records taken, before which it happens.
package struct NumberedStep: Hashable, Sendable {
  /// How many records the task had taken before the step.
  package let rowNumber: Int64
  /// What happens.
  package let step: Step

  /// Creates a numbered step.
  package init(rowNumber: Int64, step: Step) {
    self.rowNumber = rowNumber
    self.step = step
  }
}

extension SectionWriter {
  mutating func write(_ numbered: NumberedStep) {
    write(numbered.rowNumber)
    switch numbered.step {
    case .take(let partition, let count, let nextOffset):
      write(UInt8(1))
      write(Int32(partition))
      write(Int64(count))
      write(nextOffset)
    case .skip(let partition, let nextOffset):
      write(UInt8(17))
      write(Int32(partition))
      write(nextOffset)
    case .tick(let time):
      write(UInt8(2))
      write(time)
    case .bound(let time):
      write(UInt8(3))
      write(time)
    case .close(let output, let firstRow):
      write(UInt8(16))
      write(Int32(output))
      write(firstRow)
    case .done(let output, let firstRow):
      write(UInt8(5))
      write(Int32(output))
      write(firstRow)
    case .activate(let slot, let blob):
      write(UInt8(6))
      write(slot)
      write(blob)
    }
  }
}

extension SectionReader {
  mutating func numberedStep() throws(StateError) -> NumberedStep {
    let rowNumber: Int64 = try integer()
    let kind: UInt8 = try integer()
    let step: Step
    switch kind {
    case 1:
      let partition: Int32 = try integer()
      let count: Int64 = try integer()
      step = .take(partition: Int(partition), count: Int(count), nextOffset: try integer())
    case 17:
      let partition: Int32 = try integer()
      step = .skip(partition: Int(partition), nextOffset: try integer())
    case 2: step = .tick(time: try integer())
    case 3: step = .bound(time: try integer())
    case 16:
      let output: Int32 = try integer()
      step = .close(output: Int(output), firstRow: try integer())
    case 5:
      let output: Int32 = try integer()
      step = .done(output: Int(output), firstRow: try integer())
    case 6:
      let slot = try text()
      step = .activate(slot: slot, blob: try text())
    default: throw failure("\(kind) is no kind of step: written by another version")
    }
    return NumberedStep(rowNumber: rowNumber, step: step)
  }
}
