import Columns
import Dataflow

/// Values of a batch as text, for alerts.
enum RowText {
  /// The value of a column, as an alert carries it.
  static func value(
    _ column: borrowing Column, row: Int, pool: borrowing StringPool
  ) -> EpisodeValue {
    guard !column.nulls[row] else { return .null }
    switch column.type {
    case .boolean: return .boolean(column.integers[row] != 0)
    case .tinyint, .smallint, .integer, .bigint: return .integer(column.integers[row])
    case .real, .double: return .number(column.doubles[row])
    case .decimal(_, let scale):
      return .number(Double(column.integers[row]) / powerOfTen(scale))
    default: return .text(text(column, row: row, pool: pool) ?? "")
    }
  }

  /// The value of a column that holds numbers; nil when it is NULL.
  static func number(_ column: borrowing Column, row: Int) -> Double? {
    guard !column.nulls[row] else { return nil }
    switch column.type.storage {
    case .floating: return column.doubles[row]
    case .integer:
      guard case .decimal(_, let scale) = column.type else { return Double(column.integers[row]) }
      return Double(column.integers[row]) / powerOfTen(scale)
    case .text: return nil
    }
  }

  private static func powerOfTen(_ exponent: Int) -> Double {
    // At most 10^18, which a Double holds exactly.
    (0..<exponent).reduce(1.0) { power, _ in power * 10 }
  }

  /// The value of a column as text; nil when it is NULL.
  static func text(
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

  /// Appends the value of a column as text; returns whether there is one.
  static func append(
    _ column: borrowing Column, row: Int, pool: borrowing StringPool, to bytes: inout [UInt8]
  ) -> Bool {
    switch column.type {
    case _ where column.nulls[row]: return false
    case .char, .varchar, .binary, .varbinary:
      bytes += pool.bytes[pool.range(of: column.texts[row])]
    default:
      guard let text = text(column, row: row, pool: pool) else { return false }
      bytes += text.utf8
    }
    return true
  }

  private static func decimal(_ value: Int64, scale: Int) -> String {
    guard scale > 0 else { return "\(value)" }
    let digits = String(value.magnitude)
    let padded = String(repeating: "0", count: max(0, scale + 1 - digits.count)) + digits
    return "\(value < 0 ? "-" : "")\(padded.dropLast(scale)).\(padded.suffix(scale))"
  }
}
