import Foundation
import Migration

/// A file to import, with the pipelines, programs and remarks that must come of it.
struct Fixture: Sendable, CustomStringConvertible {
  let description: String
  let file: String
  let folder: URL

  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("Fixtures", isDirectory: true)

  static let all: [Fixture] = [
    Fixture("describe-v1", "application.json"), Fixture("describe-v2", "application.json"),
    Fixture("cloudformation-json", "application.json"),
    Fixture("cloudformation-yaml", "application.yaml"), Fixture("terraform", "application.tf"),
  ]

  init(_ name: String, _ file: String) {
    description = name
    self.file = file
    folder = Self.folder.appendingPathComponent(name, isDirectory: true)
  }

  var text: String { get throws { try read(file) } }

  /// The text of a file in the fixture's folder.
  func read(_ path: String) throws -> String {
    try String(contentsOf: folder.appendingPathComponent(path), encoding: .utf8)
  }

  func imported() throws -> [ImportedApplication] {
    try importKinesisAnalytics(text, file: file, readFile: read)
  }
}

/// Reads nothing: for texts that name no file.
func noFile(_ path: String) throws -> String { throw CocoaError(.fileNoSuchFile) }
