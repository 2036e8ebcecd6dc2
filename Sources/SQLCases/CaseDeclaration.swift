public import Codecs
public import Columns
public import StreamSQL

/// What a program needs beside its text: its sources and reference tables, as `case.json` holds them.
public struct CaseDeclaration: Sendable {
  /// A source stream with the form of its raw records.
  public struct Source: Sendable {
    /// The name, and the columns without metadata.
    public let name: String
    /// The columns that rows hold, in order.
    public let columns: [ColumnDefinition]
    /// The form of raw records; nil when the source has only rows.
    public let format: RecordFormat?

    /// Creates a source.
    public init(name: String, columns: [ColumnDefinition], format: RecordFormat?) {
      self.name = name
      self.columns = columns
      self.format = format
    }
  }

  /// A reference table with its rows.
  public struct Table: Sendable {
    /// The name.
    public let name: String
    /// The columns.
    public let schema: Schema
    /// The rows, one value per column.
    public let rows: [[JSONDocument]]
  }

  /// The source streams in the order of the file.
  public let sources: [Source]
  /// The reference tables in the order of the file.
  public let tables: [Table]

  /// Creates a declaration.
  public init(sources: [Source], tables: [Table] = []) {
    self.sources = sources
    self.tables = tables
  }

  /// The columns that every source stream has beside its own.
  public static let metadata: [ColumnDefinition] = [
    ColumnDefinition(name: "APPROXIMATE_ARRIVAL_TIME", type: .timestamp, role: .metadata),
    ColumnDefinition(name: "PARTITION_KEY", type: .varchar(256), role: .metadata),
    ColumnDefinition(name: "SEQUENCE_NUMBER", type: .varchar(128), role: .metadata),
    ColumnDefinition(name: "SHARD_ID", type: .varchar(64), role: .metadata),
  ]

  /// Reads the `sources` and `referenceTables` of a case.
  ///
  /// - Throws: `CaseError` that names what is wrong.
  public init(_ document: JSONDocument) throws {
    var sources: [Source] = []
    for member in document["sources"]?.members ?? [] {
      sources.append(try Self.source(member.name, member.value))
    }
    guard !sources.isEmpty else { throw CaseError("case.json declares no sources") }
    self.init(sources: sources, tables: try Self.tables(in: document))
  }

  /// The reference tables of a case.
  ///
  /// - Throws: `CaseError` that names what is wrong.
  static func tables(in document: JSONDocument) throws -> [Table] {
    try (document["referenceTables"]?.members ?? []).map { member in
      let columns = try Self.columns(member.name, member.value)
      let rows = (member.value["rows"]?.elements ?? []).map { $0.elements ?? [] }
      guard rows.allSatisfy({ $0.count == columns.count }) else {
        throw CaseError("a row of table \(member.name) has another number of values than columns")
      }
      return Table(name: member.name, schema: Schema(columns), rows: rows)
    }
  }

  private static func columns(
    _ owner: String, _ declaration: JSONDocument
  ) throws -> [ColumnDefinition] {
    try (declaration["columns"]?.elements ?? []).map { column in
      guard let parts = column.elements, parts.count >= 2, let name = parts[0].text,
        let type = parts[1].text.flatMap(ColumnType.init(sql:))
      else { throw CaseError("\(owner): a column is [name, type] or [name, type, path]") }
      return ColumnDefinition(name: name, type: type)
    }
  }

  private static func source(_ name: String, _ declaration: JSONDocument) throws -> Source {
    let columns = try columns(name, declaration)
    switch declaration["format"]?.text {
    case nil: return Source(name: name, columns: columns, format: nil)
    case "json":
      let paths = try (declaration["columns"]?.elements ?? []).map { column throws in
        try JSONPath(column.elements?.dropFirst(2).first?.text ?? "$")
      }
      let root = declaration["rowPath"]?.text ?? declaration["recordRowPath"]?.text ?? "$"
      return Source(
        name: name, columns: columns, format: .json(rowPath: try JSONPath(root), paths: paths))
    case "csv":
      let format = CSVFormat(
        columnDelimiter: declaration["columnDelimiter"]?.text ?? ",",
        rowDelimiter: declaration["rowDelimiter"]?.text ?? "\n")
      return Source(name: name, columns: columns, format: .csv(format))
    case .some(let other): throw CaseError("\(name): the format '\(other)' is not json or csv")
    }
  }

  /// The sources as the compiler takes them.
  public var sourceStreams: [SourceStream] {
    sources.map { SourceStream(name: $0.name, schema: Schema($0.columns + Self.metadata)) }
  }

  /// The tables as the compiler takes them.
  public var referenceTables: [ReferenceTable] {
    tables.map { ReferenceTable(name: $0.name, schema: $0.schema) }
  }
}

/// A case or an input that cannot be used.
public struct CaseError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong, and where.
  public let description: String

  /// Creates an error.
  public init(_ description: String) { self.description = description }
}

extension ColumnType {
  /// Reads a type as it is written in SQL; nil when there is no such type.
  init?(sql text: String) {
    let parts = text.uppercased().split { "(), ".contains($0) }.map(String.init)
    guard let name = parts.first else { return nil }
    let numbers = parts.compactMap(Int.init)
    switch name {
    case "BOOLEAN": self = .boolean
    case "TINYINT": self = .tinyint
    case "SMALLINT": self = .smallint
    case "INTEGER", "INT": self = .integer
    case "BIGINT": self = .bigint
    case "DECIMAL", "DEC", "NUMERIC":
      self = .decimal(precision: numbers.first ?? 18, scale: numbers.count > 1 ? numbers[1] : 0)
    case "REAL": self = .real
    case "DOUBLE", "FLOAT": self = .double
    case "CHAR", "CHARACTER":
      self =
        parts.dropFirst().first == "VARYING"
        ? .varchar(numbers.first ?? 1) : .char(numbers.first ?? 1)
    case "VARCHAR": self = .varchar(numbers.first ?? 65_535)
    case "BINARY": self = .binary(numbers.first ?? 1)
    case "VARBINARY": self = .varbinary(numbers.first ?? 65_535)
    case "DATE": self = .date
    case "TIME": self = .time
    case "TIMESTAMP": self = .timestamp
    default: return nil
    }
  }
}
