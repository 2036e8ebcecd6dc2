package import Columns

/// The file format of a model: magic, version, algorithm, then named sections with a checksum each.
///
/// All integers are little-endian. A section is its name, its length, its bytes and the XXH64 of name and bytes; the
/// file ends with the last section. A reader refuses a version or section that it does not know.
package struct Artifact: Sendable {
  private static let magic: UInt64 = 0x4C44_4D4B_4E42_5443  // "CTBNKMDL"
  private static let version: UInt32 = 1

  /// What was trained.
  package let algorithm: Algorithm
  /// The sections in the order in which they were written.
  private var sections: [Section] = []

  private struct Section: Sendable {
    let name: String
    let bytes: [UInt8]

    /// Covers the name too, so that a damaged name is not taken for another section.
    var checksum: UInt64 { XXH64.hash((Array(name.utf8) + bytes).span) }
  }

  /// An artifact of the sections that `body` writes.
  package init(_ algorithm: Algorithm, _ body: (inout StateWriter) -> Void) {
    self.algorithm = algorithm
    var writer = StateWriter()
    body(&writer)
    sections = writer.slices.map { Section(name: $0.section, bytes: $0.bytes) }
  }

  /// The artifact's bytes.
  package func encode() -> [UInt8] {
    var writer = SectionWriter()
    writer.write(Self.magic)
    writer.write(Self.version)
    writer.write(algorithm.rawValue)
    writer.write(Int64(sections.count))
    for section in sections {
      writer.write(section.name)
      writer.write(section.bytes)
      writer.write(section.checksum)
    }
    return writer.bytes
  }

  /// Reads and checks an artifact.
  package init(decoding bytes: [UInt8]) throws(ModelError) {
    do throws(StateError) {
      var reader = SectionReader(section: "header", bytes: bytes)
      guard try reader.integer(UInt64.self) == Self.magic else {
        throw reader.failure("these are not the bytes of a model")
      }
      let version = try reader.integer(UInt32.self)
      guard version == Self.version else {
        throw reader.failure("its format is \(version), this program reads \(Self.version)")
      }
      let name = try reader.text()
      guard let algorithm = Algorithm(rawValue: name) else {
        throw reader.failure("the algorithm '\(name)' is not known")
      }
      self.algorithm = algorithm
      let count = try reader.count(width: 24)
      for _ in 0..<count {
        let section = Section(name: try reader.text(), bytes: try reader.byteArray())
        guard try reader.integer(UInt64.self) == section.checksum else {
          throw StateError(
            section: section.name, offset: 0, message: "the checksum does not match")
        }
        sections.append(section)
      }
      try reader.finish()
    } catch {
      throw ModelError(error)
    }
  }

  /// Whether there is such a section.
  package func has(_ name: String) -> Bool { sections.contains { $0.name == name } }

  /// The reader of one section.
  package func section(_ name: String) throws(StateError) -> SectionReader {
    guard let found = sections.first(where: { $0.name == name }) else {
      throw StateError(section: name, offset: 0, message: "it is missing")
    }
    return SectionReader(section: name, bytes: found.bytes)
  }
}

extension ModelError {
  /// What a damaged section means for the model.
  package init(_ error: StateError) {
    self = .corruptArtifact(
      section: error.section, reason: "byte \(error.offset): \(error.message)")
  }
}
