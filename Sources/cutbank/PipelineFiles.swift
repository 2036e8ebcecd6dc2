import ArgumentParser
import Engine
import Foundation

/// The options by which commands find pipelines and the daemon's settings.
struct PipelineOptions: ParsableArguments {
  @Option(name: .long, help: "Kafka brokers, HOST:PORT[,HOST:PORT…]; over every setting.")
  var brokers: String?

  @Option(name: .long, help: "Settings of the daemon, instead of ./cutbank.yaml.")
  var config: String?

  @Option(name: .long, help: "Where state, outbox and dead letters live.")
  var dataDirectory: String?

  /// The daemon's settings: default < file < environment < flag.
  ///
  /// - Throws: `ConfigurationRefused`.
  func daemon() throws -> DaemonConfiguration {
    let environment = ProcessInfo.processInfo.environment
    var file = config
    if file == nil, FileManager.default.fileExists(atPath: "cutbank.yaml") { file = "cutbank.yaml" }
    let text = try file.map { try PipelineFiles.read($0) }
    var settings = try DaemonConfiguration(file: file, text: text, environment: environment)
    if let brokers { settings.kafka.brokers = brokers }
    if let dataDirectory { settings.dataDirectory = dataDirectory }
    return settings
  }
}

/// Reads pipeline files with the applications that they name.
enum PipelineFiles {
  /// The text of a file.
  ///
  /// - Throws: `ConfigurationRefused` when it cannot be read.
  static func read(_ path: String) throws -> String {
    do {
      return try TextFile.read(path)
    } catch {
      throw ConfigurationRefused(
        problems: [
          ConfigurationProblem(
            file: path, message: "the file cannot be read: \(error)",
            hint: "check the path and its permissions")
        ])
    }
  }

  /// The pipeline files that an argument means: itself, or of a folder those that end in `.yaml` or
  /// `.yml`, by name.
  ///
  /// - Throws: `ConfigurationRefused` when a folder has none.
  private static func files(_ path: String) throws -> [String] {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue
    else { return [path] }
    var problem = "the folder holds no pipeline"
    var names: [String] = []
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: path)
    } catch {
      problem = "the folder cannot be read: \(error.localizedDescription)"
    }
    let files = names.filter { name in
      !name.hasPrefix(".") && name != "cutbank.yaml"
        && (name.hasSuffix(".yaml") || name.hasSuffix(".yml"))
    }
    guard !files.isEmpty else {
      throw ConfigurationRefused(
        problems: [
          ConfigurationProblem(
            file: path, message: problem, hint: "pipelines are files that end in .yaml or .yml")
        ])
    }
    return files.sorted().map { (path.hasSuffix("/") ? path : path + "/") + $0 }
  }

  /// Stands for brokers that nobody has named.
  static let noBrokers = "brokers.invalid:9092"

  /// Plans for all files; `brokersRequired` refuses a pipeline without brokers.
  ///
  /// - Returns: The plans, and warnings.
  /// - Throws: `ConfigurationRefused` with the problems of every file.
  static func plans(
    _ paths: [String], daemon: DaemonConfiguration, brokersRequired: Bool = true
  ) throws -> ([PipelinePlan], [ConfigurationProblem]) {
    var kafka = daemon.kafka
    if !brokersRequired, kafka.brokers.isEmpty { kafka.brokers = noBrokers }
    var plans: [PipelinePlan] = []
    var refused: [ConfigurationProblem] = []
    var warnings: [ConfigurationProblem] = []
    for path in try paths.flatMap(files) {
      do {
        let (configuration, first) = try PipelineConfiguration.read(
          file: path, text: try read(path),
          environment: ProcessInfo.processInfo.environment, daemon: kafka,
          readFile: TextFile.read)
        let (plan, second) = try PipelinePlan.make(
          configuration, dataDirectory: daemon.dataDirectory)
        if plans.contains(where: { $0.configuration.name == configuration.name }) {
          refused.append(
            ConfigurationProblem(
              file: path, message: "there is another pipeline '\(configuration.name)'",
              hint: "names must differ within a daemon"))
        }
        plans.append(plan)
        warnings += first + second
      } catch let error as ConfigurationRefused {
        refused += error.problems
      }
    }
    guard refused.isEmpty else { throw ConfigurationRefused(problems: refused) }
    return (plans, warnings)
  }
}
