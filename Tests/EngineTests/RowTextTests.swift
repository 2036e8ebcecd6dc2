import Columns
import Engine
import Testing
import Transport

/// Values as text, which decides the partition of a record with a key.
@Suite struct RowTextTests {
  private static func text(_ column: Column, _ pool: borrowing StringPool) -> String? {
    var bytes = Array("before ".utf8)
    guard RowText.append(column, row: 0, pool: pool, to: &bytes) else {
      #expect(bytes == Array("before ".utf8))
      return nil
    }
    return String(decoding: bytes.dropFirst(7), as: UTF8.self)
  }

  @Test(
    arguments: [
      (.boolean, 0, "false"), (.boolean, 1, "true"),
      (.tinyint, -128, "-128"), (.bigint, 0, "0"), (.bigint, 10, "10"),
      (.bigint, .max, "9223372036854775807"), (.bigint, .min, "-9223372036854775808"),
      (.decimal(precision: 9, scale: 0), -70, "-70"),
      (.decimal(precision: 9, scale: 2), 0, "0.00"),
      (.decimal(precision: 9, scale: 2), -5, "-0.05"),
      (.decimal(precision: 9, scale: 2), 12_345, "123.45"),
      (.decimal(precision: 18, scale: 18), 1, "0.000000000000000001"),
      (.timestamp, 0, "1970-01-01 00:00:00.000"), (.timestamp, -1, "1969-12-31 23:59:59.999"),
      (.date, 0, "1970-01-01"), (.date, -1, "1969-12-31"), (.date, 20_784, "2026-11-27"),
      (.time, 0, "00:00:00.000"), (.time, 86_399_999, "23:59:59.999"),
    ] as [(ColumnType, Int64, String)])
  func integersInColumns(type: ColumnType, value: Int64, text: String) {
    var column = Column(type: type)
    column.append(value)
    #expect(Self.text(column, StringPool()) == text)
  }

  @Test(
    arguments: [
      (.double, 1, "1.0"), (.double, -0.1, "-0.1"), (.double, 1e300, "1e+300"),
      (.double, 0.1 + 0.2, "0.30000000000000004"), (.real, 0.1, "0.1"),
      (.real, 16_777_216, "16777216.0"),
    ] as [(ColumnType, Double, String)])
  func floatingPointNumbers(type: ColumnType, value: Double, text: String) {
    var column = Column(type: type)
    column.append(value)
    #expect(Self.text(column, StringPool()) == text)
  }

  @Test func textIsItsBytesAndNullIsNothing() {
    var pool = StringPool()
    for value in ["", "a", "übel"] {
      var column = Column(type: .varchar(64))
      column.append(pool.intern(value))
      #expect(Self.text(column, pool) == value)
    }
    for type in [.varchar(4), .bigint, .double, .timestamp] as [ColumnType] {
      var column = Column(type: type)
      column.appendNull()
      #expect(Self.text(column, pool) == nil)
    }
  }

  /// Any integer, as a number and as a decimal, against the standard library's text.
  @Test(arguments: 1...5 as ClosedRange<UInt64>) func anyInteger(seed: UInt64) {
    var generator = SplitMix64(seed: seed)
    for _ in 0..<200 {
      let value =
        Int64.random(in: .min ... .max, using: &generator)
        >> Int64.random(in: 0..<64, using: &generator)
      var integer = Column(type: .bigint)
      integer.append(value)
      #expect(Self.text(integer, StringPool()) == "\(value)")
      let scale = Int.random(in: 1...18, using: &generator)
      var decimal = Column(type: .decimal(precision: 18, scale: scale))
      decimal.append(value)
      let digits = "\(value.magnitude)"
      let padded = String(repeating: "0", count: max(0, scale + 1 - digits.count)) + digits
      let expected = "\(value < 0 ? "-" : "")\(padded.dropLast(scale)).\(padded.suffix(scale))"
      #expect(Self.text(decimal, StringPool()) == expected)
    }
  }
}
