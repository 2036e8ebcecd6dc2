import Codecs
import Columns
import Foundation
import StreamSQL
import Yams

/// What a case takes from a pipeline file: its program and its sources.
struct CasePipeline {
  /// The program.
  let program: String
  /// Where the program stands, for messages.
  let programFile: String
  /// The inputs as sources.
  let sources: [CaseDeclaration.Source]
  /// Whether the pipeline asks for our extensions of the language.
  let extensions: Bool

  /// Reads a pipeline file and the application that it names.
  ///
  /// - Throws: `CaseError`, or the error of reading a file.
  init(file: URL) throws {
    let text = String(decoding: try Data(contentsOf: file), as: UTF8.self)
    let root: Node
    do {
      guard let node = try Yams.compose(yaml: text) else {
        throw CaseError("\(file.path): the file is empty")
      }
      root = node
    } catch let error as YamlError {
      throw CaseError("\(file.path): \(error)")
    }
    guard let application = root["application"]?.scalar else {
      throw CaseError("\(file.path): application is missing")
    }
    if application.style == .literal || application.style == .folded {
      program = application.string
      programFile = file.path
    } else {
      let folder = file.deletingLastPathComponent()
      let source = folder.appendingPathComponent(application.string)
      program = String(decoding: try Data(contentsOf: source), as: UTF8.self)
      programFile = source.path
    }
    var sources = try (root["inputs"]?.sequence.map(Array.init) ?? []).map { input in
      do {
        return try Self.source(input)
      } catch let error as CaseError {
        throw CaseError("\(file.path): \(error)")
      }
    }
    for (index, input) in (root["inputs"]?.sequence.map(Array.init) ?? []).enumerated() {
      guard let late = input["event_time"]?["late"]?.string else { continue }
      sources.append(
        .init(
          name: late,
          columns: sources[index].columns
            + [ColumnDefinition(name: "WATERMARK", type: .timestamp)], format: nil))
    }
    self.sources = sources
    guard !sources.isEmpty else { throw CaseError("\(file.path): inputs is missing or empty") }
    extensions = root["sql"]?["extensions"]?.bool ?? false
  }

  private static func source(_ input: Node) throws -> CaseDeclaration.Source {
    guard let stream = input["stream"]?.string else { throw CaseError("an input without stream") }
    let mappings = input["columns"]?.sequence.map(Array.init) ?? []
    let columns = try mappings.map { column in
      guard let column = column.mapping, let name = column["name"]?.string,
        let type = column["type"]?.string
      else { throw CaseError("\(stream): a column needs a name and a type") }
      do throws(ColumnTypeError) {
        return ColumnDefinition(
          name: name, type: try ColumnType(sql: type), isNullable: column["nullable"]?.bool ?? true)
      } catch {
        throw CaseError("\(stream), column \(name): \(error)")
      }
    }
    if input["format"]?.string == "csv" {
      let csv = input["csv"]
      let format = CSVFormat(
        columnDelimiter: csv?["column_delimiter"]?.string ?? ",",
        rowDelimiter: csv?["row_delimiter"]?.string ?? "\n")
      return .init(name: stream, columns: columns, format: .csv(format))
    }
    let paths = try zip(mappings, columns).map { mapping, column in
      guard let path = mapping["path"]?.string else {
        return JSONPath(steps: [.member(column.name)])
      }
      return try JSONPath(path)
    }
    let root = try JSONPath(input["row_path"]?.string ?? "$")
    return .init(name: stream, columns: columns, format: .json(rowPath: root, paths: paths))
  }
}
