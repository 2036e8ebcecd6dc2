import Codecs
import Columns
import Testing

/// Nested paths, flattened arrays and row paths.
@Suite struct JSONArrayTests {
  @Test(arguments: [
    (
      #"{"name":"Ann","address":{"city":"Oslo"},"orders":[{"id":"1"},{"id":"2"},{"o":3}],"tags":["x","y"]}"#,
      [
        #"{"WHO":"Ann","CITY":"Oslo","OID":"1","TAGS":"[\"x\",\"y\"]"}"#,
        #"{"WHO":"Ann","CITY":"Oslo","OID":"2","TAGS":"[\"x\",\"y\"]"}"#,
        #"{"WHO":"Ann","CITY":"Oslo","OID":null,"TAGS":"[\"x\",\"y\"]"}"#,
      ]
    ),
    (
      #"{"name":"Bob","orders":[],"tags":[]}"#,
      [#"{"WHO":"Bob","CITY":null,"OID":null,"TAGS":"[]"}"#]
    ),
    // What is not on the path is missing, not wrong.
    (
      #"{"address":5,"orders":{"id":1},"name":"C"}"#,
      [#"{"WHO":"C","CITY":null,"OID":null,"TAGS":null}"#]
    ),
    (
      #"{"orders":[1,null,[],{"id":true}]}"#,
      [
        #"{"WHO":null,"CITY":null,"OID":null,"TAGS":null}"#,
        #"{"WHO":null,"CITY":null,"OID":null,"TAGS":null}"#,
        #"{"WHO":null,"CITY":null,"OID":null,"TAGS":null}"#,
        #"{"WHO":null,"CITY":null,"OID":"true","TAGS":null}"#,
      ]
    ),
    // The last of repeated members wins as a whole.
    (
      #"{"address":{"city":"Oslo"},"address":{"zip":1}}"#,
      [#"{"WHO":null,"CITY":null,"OID":null,"TAGS":null}"#]
    ),
    (
      #"{"orders":[{"id":1},{"id":2}],"orders":[{"x":1}],"name":"D"}"#,
      [#"{"WHO":"D","CITY":null,"OID":null,"TAGS":null}"#]
    ),
    (
      #"{"orders":[{"id":1},{"id":2}],"name":"D","orders":7}"#,
      [#"{"WHO":"D","CITY":null,"OID":null,"TAGS":null}"#]
    ),
    (
      #"{"orders":[{"id":1,"id":4}]} {"name":"E"}"#,
      [
        #"{"WHO":null,"CITY":null,"OID":"4","TAGS":null}"#,
        #"{"WHO":"E","CITY":null,"OID":null,"TAGS":null}"#,
      ]
    ),
    (#"{"orders":[{"id":1}"#, ["Json.Malformed@19"]),
  ])
  func flattens(_ record: String, _ rows: [String]) throws {
    var harness = try Harness.json([
      ("WHO", .varchar(16), "$.name"), ("CITY", .varchar(16), "$.address.city"),
      ("OID", .varchar(8), "$.orders[0:].id"), ("TAGS", .varchar(64), "$.tags[0:]"),
    ])
    #expect(harness.rows(of: record) == rows)
    #expect(harness.rows(of: record) == rows)
  }

  @Test func wholeAndParts() throws {
    var harness = try Harness.json([
      ("ROW", .varchar(99), "$"), ("O", .varchar(99), "$.o"), ("L", .varchar(99), "$.o.l[0:]"),
      ("X", .integer, "$.o.l[0:].x"), ("E", .varchar(9), "$.o.l[0:]['y z']"), ("N", .double, "$.n"),
      ("T", .varchar(9), "$.n"),
    ])
    let record = #"{"o":{"l":[{"x":1},{"y z":"é"}]},"n":1.50}"#
    let quoted = { (text: String) in "\"" + text.replacing("\"", with: "\\\"") + "\"" }
    let common =
      "{\"ROW\":\(quoted(record)),\"O\":\(quoted(#"{"l":[{"x":1},{"y z":"é"}]}"#)),"
      + "\"L\":\(quoted(#"[{"x":1},{"y z":"é"}]"#))"
    #expect(
      harness.rows(of: record) == [
        common + #","X":1,"E":null,"N":1.5,"T":"1.50"}"#,
        common + #","X":null,"E":"é","N":1.5,"T":"1.50"}"#,
      ])
    #expect(harness.rows(of: #"{"o":{"l":[{"x":1},{"x":"a"}]}}"#) == ["Column.TypeMismatch@24 X"])
  }

  @Test func mappedScalarsOfAnArray() throws {
    var harness = try Harness.json([("A", .varchar(9), "$.a"), ("N", .integer, "$.list[0:].n")])
    #expect(
      harness.rows(of: #"{"list":[{"n":1},{"n":2}],"a":"x"}"#)
        == [#"{"A":"x","N":1}"#, #"{"A":"x","N":2}"#])
  }

  @Test(arguments: [
    ("$.d", #"{"d":{"a":1},"x":2}"#, [#"{"A":1}"#]),
    ("$.d", #"{"x":{"d":1},"d":{"a":1}}{"d":{}}"#, [#"{"A":1}"#, #"{"A":null}"#]),
    ("$.d", #"{"d":{"a":1},"d":{"a":2}}"#, [#"{"A":2}"#]),
    ("$.d", #"{"d":5,"d":{"a":2}}"#, [#"{"A":2}"#]),
    ("$.d", #"{"d":{"a":2},"d":5}"#, ["Json.RowNotObject@17"]),
    ("$.d", #"{"e":1}"#, ["Json.RowMissing@0"]), ("$.d", "{}", ["Json.RowMissing@0"]),
    ("$.d", "[]", ["Json.RowMissing@0"]), ("$.d", "{\"d\":1", ["Json.Malformed@6"]),
    ("$.d.e", #"{"d":{"e":{"a":3}}}"#, [#"{"A":3}"#]),
    ("$[0:]", #"[{"a":1},{"a":2}]"#, [#"{"A":1}"#, #"{"A":2}"#]),
    ("$[0:]", "[]", []), ("$[0:]", "[1]", ["Json.RowNotObject@1"]),
    ("$[0:]", "{\"a\":1}", ["Json.RowMissing@0"]),
    ("$.d[0:]", #"{"d":[{"a":1},{}],"n":1}"#, [#"{"A":1}"#, #"{"A":null}"#]),
    ("$.d[0:]", #"{"d":[{"a":1},{}],"d":[{"a":3}]}"#, [#"{"A":3}"#]),
    ("$['d e'][0:]", #"{"d e":[{"a":1}]}"#, [#"{"A":1}"#]),
  ])
  func rowPath(_ path: String, _ record: String, _ rows: [String]) throws {
    var harness = try Harness.json([("A", .integer, "$.a")], rowPath: path)
    #expect(harness.rows(of: record) == rows)
  }

  @Test func deepPathsCountAgainstTheLimit() throws {
    var harness = try Harness.json([("A", .integer, "$.a.b.c")], rowPath: "$.r")
    let deep = String(repeating: "[", count: 511) + String(repeating: "]", count: 511)
    #expect(harness.rows(of: "{\"x\":\(deep),\"r\":{}}") == ["{\"A\":null}"])
    #expect(harness.rows(of: "{\"r\":{\"x\":\(deep)}}") == ["Json.DepthExceeded@520"])
  }

  @Test(arguments: [
    (["$.a[0:].x", "$.b[0:].x"], "$"), (["$.a[0:].b[0:].x"], "$"), (["$.a[0:].x"], "$[0:]"),
    (["$.a"], "$.x[0:].y"), (["$.a", "$.b"], "$.x"),
  ])
  func refusesMappings(_ paths: [String], _ rowPath: String) throws {
    let columns =
      rowPath == "$.x" ? 1 : paths.count
    let schema = Schema((0..<columns).map { ColumnDefinition(name: "C\($0)", type: .integer) })
    let format = RecordFormat.json(
      rowPath: try JSONPath(rowPath), paths: try paths.map { try JSONPath($0) })
    #expect(throws: MappingError.self) {
      _ = try RecordDecoder(schema: schema, format: format)
    }
  }

  @Test func metadataColumnsAreLeftToTheCaller() throws {
    let schema = Schema([
      ColumnDefinition(name: "A", type: .integer),
      ColumnDefinition(name: "PARTITION_KEY", type: .varchar(9), role: .metadata),
    ])
    var decoder = try RecordDecoder(
      schema: schema, format: .json(rowPath: .root, paths: [JSONPath("$.a")]))
    var pool = StringPool()
    var batch = Batch(schema: schema)
    let record = Array("{\"a\":1}".utf8)
    #expect(decoder.decode(record.span, pool: &pool) == .rows(1))
    decoder.moveRows(to: &batch)
    #expect(batch.columns.map(\.count) == [1, 0])
    var encoder = JSONLinesEncoder(schema: schema)
    batch.columns[1].append(pool.intern("k"))
    batch.rowtimes.append(0)
    batch.causes.append(0)
    var bytes: [UInt8] = []
    encoder.load(batch)
    encoder.append(row: 0, pool: pool, to: &bytes)
    #expect(String(decoding: bytes, as: UTF8.self) == "{\"A\":1}\n")
  }
}
