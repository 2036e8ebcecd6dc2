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
  /// - Throws: `CaseError` that names everything that is wrong.
  public init(_ document: JSONDocument) throws {
    var reader = DeclarationReader()
    let members = document["sources"]?.members ?? []
    if members.isEmpty { reader.report("'sources' is missing or empty; it declares the streams") }
    let sources = members.map { Self.source($0.name, $0.value, &reader) }
    let tables = (document["referenceTables"]?.members ?? []).map {
      Self.table($0.name, $0.value, &reader)
    }
    try reader.finish()
    self.init(sources: sources, tables: tables)
  }

  /// The reference tables of a case.
  ///
  /// - Throws: `CaseError` that names everything that is wrong.
  static func tables(in document: JSONDocument) throws -> [Table] {
    var reader = DeclarationReader()
    let tables = (document["referenceTables"]?.members ?? []).map {
      table($0.name, $0.value, &reader)
    }
    try reader.finish()
    return tables
  }

  private static func table(
    _ name: String, _ declaration: JSONDocument, _ reader: inout DeclarationReader
  ) -> Table {
    let columns = reader.columns("table \(name)", declaration)
    let rows = (declaration["rows"]?.elements ?? []).map { $0.elements ?? [] }
    for (index, row) in rows.enumerated() where row.count != columns.count {
      reader.report(
        "table \(name): row \(index + 1) has \(row.count) values for \(columns.count) columns")
    }
    return Table(name: name, schema: Schema(columns), rows: rows)
  }

  private static func source(
    _ name: String, _ declaration: JSONDocument, _ reader: inout DeclarationReader
  ) -> Source {
    let columns = reader.columns("source \(name)", declaration)
    switch declaration["format"]?.text {
    case nil: return Source(name: name, columns: columns, format: nil)
    case "json":
      let paths = zip(columns, declaration["columns"]?.elements ?? []).map { column, element in
        element.elements?.dropFirst(2).first?.text.map { reader.path($0, "source \(name)") }
          ?? JSONPath(steps: [.member(column.name)])
      }
      let text = declaration["rowPath"]?.text ?? declaration["recordRowPath"]?.text ?? "$"
      let root = reader.path(text, "source \(name)")
      return Source(name: name, columns: columns, format: .json(rowPath: root, paths: paths))
    case "csv":
      let format = CSVFormat(
        columnDelimiter: declaration["columnDelimiter"]?.text ?? ",",
        rowDelimiter: declaration["rowDelimiter"]?.text ?? "\n")
      return Source(name: name, columns: columns, format: .csv(format))
    case .some(let other):
      reader.report("source \(name): the format '\(other)' is not json or csv")
      return Source(name: name, columns: columns, format: nil)
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
