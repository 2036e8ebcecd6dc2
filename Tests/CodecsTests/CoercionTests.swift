import Codecs
import Columns
import Testing

/// Every cell of the ingest mapping table: JSON kinds down, SQL types across.
@Suite struct CoercionTests {
  struct Cell: Sendable, CustomTestStringConvertible {
    let type: ColumnType
    let json: String
    /// The value as JSON, or the code of the refusal.
    let result: String
    init(_ type: ColumnType, _ json: String, _ result: String) {
      (self.type, self.json, self.result) = (type, json, result)
    }
    var testDescription: String { "\(json) to \(type)" }
  }

  static func check(_ cell: Cell) throws {
    var harness = try Harness.json([("C", cell.type, "$.c")])
    let rows = harness.rows(of: "{\"c\":\(cell.json)}")
    if cell.result.contains(".") && cell.result.first!.isUppercase {
      #expect(rows == ["\(cell.result)@5 C"], "\(cell.testDescription)")
    } else {
      #expect(rows == ["{\"C\":\(cell.result)}"], "\(cell.testDescription)")
    }
  }

  static let allTypes: [ColumnType] = [
    .boolean, .tinyint, .smallint, .integer, .bigint, .decimal(precision: 5, scale: 2), .real,
    .double, .char(3), .varchar(3), .binary(3), .varbinary(3), .date, .time, .timestamp,
  ]

  @Test(arguments: allTypes) func nullAndMissingAreNull(_ type: ColumnType) throws {
    var harness = try Harness.json([("C", type, "$.c")])
    for record in ["{\"c\":null}", "{}", "{\"C\":1}", "{\"d\":{\"c\":1}}"] {
      #expect(harness.rows(of: record) == ["{\"C\":null}"])
    }
  }

  @Test(arguments: allTypes) func containersFitOnlyText(_ type: ColumnType) throws {
    for json in ["[1, 2]", "{ \"x\":[] }", "[]", "{}"] {
      if type.isCharacter {
        var harness = try Harness.json([("C", .varchar(100), "$.c")])
        let escaped = json.replacing("\"", with: "\\\"")
        #expect(harness.rows(of: "{\"c\": \(json)  }") == ["{\"C\":\"\(escaped)\"}"])
      } else {
        try Self.check(Cell(type, json, "Column.TypeMismatch"))
      }
    }
  }

  static let booleans: [Cell] =
    [.tinyint, .smallint, .integer, .bigint].flatMap { (type: ColumnType) in
      [Cell(type, "true", "1"), Cell(type, "false", "0")]
    } + [
      Cell(.decimal(precision: 5, scale: 2), "true", "1.00"),
      Cell(.decimal(precision: 5, scale: 2), "false", "0.00"),
      Cell(.decimal(precision: 2, scale: 2), "true", "Column.OutOfRange"),
      Cell(.real, "true", "1.0"), Cell(.double, "false", "0.0"),
      Cell(.boolean, "true", "true"), Cell(.boolean, "false", "false"),
      Cell(.varchar(10), "true", "\"true\""), Cell(.varchar(3), "false", "\"fal\""),
      Cell(.char(6), "true", "\"true  \""),
      Cell(.date, "true", "Column.TypeMismatch"), Cell(.time, "true", "Column.TypeMismatch"),
      Cell(.timestamp, "false", "Column.TypeMismatch"),
      Cell(.varbinary(3), "true", "\"AQ==\""), Cell(.binary(3), "true", "\"AAAB\""),
      Cell(.varbinary(3), "false", "\"AA==\""),
    ]
  @Test(arguments: booleans) func boolean(_ cell: Cell) throws { try Self.check(cell) }

