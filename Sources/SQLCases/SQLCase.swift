public import Foundation

/// A program with an input and what it must emit, as a folder holds them.
///
/// The program is `app.sql` beside `case.json`, or that of the pipeline file which the member
/// `pipeline` names, a path relative to the folder; the pipeline's inputs are then the sources.
public struct SQLCase: Sendable {
  /// The folder's name.
  public let name: String
  /// The program.
  public let program: String
  /// The program's file, for messages.
  public let file: String
  /// Its sources and tables.
  public let declaration: CaseDeclaration
  /// Whether its pipeline asks for our extensions of the language.
  private let extensions: Bool
  private let document: JSONDocument
  private let input: [[UInt8]]
  private let records: [JSONDocument]
  private let expected: [JSONDocument]
  private let alternative: [JSONDocument]?

  /// Reads the case in a folder.
  ///
  /// - Throws: `CaseError`, or the error of reading a file.
  public init(directory: URL) throws {
    name = directory.lastPathComponent
    document = try Self.json(directory.appendingPathComponent("case.json"))
    if let path = document["pipeline"]?.text {
      let pipeline = try CasePipeline(
        file: directory.appendingPathComponent(path).standardizedFileURL)
      program = pipeline.program
      file = pipeline.programFile
      extensions = pipeline.extensions
      declaration =
        try document["sources"] == nil
        ? CaseDeclaration(
          sources: pipeline.sources, tables: CaseDeclaration.tables(in: document))
        : CaseDeclaration(document)
    } else {
      let programFile = directory.appendingPathComponent("app.sql")
      file = programFile.path
      program = String(decoding: try Data(contentsOf: programFile), as: UTF8.self)
      extensions = false
      declaration = try CaseDeclaration(document)
    }
    input = Self.lines(try Data(contentsOf: directory.appendingPathComponent("input.jsonl")))
    records = try Self.rows(directory.appendingPathComponent("input.jsonl")).filter {
      $0["bound"] == nil
    }
    expected = try Self.rows(directory.appendingPathComponent("expected.jsonl"))
    let other = directory.appendingPathComponent("expected.alt.jsonl")
    alternative = FileManager.default.fileExists(atPath: other.path) ? try Self.rows(other) : nil
  }

  /// The cases in a folder: the folder itself if it is one, else those in the folders below.
  public static func find(in directory: URL) -> [URL] {
    let manager = FileManager.default
    let file = directory.appendingPathComponent("case.json").path
    if manager.fileExists(atPath: file) { return [directory] }
    guard let names = manager.enumerator(atPath: directory.path)?.compactMap({ $0 as? String })
    else { return [] }
    return names.filter { $0.hasSuffix("/case.json") }.sorted().map {
      directory.appendingPathComponent($0).deletingLastPathComponent()
    }
  }

  private static func json(_ file: URL) throws -> JSONDocument {
    do {
      return try JSONDocument(Data(contentsOf: file))
    } catch let error as JSONDocumentError {
      throw CaseError("\(file.path): \(error)")
    }
  }

  private static func rows(_ file: URL) throws -> [JSONDocument] {
    guard FileManager.default.fileExists(atPath: file.path) else { return [] }
    return try lines(try Data(contentsOf: file)).enumerated().map { index, line in
      do {
        return try JSONDocument(line)
      } catch {
        throw CaseError("\(file.path):\(index + 1): \(error)")
      }
    }
  }

  private static func lines(_ data: Data) -> [[UInt8]] {
    data.split(separator: 10).map(Array.init).filter { line in
      line.contains { $0 != 32 && $0 != 13 && $0 != 9 }
    }
  }

  /// Runs the case and says what differs; nothing when it passes.
  ///
  /// - Throws: `CaseError` when the input cannot be read.
  public func run(_ options: SQLSessionOptions) throws -> [String] {
    let refusal = document["expectError"].flatMap { $0 == .null ? nil : $0 }
    let actual: [JSONDocument]
    do {
      actual = try emitted(options)
    } catch let refused as RefusedProgram {
      if refusal != nil { return [] }
      return ["the program was refused:"] + refused.diagnostics.map { "\($0)" }
    }
    if let refusal {
      return ["the program was accepted; it must be refused: \(refusal["about"] ?? refusal)"]
    }
    return differences(actual)
  }

  /// The rows that the program emits, in order.
  private func emitted(_ options: SQLSessionOptions) throws -> [JSONDocument] {
    var options = options
    options.extensions = options.extensions || extensions
    let session = try SQLSession(
      program: program, file: file, declaration: declaration, options: options)
    for (index, line) in input.enumerated() {
      do {
        try session.feed(line)
      } catch let error as CaseError {
        throw CaseError("input line \(index + 1): \(error)")
      }
    }
    try session.finish()
    return try session.takeOutput().split(separator: 10).map { try JSONDocument($0) }
  }

  private func differences(_ actual: [JSONDocument]) -> [String] {
    let mode = CaseCheck.Mode(document)
    let check = CaseCheck(mode: mode)
    var messages: [String] = []
    if !expected.isEmpty || mode.properties.isEmpty {
      messages = check.differences(expected: expected, actual: actual)
      if !messages.isEmpty, let alternative {
        messages = check.differences(expected: alternative, actual: actual)
      }
    }
    guard !mode.properties.isEmpty else { return messages }
    for property in mode.properties {
      let habit = "DESTINATION_SQL_STREAM"
      let usual = mode.check.contains(habit) && mode.check.count > 1 ? habit : mode.check.first
      let stream = property["stream"]?.text ?? usual
      let rows = actual.filter { $0["stream"]?.text == stream }
      messages +=
        PropertyCheck(property: property, rows: rows, input: records).differences()
    }
    return messages
  }
}
