import Foundation
import Testing

/// Keeps the rules of the code base that neither compiler nor formatter checks.
@Suite struct TidyTests {
  @Test func sourcesAreTidy() throws {
    let files = try Repository.swiftFiles()
    #expect(files.count > 20, "the sources were not found")
    let violations = files.flatMap(Rules.violations)
    #expect(violations.isEmpty, "\n\(violations.map(\.description).joined(separator: "\n"))")
  }

  @Test func noFileNamesAPlaceOnOneMachine() throws {
    // Put together here, so that this file does not name them.
    let places = ["work", "root", "home"].map { "/" + $0 + "/" } + ["/opt/" + "swift"]
    let violations = try Repository.textFiles().flatMap { file in
      file.lines.enumerated().compactMap { index, line -> Violation? in
        guard let place = places.first(where: { line.containsPath($0) }) else { return nil }
        return Violation(
          path: file.path, line: index + 1, message: "'\(place)' is a path of one machine")
      }
    }
    #expect(violations.isEmpty, "\n\(violations.map(\.description).joined(separator: "\n"))")
  }

  struct Case: Sendable, CustomStringConvertible {
    var path = "Sources/Columns/Sample.swift"
    let text: String
    let expect: [String]

    var description: String { "\(path): \(text.prefix(40).debugDescription)" }
  }

  static let cases: [Case] = [
    Case(text: "import Foundation\n", expect: ["1: Columns must not import Foundation"]),
    Case(
      path: "Sources/Dataflow/Sample.swift", text: "public import Codecs\n",
      expect: ["1: Dataflow must not import Codecs"]),
    Case(path: "Sources/Engine/Sample.swift", text: "import Foundation\n", expect: []),
    Case(
      path: "Sources/Delivery/Sample.swift", text: "\nimport struct Kafka.Record\n",
      expect: ["2: Delivery must not import Kafka"]),
    Case(
      path: "Sources/Elsewhere/Sample.swift", text: "",
      expect: ["1: target 'Elsewhere' is not in the import table: add it with its arrows"]),
    Case(
      text: "let a = await b()\n",
      expect: ["1: 'await': the core is synchronous; what waits belongs to the rim"]),
    Case(text: "// await Task Mutex\nlet awaited = \"await \\(1) Date()\"\n", expect: []),
    Case(
      text: "let a = \"\\(Date())\"\n", expect: ["1: 'Date': time is data: use EventTime"]),
    Case(text: "let updated = Updated()\nstruct DatePattern {}\n", expect: []),
    Case(
      path: "Sources/Engine/Sample.swift", text: "let a = try! b()\nfatalError(\"no\")\n",
      expect: [
        "1: 'try!': handle the error or let it rise",
        "2: 'fatalError(': throw an error, or use preconditionFailure for a programmer's mistake",
      ]),
    Case(
      path: "Sources/Engine/Sample.swift", text: "// TO" + "DO later\n",
      expect: ["1: 'TO" + "DO': write an issue, or do it"]),
    Case(
      path: "Sources/Engine/Sample.swift", text: "withUnsafeBytes(of: a) { _ in }\n",
      expect: ["1: unsafe pointers stand only in Kafka and in files named *+Unsafe.swift"]),
    Case(path: "Sources/Engine/Sample+Unsafe.swift", text: "withUnsafeBytes {}\n", expect: []),
    Case(
      path: "Sources/Engine/Sample.swift", text: "final class A: @unchecked Sendable {}\n",
      expect: ["1: '@unchecked Sendable': only in Kafka; use value types or a Mutex"]),
    Case(path: "Sources/Kafka/Sample.swift", text: "class A: @unchecked Sendable {}\n", expect: []),
    Case(
      text: "protocol P { func short() }\nfunc long() {\n"
        + String(repeating: "  a(\"}\") // }\n", count: 59) + "}\n",
      expect: ["2: 'long' has 61 lines, at most 60: split it"]),
    Case(
      text: "struct A {\n  func fits() {\n" + String(repeating: "    a { b }\n", count: 58)
        + "  }\n}\n", expect: []),
    Case(
      text: String(repeating: "let a = 1\n", count: 501),
      expect: ["501: 501 lines, at most 500: split it by idea"]),
  ]

  @Test(arguments: cases) func aRuleFindsWhatBreaksIt(_ test: Case) {
    let found = Rules.violations(in: SourceFile(path: test.path, text: test.text))
    #expect(found.map { "\($0.line): \($0.message)" } == test.expect)
  }
}

extension String {
  /// Whether an absolute path starts with `prefix` somewhere in the text; a relative path or an
  /// address that goes on with the same folder name does not count.
  fileprivate func containsPath(_ prefix: String) -> Bool {
    var rest = self[...]
    while let range = rest.range(of: prefix) {
      let before = range.lowerBound == startIndex ? " " : self[index(before: range.lowerBound)]
      if !before.isLetter, !before.isNumber, !"._-}/".contains(before) { return true }
      rest = rest[range.upperBound...]
    }
    return false
  }
}

/// The files of the working copy that this test was built from.
private enum Repository {
  static let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
    .deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  static func swiftFiles() throws -> [SourceFile] {
    try files(below: ["Sources", "Tests", "Benchmarks"]) { $0.hasSuffix(".swift") }
  }

  static func textFiles() throws -> [SourceFile] {
    let suffixes = [".swift", ".md", ".yaml", ".yml", ".sql", ".h", ".c", ".json"]
    let alone = ["README.md", "CHANGELOG.md", "SECURITY.md", "Makefile", ".ci/run"]
    return try files(below: ["Sources", "Tests", "Benchmarks", "docs", "pipelines"]) { name in
      suffixes.contains { name.hasSuffix($0) }
    } + alone.map(file)
  }

  private static func file(_ path: String) throws -> SourceFile {
    let data = try Data(contentsOf: root.appendingPathComponent(path))
    return SourceFile(path: path, text: String(decoding: data, as: UTF8.self))
  }

  private static func files(
    below folders: [String], where isWanted: (String) -> Bool
  ) throws -> [SourceFile] {
    try folders.flatMap { folder -> [SourceFile] in
      let paths =
        FileManager.default.enumerator(
          atPath: root.appendingPathComponent(folder).path)?.compactMap { $0 as? String } ?? []
      return try paths.filter { isWanted($0) && !$0.contains(".build/") }.sorted()
        .map { try file(folder + "/" + $0) }
    }
  }
}
