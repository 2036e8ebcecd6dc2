import Columns
import Crypto

/// The binary form of snapshots: a tag, a version, then blocks of a kind, a length, a SHA-256 and the
/// bytes: one head, slices and references to slices of earlier snapshots, one end.
///
/// Earlier versions are still read: in version 4 held rows, items and the objects of an output were in one
/// slice; in version 3 forests of keys had no times of their last rows and no sightings; in version 2 the
/// groups of windows and hot spots were in one slice; version 1 held everything in one block.
enum SnapshotFile {
  static let tag: [UInt8] = Array("CUTBANKS".utf8)
  static let version: UInt16 = 5

  enum Kind: UInt8 {
    case head = 1
    case slice = 2
    case reference = 3
    case end = 4
  }

  /// The beginning of a snapshot's file, with the slices that it has.
  static func encode(_ snapshot: Snapshot) -> [UInt8] {
    var file = SectionWriter()
    file.append(raw: tag)
    file.write(version)
    append(.head, to: &file) { body in
      body.write(snapshot.number)
      body.write(snapshot.commit)
      body.write(snapshot.fingerprint)
      body.write(snapshot.arithmetic != nil)
      body.write(snapshot.arithmetic ?? 0)
      body.write(snapshot.pipelineText)
      body.write(snapshot.applicationText)
    }
    return file.bytes + encode(snapshot.slices)
  }

  /// More slices.
  static func encode(_ slices: [StateWriter.Slice]) -> [UInt8] {
    var file = SectionWriter()
    for slice in slices {
      append(slice.origin == nil ? .slice : .reference, to: &file) { body in
        body.write(slice.section)
        body.write(Int64(slice.number))
        if let origin = slice.origin { body.write(origin) } else { body.write(slice.bytes) }
      }
    }
    return file.bytes
  }

  /// The end of the file of a snapshot with so many slices.
  static func encodeEnd(sliceCount: Int) -> [UInt8] {
    var file = SectionWriter()
    append(.end, to: &file) { $0.write(Int64(sliceCount)) }
    return file.bytes
  }

  private static func append(
    _ kind: Kind, to file: inout SectionWriter, _ write: (inout SectionWriter) -> Void
  ) {
    var body = SectionWriter()
    body.write(kind.rawValue)
    write(&body)
    file.write(Int64(body.bytes.count))
    file.append(raw: Array(SHA256.hash(data: body.bytes)))
    file.append(raw: body.bytes)
  }

  /// The bytes before the first block: the tag and the version.
  static let headerLength = tag.count + 2

  /// The version that a file begins with, which may be of a later program.
  static func version(of bytes: [UInt8], name: String) throws(StateError) -> UInt16 {
    let found = UInt16(bytes[tag.count]) | UInt16(bytes[tag.count + 1]) << 8
    guard Array(bytes.prefix(tag.count)) == tag, found > 0 else {
      throw StateError(section: name, offset: 0, message: "this is no snapshot of cutbank")
    }
    return found
  }

  /// Reads what a block is.
  static func kind(_ body: inout SectionReader) throws(StateError) -> Kind {
    guard let kind = Kind(rawValue: try body.integer()) else {
      throw body.failure("a block is of no known kind")
    }
    return kind
  }

  static func head(_ body: inout SectionReader) throws(StateError) -> Snapshot {
    let number: Int64 = try body.integer()
    let commit: Int64 = try body.integer()
    let fingerprint = try body.text()
    let isKnown = try body.boolean()
    let arithmetic: UInt64 = try body.integer()
    let pipelineText = try body.text()
    return Snapshot(
      number: number, commit: commit, fingerprint: fingerprint,
      arithmetic: isKnown ? arithmetic : nil, pipelineText: pipelineText,
      applicationText: try body.text(), slices: [])
  }

