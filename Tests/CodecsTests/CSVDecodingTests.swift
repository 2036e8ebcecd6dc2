import Codecs
import Columns
import Testing

@Suite struct CSVDecodingTests {
  static let schema = Schema([
    ColumnDefinition(name: "L", type: .varchar(16)), ColumnDefinition(name: "F", type: .varchar(4)),
    ColumnDefinition(name: "Q", type: .integer),
  ])

  @Test(arguments: [
    (
      "Smith,Al,3\nJones,Bo,1",
      [#"{"L":"Smith","F":"Al","Q":3}"#, #"{"L":"Jones","F":"Bo","Q":1}"#]
    ),
    ("a,b,3\r\n\r\nc,d,4\r\n", [#"{"L":"a","F":"b","Q":3}"#, #"{"L":"c","F":"d","Q":4}"#]),
    ("Jones,Di,many", ["Column.TypeMismatch@9 Q"]),
    ("a,b,1\nJones,Di,many", ["Column.TypeMismatch@15 Q"]),
    ("a", [#"{"L":"a","F":null,"Q":null}"#]), ("a,b,1,extra,\"x\"", [#"{"L":"a","F":"b","Q":1}"#]),
    (",,", [#"{"L":null,"F":null,"Q":null}"#]), ("\"\",,7", [#"{"L":"","F":null,"Q":7}"#]),
    ("\"a,\"\"b\"\"\nc\",x,\"5\"", [#"{"L":"a,\"b\"\nc","F":"x","Q":5}"#]),
    ("a\"b,c\"d,1", [#"{"L":"a\"b","F":"c\"d","Q":1}"#]),
    ("abcdefghijklmnopqrst,toolong,1", [#"{"L":"abcdefghijklmnop","F":"tool","Q":1}"#]),
    ("a,b, 7 ", [#"{"L":"a","F":"b","Q":7}"#]), ("a,b,1.5", ["Column.Inexact@4 Q"]),
    ("\"a", ["Csv.Malformed@0"]), ("x,\"a\"b,1", ["Csv.Malformed@5"]),
    ("a,b,1,\"x", ["Csv.Malformed@6"]),
    ("", ["Record.Empty@0"]), ("\n\r\n", ["Record.Empty@0"]),
    (
      "\"a\",\"b\",\"1\"\r\n\"c\"\r\n",
      [#"{"L":"a","F":"b","Q":1}"#, #"{"L":"c","F":null,"Q":null}"#]
    ),
  ])
  func lines(_ record: String, _ rows: [String]) throws {
    var harness = try Harness(Self.schema, .csv(CSVFormat()))
    #expect(harness.rows(of: record) == rows)
  }

  @Test func otherDelimiters() throws {
    var tabs = try Harness(
      Self.schema, .csv(CSVFormat(columnDelimiter: "\t", rowDelimiter: "||", quote: nil)))
    #expect(
      tabs.rows(of: "\"a\tb\t1||c|\td\t2||")
        == [#"{"L":"\"a","F":"b","Q":1}"#, #"{"L":"c|","F":"d","Q":2}"#])
    var pairs = try Harness(Self.schema, .csv(CSVFormat(columnDelimiter: "::")))
    #expect(pairs.rows(of: "a:b::c::1") == [#"{"L":"a:b","F":"c","Q":1}"#])
  }

  @Test func invalidUTF8() throws {
    var harness = try Harness(Self.schema, .csv(CSVFormat()))
    #expect(
      harness.rows(of: Array("a,b,1,".utf8) + [0xC3, 0x28]) == ["Record.InvalidUTF8@6"])
  }

  @Test(arguments: [
    CSVFormat(columnDelimiter: ""), CSVFormat(rowDelimiter: ""), CSVFormat(columnDelimiter: "\n"),
    CSVFormat(quote: ","), CSVFormat(quote: "é"),
  ])
  func refusesFormats(_ format: CSVFormat) {
    #expect(throws: MappingError.self) {
      _ = try RecordDecoder(schema: Self.schema, format: .csv(format))
    }
  }
}
