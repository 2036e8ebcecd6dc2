import Columns

/// How a column's values lie in a Parquet file.
///
/// Source: apache/parquet-format, `LogicalTypes.md` and `parquet.thrift`.
struct ParquetType {
  /// The physical types of `parquet.thrift`.
  enum Physical: Int {
    case boolean = 0
    case int32 = 1
    case int64 = 2
    case float = 4
    case double = 5
    case byteArray = 6
  }

  let physical: Physical
  /// The number of the `ConvertedType`, if any.
  var converted: Int?
  var precision: Int?
  var scale: Int?

  init(_ type: ColumnType) {
    switch type {
    case .boolean: physical = .boolean
    case .tinyint: (physical, converted) = (.int32, 15)
    case .smallint: (physical, converted) = (.int32, 16)
    case .integer: (physical, converted) = (.int32, 17)
    case .bigint: (physical, converted) = (.int64, 18)
    case .decimal(let digits, let places):
      (physical, converted, precision, scale) = (.int64, 5, digits, places)
    case .real: physical = .float
    case .double: physical = .double
    case .char, .varchar: (physical, converted) = (.byteArray, 0)
    case .binary, .varbinary: physical = .byteArray
    case .date: (physical, converted) = (.int32, 6)
    case .time: (physical, converted) = (.int32, 7)
    case .timestamp: (physical, converted) = (.int64, 9)
    }
  }
}
