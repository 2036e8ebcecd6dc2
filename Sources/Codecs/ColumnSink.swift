import Columns

/// What to do with a value on its way into one column.
struct ColumnSink {
  enum Kind: UInt8 {
    case integer, decimal, real, double, boolean, text, binary, date, time, timestamp
  }

  let kind: Kind
  /// The column's position among the data columns, and in a staged row.
  let slot: Int
  /// The least integer, scaled for decimals.
  var minimum: Int64 = 0
  /// The greatest integer, scaled for decimals.
  var maximum: Int64 = 0
  /// The scale of a decimal.
  var scale = 0
  /// The most bytes of a text or binary value.
  var limit = 0
  /// Whether shorter values are filled up to `limit`: text with blanks, binary with zeros.
  var isPadded = false

  init(type: ColumnType, slot: Int) {
    self.slot = slot
    switch type {
    case .boolean: kind = .boolean
    case .tinyint: (kind, minimum, maximum) = (.integer, Int64(Int8.min), Int64(Int8.max))
    case .smallint: (kind, minimum, maximum) = (.integer, Int64(Int16.min), Int64(Int16.max))
    case .integer: (kind, minimum, maximum) = (.integer, Int64(Int32.min), Int64(Int32.max))
    case .bigint: (kind, minimum, maximum) = (.integer, .min, .max)
    case .decimal(let precision, let scale):
      kind = .decimal
      self.scale = scale
      maximum = Int64(powerOfTen(min(precision, 18))) - 1
      minimum = -maximum
    case .real: kind = .real
    case .double: kind = .double
    case .char(let length): (kind, limit, isPadded) = (.text, length, true)
    case .varchar(let length): (kind, limit) = (.text, length)
    case .binary(let length): (kind, limit, isPadded) = (.binary, length, true)
    case .varbinary(let length): (kind, limit) = (.binary, length)
    case .date: kind = .date
    case .time: kind = .time
    case .timestamp: kind = .timestamp
    }
  }
}
