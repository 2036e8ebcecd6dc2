import Columns
import Crypto

/// Reads the file of a snapshot piece by piece, as it comes from the disk or a topic: of the file no more is in
/// memory than the block at hand.
struct SnapshotDecoder {
  private let name: String
  /// What came and is not decoded yet.
  private var waiting: [UInt8] = []
  /// Where in the file `waiting` begins.
  private var position = 0
  private var version: UInt16?
  private var snapshot: Snapshot?
  private var writer = StateWriter()
  private var isWhole = false

  /// Bytes before a block: its length and its SHA-256.
  private static let blockHeader = 8 + 32

  /// `name` is the file, for errors.
  init(name: String) { self.name = name }

  /// Whether the format is one that only a later program can read; nothing else is read then.
  var isNewer: Bool { version.map { $0 > SnapshotFile.version } ?? false }

  /// What has come so far, once the head has; nil for a file of the first version, which is one block.
  var begun: Snapshot? {
    guard var snapshot else { return nil }
    snapshot.slices = writer.slices
    return snapshot
  }

  /// Takes the next bytes of the file.
  mutating func add(_ bytes: [UInt8]) throws(StateError) {
    waiting += bytes
    if version == nil {
      guard waiting.count >= SnapshotFile.headerLength else { return }
      version = try SnapshotFile.version(of: waiting, name: name)
      guard !isNewer, version != 1 else { return }
      drop(SnapshotFile.headerLength)
    }
    // The first version is one block.
    guard !isNewer, version != 1 else { return }
    var offset = 0
    while let block = try nextBlock(at: &offset) {
      do {
        try decode(block)
      } catch {
        throw failure(error.message, at: error.offset)
      }
    }
    drop(offset)
  }

  /// Ends the file; slices of earlier snapshots remain references.
  consuming func finish() throws(StateError) -> Snapshot {
    guard let version else { throw failure("this is no snapshot of cutbank") }
    if version == 1 { return try SnapshotFile.decodeFirstVersion(waiting, name: name) }
    guard waiting.isEmpty else { throw failure("the file is cut short") }
    guard isWhole, var snapshot else { throw failure("parts are missing") }
    snapshot.slices = writer.slices
    return snapshot
  }

  private func failure(_ message: String, at offset: Int = 0) -> StateError {
    StateError(section: name, offset: position + offset, message: message)
  }

  private mutating func drop(_ count: Int) {
    guard count > 0 else { return }
    waiting.removeFirst(count)
    position += count
  }

  /// The next block if all of it has come, its checksum verified.
  private func nextBlock(at offset: inout Int) throws(StateError) -> SectionReader? {
    let start = offset + Self.blockHeader
    guard waiting.count >= start else { return nil }
    var header = SectionReader(section: name, bytes: waiting, range: offset..<(offset + 8))
    let length: Int64 = try header.integer()
    guard length >= 0, length < 1 << 40 else {
      throw failure("the file is cut short", at: offset)
    }
    let end = start + Int(length)
    guard waiting.count >= end else { return nil }
    guard SHA256.hash(data: waiting[start..<end]).elementsEqual(waiting[(start - 32)..<start])
    else { throw failure("the checksum is wrong", at: offset) }
    offset = end
    return SectionReader(section: name, bytes: waiting, range: start..<end)
  }

  private mutating func decode(_ block: SectionReader) throws(StateError) {
    var body = block
    guard !isWhole else { throw failure("parts are missing") }
    switch try SnapshotFile.kind(&body) {
    case .head: snapshot = try SnapshotFile.head(&body)
    case .slice:
      let section = try body.text()
      let number = Int(try body.integer(Int64.self))
      writer.section(section, slice: number, bytes: try body.byteArray())
    case .reference:
      let section = try body.text()
      let number = Int(try body.integer(Int64.self))
      writer.reference(section, slice: number, origin: try body.integer())
    case .end:
      guard try body.integer(Int64.self) == writer.slices.count else {
        throw failure("parts are missing")
      }
      isWhole = true
    }
    try body.finish()
  }
}