  static let numbers: [Cell] = [
    Cell(.tinyint, "127", "127"), Cell(.tinyint, "-128", "-128"),
    Cell(.tinyint, "128", "Column.OutOfRange"), Cell(.tinyint, "-129", "Column.OutOfRange"),
    Cell(.smallint, "32767", "32767"), Cell(.smallint, "-32769", "Column.OutOfRange"),
    Cell(.integer, "2147483647", "2147483647"), Cell(.integer, "-2147483648", "-2147483648"),
    Cell(.integer, "2147483648", "Column.OutOfRange"),
    Cell(.integer, "123.4", "Column.Inexact"), Cell(.integer, "123.0", "123"),
    Cell(.integer, "1e3", "1000"), Cell(.integer, "1200e-2", "12"), Cell(.integer, "-0", "0"),
    Cell(.integer, "0e999999999999999999999", "0"), Cell(.integer, "1e-400", "Column.Inexact"),
    Cell(.integer, "1e400", "Column.OutOfRange"),
    Cell(.bigint, "9223372036854775807", "9223372036854775807"),
    Cell(.bigint, "-9223372036854775808", "-9223372036854775808"),
    Cell(.bigint, "9223372036854775808", "Column.OutOfRange"),
    Cell(.bigint, "-9223372036854775809", "Column.OutOfRange"),
    Cell(.bigint, "18446744073709551616", "Column.OutOfRange"),
    Cell(.bigint, "1000000000000000000.5", "Column.Inexact"),
    Cell(.bigint, "1000000000000000000.00000000000", "1000000000000000000"),
    Cell(.bigint, "0.00000000000000000000000000001e30", "10"),
    Cell(.decimal(precision: 5, scale: 2), "123.45", "123.45"),
    Cell(.decimal(precision: 5, scale: 2), "-0.05", "-0.05"),
    Cell(.decimal(precision: 5, scale: 2), "999.99", "999.99"),
    Cell(.decimal(precision: 5, scale: 2), "1000", "Column.OutOfRange"),
    Cell(.decimal(precision: 5, scale: 2), "1.005", "Column.Inexact"),
    Cell(.decimal(precision: 18, scale: 0), "999999999999999999", "999999999999999999"),
    Cell(.decimal(precision: 18, scale: 0), "1000000000000000000", "Column.OutOfRange"),
    Cell(.real, "0.1", "0.1"), Cell(.real, "16777217", "16777216.0"),
    Cell(.real, "3.4028235e38", "3.4028235e+38"), Cell(.real, "3.5e38", "Column.OutOfRange"),
    Cell(.real, "1e-46", "0.0"), Cell(.real, "1.4e-45", "1e-45"),
    Cell(.double, "2.5", "2.5"), Cell(.double, "3", "3.0"), Cell(.double, "-0", "-0.0"),
    Cell(.double, "1e400", "Column.OutOfRange"), Cell(.double, "-1e309", "Column.OutOfRange"),
    Cell(.double, "1.7976931348623157e308", "1.7976931348623157e+308"),
    Cell(.double, "1e-400", "0.0"), Cell(.double, "5e-324", "5e-324"),
    Cell(.double, "9007199254740993", "9007199254740992.0"),
    Cell(.double, "123456789012345678901234567890", "1.2345678901234568e+29"),
    Cell(.boolean, "0", "false"), Cell(.boolean, "0.00", "false"), Cell(.boolean, "-0e5", "false"),
    Cell(.boolean, "2", "true"), Cell(.boolean, "1e-400", "true"), Cell(.boolean, "-1", "true"),
    Cell(.varchar(10), "12.50", "\"12.50\""), Cell(.varchar(3), "12.50", "\"12.\""),
    Cell(.char(4), "7", "\"7   \""),
    Cell(.date, "5", "Column.TypeMismatch"), Cell(.time, "5", "Column.TypeMismatch"),
    Cell(.timestamp, "5", "Column.TypeMismatch"), Cell(.binary(3), "5", "Column.TypeMismatch"),
    Cell(.varbinary(3), "5", "Column.TypeMismatch"),
  ]
  @Test(arguments: numbers) func number(_ cell: Cell) throws { try Self.check(cell) }

