import Foundation
import RimSupport
import Testing

extension SystemTests {
  /// `cutbank sql` and `cutbank test` from outside: formats, exit codes, bad input.
  @Suite(.timeLimit(.minutes(2))) struct SQLCommands {
    private let folder: TemporaryFolder

    init() throws {
      folder = try TemporaryFolder()
      try write("app.sql", Self.program)
      try write("case.json", Self.declaration)
      try write("input.jsonl", Self.input)
    }

    private func write(_ name: String, _ text: String) throws {
      let file = URL(fileURLWithPath: folder.path + "/" + name)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }

    /// What a line of shell prints on standard output and error, `cutbank` being the program.
    private func shell(_ line: String) async throws -> (code: Int32, output: String, error: String)
    {
      try write(
        "line.sh", "cutbank() { '\(Program.cutbank)' \"$@\"; }\n{ \(line) ; } 2>error.txt\n")
      let program = try Program("/bin/sh", ["line.sh"], folder: folder.path)
      let code = await program.exitCode()
      let error = try String(contentsOfFile: folder.path + "/error.txt", encoding: .utf8)
      return (code, program.text, error)
    }

    private static let program = """
      CREATE OR REPLACE STREAM "Out" ("d" DOUBLE, r REAL, c DECIMAL(10,2), b VARBINARY(4),
        f BINARY(3), t TIMESTAMP, dt DATE, tm TIME, o BOOLEAN, n BIGINT, s VARCHAR(20), k CHAR(3));
      CREATE OR REPLACE PUMP p AS INSERT INTO "Out"
      SELECT STREAM D, D, C, B, B, T, DT, TM, O, N, S, S FROM I WHERE 10 / N > 0;
      """
    private static let declaration = """
      {"sources": {"I": {"columns": [["D","DOUBLE"],["C","DECIMAL(10,2)"],["B","VARBINARY(4)"],
        ["T","TIMESTAMP"],["DT","DATE"],["TM","TIME"],["O","BOOLEAN"],["N","BIGINT"],
        ["S","VARCHAR(20)"]]}}, "check": ["Out"], "order": "rowtime", "columns": "subset"}
      """
    private static let input = #"""
      {"stream":"I","rowtime":"2024-03-05 10:00:00","D":0.1,"C":2.5,"B":"QUI=","T":"2024-01-02",
      """#.replacing("\n", with: "") + #"""
        "DT":"2024-01-03","TM":"01:02:03","O":true,"N":1,"S":"é\"\u0001"}
        {"stream":"I","rowtime":"2024-03-05 10:00:01.5","D":1e22,"C":-0.05,"N":2}

        {"stream":"I","rowtime":"2024-03-05 10:00:02","N":0,"S":"x"}
        """#

    @Test func rowsComeOutInOrderWithTheirFormats() async throws {
      let run = try await shell("cutbank sql app.sql --case case.json --input input.jsonl")
      #expect(run.code == 0 && run.error == "", "\(run.error)")
      let lines = run.output.split(separator: "\n").map(String.init)
      try #require(lines.count == 6, "\(run.output)")
      #expect(
        lines.map { $0.prefix(18) } == [
          #"{"stream":"I","row"#, #"{"stream":"Out","r"#, #"{"stream":"I","row"#,
          #"{"stream":"Out","r"#, #"{"stream":"I","row"#, #"{"stream":"error_s"#,
        ])
      #expect(
        lines[1]
          == #"{"stream":"Out","rowtime":"2024-03-05 10:00:00.000","d":0.1,"R":0.1,"C":2.50,"#
          + #""B":"QUI=","F":"QUIA","T":"2024-01-02 00:00:00.000","DT":"2024-01-03","#
          + #""TM":"01:02:03.000","O":true,"N":1,"S":"é\"\u0001","K":"é\"\u0001"}"#)
      #expect(
        lines[3] == #"{"stream":"Out","rowtime":"2024-03-05 10:00:01.500","d":1e+22,"R":1e+22,"#
          + #""C":-0.05,"B":null,"F":null,"T":null,"DT":null,"TM":null,"O":null,"N":2,"S":null,"#
          + #""K":null}"#)
      #expect(lines[5].contains(#""ERROR_NAME":"DIVISION_BY_ZERO""#))
      #expect(lines[5].contains(#""PUMP_NAME":"P","DATA_ROW_TEXT":"{\"D\":null"#), "\(lines[5])")
    }

    @Test(
      arguments: [
        "--input - <input.jsonl", "--input input.jsonl --batch-size 1",
        "--input input.jsonl --batch-size 2 --save-restore", "--input input.jsonl --seed 7",
        "--input input.jsonl --extensions",
      ])
    func theOutputDoesNotDependOn(_ options: String) async throws {
      let straight = try await shell("cutbank sql app.sql --case case.json --input input.jsonl")
      let other = try await shell("cutbank sql app.sql --case case.json \(options)")
      #expect(other.code == 0 && other.output == straight.output, "\(other)")
    }

    @Test func aRefusedProgramLeavesStandardOutputEmpty() async throws {
      try write("bad.sql", "CREATE STREAM a (x STRIG, y WIBBLE);\nCREATE PUMP p AS INSERT INTO b\n")
      let run = try await shell("cutbank sql bad.sql --case case.json --input input.jsonl")
      #expect(run.code == 78 && run.output == "")
      for part in ["bad.sql:1:20: error: unknown type 'STRIG'", "bad.sql:1:29: error:", "hint:"] {
        #expect(run.error.contains(part), "\(run.error)")
      }
      let extended =
        "CREATE STREAM o (n BIGINT); CREATE PUMP p AS INSERT INTO o SELECT STREAM "
        + "MEDIAN(d) FROM i GROUP BY FLOOR(i.ROWTIME TO MINUTE);"
      try write("extended.sql", extended)
      let plain = try await shell("cutbank sql extended.sql --case case.json --input input.jsonl")
      #expect(plain.code == 78 && plain.error.contains("extensions"), "\(plain.error)")
      let allowed = try await shell(
        "cutbank sql extended.sql --case case.json --input input.jsonl --extensions")
      #expect(allowed.code == 0, "\(allowed.error)")
    }

    private static let badLines: [(line: String, message: String)] = [
      ("nonsense", "not JSON"), ("[1]", "no 'stream'"),
      (#"{"stream":"X"}"#, "no source stream 'X'"),
      (#"{"stream":"I"}"#, "'rowtime' is not a time"),
      (#"{"stream":"I","rowtime":"2024-13-01 00:00:00"}"#, "'rowtime' is not a time"),
      (#"{"bound":5}"#, "'bound' is not a time"),
      (#"{"stream":"I","rowtime":"2024-03-05 10:00:09","raw":"{}"}"#, "no format for raw"),
      (#"{"stream":"I","rowtime":"2024-03-05 10:00:09","raw":5}"#, "'raw' is no text"),
    ]

    @Test(arguments: badLines)
    func aBadLineIsNamed(_ bad: (line: String, message: String)) async throws {
      try write("bad.jsonl", Self.input + "\n" + bad.line + "\n" + Self.input)
      let run = try await shell("cutbank sql app.sql --case case.json --input bad.jsonl")
      #expect(run.code == 1)
      #expect(run.error.hasPrefix("error: bad.jsonl:5: "), "\(run.error)")
      #expect(run.error.contains(bad.message), "\(run.error)")
      // What came before it is there, wherever batches are cut.
      #expect(run.output.split(separator: "\n").count == 6, "\(run.output)")
    }

    private static let badUses: [(line: String, code: Int32, message: String)] = [
      ("sql app.sql --case no.json --input input.jsonl", 1, "no.json cannot be read"),
      ("sql no.sql --case case.json --input input.jsonl", 1, "no.sql cannot be read"),
      ("sql app.sql --case case.json --input no.jsonl", 1, "no.jsonl cannot be read"),
      ("sql app.sql --case case.json --input .", 1, ". is a folder"),
      ("sql app.sql --case case.json", 64, "--input"),
      ("sql app.sql --case case.json --input input.jsonl --batch-size 0", 64, "positive"),
      ("sql app.sql --case empty.json --input input.jsonl", 78, "'sources' is missing"),
      ("sql app.sql --case broken.json --input input.jsonl", 78, "broken.json: expected"),
      ("sql app.sql --case types.json --input input.jsonl", 78, "column B: 'FOO' is not a column"),
      ("sql app.sql --case types.json --input input.jsonl", 78, "'$[' cannot be read"),
      ("test nowhere", 64, "there is no case in nowhere"), ("test", 64, "directories"),
    ]

    @Test(arguments: badUses)
    func aBadUseIsExplained(_ use: (line: String, code: Int32, message: String)) async throws {
      try write("empty.json", "{}")
      try write("broken.json", "{\"sources\":")
      try write(
        "types.json",
        #"{"sources":{"I":{"format":"json","columns":[["A","INTEGER","$["],["B","FOO"]]}}}"#)
      let run = try await shell("cutbank \(use.line)")
      #expect(run.code == use.code && run.output == "", "\(run)")
      #expect(run.error.contains(use.message), "\(run.error)")
    }

    @Test func anUnknownColumnIsSaidOnce() async throws {
      let row = #"{"stream":"I","rowtime":"2024-03-05 10:00:00","X":1,"SHARD_ID":"0"}"#
      try write("odd.jsonl", row + "\n" + row + "\n")
      let run = try await shell("cutbank sql app.sql --case case.json --input odd.jsonl")
      #expect(run.code == 0)
      #expect(
        run.error == "odd.jsonl:1: warning: source 'I' has no column 'X'; it is ignored\n",
        "\(run.error)")
    }

    @Test func casesAreCountedAndDifferencesShown() async throws {
      let row = #"{"stream":"Out","rowtime":"2024-03-05 10:00:00.000","d":0.1}"#
      let other = #"{"stream":"Out","rowtime":"2024-03-05 10:00:01.500","C":-0.05}"#
      for (name, expected) in [("good", row + "\n" + other), ("bad", row + "\n" + row)] {
        try write("cases/\(name)/app.sql", Self.program)
        try write("cases/\(name)/case.json", Self.declaration)
        try write("cases/\(name)/input.jsonl", Self.input)
        try write("cases/\(name)/expected.jsonl", expected)
      }
      let good = try await shell("cutbank test cases/good")
      #expect(good.code == 0 && good.output == "1 passed, 0 failed", "\(good)")
      let both = try await shell("cutbank test cases")
      #expect(both.code == 1)
      let lines = both.output.split(separator: "\n").map(String.init)
      #expect(lines.last == "1 passed, 1 failed")
      #expect(lines.first?.hasSuffix("cases/bad") == true)
      #expect(both.output.contains("missing {\"stream\": \"Out\""), "\(both.output)")
      try write("cases/lost/app.sql", "CREATE")
      let lost = try await shell("cutbank test cases/lost")
      #expect(lost.code == 1 && lost.output.contains("case.json cannot be read"), "\(lost)")
    }

    @Test func aCaseThatChecksNothingFails() async throws {
      let declaration = Self.declaration.replacing(#""check": ["Out"], "#, with: "")
      for (text, message) in [
        (declaration, "checks nothing"),
        (Self.declaration.replacing("\"rowtime\",", with: "\"sorted\","), "'order' is rowtime"),
      ] {
        try write("odd/app.sql", Self.program)
        try write("odd/case.json", text)
        try write("odd/input.jsonl", Self.input)
        let run = try await shell("cutbank test odd")
        #expect(run.code == 1 && run.output.contains(message), "\(run)")
      }
    }
  }
}
