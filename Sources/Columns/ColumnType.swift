/// The SQL type of a column.
///
/// Source: Kinesis Data Analytics SQL reference, "Data types". Lengths are in bytes of UTF-8 for text,
/// bytes for binary; `decimal` has at most 18 digits.
public enum ColumnType: Hashable, Sendable {
  case boolean
  case tinyint
  case smallint
  case integer
  case bigint
  case decimal(precision: Int, scale: Int)
  case real
  case double
  case char(Int)
  case varchar(Int)
  case binary(Int)
  case varbinary(Int)
  case date
  case time
  case timestamp

  /// How values of a type lie in memory.
  public enum Storage: Sendable {
    /// `Int64`: booleans as 0 and 1, decimals as the value times 10^scale, dates as days since
    /// 1970-01-01, times as milliseconds since midnight, timestamps as milliseconds since 1970 UTC.
    case integer
    /// `Double`; `real` values are rounded to `Float` when stored.
    case floating
    /// `StringID` in the task's `StringPool`.
    case text
  }

  /// The memory layout of the type's values.
  public var storage: Storage {
    switch self {
    case .boolean, .tinyint, .smallint, .integer, .bigint, .decimal, .date, .time, .timestamp:
      .integer
    case .real, .double: .floating
    case .char, .varchar, .binary, .varbinary: .text
    }
  }

  /// Whether the type takes part in arithmetic.
  public var isNumeric: Bool {
    switch self {
    case .tinyint, .smallint, .integer, .bigint, .decimal, .real, .double: true
    default: false
    }
  }

  /// Whether the type holds characters.
  public var isCharacter: Bool {
    switch self {
    case .char, .varchar: true
    default: false
    }
  }

  /// Whether the type holds bytes that need not be text.
  public var isBinary: Bool {
    switch self {
    case .binary, .varbinary: true
    default: false
    }
  }

  /// Whether the type is a point in time.
  public var isDatetime: Bool {
    switch self {
    case .date, .time, .timestamp: true
    default: false
    }
  }
}

extension ColumnType: CustomStringConvertible {
  /// The type as it is written in SQL.
  public var description: String {
    switch self {
    case .boolean: "BOOLEAN"
    case .tinyint: "TINYINT"
    case .smallint: "SMALLINT"
    case .integer: "INTEGER"
    case .bigint: "BIGINT"
    case .decimal(let precision, let scale): "DECIMAL(\(precision), \(scale))"
    case .real: "REAL"
    case .double: "DOUBLE"
    case .char(let length): "CHAR(\(length))"
    case .varchar(let length): "VARCHAR(\(length))"
    case .binary(let length): "BINARY(\(length))"
    case .varbinary(let length): "VARBINARY(\(length))"
    case .date: "DATE"
    case .time: "TIME"
    case .timestamp: "TIMESTAMP"
    }
  }
}
