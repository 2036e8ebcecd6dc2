import Foundation
import SQLCases
import Testing

/// The conformance corpus of the workspace, where it is there.
enum Corpus {
  /// `CUTBANK_SHARED`, or a folder `shared` beside a folder above this file.
  static let shared: URL? = {
    if let path = ProcessInfo.processInfo.environment["CUTBANK_SHARED"] {
      return URL(fileURLWithPath: path)
    }
    var folder = URL(fileURLWithPath: #filePath)
    while folder.path != "/" {
      folder.deleteLastPathComponent()
      let shared = folder.appendingPathComponent("shared")
      let cases = shared.appendingPathComponent("conformance/sql/cases").path
      if FileManager.default.fileExists(atPath: cases) { return shared }
    }
    return nil
  }()

  static let cases: [URL] = {
    guard let shared else {
      print("skipped: the conformance corpus ../shared/conformance/sql is not here")
      return []
    }
    let folder = shared.appendingPathComponent("conformance/sql/cases")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.sorted().map { folder.appendingPathComponent($0) }
  }()

  /// The repository's own cases: corners of the language that the corpus leaves out.
  static let ownCases = SQLCase.find(
    in: URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Cases", isDirectory: true))
}

@Suite struct ConformanceTests {
  @Test func theRepositoryHasItsCases() { #expect(Corpus.ownCases.count >= 47) }

  @Test(arguments: Corpus.cases + Corpus.ownCases) func everyCasePassesThreeWays(_ folder: URL)
    throws
  {
    let test = try SQLCase(directory: folder)
    let ways: [(name: String, options: SQLSessionOptions)] = [
      ("straight", SQLSessionOptions()),
      ("batch size 1", SQLSessionOptions(batchSize: 1)),
      ("save and restore", SQLSessionOptions(batchSize: 3, savesAndRestores: true)),
    ]
    for (name, options) in ways {
      let differences = try test.run(options)
      #expect(differences.isEmpty, "\(test.name), \(name): \(differences.joined(separator: "\n"))")
    }
  }
}
