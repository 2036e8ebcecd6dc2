import Columns
import Crypto

/// The binary form of journal blocks: a tag, a version, a length, a SHA-256, the bytes.
///
/// `SnapshotFile` is that of snapshots.
enum StateFile {
  static let blockTag: [UInt8] = Array("CBJB".utf8)
  static let segmentTag: [UInt8] = Array("CBJH".utf8)
  static let version: UInt16 = 1
  /// The bytes before the first block of a journal segment.
  static let segmentHeaderLength = segmentTag.count + 2 + 8 + 32 + 16

  static func encode(_ block: JournalBlock) -> [UInt8] {
    var body = SectionWriter()
    body.write(block.epoch)
    body.write(block.commit)
    body.write(Int64(block.steps.count))
    for step in block.steps { body.write(step) }
    return framed(blockTag, body.bytes)
  }

  static func decodeBlock(
    _ bytes: [UInt8], at offset: inout Int, name: String
  ) throws(StateError) -> JournalBlock {
    let body = try unframed(blockTag, bytes, at: &offset, name: name)
    var reader = SectionReader(section: name, bytes: body)
    let epoch: Int64 = try reader.integer()
    let commit: Int64 = try reader.integer()
    var steps: [NumberedStep] = []
    for _ in 0..<(try reader.count(width: 9)) { steps.append(try reader.numberedStep()) }
    try reader.finish()
    return JournalBlock(epoch: epoch, commit: commit, steps: steps)
  }

  static func encode(_ header: JournalPlace) -> [UInt8] {
    var body = SectionWriter()
    body.write(header.segment)
    body.write(header.end)
    return framed(segmentTag, body.bytes)
  }

  static func decodeSegmentHeader(
    _ bytes: [UInt8], at offset: inout Int, name: String
  ) throws(StateError) -> JournalPlace {
    let body = try unframed(segmentTag, bytes, at: &offset, name: name)
    var reader = SectionReader(section: name, bytes: body)
    let header = JournalPlace(segment: try reader.integer(), end: try reader.integer())
    try reader.finish()
    return header
  }

  private static func framed(_ tag: [UInt8], _ body: [UInt8]) -> [UInt8] {
    var writer = SectionWriter()
    writer.append(raw: tag)
    writer.write(version)
    writer.write(Int64(body.count))
    writer.append(raw: Array(SHA256.hash(data: body)))
    writer.append(raw: body)
    return writer.bytes
  }

  static func unframed(
    _ tag: [UInt8], _ bytes: [UInt8], at offset: inout Int, name: String
  ) throws(StateError) -> [UInt8] {
    let header = tag.count + 2 + 8 + 32
    guard bytes.count - offset >= header else {
      throw StateError(section: name, offset: offset, message: "the file ends in a header")
    }
    guard Array(bytes[offset..<(offset + tag.count)]) == tag else {
      throw StateError(section: name, offset: offset, message: "this is no state of cutbank")
    }
    var reader = SectionReader(
      section: name, bytes: Array(bytes[(offset + tag.count)..<(offset + tag.count + 10)]))
    let found: UInt16 = try reader.integer()
    guard found <= version else {
      throw StateError(
        section: name, offset: offset,
        message: "format \(found) is newer than this program's \(version): upgrade cutbank")
    }
    let length: Int64 = try reader.integer()
    let start = offset + header
    guard length >= 0, Int64(bytes.count - start) >= length else {
      throw StateError(section: name, offset: offset, message: "the file is cut short")
    }
    let body = Array(bytes[start..<(start + Int(length))])
    guard Array(SHA256.hash(data: body)) == Array(bytes[(start - 32)..<start]) else {
      throw StateError(section: name, offset: offset, message: "the checksum is wrong")
    }
    offset = start + Int(length)
    return body
  }
}