  static let strings: [Cell] = [
    Cell(.integer, "\"7\"", "7"), Cell(.integer, "\" -7 \"", "-7"), Cell(.integer, "\"+7\"", "7"),
    Cell(.integer, "\"007\"", "7"), Cell(.integer, "\"\\u0037\"", "7"),
    Cell(.integer, "\"oops\"", "Column.TypeMismatch"),
    Cell(.integer, "\"\"", "Column.TypeMismatch"),
    Cell(.integer, "\"7x\"", "Column.TypeMismatch"),
    Cell(.integer, "\"7 7\"", "Column.TypeMismatch"),
    Cell(.integer, "\"1.5\"", "Column.Inexact"), Cell(.tinyint, "\"300\"", "Column.OutOfRange"),
    Cell(.decimal(precision: 5, scale: 2), "\"1.5\"", "1.50"),
    Cell(.double, "\"2.5\"", "2.5"), Cell(.double, "\".5\"", "0.5"), Cell(.double, "\"5.\"", "5.0"),
    Cell(.double, "\"1e3\"", "1000.0"), Cell(.double, "\".\"", "Column.TypeMismatch"),
    Cell(.double, "\"NaN\"", "Column.TypeMismatch"),
    Cell(.double, "\"Infinity\"", "Column.TypeMismatch"),
    Cell(.double, "\"0x10\"", "Column.TypeMismatch"),
    Cell(.double, "\"1e400\"", "Column.OutOfRange"),
    Cell(.real, "\"0.1\"", "0.1"), Cell(.double, "\"1e\"", "Column.TypeMismatch"),
    Cell(.boolean, "\"TRUE\"", "true"), Cell(.boolean, "\"true\"", "true"),
    Cell(.boolean, "\"yes\"", "false"), Cell(.boolean, "\"\"", "false"),
    Cell(.boolean, "\"\\u0074rue\"", "true"), Cell(.boolean, "\"true \"", "false"),
    Cell(.varchar(4), "\"abcdefgh\"", "\"abcd\""), Cell(.varchar(4), "\"\"", "\"\""),
    Cell(.varchar(4), "\"abcé\"", "\"abc\""), Cell(.varchar(5), "\"abcé\"", "\"abcé\""),
    Cell(.varchar(3), "\"😀\"", "\"\""), Cell(.varchar(4), "\"\\ud83d\\ude00\"", "\"😀\""),
    Cell(.varchar(9), "\"a\\n\\u0000\\/\\\"\"", "\"a\\n\\u0000/\\\"\""),
    Cell(.char(4), "\"ab\"", "\"ab  \""), Cell(.char(4), "\"abcdef\"", "\"abcd\""),
    Cell(.timestamp, "\"2024-03-05 01:02:03.4\"", "\"2024-03-05 01:02:03.400\""),
    Cell(.timestamp, "\"2024-03-05 01:02:03\"", "\"2024-03-05 01:02:03.000\""),
    Cell(.timestamp, "\"2024-03-05\"", "\"2024-03-05 00:00:00.000\""),
    Cell(.timestamp, "\"2024-03-05 01:02:03.123456789\"", "\"2024-03-05 01:02:03.123\""),
    Cell(.timestamp, "\"1969-12-31 23:59:59.999\"", "\"1969-12-31 23:59:59.999\""),
    Cell(.timestamp, "\"2024-02-30\"", "Column.TypeMismatch"),
    Cell(.timestamp, "\"2023-02-29\"", "Column.TypeMismatch"),
    Cell(.timestamp, "\"2024-03-05 24:00:00\"", "Column.TypeMismatch"),
    Cell(.timestamp, "\"2024-03-05T01:02:03\"", "Column.TypeMismatch"),
    Cell(.timestamp, "\"01:02:03\"", "Column.TypeMismatch"),
    Cell(.timestamp, "\"2024-03-05 01:02\"", "Column.TypeMismatch"),
    Cell(.timestamp, "\"2024-03-05 01:02:03.\"", "Column.TypeMismatch"),
    Cell(.timestamp, "\"yesterday\"", "Column.TypeMismatch"),
    Cell(.timestamp, "\"\"", "Column.TypeMismatch"),
    Cell(.date, "\"2024-03-05\"", "\"2024-03-05\""),
    Cell(.date, "\"2024-03-05 23:59:59\"", "\"2024-03-05\""),
    Cell(.date, "\"23:59:59\"", "Column.TypeMismatch"),
    Cell(.time, "\"23:59:59.5\"", "\"23:59:59.500\""),
    Cell(.time, "\"2024-03-05 23:59:59\"", "\"23:59:59.000\""),
    Cell(.time, "\"2024-03-05\"", "Column.TypeMismatch"),
    Cell(.varbinary(3), "\"X'0a1B'\"", "\"Chs=\""), Cell(.varbinary(3), "\"x''\"", "\"\""),
    Cell(.binary(3), "\"X'01'\"", "\"AQAA\""),
    Cell(.varbinary(1), "\"X'0102'\"", "Column.OutOfRange"),
    Cell(.varbinary(3), "\"0a\"", "Column.TypeMismatch"),
    Cell(.varbinary(3), "\"X'0'\"", "Column.TypeMismatch"),
    Cell(.varbinary(3), "\"X'0g'\"", "Column.TypeMismatch"),
  ]
  @Test(arguments: strings) func string(_ cell: Cell) throws { try Self.check(cell) }

  @Test func cutSourceTextOfContainers() throws {
    try Self.check(Cell(.varchar(4), "[1,2,3]", "\"[1,2\""))
    try Self.check(Cell(.varchar(3), "{\"é\":1}", "\"{\\\"\""))
  }
}
