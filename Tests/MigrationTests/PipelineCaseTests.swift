import Foundation
import SQLCases
import Testing

/// The cases of the repository's own pipelines.
enum PipelineCases {
  static let folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("pipelines/tests", isDirectory: true)

  static let all = SQLCase.find(in: folder)
}

@Suite struct PipelineCaseTests {
  @Test(
    arguments: [
      "throttled-alerts", "stagger-window", "partial-results", "hotspots", "anomaly-explanation",
      "error-stream",
    ])
  func everyExampleOfTheOriginalHasACase(_ name: String) {
    #expect(PipelineCases.all.contains { $0.lastPathComponent == name })
  }

  @Test(arguments: PipelineCases.all) func everyCasePassesThreeWays(_ folder: URL) throws {
    let test = try SQLCase(directory: folder)
    let ways: [(name: String, options: SQLSessionOptions)] = [
      ("straight", SQLSessionOptions()),
      ("batch size 1", SQLSessionOptions(batchSize: 1)),
      ("save and restore", SQLSessionOptions(batchSize: 7, savesAndRestores: true)),
    ]
    for (name, options) in ways {
      let differences = try test.run(options)
      #expect(differences.isEmpty, "\(test.name), \(name): \(differences.joined(separator: "\n"))")
    }
  }

  @Test func aPipelineThatIsMissingIsNamed() throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("cutbank-case-\(UUID().uuidString)", isDirectory: true)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: folder) } }
    try Data(#"{"pipeline": "broken.yaml", "check": ["A"]}"#.utf8)
      .write(to: folder.appendingPathComponent("case.json"))
    try Data("name: broken\n".utf8).write(to: folder.appendingPathComponent("broken.yaml"))
    try Data().write(to: folder.appendingPathComponent("input.jsonl"))
    let error = #expect(throws: CaseError.self) { try SQLCase(directory: folder) }
    #expect(error?.description.hasSuffix("broken.yaml: application is missing") == true)
  }
}
