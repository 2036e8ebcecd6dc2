import Codecs
import Testing

@Suite struct JSONPathTests {
  @Test(arguments: [
    ("$", "$"), ("$.a", "$.a"), ("$.a.b", "$.a.b"), ("$['a b']", "$['a b']"),
    ("$[\"a.b\"].c", "$['a.b'].c"), ("$.arr[0:]", "$.arr[0:]"), ("$.arr[0:].x", "$.arr[0:].x"),
    ("$[0:]", "$[0:]"), (#"$['it\'s']"#, #"$['it\'s']"#), ("$.größe", "$.größe"),
    ("$['']", "$['']"), ("$.a-b", "$.a-b"),
  ])
  func reads(_ text: String, _ printed: String) throws {
    let path = try JSONPath(text)
    #expect(path.description == printed)
    #expect(try JSONPath(path.description) == path)
  }

  @Test(arguments: [
    ("", 0), ("a", 0), ("$a", 1), ("$.", 2), ("$..a", 2), ("$.a[", 4), ("$.a[1]", 4),
    ("$.a[*]", 4), ("$['a", 4), ("$['a'", 5), ("$.a b", 3), ("$.a[0:", 4), ("$[?(@.x)]", 2),
  ])
  func refuses(_ text: String, _ position: Int) {
    let error = #expect(throws: JSONPathError.self) { try JSONPath(text) }
    #expect(error?.position == position, "\(text)")
    #expect(error?.hint.isEmpty == false)
  }
}
