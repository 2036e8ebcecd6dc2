/// A column's name, type and role.
public struct ColumnDefinition: Hashable, Sendable {
  /// What a column is for.
  public enum Role: Hashable, Sendable {
    /// Declared by the user; part of `*`.
    case data
    /// Filled from the record itself (arrival time, key, offset, partition); not part of `*`.
    case metadata
  }

  /// The name as stored: folded to upper case unless it was quoted.
  public let name: String
  /// The SQL type.
  public let type: ColumnType
  /// Whether NULL may be stored; explicit `NOT NULL` makes it false.
  public let isNullable: Bool
  /// Whether `*` expands to the column.
  public let role: Role

  /// Creates a definition.
  public init(name: String, type: ColumnType, isNullable: Bool = true, role: Role = .data) {
    self.name = name
    self.type = type
    self.isNullable = isNullable
    self.role = role
  }
}

/// The columns of a stream, in order.
public struct Schema: Hashable, Sendable {
  /// The columns in declaration order, metadata columns last.
  public let columns: [ColumnDefinition]

  /// Creates a schema.
  public init(_ columns: [ColumnDefinition]) {
    self.columns = columns
  }

  /// The position of the column with exactly this name, or nil.
  public func index(of name: String) -> Int? {
    columns.firstIndex { $0.name == name }
  }
}
