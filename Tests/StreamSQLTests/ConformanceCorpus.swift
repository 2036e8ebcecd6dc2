import Columns
import Foundation
import StreamSQL

/// A case of the conformance corpus, as far as compiling needs it.
struct ConformanceCase: CustomStringConvertible {
  let name: String
  let program: String
  let sources: [SourceStream]
  let tables: [ReferenceTable]
  let isRejected: Bool

  var description: String { name }

  func compiled(_ options: CompileOptions = CompileOptions()) -> CompileResult {
    compile(
      program, file: "\(name)/app.sql", sources: sources, referenceTables: tables,
      options: options)
  }
}

enum ConformanceCorpus {
  /// The folder that holds the corpus, or nil where it is absent.
  static let folder: URL? = {
    if let path = ProcessInfo.processInfo.environment["CUTBANK_SHARED"] {
      return URL(fileURLWithPath: path).appendingPathComponent("conformance/sql")
    }
    var place = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
    while place.path != "/" {
      place.deleteLastPathComponent()
      let found = place.deletingLastPathComponent().appendingPathComponent(
        "shared/conformance/sql")
      if FileManager.default.fileExists(atPath: found.path) { return found }
    }
    return nil
  }()

  static func cases() throws -> [ConformanceCase] {
    guard let folder else { return [] }
    let root = folder.appendingPathComponent("cases")
    let names = try FileManager.default.contentsOfDirectory(atPath: root.path).sorted()
    return try names.map { name in
      let place = root.appendingPathComponent(name)
      let program = try String(
        contentsOf: place.appendingPathComponent("app.sql"), encoding: .utf8)
      let data = try Data(contentsOf: place.appendingPathComponent("case.json"))
      let json = try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
      let sources = json["sources"] as? [String: [String: Any]] ?? [:]
      let tables = json["referenceTables"] as? [String: [String: Any]] ?? [:]
      return ConformanceCase(
        name: name, program: program,
        sources: sources.keys.sorted().map {
          SourceStream(name: $0, schema: schema(sources[$0] ?? [:], metadata: true))
        },
        tables: tables.keys.sorted().map {
          ReferenceTable(name: $0, schema: schema(tables[$0] ?? [:], metadata: false))
        },
        isRejected: json["expectError"] is [String: Any])
    }
  }

  private static func schema(_ json: [String: Any], metadata: Bool) -> Schema {
    let columns = (json["columns"] as? [[String]] ?? []).map { column in
      ColumnDefinition(name: column[0], type: columnType(column[1]))
    }
    return Schema(columns + (metadata ? metadataColumns : []))
  }
}

/// The columns that a source fills from the record itself.
let metadataColumns = [
  ColumnDefinition(name: "APPROXIMATE_ARRIVAL_TIME", type: .timestamp, role: .metadata),
  ColumnDefinition(name: "PARTITION_KEY", type: .varchar(256), role: .metadata),
  ColumnDefinition(name: "SEQUENCE_NUMBER", type: .varchar(128), role: .metadata),
  ColumnDefinition(name: "SHARD_ID", type: .varchar(64), role: .metadata),
]

/// The type with this name; the corpus uses these only.
func columnType(_ text: String) -> ColumnType {
  let parts = text.split { "(,)".contains($0) }
  let numbers = parts.dropFirst().compactMap { Int($0) }
  switch parts[0] {
  case "BOOLEAN": return .boolean
  case "TINYINT": return .tinyint
  case "SMALLINT": return .smallint
  case "INTEGER", "INT": return .integer
  case "BIGINT": return .bigint
  case "REAL": return .real
  case "DOUBLE", "FLOAT": return .double
  case "DECIMAL": return .decimal(precision: numbers[0], scale: numbers.count > 1 ? numbers[1] : 0)
  case "CHAR": return .char(numbers.first ?? 1)
  case "VARCHAR": return .varchar(numbers.first ?? 1)
  case "BINARY": return .binary(numbers.first ?? 1)
  case "VARBINARY": return .varbinary(numbers.first ?? 1)
  case "DATE": return .date
  case "TIME": return .time
  case "TIMESTAMP": return .timestamp
  default: fatalError("unknown type \(text)")
  }
}
