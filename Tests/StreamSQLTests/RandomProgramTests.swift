import StreamSQL
import Testing

/// Whatever the text: the compiler answers, and every error has a place in the text.
@Suite struct RandomProgramTests {
  static let words = [
    "CREATE", "OR", "REPLACE", "STREAM", "PUMP", "FUNCTION", "AS", "INSERT", "INTO", "SELECT",
    "FROM",
    "WHERE", "GROUP", "BY", "HAVING", "ORDER", "WINDOW", "OVER", "(", ")", "(", ")", ",", ";", ".",
    "*", "+", "-", "/", "||", "=", "<>", "=>", "AND", "NOT", "IN", "BETWEEN", "LIKE", "IS", "NULL",
    "CASE", "WHEN", "THEN", "END", "CAST", "INTEGER", "VARCHAR", "TIMESTAMP", "'a'", "'1'", "1",
    "2.5", "1e9", "s", "k", "v", "x", "et", "ROWTIME", "\"lower\"", "INTERVAL", "SECOND", "MINUTE",
    "TO", "FLOOR", "STEP", "COUNT", "SUM", "LAG", "PARTITION", "RANGE", "ROWS", "PRECEDING",
    "TABLE",
    "CURSOR", "RANDOM_CUT_FOREST", "UNION", "ALL", "JOIN", "ON", "LEFT", "VALUES", "WINDOWED",
    "STAGGER", "DISTINCT", "SUBSTRING", "TRIM", "EXTRACT", "--", "/*", "*/", "'", "\"", "–", "é",
    "\n",
  ]

  private func check(_ program: String, _ seed: Int) {
    let result = compiled(program)
    let lines = program.split(separator: "\n", omittingEmptySubsequences: false).count
    for finding in result.diagnostics {
      #expect(
        finding.position.line >= 1 && finding.position.line <= lines + 1
          && finding.position.column >= 1 && !finding.message.isEmpty,
        "seed \(seed): \(finding)\n\(program)")
    }
    if result.plan == nil {
      #expect(!result.diagnostics.isEmpty, "seed \(seed): refused without a word\n\(program)")
    }
  }

  @Test(arguments: 0..<8)
  func tokenSoup(_ seed: Int) {
    var generator = TestGenerator(seed: UInt64(seed))
    for _ in 0..<1_500 {
      let start =
        Bool.random(using: &generator)
        ? "CREATE STREAM o (a INTEGER); CREATE PUMP p AS INSERT INTO o SELECT STREAM " : ""
      let count = Int.random(in: 1...40, using: &generator)
      let soup = (0..<count).map { _ in
        Self.words.randomElement(using: &generator) ?? ""
      }
      check(start + soup.joined(separator: " "), seed)
    }
  }

  @Test(arguments: 0..<8)
  func mutatedPrograms(_ seed: Int) throws {
    var generator = TestGenerator(seed: UInt64(1_000 + seed))
    let programs =
      try ConformanceCorpus.cases().map(\.program) + [PlanTests.consoleTemplate]
      + AcceptedTests.queries.map {
        "CREATE STREAM o (a INTEGER);\nCREATE PUMP p AS INSERT INTO o\n\($0.0)"
      }
    for _ in 0..<600 {
      var tokens = (programs.randomElement(using: &generator) ?? "")
        .split(separator: " ", omittingEmptySubsequences: false).map(String.init)
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let place = Int.random(in: 0..<tokens.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: tokens.remove(at: place)
        case 1: tokens.insert(Self.words.randomElement(using: &generator) ?? "", at: place)
        case 2: tokens[place] = String(tokens[place].dropLast())
        default: tokens.swapAt(place, Int.random(in: 0..<tokens.count, using: &generator))
        }
        if tokens.isEmpty { break }
      }
      check(tokens.joined(separator: " "), seed)
    }
  }

  @Test func depthIsLimited() {
    for text in [
      String(repeating: "(", count: 20_000), String(repeating: "NOT ", count: 20_000),
      String(repeating: "- ", count: 20_000) + "1",
      "1" + String(repeating: " + 1", count: 20_000),
      "k" + String(repeating: " || k", count: 20_000),
      String(repeating: "CASE WHEN b THEN ", count: 5_000),
      String(repeating: "ABS(", count: 20_000),
    ] {
      let result = compiled(query: "SELECT STREAM \(text) FROM s", "INTEGER")
      #expect(result.plan == nil)
    }
    let from = String(repeating: "(SELECT * FROM ", count: 5_000)
    #expect(compiled(query: "SELECT STREAM v FROM \(from)", "INTEGER").plan == nil)
    let wide = compiled(
      query: "SELECT STREAM v FROM s WHERE "
        + (0..<5_000).map { "v = \($0)" }.joined(separator: " OR "),
      "INTEGER")
    #expect(wide.plan != nil)
  }
}
