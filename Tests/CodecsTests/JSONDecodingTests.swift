import Codecs
import Columns
import Testing

@Suite struct JSONDecodingTests {
  @Test(arguments: [
    (#"{"a":1,"b":2}"#, [#"{"A":1,"B":2}"#]),
    (#"{"b":2,"a":1}"#, [#"{"A":1,"B":2}"#]),
    (" \t\r\n{ \"a\" : 1 , \"b\" :\n2 } ", [#"{"A":1,"B":2}"#]),
    (#"{"a":1,"x":{"a":9,"b":[{}]},"b":2}"#, [#"{"A":1,"B":2}"#]),
    (#"{"\u0061":1,"b":2}"#, [#"{"A":1,"B":2}"#]),
    ("{}", [#"{"A":null,"B":null}"#]),
    // Of duplicate names the last wins, its failures too.
    (#"{"a":1,"a":2}"#, [#"{"A":2,"B":null}"#]),
    (#"{"a":1,"a":null}"#, [#"{"A":null,"B":null}"#]),
    (#"{"a":"oops","a":3}"#, [#"{"A":3,"B":null}"#]),
    (#"{"a":3,"a":"oops"}"#, ["Column.TypeMismatch@11 A"]),
    (#"{"b":1e40,"a":"oops"}"#, ["Column.OutOfRange@5 B"]),
    // Several documents.
    ("{\"a\":1}{\"a\":2}", [#"{"A":1,"B":null}"#, #"{"A":2,"B":null}"#]),
    ("{\"a\":1}\n{\"a\":2}\n", [#"{"A":1,"B":null}"#, #"{"A":2,"B":null}"#]),
    ("{\"a\":1}\n{\"a\":\"x\"}\n", ["Column.TypeMismatch@13 A"]),
    ("{\"a\":1} x", ["Json.Malformed@8"]), ("{\"a\":1},", ["Json.Malformed@7"]),
    // What is no row.
    ("", ["Record.Empty@0"]), (" \n", ["Record.Empty@0"]), ("5", ["Json.RowNotObject@0"]),
    ("\"a\"", ["Json.RowNotObject@0"]), ("null", ["Json.RowNotObject@0"]),
    ("[{\"a\":1}]", ["Json.RowNotObject@0"]), ("not json", ["Json.Malformed@0"]),
  ])
  func flat(_ record: String, _ rows: [String]) throws {
    var harness = try Harness.json([("A", .integer, "$.a"), ("B", .integer, "$.b")])
    #expect(harness.rows(of: record) == rows)
    // Learned names change nothing.
    #expect(harness.rows(of: record) == rows)
    _ = harness.rows(of: #"{"b":2,"a":1,"c":1}"#)
    #expect(harness.rows(of: record) == rows)
  }

  /// RFC 8259, one row per rule; each text is a value inside an unmapped and a mapped member.
  static let valid = [
    "0", "-0", "10", "0.5", "1e5", "1E+5", "1e-5", "-1.25e+10", "1e400", "0.0e0", "true", "false",
    "null", "\"\"", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u00e9\"", "\"\\uD83D\\uDE00\"", "\"é😀\"",
    "\"\u{7F}\"", "[]", "[ ]", "[1]", "[1 , 2]", "{}", "{ }", "{\"\":0}", "{\"a\":{\"b\":[[[]]]}}",
    "\"\u{2028}\"", "\"\\u0000\"", "123456789012345678901234567890", "\"\u{10FFFF}\"",
    "[1,[2,{\"x\":[]}],\"]\"]", "1.000000000000000000000000000000000001",
  ]
  static let malformed = [
    "", "+1", ".5", "5.", "01", "-", "-a", "1e", "1e+", "0x10", "1.e5", "NaN", "Infinity",
    "-Infinity", "nul", "True", "tru", "'a'", "\"", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12G4\"",
    "\"\\uD800\"", "\"\\uDC00\"", "\"\\uD800\\u0041\"", "\"\\uD800x\"", "\"a\nb\"", "\"\u{0}\"",
    "\"\t\"", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{", "{\"a\"", "{\"a\":", "{\"a\":1",
    "{\"a\":1,", "{\"a\":1,}", "{,}", "{a:1}", "{\"a\" 1}", "{1:1}", "[1}", "{\"a\":1]",
    "// comment\n1", "1 // comment", "--1", "1-", "\u{FEFF}1", "[1}", "\u{A0}1", "1\u{0}",
  ]

  @Test(arguments: [("$.v", "member"), ("$.w", "unmapped")])
  func grammar(_ path: String, _ place: String) throws {
    var harness = try Harness.json([("V", .varchar(1_000), path)])
    for text in Self.valid {
      let rows = harness.rows(of: "{\"v\":\(text)}")
      #expect(rows.count == 1 && rows[0].hasPrefix("{"), "\(place) \(text): \(rows)")
    }
    for text in Self.malformed {
      let rows = harness.rows(of: "{\"v\":\(text)}")
      #expect(rows.count == 1 && rows[0].hasPrefix("Json.Malformed@"), "\(place) \(text): \(rows)")
    }
    // Every prefix of a valid record is malformed, or empty, and says where it ends.
    let record = Array(#"{"v":[1,{"x":"é\n\u00e9"},true],"z":-1.5e-3}"#.utf8)
    for length in 0..<record.count {
      let rows = harness.rows(of: Array(record[..<length]))
      let isInCharacter = record[length] & 0xC0 == 0x80
      let code =
        length == 0 ? "Record.Empty" : isInCharacter ? "Record.InvalidUTF8" : "Json.Malformed"
      #expect(rows.count == 1 && rows[0].hasPrefix(code), "\(length): \(rows)")
    }
  }

  @Test func depth() throws {
    for path in ["$.v", "$.w"] {
      var harness = try Harness.json([("V", .varchar(2_000), path)])
      func nested(_ depth: Int, _ open: String, _ close: String) -> String {
        "{\"v\":" + String(repeating: open, count: depth) + "1"
          + String(repeating: close, count: depth) + "}"
      }
      for (open, close) in [("[", "]"), ("{\"v\":", "}")] {
        let deepest = harness.rows(of: nested(511, open, close))
        #expect(deepest.count == 1 && deepest[0].hasPrefix("{"))
        let position = 5 + 511 * open.utf8.count
        for depth in [512, 10_000] {
          #expect(
            harness.rows(of: nested(depth, open, close)) == ["Json.DepthExceeded@\(position)"])
        }
      }
    }
  }

  /// Well-formed sequences at the edges of table 3-7 of the Unicode Standard, and what lies beyond.
  @Test(arguments: ["$.v", "$.w"]) func utf8Everywhere(_ path: String) throws {
    var harness = try Harness.json([("V", .varchar(1_000), path)])
    let good: [[UInt8]] = [
      [0xC2, 0x80], [0xDF, 0xBF], [0xE0, 0xA0, 0x80], [0xED, 0x9F, 0xBF], [0xEE, 0x80, 0x80],
      [0xEF, 0xBF, 0xBF], [0xF0, 0x90, 0x80, 0x80], [0xF4, 0x8F, 0xBF, 0xBF],
    ]
    let bad: [[UInt8]] = [
      [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC2], [0xC2, 0x41], [0xE0, 0x9F, 0xBF],
      [0xE0, 0xA0], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xF0, 0x8F, 0xBF, 0xBF],
      [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xF0, 0x90, 0x80], [0xFE], [0xFF],
    ]
    for padding in 0..<9 {
      let plain = [UInt8](repeating: 0x61, count: padding)
      for (sequences, isGood) in [(good, true), (bad, false)] {
        for sequence in sequences {
          let inValue = Array("{\"v\":\"".utf8) + plain + sequence + plain + Array("\"}".utf8)
          let inName = Array("{\"".utf8) + plain + sequence + Array("\":[\"v\"]}".utf8)
          for (record, position) in [(inValue, 6 + padding), (inName, 2 + padding)] {
            let rows = harness.rows(of: record)
            if isGood {
              #expect(rows.count == 1 && rows[0].hasPrefix("{"), "\(record)")
            } else {
              #expect(rows == ["Record.InvalidUTF8@\(position)"], "\(record)")
            }
          }
        }
      }
    }
    #expect(harness.rows(of: [0x7B, 0x7D, 0xFF]) == ["Json.Malformed@2"])
  }

  @Test func badInputsOfTheMainJob() throws {
    var harness = try Harness.json([("V", .double, "$.v")])
    let huge =
      Array("{\"v\":1,\"x\":\"".utf8) + [UInt8](repeating: 0x61, count: 50_000_000)
      + Array("\"}".utf8)
    #expect(harness.rows(of: huge) == ["Record.TooLarge@16777216"])
    #expect(harness.rows(of: "{\"v\":NaN}") == ["Json.Malformed@5"])
    #expect(harness.rows(of: "{\"v\":1e400}") == ["Column.OutOfRange@5 V"])
    #expect(harness.rows(of: "{\"w\":1e400}") == ["{\"V\":null}"])
    let wide = "{\"v\":1}" + String(repeating: "{}", count: RecordFormat.rowLimit)
    #expect(harness.rows(of: wide) == ["Record.TooManyRows@\(5 + 2 * RecordFormat.rowLimit)"])
    // Nothing of a refused record stays between the rows of its neighbours.
    _ = harness.decode("{\"v\":1}")
    _ = harness.decode("{\"v\":2}{\"v\":\"x\"}")
    _ = harness.decode("{\"v\":3}")
    #expect(harness.takeRows() == ["{\"V\":1.0}", "{\"V\":3.0}"])
  }

  /// What was learned from one record must not change what the next one means.
  @Test func layoutsMayChange() throws {
    var harness = try Harness.json([("A", .integer, "$.a"), ("B", .varchar(9), "$.b")])
    let layouts = [
      #"{"a":1,"b":"x"}"#, #"{"a": 1, "b": "x"}"#, #"{"a":  1 ,"b":  "x" }"#, #"{ "a":1,"b":"x"}"#,
      "{\n  \"a\": 1,\n  \"b\": \"x\"\n}", #"{"b":"x","a":1}"#, #"{"c":[],"a":1,"b":"x"}"#,
      #"{"a":1,"b":"x","c":{}}"#, #"{"a":"1","b":"\u0078"}"#,
    ]
    for first in layouts {
      for second in layouts {
        for record in [first, second] {
          #expect(harness.rows(of: record) == [#"{"A":1,"B":"x"}"#], "\(second) after \(first)")
        }
      }
      #expect(harness.rows(of: #"{"a":,"b":"x"}"#) == ["Json.Malformed@5"])
      #expect(harness.rows(of: #"{"b":"x"{"a":1}"#) == ["Json.Malformed@8"])
      #expect(harness.rows(of: #"{,"a":1}"#) == ["Json.Malformed@1"])
      #expect(harness.rows(of: #"{"a":1,"b":"x""#) == ["Json.Malformed@14"])
    }
  }

  @Test func notNull() throws {
    var harness = try Harness.json(
      [("A", .integer, "$.a"), ("B", .integer, "$.b")], notNull: ["B"])
    #expect(harness.rows(of: "{\"b\":1}") == ["{\"A\":null,\"B\":1}"])
    #expect(harness.rows(of: "{\"a\":1}") == ["Column.Null@7 B"])
    #expect(harness.rows(of: "{\"b\":null}") == ["Column.Null@10 B"])
  }

  @Test func rejectsExplainThemselves() throws {
    var harness = try Harness.json([("A", .integer, "$.a")])
    guard case .rejected(let reject) = harness.decode("{\"a\":123.4}") else {
      Issue.record("accepted")
      return
    }
    #expect(
      reject.description
        == "Column.Inexact: the number has digits that INTEGER cannot hold at byte 5, column A")
  }

  @Test func manyColumnsAndLongNames() throws {
    let names = (0..<150).map { "column_with_a_rather_long_name_\($0)" }
    var harness = try Harness.json(names.map { ($0, .integer, "$.\($0)") })
    let record = "{" + names.enumerated().map { "\"\($1)\":\($0)" }.joined(separator: ",") + "}"
    for _ in 0..<3 { #expect(harness.rows(of: record) == [record]) }
  }
}
