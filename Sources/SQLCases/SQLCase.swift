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
  private let inputFile: String
  private let input: [(number: Int, line: [UInt8])]
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
      program = String(decoding: try Self.contents(of: programFile), as: UTF8.self)
      extensions = false
      declaration = try CaseDeclaration(document)
    }
    let inputURL = directory.appendingPathComponent("input.jsonl")
    inputFile = inputURL.path
    input = Self.lines(try Self.contents(of: inputURL))
    records = try Self.rows(inputURL).filter {
      $0["bound"] == nil
    }
    expected = try Self.rows(directory.appendingPathComponent("expected.jsonl"))
    let other = directory.appendingPathComponent("expected.alt.jsonl")
    alternative = FileManager.default.fileExists(atPath: other.path) ? try Self.rows(other) : nil
  }

  /// The cases in a folder: the folder itself if it is one, else those in the folders below.
  ///
  /// A case is a folder that holds `case.json` or `app.sql`.
  public static func find(in directory: URL) -> [URL] {
    let manager = FileManager.default
    let marks = ["case.json", "app.sql"]
    let isCase = marks.contains {
      manager.fileExists(atPath: directory.appendingPathComponent($0).path)
    }
    if isCase { return [directory] }
    guard let names = manager.enumerator(atPath: directory.path)?.compactMap({ $0 as? String })
    else { return [] }
    let folders = Set(
      names.filter { name in marks.contains { name.hasSuffix("/" + $0) } }.map {
        directory.appendingPathComponent($0).deletingLastPathComponent()
      })
    return folders.sorted { $0.path < $1.path }
  }

  private static func contents(of file: URL) throws(CaseError) -> Data {
    guard let data = FileManager.default.contents(atPath: file.path) else {
      throw CaseError("\(file.path) cannot be read")
    }
    return data
  }

  private static func json(_ file: URL) throws -> JSONDocument {
    do {
      return try JSONDocument(contents(of: file))
    } catch let error as JSONDocumentError {
      throw CaseError("\(file.path): \(error)")
    }
  }

  private static func rows(_ file: URL) throws -> [JSONDocument] {
    guard FileManager.default.fileExists(atPath: file.path) else { return [] }
    return try lines(contents(of: file)).map { number, line in
      do {
        return try JSONDocument(line)
      } catch {
        throw CaseError("\(file.path):\(number): \(error)")
      }
    }
  }

  /// The lines that hold something, with their numbers.
  private static func lines(_ data: Data) -> [(number: Int, line: [UInt8])] {
    data.split(separator: 10, omittingEmptySubsequences: false).enumerated().map {
      (number: $0.offset + 1, line: Array($0.element))
    }.filter { $0.line.contains { $0 != 32 && $0 != 13 && $0 != 9 } }
  }

  /// Runs the case and says what differs; nothing when it passes.
  ///
  /// - Throws: `CaseError` when the input cannot be read.
  public func run(_ options: SQLSessionOptions) throws -> [String] {
    let nothing: [JSONDocument] = [.null, .boolean(false), .object([])]
    let refusal = document["expectError"].flatMap { nothing.contains($0) ? nil : $0 }
    let mode = try CaseCheck.Mode(document)
    if refusal == nil, mode.check.isEmpty, mode.properties.isEmpty {
      throw CaseError("case.json checks nothing: name streams in 'check'")
    }
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
    return differences(actual, mode)
  }

  /// The rows that the program emits, in order.
  private func emitted(_ options: SQLSessionOptions) throws -> [JSONDocument] {
    var options = options
    options.extensions = options.extensions || extensions
    let session = try SQLSession(
      program: program, file: file, declaration: declaration, options: options)
    for (number, line) in input {
      do {
        try session.feed(line)
      } catch let error as CaseError {
        throw CaseError("\(inputFile):\(number): \(error)")
      }
    }
    try session.finish()
    return try session.takeOutput().split(separator: 10).map { try JSONDocument($0) }
  }

  private func differences(_ actual: [JSONDocument], _ mode: CaseCheck.Mode) -> [String] {
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
