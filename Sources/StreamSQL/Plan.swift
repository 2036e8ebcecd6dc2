public import Columns

/// A source stream, as the pipeline's configuration declares it.
public struct SourceStream: Hashable, Sendable {
  /// The name, in the case in which programs find it.
  public let name: String
  /// The columns, metadata columns (`role: .metadata`) included where the source has them.
  public let schema: Schema
  /// The name of the column that holds the record's key: equal keys come from one partition.
  public let key: String?

  /// Creates a source stream.
  public init(name: String, schema: Schema, key: String? = nil) {
    self.name = name
    self.schema = schema
    self.key = key
  }
}

/// A reference table, as the pipeline's configuration declares it.
public struct ReferenceTable: Hashable, Sendable {
  /// The name, in the case in which programs find it.
  public let name: String
  /// The columns.
  public let schema: Schema

  /// Creates a table.
  public init(name: String, schema: Schema) {
    self.name = name
    self.schema = schema
  }
}

/// A program with all names resolved: what the executor builds its operators from.
public struct Plan: Equatable, Sendable {
  /// Source streams in the order in which they were given, then in-application streams as created.
  public let streams: [PlanStream]
  /// The pumps, writers of a stream before its readers; otherwise as written.
  public internal(set) var pumps: [Pump]
  /// The tables of `referenceJoin`s: the given ones in order, then `VALUES` lists of the program.
  public let tables: [PlanTable]

  /// Creates a plan.
  public init(streams: [PlanStream], pumps: [Pump], tables: [PlanTable]) {
    self.streams = streams
    self.pumps = pumps
    self.tables = tables
  }
}

/// A stream of a plan.
public struct PlanStream: Hashable, Sendable {
  /// Where its rows come from.
  public enum Origin: Hashable, Sendable {
    /// The source at this index of what the compiler was given.
    case source(Int)
    /// The program's pumps.
    case pumps
  }

  /// The name.
  public let name: String
  /// The columns; a column that is not nullable refuses NULL (error stream).
  public let schema: Schema
  /// Where its rows come from.
  public let origin: Origin
  /// The column that holds the source record's key, by which partitions are chosen.
  public let key: Int?

  /// Creates a stream.
  public init(name: String, schema: Schema, origin: Origin, key: Int? = nil) {
    self.name = name
    self.schema = schema
    self.origin = origin
    self.key = key
  }
}

/// A table of a plan.
public struct PlanTable: Hashable, Sendable {
  /// The name; of a `VALUES` list a made-up one.
  public let name: String
  /// The columns.
  public let schema: Schema
  /// The rows of a `VALUES` list; nil for a table of the configuration.
  public let rows: [[SQLValue]]?

  /// Creates a table.
  public init(name: String, schema: Schema, rows: [[SQLValue]]? = nil) {
    self.name = name
    self.schema = schema
    self.rows = rows
  }
}

/// A standing query that feeds a stream.
public struct Pump: Equatable, Sendable {
  /// The name, as on the error stream.
  public let name: String
  /// The index of the stream that it feeds.
  public let target: Int
  /// The query; its output has exactly the types of the target's columns, in their order, converted by
  /// the query's last projection.
  ///
  /// A row whose ROWTIME is lower than that of a row before it is refused.
  public let root: PlanNode
  /// False for `CREATE PUMP … STOPPED`: the pump does nothing.
  public let isStarted: Bool
  /// Where the pump stands in the program.
  public let position: SourcePosition
  /// The endpoint whose model its forests begin with; nil begins with empty ones.
  public internal(set) var forestSeed: String?

  /// Creates a pump.
  public init(
    name: String, target: Int, root: PlanNode, isStarted: Bool = true, position: SourcePosition
  ) {
    self.name = name
    self.target = target
    self.root = root
    self.isStarted = isStarted
    self.position = position
  }
}

/// The stream to which rows go that an operator or a decoder refuses; programs cannot name it.
public enum ErrorStream {
  /// Its name.
  public static let name = "error_stream"

  /// Its columns, as documented, and `DATA_ROW_TEXT`, the row in readable form.
  public static let schema = Schema([
    ColumnDefinition(name: "ERROR_TIME", type: .timestamp),
    ColumnDefinition(name: "ERROR_LEVEL", type: .varchar(10)),
    ColumnDefinition(name: "ERROR_NAME", type: .varchar(32)),
    ColumnDefinition(name: "MESSAGE", type: .varchar(4_096)),
    ColumnDefinition(name: "DATA_ROWTIME", type: .timestamp),
    ColumnDefinition(name: "DATA_ROW", type: .varchar(49_152)),
    ColumnDefinition(name: "PUMP_NAME", type: .varchar(128)),
    ColumnDefinition(name: "DATA_ROW_TEXT", type: .varchar(49_152)),
  ])
}
