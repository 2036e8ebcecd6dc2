import ArgumentParser
import Foundation
import Migration

/// `cutbank import`: pipelines from what other systems describe.
struct ImportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Make pipelines of applications of other systems.",
    subcommands: [ImportKinesisAnalyticsCommand.self])
}

/// `cutbank import kinesis-analytics`: pipelines from Kinesis Data Analytics applications.
struct ImportKinesisAnalyticsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kinesis-analytics",
    abstract: "Make pipelines of Kinesis Data Analytics applications.",
    discussion: """
      Reads what 'aws kinesisanalytics describe-application' or 'aws kinesisanalyticsv2 \
      describe-application' prints, a CloudFormation template (JSON or YAML) or a Terraform file, writes \
      NAME.yaml and NAME.sql for each application in it, and says what it could not carry over. Files \
      that exist are not overwritten.
      """)

  @Argument(help: "The file.") var file: String
  @Option(help: "The folder for the pipelines; it is made when it is missing.")
  var output = "pipelines"

  func run() throws {
    guard let data = FileManager.default.contents(atPath: file) else {
      throw Failure(message: "\(file) cannot be read", hint: "check the path and its permissions")
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw Failure(message: "\(file) is not UTF-8 text", code: Outcome.configuration)
    }
    let applications: [ImportedApplication]
    do {
      applications = try importKinesisAnalytics(text, file: file, readFile: Self.reader(of: file))
    } catch {
      Output.note(error.description)
      throw Outcome.configuration
    }
    let folder = URL(fileURLWithPath: output, isDirectory: true)
    for application in applications {
      for suffix in ["yaml", "sql"] {
        let path = folder.appendingPathComponent("\(application.name).\(suffix)").path
        guard !FileManager.default.fileExists(atPath: path) else {
          throw Failure(
            message: "\(path) exists", hint: "move it away, or name another folder with --output")
        }
      }
    }
    for application in applications { try write(application, to: folder) }
  }

  /// Reads files that the application names, relative to its own.
  private static func reader(of file: String) -> (String) throws -> String {
    let folder = URL(fileURLWithPath: file).deletingLastPathComponent()
    return { path in
      try String(contentsOf: URL(fileURLWithPath: path, relativeTo: folder), encoding: .utf8)
    }
  }

  private func write(_ application: ImportedApplication, to folder: URL) throws {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      for (suffix, text) in [("sql", application.program), ("yaml", application.pipeline)] {
        let name = "\(application.name).\(suffix)"
        try Data(text.utf8).write(to: folder.appendingPathComponent(name))
      }
    } catch {
      throw Failure(message: "\(output) cannot be written: \(error.localizedDescription)")
    }
    let path = (output.hasSuffix("/") ? output : output + "/") + application.name
    try Output.write("\(path).yaml and \(path).sql are written\n")
    if application.remarks.isEmpty {
      try Output.write("everything was carried over\n")
    } else {
      try Output.write("not carried over, or changed:\n")
      for remark in application.remarks { try Output.write("  \(file):\(remark)\n") }
    }
    try Output.write("next: cutbank validate \(path).yaml\n")
  }
}
