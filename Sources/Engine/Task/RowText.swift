import Columns

/// Values of a batch as text, for alerts.
enum RowText {
  /// The names and values of a row, in order; NULL is nil.
  static func fields(
    of batch: borrowing Batch, row: Int, pool: borrowing StringPool
  ) -> [(name: String, value: String?)] {
    var fields: [(name: String, value: String?)] = []
    for (index, definition) in batch.schema.columns.enumerated() {
      fields.append((definition.name, text(batch.columns[index], row: row, pool: pool)))
    }
    return fields
  }

  private static func text(
    _ column: borrowing Column, row: Int, pool: borrowing StringPool
  ) -> String? {
    guard !column.nulls[row] else { return nil }
    switch column.type {
    case .boolean: return column.integers[row] != 0 ? "true" : "false"
    case .timestamp: return CivilTime(milliseconds: column.integers[row]).description
    case .date:
      let moment = CivilTime(milliseconds: column.integers[row] * CivilTime.millisecondsPerDay)
      return String(moment.description.prefix(10))
    case .time:
      return String(CivilTime(milliseconds: column.integers[row]).description.dropFirst(11))
    case .decimal(_, let scale): return decimal(column.integers[row], scale: scale)
    case .tinyint, .smallint, .integer, .bigint: return "\(column.integers[row])"
    case .real: return "\(Float(column.doubles[row]))"
    case .double: return "\(column.doubles[row])"
    case .char, .varchar, .binary, .varbinary: return pool.string(column.texts[row])
    }
  }

  private static func decimal(_ value: Int64, scale: Int) -> String {
    guard scale > 0 else { return "\(value)" }
    let digits = String(value.magnitude)
    let padded = String(repeating: "0", count: max(0, scale + 1 - digits.count)) + digits
    return "\(value < 0 ? "-" : "")\(padded.dropLast(scale)).\(padded.suffix(scale))"
  }
}
