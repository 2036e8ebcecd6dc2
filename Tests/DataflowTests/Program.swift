import SQLCases
import Testing

/// A program over one source stream S, run in every way that must make no difference.
struct Program {
  static let columns = """
    [["ID","INTEGER"],["K","VARCHAR(8)"],["V","DOUBLE"],["N","INTEGER"],["D","DECIMAL(10,2)"],\
    ["T","TIMESTAMP"],["B","BOOLEAN"],["C","CHAR(5)"],["TM","TIME"],["DT","DATE"],["BI","BIGINT"],\
    ["LINE","VARCHAR(200)"]]
    """
  let text: String
  var extensions = false

  /// A program whose only pump feeds stream O.
  init(columns: String, query: String, before: String = "", extensions: Bool = false) {
    text = "\(before) CREATE STREAM O (\(columns)); CREATE PUMP P AS INSERT INTO O \(query);"
    self.extensions = extensions
  }

  init(text: String) { self.text = text }

  func run(_ input: [String], _ options: SQLSessionOptions) throws -> [String] {
    let document = try JSONDocument("{\"sources\":{\"S\":{\"columns\":\(Self.columns)}}}".utf8)
    let session = try SQLSession(
      program: text, file: "test.sql", declaration: CaseDeclaration(document), options: options)
    for line in input { try session.feed(Array(line.utf8)) }
    try session.finish()
    return String(decoding: session.takeOutput(), as: UTF8.self).split(separator: "\n")
      .map(String.init)
  }

  /// The lines of the streams O and error_stream, after all ways gave the same.
  func output(_ input: [String], seed: UInt64 = 0, note: String = "") throws -> [String] {
    var straight = SQLSessionOptions(seed: seed, extensions: extensions)
    let expected = try run(input, straight)
    straight.batchSize = 1
    let single = try run(input, straight)
    #expect(single == expected, "batch size 1 \(note)")
    straight.batchSize = 3
    straight.savesAndRestores = true
    let restored = try run(input, straight)
    #expect(restored == expected, "save and restore \(note)")
    straight.savesAndRestores = false
    straight.compactsPool = true
    let compacted = try run(input, straight)
    #expect(compacted == expected, "compacted pool \(note)")
    return expected.filter { !$0.contains(#""stream":"S""#) }
  }

  /// The values of the rows of O: each line without stream, as `key:value` pairs in order.
  func rows(_ input: [String]) throws -> [String] {
    try output(input).map { line in
      let members = try JSONDocument(line.utf8).members ?? []
      let isError = members.first?.value.text == "error_stream"
      let shown = members.dropFirst().filter {
        !isError || ["ERROR_NAME", "DATA_ROWTIME", "PUMP_NAME"].contains($0.name)
      }
      return shown.map { member in
        let text = member.value.text ?? "\(member.value)"
        return text.hasPrefix("2024-03-05 ") ? String(text.dropFirst(11)) : text
      }.joined(separator: "|")
    }
  }
}

/// Four rows and a bound; the third row holds NULLs.
let fourRows = [
  """
  {"stream":"S","rowtime":"2024-03-05 10:00:00.000","ID":1,"K":"a","V":1.5,"N":10,"D":10.25,\
  "T":"2024-02-29 23:59:59.999","B":true,"C":"ab","TM":"10:11:12","DT":"2024-03-31",\
  "BI":9223372036854775807,"LINE":"<34>Oct 11 22:14:15 mymachine su: failed"}
  """,
  """
  {"stream":"S","rowtime":"2024-03-05 10:00:01.000","ID":2,"K":"b","V":-2.5,"N":3,"D":-0.05,\
  "T":"2024-01-31 00:00:00","B":false,"C":"abcde","TM":"23:59:59.5","DT":"2024-01-01","BI":5,\
  "LINE":"abc  def  123"}
  """,
  """
  {"stream":"S","rowtime":"2024-03-05 10:00:02.000","ID":3,"K":"a"}
  """,
  """
  {"stream":"S","rowtime":"2024-03-05 10:00:12.000","ID":4,"K":"a","V":7.25,"N":-7,"D":3.33,\
  "T":"1969-12-31 23:59:59.500","B":true,"C":"x","TM":"00:00:00","DT":"1969-12-31","BI":-3,\
  "LINE":"a=b"}
  """,
  #"{"bound":"2024-03-05 10:01:00.000"}"#,
]
