import Dataflow
import Logging

extension TaskRunner {
  /// Nanoseconds of a clock that only goes on.
  static func stopwatch() -> Int64 {
    let elapsed = stopwatchStart.duration(to: .now).components
    return elapsed.seconds * 1_000_000_000 + elapsed.attoseconds / 1_000_000_000
  }

  private static let stopwatchStart = ContinuousClock.now

  /// Takes up the models and tables that were published, between two batches.
  ///
  /// One that the application cannot work with is refused: what was active stays.
  func activatePublished() throws {
    let services = start.services
    let changes = services.slots.changes + services.tables.changes
    guard changes != slotChanges else { return }
    let tables = core.tableSlots
    for slot in core.slots {
      let board = tables.contains(slot) ? services.tables : services.slots
      guard let published = board.published(slot), published.blob != core.activeBlobs[slot] else {
        continue
      }
      do {
        try core.check(published.value, for: slot)
      } catch {
        start.services.logger.error("task \(name) refuses a new \(slot): \(error)")
        board.refused(slot, published.blob, by: name, reason: "\(error)")
        continue
      }
      try core.flush()
      let row = core.position.rowNumber
      log.noteActivation(of: slot, blob: published.blob, bytes: published.bytes, at: row)
      try core.activate(slot, blob: published.blob, value: published.value)
      board.activated(
        slot, published.blob,
        SlotBoard.Position(
          task: "\(name)", rowNumber: row,
          offsets: core.buffers.map { ($0.topicPartition, $0.nextOffset) }))
    }
    slotChanges = changes
  }

  /// Tells what the variants of the endpoints have done.
  func reportVariants() {
    let counters = core.variantCounters.compactMap { endpoint, counters in
      let slot = Dataflow.slot(ofEndpoint: endpoint)
      return core.activeBlobs[slot].map { (slot: slot, blob: $0, counters: counters) }
    }
    if !counters.isEmpty { start.services.slots.count(counters, of: name) }
  }
}