  static func decodeFirstVersion(
    _ bytes: [UInt8], name: String
  ) throws(StateError) -> Snapshot {
    var offset = 0
    let body = try StateFile.unframed(tag, bytes, at: &offset, name: name)
    var reader = SectionReader(section: name, bytes: body)
    let number: Int64 = try reader.integer()
    let commit: Int64 = try reader.integer()
    let fingerprint = try reader.text()
    let pipelineText = try reader.text()
    let applicationText = try reader.text()
    var writer = StateWriter()
    for _ in 0..<(try reader.count()) {
      let section = try reader.text()
      let slice: Int64 = try reader.integer()
      let digest = try reader.byteArray()
      let content = try reader.byteArray()
      guard Array(SHA256.hash(data: content)) == digest else {
        throw reader.failure("the checksum of section '\(section)' is wrong")
      }
      writer.section(section, slice: Int(slice), bytes: content)
    }
    try reader.finish()
    return Snapshot(
      number: number, commit: commit, fingerprint: fingerprint, pipelineText: pipelineText,
      applicationText: applicationText, slices: writer.slices)
  }
}

extension SnapshotFile {
  /// How many bytes are read at a time.
  private static let pieceSize = 4 << 20

  /// Reads a file piece by piece; nil when there is none.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - disk: Where it is.
  ///   - isEnough: Whether what has come so far is all that is wanted: the rest is neither read nor checked.
  /// - Returns: The snapshot, whose slices of earlier ones are references.
  /// - Throws: `StateProblem` when a later program has written it, `StateError` when it is damaged.
  static func read(
    _ path: String, from disk: any Disk, until isEnough: (Snapshot) -> Bool = { _ in false }
  ) throws -> Snapshot? {
    var decoder = SnapshotDecoder(name: path)
    var offset = 0
    while let piece = try disk.read(path, from: offset, count: pieceSize) {
      try decoder.add(piece)
      guard !decoder.isNewer else {
        throw StateProblem(
          message: "\(path) was written by a newer cutbank, and is left as it is",
          hint: "run that version or a later one")
      }
      if let begun = decoder.begun, isEnough(begun) { return begun }
      offset += piece.count
      if piece.count < pieceSize { return try decoder.finish() }
    }
    return nil
  }

  /// Reads a whole file.
  static func decode(_ bytes: [UInt8], name: String) throws(StateError) -> Snapshot {
    var decoder = SnapshotDecoder(name: name)
    try decoder.add(bytes)
    guard !decoder.isNewer else {
      throw StateError(
        section: name, offset: tag.count, message: "a newer cutbank has written it")
    }
    return try decoder.finish()
  }

  /// The slices of a snapshot with the bytes of those that earlier snapshots have.
  ///
  /// - Parameters:
  ///   - slices: As they were read.
  ///   - name: The snapshot, for errors.
  ///   - read: Reads an earlier snapshot, whose references may remain.
  /// - Returns: The slices in the same order, none of them a reference.
  /// - Throws: `StateError` when an earlier snapshot, or a slice there, is missing.
  static func resolve(
    _ slices: [StateWriter.Slice], name: String, read: (Int64) throws -> Snapshot?
  ) throws -> [StateWriter.Slice] {
    var found: [SliceName: [UInt8]] = [:]
    for origin in Set(slices.compactMap(\.origin)).sorted() {
      guard let earlier = try read(origin) else {
        throw StateError(section: name, offset: 0, message: "snapshot \(origin) is missing")
      }
      let wanted = Set(slices.filter { $0.origin == origin }.map(SliceName.init))
      for slice in earlier.slices where slice.origin == nil && wanted.contains(SliceName(slice)) {
        found[SliceName(slice)] = slice.bytes
      }
    }
    var writer = StateWriter()
    for slice in slices {
      guard let origin = slice.origin else {
        writer.append([slice])
        continue
      }
      guard let bytes = found[SliceName(slice)] else {
        throw StateError(
          section: slice.section, offset: 0,
          message: "slice \(slice.number) is not in snapshot \(origin)")
      }
      writer.section(slice.section, slice: slice.number, bytes: bytes)
    }
    return writer.slices
  }

  private struct SliceName: Hashable {
    let section: String
    let number: Int

    init(_ slice: StateWriter.Slice) {
      section = slice.section
      number = slice.number
    }
  }
}
