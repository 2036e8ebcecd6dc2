package import Columns
package import Delivery

/// What a snapshot in the making lacks of the objects of an output, in pieces of about a mebibyte.
///
/// The records of an object only become more until it has arrived: none needs to be copied before its turn,
/// and what arrives meanwhile is kept here until the snapshot has it.
package struct ObjectCopies {
  /// How many bytes, and how many ends of records, a piece has at most.
  private static let sizes = (bytes: 1 << 20, ends: 1 << 17)

  /// A part of the records of an object, which is named by its first row.
  package struct Piece {
    package let object: Int64
    let bytes: Range<Int>
    let ends: Range<Int>
  }

  /// The next one last.
  private var pieces: [Piece] = []
  private var copied = 0
  private var kept: [Int64: ObjectRecords] = [:]

  /// Creates what lacks nothing.
  package init() {}

  /// How many pieces so many bytes and ends of records make.
  private static func count(bytes: Int, ends: Int) -> Int {
    max((bytes + sizes.bytes - 1) / sizes.bytes, (ends + sizes.ends - 1) / sizes.ends)
  }

  /// The pieces of an object.
  package static func pieces(of object: Int64, _ records: ObjectRecords) -> [Piece] {
    let (bytes, ends) = (records.bytes.count, records.ends.count)
    return (0..<count(bytes: bytes, ends: ends)).map { piece in
      Piece(
        object: object,
        bytes: min(bytes, piece * sizes.bytes)..<min(bytes, (piece + 1) * sizes.bytes),
        ends: min(ends, piece * sizes.ends)..<min(ends, (piece + 1) * sizes.ends))
    }
  }

  /// Begins a snapshot that is to have these pieces.
  package mutating func begin(_ pieces: [Piece]) {
    self.pieces = pieces.reversed()
    copied = 0
    kept = [:]
  }

  /// To be called before an object is forgotten.
  package mutating func willForget(_ object: Int64, _ records: ObjectRecords) {
    if pieces.contains(where: { $0.object == object }) { kept[object] = records }
  }

  /// The piece that is to be copied next, and the records of its object if it has arrived.
  package var next: (piece: Piece, records: ObjectRecords?)? {
    pieces.last.map { ($0, kept[$0.object]) }
  }

  /// Writes the next piece as a slice of its own, behind the head in slice 0; returns whether any are left.
  package mutating func copyNext(
    of records: ObjectRecords, section: String, into writer: inout StateWriter
  ) -> Bool {
    guard let piece = pieces.popLast() else { return false }
    copied += 1
    writer.section(section, slice: copied) { section in
      section.write(Array(records.bytes[piece.bytes]))
      section.write(Array(records.ends[piece.ends]))
    }
    if pieces.last?.object != piece.object { kept[piece.object] = nil }
    return !pieces.isEmpty
  }

  /// Forgets a snapshot that was not finished.
  package mutating func forget() { begin([]) }

  /// Reads the pieces of an object behind its counts in the head; `slice` is the one before them.
  package static func restore(
    _ section: String, from reader: StateReader, _ head: inout SectionReader,
    behind slice: inout Int
  ) throws(StateError) -> ObjectRecords {
    let (bytes, ends) = (try head.integer(Int.self), try head.integer(Int.self))
    guard bytes >= 0, ends >= 0, bytes < 1 << 40, ends < 1 << 40 else {
      throw head.failure("bad size of an object")
    }
    var records = ObjectRecords(bytes: [], ends: [])
    for _ in 0..<count(bytes: bytes, ends: ends) {
      slice += 1
      var piece = try reader.section(section, slice: slice)
      records.bytes += try piece.byteArray()
      records.ends += try piece.integers()
      try piece.finish()
    }
    guard records.bytes.count == bytes, records.ends.count == ends else {
      throw head.failure("an object of \(bytes) bytes is announced")
    }
    return records
  }
}
