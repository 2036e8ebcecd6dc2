import Columns
import Delivery

extension OutputStage {
  /// Where the state of the output stands: a head in slice 0, then the records of its objects in pieces.
  var section: String { "output/\(output.name)" }

  /// The version of what is written.
  private static let format: Int64 = 4

  /// Writes everything but the records of the objects.
  func saveHead(into writer: inout StateWriter) {
    writer.section(section) { section in
      section.write([nextRow, lastCause, lastCauseRows, Self.format, delivered, refused])
      section.write(Int64(open.count))
      for object in open.contents {
        object.records.saveCounts(into: &section)
        object.saveHead(into: &section)
      }
      section.write(Int64(pending.count))
      for object in pending {
        object.records.saveCounts(into: &section)
        object.saveHead(into: &section)
      }
      section.write(alerts != nil)
      alerts?.save(into: &section)
    }
  }

  /// Begins a snapshot of the objects as they are now.
  mutating func beginSave() {
    var pieces: [ObjectCopies.Piece] = []
    for object in open.contents {
      pieces += ObjectCopies.pieces(of: object.firstRow, object.records)
    }
    for object in pending {
      pieces += ObjectCopies.pieces(of: object.identity.firstRow, object.records)
    }
    copies.begin(pieces)
  }

  /// Writes one more piece of the objects that there were; returns whether any are left.
  mutating func copyOne(into writer: inout StateWriter) -> Bool {
    guard let (piece, kept) = copies.next else { return false }
    guard let records = kept ?? records(of: piece.object) else {
      preconditionFailure("an object is there until it has arrived")
    }
    return copies.copyNext(of: records, section: section, into: &writer)
  }

  /// Forgets a snapshot that was not finished.
  mutating func forgetSaved() { copies.forget() }

  private func records(of firstRow: Int64) -> ObjectRecords? {
    open.contents.first { $0.firstRow == firstRow }?.records
      ?? pending.first { $0.identity.firstRow == firstRow }?.records
  }

  /// Takes over what was saved, if anything was.
  mutating func restore(from reader: StateReader) throws(StateError) {
    guard reader.has(section) else { return }
    var head = try reader.section(section)
    let numbers = try head.integers()
    // Version 2 did not count what was delivered, version 3 had everything in one slice.
    guard
      numbers.count == 6 && (3...4).contains(numbers[3]) || numbers.count == 4 && numbers[3] == 2
    else { throw head.failure("the outputs were written by another version") }
    nextRow = numbers[0]
    lastCause = numbers[1]
    lastCauseRows = numbers[2]
    try restoreObjects(reader, &head, isSliced: numbers[3] == Self.format)
    let hadAlerts = try head.boolean()
    guard hadAlerts == (alerts != nil) else {
      throw head.failure("the output was of another kind: give the stream's output its old kind")
    }
    try alerts?.restore(from: &head)
    try head.finish()
    delivered = numbers.count > 4 ? numbers[4] : nextRow - rowsHere
    refused = numbers.count > 4 ? numbers[5] : 0
  }

  private mutating func restoreObjects(
    _ reader: StateReader, _ head: inout SectionReader, isSliced: Bool
  ) throws(StateError) {
    var slice = 0
    var opened: [OpenObject] = []
    for _ in 0..<(try head.count()) {
      let records =
        isSliced
        ? try ObjectCopies.restore(section, from: reader, &head, behind: &slice) : nil
      opened.append(try OpenObject(restoring: &head, records: records))
    }
    try open.restore(opened, from: head)
    pending = []
    for _ in 0..<(try head.count()) {
      let records =
        isSliced
        ? try ObjectCopies.restore(section, from: reader, &head, behind: &slice) : nil
      pending.append(try ClosedObject(restoring: &head, records: records))
    }
    guard reader.sliceCount(section) == slice + 1 else {
      throw head.failure("\(slice) pieces of objects are announced")
    }
  }
}
