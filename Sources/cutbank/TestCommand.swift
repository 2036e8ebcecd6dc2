import ArgumentParser
import Foundation
import SQLCases

/// `cutbank test`: runs cases and says what differs.
struct TestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "test",
    abstract: "Run test cases of SQL applications.",
    discussion: """
      A case is a folder with case.json, input.jsonl, expected.jsonl and either app.sql or, in \
      case.json, "pipeline": the path of a pipeline file. Other folders are \
      searched for cases. The exit code is 0 when all pass, 1 when one fails, 64 when there is no case.
      """)

  @Argument(help: "Cases, or folders that hold cases.") var directories: [String]
  @Option(help: "The most rows of a batch.") var batchSize = 1_024
  @Flag(help: "Save and restore the whole state at every batch boundary.") var saveRestore = false
  @Option(help: "The seed of all models.") var seed: UInt64 = 0
  @Flag(help: "Accept our extensions of the language.") var extensions = false

  func validate() throws {
    guard batchSize > 0 else { throw ValidationError("--batch-size must be positive") }
  }

  func run() throws {
    var cases: [URL] = []
    for directory in directories {
      cases += SQLCase.find(in: URL(fileURLWithPath: directory, isDirectory: true))
    }
    guard !cases.isEmpty else {
      throw Failure(
        message: "there is no case in \(directories.joined(separator: ", "))",
        hint: "a case is a folder that holds app.sql or case.json", code: ExitCode(64))
    }
    let options = SQLSessionOptions(
      batchSize: batchSize, savesAndRestores: saveRestore, seed: seed, extensions: extensions)
    var failed = 0
    for directory in cases {
      let differences = self.differences(directory, options)
      if differences.isEmpty { continue }
      failed += 1
      try Output.write("FAIL \(directory.path)\n")
      for difference in differences { try Output.write("  \(difference)\n") }
    }
    try Output.write("\(cases.count - failed) passed, \(failed) failed\n")
    if failed > 0 { throw Outcome.failed }
  }

  private func differences(_ directory: URL, _ options: SQLSessionOptions) -> [String] {
    do {
      return try SQLCase(directory: directory).run(options)
    } catch {
      return ["\(error)"]
    }
  }
}
