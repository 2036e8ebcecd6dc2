package import Columns
import Dataflow

/// Values of a batch as text, for alerts and the keys of records.
package enum RowText {
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
    case .char, .varchar, .binary, .varbinary: return pool.string(column.texts[row])
    default:
      var bytes: [UInt8] = []
      _ = append(column, row: row, pool: pool, to: &bytes)
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  /// Appends the value of a column as text; returns whether there is one.
  ///
  /// It allocates nothing but room in `bytes`, and for REAL and DOUBLE a text that is longer than 15 bytes.
  package static func append(
    _ column: borrowing Column, row: Int, pool: borrowing StringPool, to bytes: inout [UInt8]
  ) -> Bool {
    guard !column.nulls[row] else { return false }
    switch column.type {
    case .boolean: bytes += column.integers[row] != 0 ? "true".utf8 : "false".utf8
    case .timestamp:
      CivilTime(milliseconds: column.integers[row]).appendTimestamp(to: &bytes)
    case .date:
      CivilTime(milliseconds: column.integers[row] * CivilTime.millisecondsPerDay)
        .appendDate(to: &bytes)
    case .time: CivilTime(milliseconds: column.integers[row]).appendTime(to: &bytes)
    case .decimal(_, let scale): append(column.integers[row], scale: scale, to: &bytes)
    case .tinyint, .smallint, .integer, .bigint: append(column.integers[row], scale: 0, to: &bytes)
    case .real: bytes += "\(Float(column.doubles[row]))".utf8
    case .double: bytes += "\(column.doubles[row])".utf8
    case .char, .varchar, .binary, .varbinary:
      bytes += pool.bytes[pool.range(of: column.texts[row])]
    }
    return true
  }

  /// Appends a number of units of which a 1 is `10^scale`.
  private static func append(_ value: Int64, scale: Int, to bytes: inout [UInt8]) {
    if value < 0 { bytes.append(UInt8(ascii: "-")) }
    var power: UInt64 = 1
    for _ in 0..<scale { power *= 10 }
    let (whole, fraction) = value.magnitude.quotientAndRemainder(dividingBy: power)
    append(digitsOf: whole, count: 1, to: &bytes)
    guard scale > 0 else { return }
    bytes.append(UInt8(ascii: "."))
    append(digitsOf: fraction, count: scale, to: &bytes)
  }

  /// Appends at least `count` digits, zeros in front.
  private static func append(digitsOf value: UInt64, count: Int, to bytes: inout [UInt8]) {
    var power: UInt64 = 1
    for _ in 1..<count { power *= 10 }
    while power <= value / 10 { power *= 10 }
    while power > 0 {
      bytes.append(UInt8(ascii: "0") + UInt8(value / power % 10))
      power /= 10
    }
  }
}
