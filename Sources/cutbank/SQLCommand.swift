import ArgumentParser
import Foundation
import SQLCases

/// `cutbank sql`: an application over a finite input, every emitted row as a JSON line.
struct SQLCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sql",
    abstract: "Run a SQL application over a finite input.",
    discussion: """
      Writes one JSON line per row of every stream, source streams and error_stream included, in the \
      order of emission: stream, rowtime, then the columns. An input line is a row ({"stream", "rowtime", \
      columns…}), a raw record ({"stream", "rowtime", "raw"}) or a rowtime bound ({"bound"}). The end of \
      the input closes no window.
      """)

  @Argument(help: "The application.") var application: String
  @Option(name: .customLong("case"), help: "The sources and reference tables: a case.json.")
  var caseFile: String
  @Option(help: "The input: a file of JSON lines, or - for standard input.") var input: String
  @Option(help: "The most rows of a batch; the output does not depend on it.") var batchSize = 1_024
  @Flag(help: "Save and restore the whole state at every batch boundary; the output is the same.")
  var saveRestore = false
  @Option(help: "The seed of all models.") var seed: UInt64 = 0
  @Flag(help: "Accept our extensions of the language.") var extensions = false

  func validate() throws {
    guard batchSize > 0 else { throw ValidationError("--batch-size must be positive") }
  }

  func run() throws {
    let session = try makeSession()
    for warning in session.diagnostics { Output.note("\(warning)") }
    for answer in session.answers { Output.note(answer) }
    let file = try openInput()
    var reader = LineReader(file)
    while let line = try next(&reader) {
      if line.allSatisfy({ $0 == 32 || $0 == 9 || $0 == 13 }) { continue }
      do {
        try session.feed(line)
      } catch let error as CaseError {
        // What came before the bad line does not depend on where batches are cut.
        try session.finish()
        try Output.write(bytes: session.takeOutput())
        throw Failure(message: "\(inputName):\(reader.lineNumber): \(error)")
      }
      for remark in session.takeRemarks() {
        Output.note("\(inputName):\(reader.lineNumber): warning: \(remark)")
      }
      if session.outputCount > 1 << 16 { try Output.write(bytes: session.takeOutput()) }
    }
    try session.finish()
    try Output.write(bytes: session.takeOutput())
  }

  private func next(_ reader: inout LineReader) throws -> [UInt8]? {
    do {
      return try reader.next()
    } catch {
      throw Failure(message: "\(inputName) cannot be read: \(error.localizedDescription)")
    }
  }

  private var inputName: String { input == "-" ? "standard input" : input }

  private func makeSession() throws -> SQLSession {
    let declaration: CaseDeclaration
    do {
      declaration = try CaseDeclaration(JSONDocument(try Self.contents(of: caseFile)))
    } catch let error as JSONDocumentError {
      throw Failure(message: "\(caseFile): \(error)", code: Outcome.configuration)
    } catch let error as CaseError {
      throw Failure(message: "\(caseFile): \(error)", code: Outcome.configuration)
    }
    do {
      return try SQLSession(
        program: String(decoding: try Self.contents(of: application), as: UTF8.self),
        file: application, declaration: declaration,
        options: SQLSessionOptions(
          batchSize: batchSize, savesAndRestores: saveRestore, seed: seed,
          extensions: extensions))
    } catch let refused as RefusedProgram {
      for finding in refused.diagnostics { Output.note("\(finding)") }
      throw Outcome.configuration
    } catch let error as CaseError {
      throw Failure(message: "\(caseFile): \(error)", code: Outcome.configuration)
    }
  }

  private static func contents(of path: String) throws -> Data {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw Failure(message: "\(path) cannot be read")
    }
    return data
  }

  private func openInput() throws -> FileHandle {
    if input == "-" { return FileHandle.standardInput }
    var isFolder = ObjCBool(false)
    if FileManager.default.fileExists(atPath: input, isDirectory: &isFolder), isFolder.boolValue {
      throw Failure(message: "\(input) is a folder", hint: "--input names a file of JSON lines")
    }
    guard let file = FileHandle(forReadingAtPath: input) else {
      throw Failure(message: "\(input) cannot be read")
    }
    return file
  }
}

/// The lines of a file, one after the other, without their ends.
struct LineReader {
  private let file: FileHandle
  private var buffer: [UInt8] = []
  private var start = 0
  private var isAtEnd = false
  /// The number of the line that `next` gave last, from 1.
  private(set) var lineNumber = 0

  init(_ file: FileHandle) { self.file = file }

  /// The next line, nil at the end.
  mutating func next() throws -> [UInt8]? {
    var searched = start
    while true {
      if let end = buffer[searched...].firstIndex(of: 10) {
        defer { start = end + 1 }
        lineNumber += 1
        return Array(buffer[start..<end])
      }
      searched = buffer.count
      if isAtEnd {
        guard start < buffer.count else { return nil }
        defer { start = buffer.count }
        lineNumber += 1
        return Array(buffer[start...])
      }
      buffer.removeFirst(start)
      searched -= start
      start = 0
      let chunk = try file.read(upToCount: 1 << 18) ?? Data()
      isAtEnd = chunk.isEmpty
      buffer.append(contentsOf: chunk)
    }
  }
}
