import Kafka

/// Obeys journaled steps over the records that Kafka still holds.
struct ReplayCursor {
  private let steps: [NumberedStep]
  private var next = 0
  /// How many records of the present take were taken.
  private var taken = 0

  init(steps: [NumberedStep]) { self.steps = steps }

  var isAtEnd: Bool { next == steps.count }

  /// Goes on as far as records are there, and for at most `limit` of them; returns whether it got any further.
  ///
  /// - Throws: `TaskFailure` when the records are not those that were taken before.
  mutating func advance(_ core: TaskCore, name: TaskName, limit: Int) throws -> Bool {
    var progressed = false
    let last = core.position.rowNumber + Int64(limit)
    while next < steps.count {
      let numbered = steps[next]
      if taken == 0, core.position.rowNumber != numbered.rowNumber {
        throw mismatch(
          name,
          "step \(numbered.step) belongs to row \(numbered.rowNumber), the task is at "
            + "\(core.position.rowNumber)")
      }
      switch numbered.step {
      case .take(let partition, let count, let nextOffset):
        let next = (partition: partition, count: count, end: nextOffset)
        guard try take(core, next, name, until: last, &progressed) else { return progressed }
      case .skip(let partition, let nextOffset):
        let next = (partition: partition, count: 1, end: nextOffset)
        guard try take(core, next, isPassedOver: true, name, until: last, &progressed) else {
          return progressed
        }
      case .tick(let time): try core.tick(time)
      case .bound(let time): try core.bound(time)
      case .close(let output, let firstRow):
        guard try core.close(output: output, firstRow: firstRow) else {
          throw mismatch(name, "no open object of output \(output) begins with row \(firstRow)")
        }
      case .done(let output, let firstRow):
        guard try core.done(output: output, firstRow: firstRow) else {
          throw mismatch(name, "no object of output \(output) begins with row \(firstRow)")
        }
      case .activate(let slot, let blob): try core.activate(slot, blob: blob)
      }
      next += 1
      taken = 0
      progressed = true
    }
    try core.flush()
    return progressed
  }

  private mutating func take(
    _ core: TaskCore, _ records: (partition: Int, count: Int, end: Int64),
    isPassedOver: Bool = false, _ name: TaskName, until last: Int64, _ progressed: inout Bool
  ) throws -> Bool {
    let buffer = core.buffers[records.partition]
    while taken < records.count {
      let room = Int(last - core.position.rowNumber)
      guard room > 0 else {
        try core.flush()
        return false
      }
      if buffer.isExhausted {
        try core.flush()
        try buffer.refill()
        if buffer.isExhausted { return false }
      }
      let run = min(records.count - taken, buffer.records.count - buffer.cursor, room)
      try core.take(partition: records.partition, count: run, isPassedOver: isPassedOver)
      taken += run
      progressed = true
      if buffer.nextOffset > records.end { break }
    }
    guard buffer.nextOffset == records.end else {
      throw mismatch(
        name,
        "\(buffer.topicPartition): \(records.count) records were taken up to offset \(records.end), "
          + "now they end at \(buffer.nextOffset): records have vanished from the topic")
    }
    return true
  }

  private func mismatch(_ name: TaskName, _ message: String) -> TaskFailure {
    .state(
      StateProblem(
        message: "task \(name): replay does not meet the same input: \(message)",
        hint: "the topic's retention must exceed the time between two snapshots plus the longest "
          + "outage; remove the pipeline's state folder and its group's offsets to start afresh"))
  }
}
